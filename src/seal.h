/*-------------------------------------------------------------------------
 *
 * seal.h
 *	  All of OpenSSL that the extension uses.
 *
 * src/seal.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_SEAL_H
#define MP_SEAL_H

#include "signature.h"

#define SEAL_KEY_BYTES 32
#define SEAL_NONCE_BYTES 12
#define SEAL_TAG_BYTES 16
#define SEAL_OVERHEAD (SEAL_NONCE_BYTES + SEAL_TAG_BYTES)
#define SEAL_KEY_ID_SIZE 17 /* 16 hex digits and a zero */

/* Overwrites a secret; the compiler cannot leave it out. */
extern void seal_wipe(void *p, size_t len);

/* malloc's memory, overwritten before it is given back. */
extern void seal_wiping_free(void *p);
extern void *seal_wiping_realloc(void *p, size_t size);

/* Lower-case hex SHA-256 of "len" bytes, palloc'd. */
extern char *seal_sha256_hex(const void *data, size_t len);

/* A random UUID, version 4, palloc'd. */
extern char *seal_uuid(void);

/* Fills "buf" with random bytes. */
extern void seal_random(void *buf, size_t len);

/*
 * Seals "len" bytes with AES-256-GCM into out[len + SEAL_OVERHEAD].  "bound"
 * is what the result belongs to: opening it takes the same.
 */
extern void seal_close(const uint8 key[SEAL_KEY_BYTES], const char *bound,
					   const void *plain, size_t len, uint8 *out);

/*
 * The reverse, into out[len - SEAL_OVERHEAD].  False if the key or "bound" is
 * another, or a bit was changed; "out" is wiped then.
 */
extern bool seal_open(const uint8 key[SEAL_KEY_BYTES], const char *bound,
					  const uint8 *sealed, size_t len, uint8 *out);

/* A name for a key that tells nothing about it. */
extern void seal_key_id(const uint8 key[SEAL_KEY_BYTES], char id[SEAL_KEY_ID_SIZE]);

/* HMAC-SHA256 over prefix and payload: a SignatureHmac. */
extern bool seal_signature_hmac(void *arg, const char *key, size_t key_len,
								const char *prefix, size_t prefix_len,
								const char *payload, size_t payload_len,
								uint8 mac[SIGNATURE_MAC_BYTES]);

#endif /* MP_SEAL_H */

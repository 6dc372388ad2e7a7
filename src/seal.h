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

/* Overwrites a secret; the compiler cannot leave it out. */
extern void seal_wipe(void *p, size_t len);

/* Lower-case hex SHA-256 of "len" bytes, palloc'd. */
extern char *seal_sha256_hex(const void *data, size_t len);

/* A random UUID, version 4, palloc'd. */
extern char *seal_uuid(void);

#endif							/* MP_SEAL_H */

/*-------------------------------------------------------------------------
 *
 * seal.c
 *	  All of OpenSSL that the extension uses: sealing, digests, randomness.
 *
 * No other file includes an OpenSSL header.  Nothing here logs, and no error
 * of OpenSSL's is shown with data in it.
 *
 * A sealed value is nonce, ciphertext and tag of AES-256-GCM.  The nonce is
 * random: 96 bits are ample for the few values an installation ever seals
 * under one key.
 *
 * src/seal.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <malloc.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "seal.h"

void
seal_wipe(void *p, size_t len)
{
	OPENSSL_cleanse(p, len);
}

/*
 * Every block that a library frees, large ones too: the C library's way of
 * wiping is several times as fast as OpenSSL's.
 */
void
seal_wiping_free(void *p)
{
	if (p != NULL)
	{
		explicit_bzero(p, malloc_usable_size(p));
		free(p);
	}
}

void *
seal_wiping_realloc(void *p, size_t size)
{
	void	   *q = malloc(size);

	if (q != NULL && p != NULL)
	{
		memcpy(q, p, Min(malloc_usable_size(p), size));
		seal_wiping_free(p);
	}
	return q;
}

static void
raise_failure(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("could not %s", what),
			 errdetail("The cryptographic library reported a failure.")));
}

static char *
to_hex(const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char	   *hex = palloc(len * 2 + 1);

	for (size_t i = 0; i < len; i++)
	{
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[len * 2] = '\0';
	return hex;
}

char *
seal_sha256_hex(const void *data, size_t len)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int mdlen = 0;

	if (EVP_Digest(data, len, md, &mdlen, EVP_sha256(), NULL) != 1)
		raise_failure("compute a digest");
	return to_hex(md, mdlen);
}

void
seal_random(void *buf, size_t len)
{
	if (RAND_bytes(buf, (int) len) != 1)
		raise_failure("generate random bytes");
}

/* RFC 4122: the version and variant bits are fixed, the other 122 random. */
char *
seal_uuid(void)
{
	unsigned char b[16];
	char	   *hex;

	seal_random(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	hex = to_hex(b, sizeof(b));
	return psprintf("%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void
seal_close(const uint8 key[SEAL_KEY_BYTES], const char *bound,
		   const void *plain, size_t len, uint8 *out)
{
	EVP_CIPHER_CTX *ctx;
	int			n = 0;
	bool		ok;

	seal_random(out, SEAL_NONCE_BYTES);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL &&
		EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *) bound, (int) strlen(bound)) == 1 &&
		EVP_EncryptUpdate(ctx, out + SEAL_NONCE_BYTES, &n, plain, (int) len) == 1 &&
		EVP_EncryptFinal_ex(ctx, out + SEAL_NONCE_BYTES + len, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES,
							out + SEAL_NONCE_BYTES + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		raise_failure("seal a secret");
}

bool
seal_open(const uint8 key[SEAL_KEY_BYTES], const char *bound,
		  const uint8 *sealed, size_t len, uint8 *out)
{
	EVP_CIPHER_CTX *ctx;
	size_t		plain_len;
	int			n = 0;
	bool		ok;

	if (len < SEAL_OVERHEAD)
		return false;
	plain_len = len - SEAL_OVERHEAD;
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL &&
		EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *) bound, (int) strlen(bound)) == 1 &&
		EVP_DecryptUpdate(ctx, out, &n, sealed + SEAL_NONCE_BYTES, (int) plain_len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_BYTES,
							unconstify(uint8 *, sealed + SEAL_NONCE_BYTES + plain_len)) == 1 &&
		EVP_DecryptFinal_ex(ctx, out + plain_len, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok)
		seal_wipe(out, plain_len);
	return ok;
}

void
seal_key_id(const uint8 key[SEAL_KEY_BYTES], char id[SEAL_KEY_ID_SIZE])
{
	static const char label[] = "memberpulse_stripe key id";
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int maclen = 0;
	char	   *hex;

	if (HMAC(EVP_sha256(), key, SEAL_KEY_BYTES, (const unsigned char *) label,
			 sizeof(label) - 1, mac, &maclen) == NULL)
		raise_failure("compute a key's name");
	hex = to_hex(mac, 8);
	strlcpy(id, hex, SEAL_KEY_ID_SIZE);
	pfree(hex);
}

bool
seal_signature_hmac(void *arg, const char *key, size_t key_len,
					const char *prefix, size_t prefix_len,
					const char *payload, size_t payload_len,
					uint8 mac[SIGNATURE_MAC_BYTES])
{
	static EVP_MAC *hmac = NULL;
	EVP_MAC_CTX *ctx;
	OSSL_PARAM	params[2];
	size_t		maclen = 0;
	bool		ok;

	if (hmac == NULL)
		hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (hmac == NULL || (ctx = EVP_MAC_CTX_new(hmac)) == NULL)
		return false;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
												 (char *) "SHA256", 0);
	params[1] = OSSL_PARAM_construct_end();
	ok = EVP_MAC_init(ctx, (const unsigned char *) key, key_len, params) == 1 &&
		EVP_MAC_update(ctx, (const unsigned char *) prefix, prefix_len) == 1 &&
		EVP_MAC_update(ctx, (const unsigned char *) payload, payload_len) == 1 &&
		EVP_MAC_final(ctx, mac, &maclen, SIGNATURE_MAC_BYTES) == 1 &&
		maclen == SIGNATURE_MAC_BYTES;
	EVP_MAC_CTX_free(ctx);
	return ok;
}

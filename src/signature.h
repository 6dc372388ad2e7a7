/*-------------------------------------------------------------------------
 *
 * signature.h
 *	  The signature header of Stripe's webhooks: checking and making it.
 *
 * src/signature.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_SIGNATURE_H
#define MP_SIGNATURE_H

#define SIGNATURE_MAX_HEADER 8192 /* bytes */
#define SIGNATURE_MAX_V1 64 /* candidates looked at; more are ignored */
#define SIGNATURE_MAC_BYTES 32 /* HMAC-SHA256 */
#define SIGNATURE_HEX_CHARS 64
#define SIGNATURE_TOLERANCE 300 /* seconds; what Stripe's libraries use */

/* Room signature_make_header() needs: t=, 12 digits, ,v1=, hex, NUL. */
#define SIGNATURE_HEADER_SIZE (2 + 12 + 4 + SIGNATURE_HEX_CHARS + 1)

typedef enum SignatureOutcome
{
	SIGNATURE_OK = 0,
	SIGNATURE_EMPTY_SECRET,		/* no secret, or a blank one */
	SIGNATURE_BAD_SECRET,		/* blanks or control characters inside */
	SIGNATURE_NO_HEADER,
	SIGNATURE_LONG_HEADER,
	SIGNATURE_NO_TIMESTAMP,
	SIGNATURE_BAD_TIMESTAMP,
	SIGNATURE_NO_SIGNATURE,		/* no v1 element */
	SIGNATURE_MISMATCH,
	SIGNATURE_TOO_OLD,
	SIGNATURE_TOO_NEW,
	SIGNATURE_HMAC_FAILED		/* the hash could not be computed */
} SignatureOutcome;

/*
 * Computes HMAC-SHA256 over prefix followed by payload, which are apart so
 * that a large payload need not be copied.  False if it cannot.
 */
typedef bool (*SignatureHmac) (void *arg,
							   const char *key, size_t key_len,
							   const char *prefix, size_t prefix_len,
							   const char *payload, size_t payload_len,
							   uint8 mac[SIGNATURE_MAC_BYTES]);

typedef struct SignatureInput
{
	const char *payload;		/* the exact bytes received */
	size_t		payload_len;
	const char *header;			/* Stripe-Signature; NULL if absent */
	const char *const *secrets; /* whole strings, "whsec_" included */
	int			nsecrets;
	int64		now;			/* seconds since 1970 */
	int			tolerance;		/* seconds either way; 0 turns the age off */
	SignatureHmac hmac;
	void	   *hmac_arg;
} SignatureInput;

extern SignatureOutcome signature_check(const SignatureInput *in,
										int *matched);
extern const char *signature_reason(SignatureOutcome outcome);
extern SignatureOutcome signature_check_secret(const char *secret);
extern bool signature_make_header(const char *payload, size_t payload_len,
								  const char *secret, int64 timestamp,
								  SignatureHmac hmac, void *hmac_arg,
								  char header[SIGNATURE_HEADER_SIZE]);

#endif /* MP_SIGNATURE_H */

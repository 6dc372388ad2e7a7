/*-------------------------------------------------------------------------
 *
 * signature.c
 *	  The signature header of Stripe's webhooks: checking and making it.
 *
 * A header is t=<seconds>,v1=<hex>[,v1=<hex>...][,v0=<hex>], one v1 for each
 * secret that is valid while one is being rolled.  What is signed is the digits
 * of t, a dot, and the body's exact bytes; the key is the whole secret string.
 * Elements other than t and v1 are ignored: v0 in particular is a scheme for
 * tests, and taking it would let anybody sign.
 *
 * Stricter than Stripe's libraries in three ways, none of which Stripe's own
 * deliveries meet: a timestamp is digits in their shortest form, it may not lie
 * further ahead of the clock than behind it, and a secret with blanks in it,
 * which is nearly always a slip in pasting, is refused instead of failing to
 * match.  As in the Node library the last t counts, and hex is lower-case.
 *
 * The digest is compared in constant time, so that timing tells nothing of how
 * much of a guess was right.  Age is looked at last: only who knows a secret
 * learns about our clock.
 *
 * This file is pure.  The hash is passed in, which keeps OpenSSL out of here
 * and of the tests that need none.
 *
 * src/signature.c
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "signature.h"

/* Digits of a timestamp: room for thirty thousand years. */
#define MAX_TIME_DIGITS 12

/* Digits and dot, the part of the signed text that precedes the payload. */
#define PREFIX_SIZE (MAX_TIME_DIGITS + 1)

typedef struct ParsedHeader
{
	const char *time;			/* the digits of the last t, NULL if none */
	size_t		time_len;
	bool		bad_time;		/* some t was not a number */
	bool		has_v1;
	const char *v1[SIGNATURE_MAX_V1];	/* those of the right length */
	int			nv1;
} ParsedHeader;

/*
 * Is this a number in its shortest form that we can hold?
 */
static bool
is_timestamp(const char *s, size_t len)
{
	size_t		i;

	if (len == 0 || len > MAX_TIME_DIGITS || (s[0] == '0' && len > 1))
		return false;
	for (i = 0; i < len; i++)
	{
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

/*
 * Takes one name=value element into account.
 */
static void
take_element(ParsedHeader *parsed, const char *s, size_t len)
{
	if (len >= 2 && s[0] == 't' && s[1] == '=')
	{
		parsed->time = s + 2;
		parsed->time_len = len - 2;
		if (!is_timestamp(parsed->time, parsed->time_len))
			parsed->bad_time = true;
	}
	else if (len >= 3 && s[0] == 'v' && s[1] == '1' && s[2] == '=')
	{
		parsed->has_v1 = true;
		if (len - 3 == SIGNATURE_HEX_CHARS && parsed->nv1 < SIGNATURE_MAX_V1)
			parsed->v1[parsed->nv1++] = s + 3;
	}
}

/*
 * Splits a header; the result points into it.
 */
static void
parse_header(const char *header, size_t len, ParsedHeader *parsed)
{
	const char *p = header;
	const char *end = header + len;

	memset(parsed, 0, sizeof(*parsed));
	while (p < end)
	{
		const char *comma = memchr(p, ',', end - p);
		const char *stop = comma != NULL ? comma : end;

		take_element(parsed, p, stop - p);
		p = stop + 1;
	}
}

static void
write_hex(const uint8 *mac, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	int			i;

	for (i = 0; i < SIGNATURE_MAC_BYTES; i++)
	{
		*hex++ = digits[mac[i] >> 4];
		*hex++ = digits[mac[i] & 0x0F];
	}
}

/*
 * Compares two digests in hex.  Every character is looked at whatever the
 * earlier ones were; volatile keeps the compiler from being clever.
 */
static bool
equal_hex(const char *a, const char *b)
{
	volatile unsigned char difference = 0;
	int			i;

	for (i = 0; i < SIGNATURE_HEX_CHARS; i++)
		difference |= (unsigned char) (a[i] ^ b[i]);
	return difference == 0;
}

/*
 * Does one secret explain one of the header's signatures?
 */
static SignatureOutcome
try_secret(const SignatureInput *in, const ParsedHeader *parsed,
		   const char *secret, const char *prefix, size_t prefix_len)
{
	SignatureOutcome outcome = SIGNATURE_MISMATCH;
	uint8		mac[SIGNATURE_MAC_BYTES];
	char		hex[SIGNATURE_HEX_CHARS];
	int			i;

	if (!in->hmac(in->hmac_arg, secret, strlen(secret), prefix, prefix_len,
				  in->payload, in->payload_len, mac))
		return SIGNATURE_HMAC_FAILED;
	write_hex(mac, hex);
	for (i = 0; i < parsed->nv1; i++)
	{
		if (equal_hex(hex, parsed->v1[i]))
			outcome = SIGNATURE_OK;
	}

	/* With it, anybody could sign this payload. */
	explicit_bzero(mac, sizeof(mac));
	explicit_bzero(hex, sizeof(hex));
	return outcome;
}

/*
 * Is the signed moment near enough to now?
 */
static SignatureOutcome
check_age(const SignatureInput *in, const ParsedHeader *parsed)
{
	int64		timestamp = 0;
	size_t		i;

	if (in->tolerance <= 0)
		return SIGNATURE_OK;
	for (i = 0; i < parsed->time_len; i++)
		timestamp = timestamp * 10 + (parsed->time[i] - '0');
	if (in->now - timestamp > in->tolerance)
		return SIGNATURE_TOO_OLD;
	if (timestamp - in->now > in->tolerance)
		return SIGNATURE_TOO_NEW;
	return SIGNATURE_OK;
}

/*
 * Everything that can be said of a header without a secret.
 */
static SignatureOutcome
check_header(const char *header, ParsedHeader *parsed)
{
	size_t		len = header != NULL ? strnlen(header, SIGNATURE_MAX_HEADER + 1) : 0;

	if (len == 0)
		return SIGNATURE_NO_HEADER;
	if (len > SIGNATURE_MAX_HEADER)
		return SIGNATURE_LONG_HEADER;
	parse_header(header, len, parsed);
	if (parsed->time == NULL)
		return SIGNATURE_NO_TIMESTAMP;
	if (parsed->bad_time)
		return SIGNATURE_BAD_TIMESTAMP;
	if (!parsed->has_v1)
		return SIGNATURE_NO_SIGNATURE;
	return SIGNATURE_OK;
}

/*
 * Can this be a signing secret at all?
 */
SignatureOutcome
signature_check_secret(const char *secret)
{
	const char *p;
	bool		visible = false;
	bool		blank = false;

	if (secret == NULL)
		return SIGNATURE_EMPTY_SECRET;
	for (p = secret; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c <= 0x20 || c == 0x7F)
			blank = true;
		else
			visible = true;
	}
	if (!visible)
		return SIGNATURE_EMPTY_SECRET;
	return blank ? SIGNATURE_BAD_SECRET : SIGNATURE_OK;
}

/*
 * Checks a delivery.  Any of the secrets may have signed it; which one is
 * *matched (unless that is NULL), -1 when none did.  It is set for a delivery
 * that is only too old or too new as well.
 */
SignatureOutcome
signature_check(const SignatureInput *in, int *matched)
{
	SignatureOutcome outcome;
	ParsedHeader parsed;
	char		prefix[PREFIX_SIZE];
	int			i;

	if (matched != NULL)
		*matched = -1;
	if (in->nsecrets <= 0)
		return SIGNATURE_EMPTY_SECRET;
	for (i = 0; i < in->nsecrets; i++)
	{
		outcome = signature_check_secret(in->secrets[i]);
		if (outcome != SIGNATURE_OK)
			return outcome;
	}
	outcome = check_header(in->header, &parsed);
	if (outcome != SIGNATURE_OK)
		return outcome;

	memcpy(prefix, parsed.time, parsed.time_len);
	prefix[parsed.time_len] = '.';
	for (i = 0; i < in->nsecrets; i++)
	{
		outcome = try_secret(in, &parsed, in->secrets[i],
							 prefix, parsed.time_len + 1);
		if (outcome != SIGNATURE_MISMATCH)
			break;
	}
	if (outcome != SIGNATURE_OK)
		return outcome;
	if (matched != NULL)
		*matched = i;
	return check_age(in, &parsed);
}

/*
 * A sentence for an error's detail.
 */
const char *
signature_reason(SignatureOutcome outcome)
{
	switch (outcome)
	{
		case SIGNATURE_OK:
			return "The signature is valid.";
		case SIGNATURE_EMPTY_SECRET:
			return "There is no webhook signing secret, or it is blank.";
		case SIGNATURE_BAD_SECRET:
			return "The webhook signing secret contains a space or a line break.";
		case SIGNATURE_NO_HEADER:
			return "The signature header is missing or empty.";
		case SIGNATURE_LONG_HEADER:
			return "The signature header is too long.";
		case SIGNATURE_NO_TIMESTAMP:
			return "The signature header has no timestamp.";
		case SIGNATURE_BAD_TIMESTAMP:
			return "The timestamp in the signature header is not a number of seconds.";
		case SIGNATURE_NO_SIGNATURE:
			return "The signature header has no signature of scheme v1.";
		case SIGNATURE_MISMATCH:
			return "No signature in the header matches the payload and a signing secret.";
		case SIGNATURE_TOO_OLD:
			return "The signature is older than the tolerance allows.";
		case SIGNATURE_TOO_NEW:
			return "The signature is further in the future than the tolerance allows.";
		case SIGNATURE_HMAC_FAILED:
			return "The signature could not be computed.";
	}
	return "The signature could not be checked.";
}

/*
 * Signs a payload as Stripe would, for tests and for replaying deliveries.
 * False, with an empty header, if the secret or the moment cannot be used or
 * the hash fails.
 */
bool
signature_make_header(const char *payload, size_t payload_len,
					  const char *secret, int64 timestamp,
					  SignatureHmac hmac, void *hmac_arg,
					  char header[SIGNATURE_HEADER_SIZE])
{
	char		prefix[PREFIX_SIZE + 8];
	uint8		mac[SIGNATURE_MAC_BYTES];
	char		hex[SIGNATURE_HEX_CHARS + 1];
	int			len;

	header[0] = '\0';
	if (timestamp < 0 || timestamp > INT64CONST(999999999999) ||
		signature_check_secret(secret) != SIGNATURE_OK)
		return false;

	len = snprintf(prefix, sizeof(prefix), INT64_FORMAT ".", timestamp);
	if (!hmac(hmac_arg, secret, strlen(secret), prefix, len,
			  payload, payload_len, mac))
		return false;
	write_hex(mac, hex);
	hex[SIGNATURE_HEX_CHARS] = '\0';
	snprintf(header, SIGNATURE_HEADER_SIZE, "t=" INT64_FORMAT ",v1=%s",
			 timestamp, hex);
	return true;
}

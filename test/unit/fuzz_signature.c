/*-------------------------------------------------------------------------
 *
 * fuzz_signature.c
 *	  Webhook signature headers of every kind.
 *
 * The hash is a toy, since it is the parsing that is under test.  A header is
 * accepted only if it carries the digest, and one that was made here stays
 * accepted whatever is appended to it, short of another timestamp.
 *
 * test/unit/fuzz_signature.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "fuzz.h"
#include "lib/stringinfo.h"
#include "signature.h"

#define SECRET	"whsec_fuzz"

/* The moment and digest of the last hash, in hex with its element's name. */
typedef struct Toy
{
	char		prefix[32];
	char		element[3 + SIGNATURE_HEX_CHARS + 1];
} Toy;

static uint32
toy_mix(uint32 h, const char *s, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
		h = (uint32) (((uint64) (h ^ (unsigned char) s[i]) * 16777619) & 0xFFFFFFFF);
	return h;
}

static bool
toy_hmac(void *arg, const char *key, size_t key_len,
		 const char *prefix, size_t prefix_len,
		 const char *payload, size_t payload_len,
		 uint8 mac[SIGNATURE_MAC_BYTES])
{
	Toy		   *toy = arg;
	uint32		h = UINT32_C(2166136261);
	int			i;

	MUST(prefix_len >= 2 && prefix_len < sizeof(toy->prefix));
	MUST(prefix[prefix_len - 1] == '.');
	MUST(strspn(prefix, "0123456789") == prefix_len - 1);
	memcpy(toy->prefix, prefix, prefix_len);
	toy->prefix[prefix_len] = '\0';

	h = toy_mix(h, key, key_len);
	h = toy_mix(h, prefix, prefix_len);
	h = toy_mix(h, payload, payload_len);
	snprintf(toy->element, sizeof(toy->element), "v1=");
	for (i = 0; i < SIGNATURE_MAC_BYTES; i++)
	{
		mac[i] = (uint8) (h >> (i % 4 * 8));
		snprintf(toy->element + 3 + 2 * i, 3, "%02x", mac[i]);
	}
	return true;
}

/*
 * Any header: never a crash, and never accepted without the digest.
 */
static void
check_any(SignatureInput *in, const Toy *toy)
{
	int			matched;
	SignatureOutcome outcome = signature_check(in, &matched);

	MUST(outcome >= SIGNATURE_OK && outcome <= SIGNATURE_TOO_NEW);
	MUST(strlen(signature_reason(outcome)) > 0);
	if (matched >= 0)
	{
		MUST(outcome == SIGNATURE_OK || outcome >= SIGNATURE_TOO_OLD);
		MUST(strstr(in->header, toy->element) != NULL);
		MUST(strstr(in->header, "t=") != NULL);
		MUST(atoll(toy->prefix) >= 0);
	}
	else
		MUST(outcome != SIGNATURE_OK);
}

/*
 * A good header with something behind it.
 */
static void
check_appended(SignatureInput *in, Toy *toy, const char *junk)
{
	char		made[SIGNATURE_HEADER_SIZE];
	StringInfoData header;

	MUST(signature_make_header(in->payload, in->payload_len, SECRET, in->now,
							   toy_hmac, toy, made));
	initStringInfo(&header);
	appendStringInfo(&header, "%s,%s", made, junk);
	in->header = header.data;
	if (header.len <= SIGNATURE_MAX_HEADER && strstr(junk, "t=") == NULL)
		MUST(signature_check(in, NULL) == SIGNATURE_OK);
	pfree(header.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const secret = SECRET;
	FuzzInput	input = {(const char *) data, size};
	SignatureInput in;
	Toy			toy;
	char	   *header;

	memset(&in, 0, sizeof(in));
	memset(&toy, 0, sizeof(toy));
	in.tolerance = fuzz_byte(&input) * 10;
	in.now = INT64CONST(1700000000) + fuzz_byte(&input);
	in.payload = fuzz_bytes(&input, fuzz_byte(&input), &in.payload_len);
	in.secrets = &secret;
	in.nsecrets = 1;
	in.hmac = toy_hmac;
	in.hmac_arg = &toy;

	header = fuzz_string(&input);
	in.header = header;
	check_any(&in, &toy);
	check_appended(&in, &toy, header);
	(void) signature_check_secret(header);
	pfree(header);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * test_signature.c
 *	  The webhook signature header, with OpenSSL's HMAC.
 *
 * The signatures of the vectors were made by Stripe's Node library, not by
 * the code under test.
 *
 * test/unit/test_signature.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/stringinfo.h"
#include "signature.h"
#include "tap.h"

#define T	INT64CONST(1700000000)
#define S1	"whsec_test_secret_1"
#define S2	"whsec_test_secret_2"
#define P1	"{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"payment_intent.succeeded\"}"
#define P2	"{\"id\":\"evt_2\",\"object\":\"event\",\"data\":{\"object\":{\"name\":" \
	"\"Jos\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xF0\x9F\x8E\x89\"}}}"
#define P3	"{\n  \"id\": \"evt_3\",\n  \"object\": \"event\"\n}"
#define H1	"80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951"
#define H1_UPPER "80D01916FBE31E77C6DE3B50CAC218FE70E1F2C5367CF7E3590C0901B7F67951"
#define H2	"64a88a82e1111d4900578ec8c3bc1e837d59d2b89cfd10be90efdf1bc36a6d82"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define W1	"t=1700000000,v1=" H1

/*
 * HMAC-SHA256 by OpenSSL; "arg" counts the calls, and makes them fail when it
 * is NULL.
 */
static bool
openssl_hmac(void *arg, const char *key, size_t key_len,
			 const char *prefix, size_t prefix_len,
			 const char *payload, size_t payload_len,
			 uint8 mac[SIGNATURE_MAC_BYTES])
{
	unsigned char *text;
	unsigned int len = 0;
	bool		good;

	if (arg == NULL)
		return false;
	(*(int *) arg)++;
	text = palloc(prefix_len + payload_len + 1);
	memcpy(text, prefix, prefix_len);
	memcpy(text + prefix_len, payload, payload_len);
	good = HMAC(EVP_sha256(), key, (int) key_len, text,
				prefix_len + payload_len, mac, &len) != NULL;
	pfree(text);
	return good && len == SIGNATURE_MAC_BYTES;
}

typedef struct Vector
{
	const char *name;
	const char *payload;
	const char *secret;
	const char *header;
	int64		now;
	int			tolerance;
	SignatureOutcome expected;
} Vector;

static const Vector vectors[] = {
	{"W1", P1, S1, W1, T, 300, SIGNATURE_OK},
	{"W2, UTF-8", P2, S1,
		"t=1700000000,v1=9cef6d65f9ed75b205c6a383c4ee83d724a54f38a79ef162f943016e3dfd3966",
	T, 300, SIGNATURE_OK},
	{"W3, line breaks", P3, S1,
		"t=1700000000,v1=d5d08378ac8236972f7864b2caf947bbe616805061a09f9a4e82eb6a02c1fa24",
	T, 300, SIGNATURE_OK},
	{"W4, empty object", "{}", S1,
		"t=1700000000,v1=3cc6d220bd6d001d0f1931d315cb1765435a39bb810cde4e05e23a2b6d71a945",
	T, 300, SIGNATURE_OK},
	{"W5, two signatures, first secret", P1, S1,
	"t=1700000000,v1=" H2 ",v1=" H1 ",v0=" ZEROS, T, 300, SIGNATURE_OK},
	{"W5, two signatures, second secret", P1, S2,
	"t=1700000000,v1=" H2 ",v1=" H1 ",v0=" ZEROS, T, 300, SIGNATURE_OK},
	{"W6, at the tolerance", P1, S1, W1, T + 300, 300, SIGNATURE_OK},
	{"W6, beyond it", P1, S1, W1, T + 301, 300, SIGNATURE_TOO_OLD},
	{"W6, tolerance off", P1, S1, W1, T + 999999, 0, SIGNATURE_OK},
	/* Ours: Stripe's libraries let the future pass. */
	{"W7, in the future", P1, S1, W1, T - 3600, 300, SIGNATURE_TOO_NEW},
	{"W7, at the tolerance", P1, S1, W1, T - 300, 300, SIGNATURE_OK},
	{"W7, just beyond it", P1, S1, W1, T - 301, 300, SIGNATURE_TOO_NEW},
	{"W7, tolerance off", P1, S1, W1, T - 3600, 0, SIGNATURE_OK},
	{"W8, only v0", P1, S1, "t=1700000000,v0=" H1, T, 300, SIGNATURE_NO_SIGNATURE},
	{"W9, another secret", P1, S2, W1, T, 300, SIGNATURE_MISMATCH},
	{"W10, a space more", P1 " ", S1, W1, T, 300, SIGNATURE_MISMATCH},
	{"W11, no timestamp", P1, S1, "v1=" H1, T, 300, SIGNATURE_NO_TIMESTAMP},
	{"W12, upper case", P1, S1, "t=1700000000,v1=" H1_UPPER, T, 300, SIGNATURE_MISMATCH},
	{"W13, a space in the header", P1, S1, "t=1700000000, v1=" H1, T, 300, SIGNATURE_NO_SIGNATURE},
	{"W14, other order", P1, S1, "v1=" H1 ",t=1700000000", T, 300, SIGNATURE_OK},
	{"W15, timestamp is no number", P1, S1, "t=abc,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"W15, empty header", P1, S1, "", T, 300, SIGNATURE_NO_HEADER},
	{"W15, no header", P1, S1, NULL, T, 300, SIGNATURE_NO_HEADER},
	{"W16, empty secret", P1, "", W1, T, 300, SIGNATURE_EMPTY_SECRET},
	{"W16, secret and a line break", P1, S1 "\n", W1, T, 300, SIGNATURE_BAD_SECRET},
	{"W17, not UTF-8", "{\xFF}", S1,
		"t=1700000000,v1=9fe00e94ecbc9721341034daee2200e23ae8746de813cde6569910cfc549f269",
	T, 300, SIGNATURE_OK},

	/* Beyond the published vectors. */
	{"blank secret", P1, " \t\r\n", W1, T, 300, SIGNATURE_EMPTY_SECRET},
	{"no secret", P1, NULL, W1, T, 300, SIGNATURE_EMPTY_SECRET},
	{"secret with a space inside", P1, "whsec_test secret", W1, T, 300, SIGNATURE_BAD_SECRET},
	{"secret with DEL", P1, "whsec_\x7F", W1, T, 300, SIGNATURE_BAD_SECRET},
	{"empty payload", "", S1, W1, T, 300, SIGNATURE_MISMATCH},
	{"a digest with one character changed", P1, S1,
		"t=1700000000,v1=80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67952",
	T, 300, SIGNATURE_MISMATCH},
	{"another first character", P1, S1,
		"t=1700000000,v1=90d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951",
	T, 300, SIGNATURE_MISMATCH},
	{"a character too few", P1, S1,
		"t=1700000000,v1=80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f6795",
	T, 300, SIGNATURE_MISMATCH},
	{"a character too many", P1, S1, W1 "0", T, 300, SIGNATURE_MISMATCH},
	{"an empty digest", P1, S1, "t=1700000000,v1=", T, 300, SIGNATURE_MISMATCH},
	{"v1 without a value", P1, S1, "t=1700000000,v1", T, 300, SIGNATURE_NO_SIGNATURE},
	{"v10 is another scheme", P1, S1, "t=1700000000,v10=" H1, T, 300, SIGNATURE_NO_SIGNATURE},
	{"V1 is another scheme", P1, S1, "t=1700000000,V1=" H1, T, 300, SIGNATURE_NO_SIGNATURE},
	{"another moment", P1, S1, "t=1700000001,v1=" H1, T, 300, SIGNATURE_MISMATCH},
	{"empty timestamp", P1, S1, "t=,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"negative timestamp", P1, S1, "t=-1,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"signed timestamp", P1, S1, "t=+1700000000,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"leading zero", P1, S1, "t=01700000000,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"zero is a number", P1, S1, "t=0,v1=" H1, T, 300, SIGNATURE_MISMATCH},
	{"twelve digits are a number", P1, S1, "t=999999999999,v1=" H1, T, 300, SIGNATURE_MISMATCH},
	{"thirteen are too many", P1, S1, "t=1700000000000,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"digits and more", P1, S1, "t=1700000000x,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"the last timestamp counts", P1, S1, "t=1,v1=" H1 ",t=1700000000", T, 300, SIGNATURE_OK},
	{"the first does not", P1, S1, W1 ",t=1", T, 300, SIGNATURE_MISMATCH},
	{"one bad timestamp of two", P1, S1, "t=x,t=1700000000,v1=" H1, T, 300, SIGNATURE_BAD_TIMESTAMP},
	{"unknown elements", P1, S1, "x,=,y=1,,t=1700000000,v2=z,v1=" H1 ",", T, 300, SIGNATURE_OK},
	{"only commas", P1, S1, ",,,", T, 300, SIGNATURE_NO_TIMESTAMP},
	{"old and wrong is wrong", P1, S2, W1, T + 9999, 300, SIGNATURE_MISMATCH}
};

static SignatureInput
make_input(const char *payload, const char *const *secrets, int nsecrets,
		   const char *header, int *calls)
{
	SignatureInput in;

	memset(&in, 0, sizeof(in));
	in.payload = payload;
	in.payload_len = strlen(payload);
	in.header = header;
	in.secrets = secrets;
	in.nsecrets = nsecrets;
	in.now = T;
	in.tolerance = SIGNATURE_TOLERANCE;
	in.hmac = openssl_hmac;
	in.hmac_arg = calls;
	return in;
}

static void
test_vectors(void)
{
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
	{
		const Vector *v = &vectors[i];
		int			calls = 0;
		int			matched = 99;
		bool		known;
		SignatureInput in = make_input(v->payload, &v->secret, 1, v->header, &calls);

		in.now = v->now;
		in.tolerance = v->tolerance;
		is_int(signature_check(&in, &matched), v->expected, v->name);

		/* A secret that signed is named also where the age is the trouble. */
		known = v->expected == SIGNATURE_OK || v->expected == SIGNATURE_TOO_OLD ||
			v->expected == SIGNATURE_TOO_NEW;
		is_int(matched, known ? 0 : -1, "which secret");
		is_int(calls, known || v->expected == SIGNATURE_MISMATCH ? 1 : 0,
			   "nothing is hashed for a delivery that is refused anyway");
	}
}

static void
test_secrets(void)
{
	static const char *const both[] = {S1, S2};
	static const char *const swapped[] = {S2, S1};
	static const char *const neither[] = {"whsec_a", "whsec_b"};
	static const char *const one_blank[] = {S1, " "};
	int			calls = 0;
	int			matched = 99;
	SignatureInput in = make_input(P1, both, 2, W1, &calls);

	is_int(signature_check(&in, &matched), SIGNATURE_OK, "first of two secrets");
	is_int(matched, 0, "is the one that matched");
	is_int(calls, 1, "and the second was not needed");

	in.secrets = swapped;
	is_int(signature_check(&in, &matched), SIGNATURE_OK, "second of two secrets");
	is_int(matched, 1, "is the one that matched");

	in.secrets = neither;
	is_int(signature_check(&in, &matched), SIGNATURE_MISMATCH, "neither of two secrets");
	is_int(matched, -1, "none matched");

	in.secrets = one_blank;
	is_int(signature_check(&in, &matched), SIGNATURE_EMPTY_SECRET, "a blank one beside a good one");
	in.nsecrets = 0;
	is_int(signature_check(&in, &matched), SIGNATURE_EMPTY_SECRET, "no secrets");
	in.nsecrets = 1;
	is_int(signature_check(&in, NULL), SIGNATURE_OK, "not asking which");

	in.hmac_arg = NULL;
	is_int(signature_check(&in, &matched), SIGNATURE_HMAC_FAILED, "the hash fails");
	is_int(matched, -1, "so none matched");

	is_int(signature_check_secret(S1), SIGNATURE_OK, "a good secret");
	is_int(signature_check_secret(S1 " "), SIGNATURE_BAD_SECRET, "one with a space behind");
	is_int(signature_check_secret(NULL), SIGNATURE_EMPTY_SECRET, "none");
}

/*
 * A header as long as allowed is read, a longer one is not; of the v1 elements
 * the first 64 of the right length count.
 */
static void
test_bounds(void)
{
	static const char *const secret = S1;
	char	   *header = palloc(SIGNATURE_MAX_HEADER + 2);
	int			calls = 0;
	SignatureInput in = make_input(P1, &secret, 1, header, &calls);
	StringInfoData many;
	int			before_last;
	int			i;

	memset(header, ',', SIGNATURE_MAX_HEADER + 1);
	header[SIGNATURE_MAX_HEADER + 1] = '\0';
	memcpy(header, W1, strlen(W1));
	is_int(signature_check(&in, NULL), SIGNATURE_LONG_HEADER, "a header over the limit");
	header[SIGNATURE_MAX_HEADER] = '\0';
	is_int(signature_check(&in, NULL), SIGNATURE_OK, "a header at the limit");

	pfree(header);

	initStringInfo(&many);
	appendStringInfoString(&many, "t=1700000000");
	for (i = 1; i < SIGNATURE_MAX_V1; i++)
		appendStringInfoString(&many, ",v1=" ZEROS);
	before_last = many.len;
	appendStringInfoString(&many, ",v1=short,v1=" H1);
	in.header = many.data;
	is_int(signature_check(&in, NULL), SIGNATURE_OK, "the last signature that counts");

	many.len = before_last;
	appendStringInfoString(&many, ",v1=" ZEROS ",v1=" H1);
	in.header = many.data;
	is_int(signature_check(&in, NULL), SIGNATURE_MISMATCH, "the first that does not");
	pfree(many.data);
}

static void
test_making(void)
{
	char		header[SIGNATURE_HEADER_SIZE];
	int			calls = 0;
	uint8		mac[SIGNATURE_MAC_BYTES];
	static const uint8 expected[] = {0xf7, 0xf9, 0xbd, 0x47};

	ok(openssl_hmac(&calls, "test_secret", 11, "", 0, "", 0, mac), "there is a hash");
	ok(memcmp(mac, expected, sizeof(expected)) == 0, "and it is the right one");

	ok(signature_make_header(P1, strlen(P1), S1, T, openssl_hmac, &calls, header),
	   "a header is made");
	is_str(header, W1, "and is the one Stripe's library makes");
	ok(signature_make_header("{\xFF}", 3, S1, T, openssl_hmac, &calls, header),
	   "one for bytes that are no UTF-8");
	is_str(header, "t=1700000000,v1=9fe00e94ecbc9721341034daee2200e23ae8746de813cde6569910cfc549f269",
		   "likewise");
	ok(signature_make_header("", 0, S1, INT64CONST(999999999999), openssl_hmac, &calls, header),
	   "the last moment");
	is_int(strlen(header), SIGNATURE_HEADER_SIZE - 1, "makes the longest header");
	ok(!signature_make_header("", 0, S1, INT64CONST(1000000000000), openssl_hmac, &calls, header),
	   "a moment too late");
	is_str(header, "", "leaves no header");
	ok(!signature_make_header("", 0, S1, -1, openssl_hmac, &calls, header), "a moment too early");
	ok(!signature_make_header("", 0, "", T, openssl_hmac, &calls, header), "an empty secret");
	ok(!signature_make_header("", 0, "a b", T, openssl_hmac, &calls, header), "a bad secret");
	ok(!signature_make_header("", 0, S1, T, openssl_hmac, NULL, header), "no hash");
}

static void
test_reasons(void)
{
	int			i;

	for (i = SIGNATURE_OK; i <= SIGNATURE_HMAC_FAILED + 1; i++)
	{
		const char *reason = signature_reason((SignatureOutcome) i);
		bool		unique = true;
		int			k;

		for (k = SIGNATURE_OK; k < i; k++)
			unique &= strcmp(reason, signature_reason((SignatureOutcome) k)) != 0;
		ok(unique && strlen(reason) > 10, "outcome %d: %s", i, reason);
	}
}

int
main(void)
{
	test_vectors();
	test_secrets();
	test_bounds();
	test_making();
	test_reasons();
	return tap_done();
}

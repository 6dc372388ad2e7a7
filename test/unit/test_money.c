/*-------------------------------------------------------------------------
 *
 * test_money.c
 *	  Amounts, currencies and statement descriptors.
 *
 * test/unit/test_money.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "money.h"
#include "tap.h"

/*
 * Whatever is refused has a reason, whatever is accepted has none.
 */
static void
check_amount(int64 amount, const char *currency, MoneyCheck expected)
{
	const char *why = "stale";
	MoneyCheck	got = money_check_amount(amount, currency, &why);

	ok(got == expected && (why == NULL) == (got == MONEY_OK),
	   "amount %lld in \"%s\": %d (%s)", (long long) amount,
	   currency ? currency : "(null)", got, why ? why : "accepted");
}

static void
test_amounts(void)
{
	static const char *const zero_decimal[] = {
		"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg",
		"rwf", "vnd", "vuv", "xaf", "xof", "xpf"};
	static const char *const three_decimal[] = {"bhd", "jod", "kwd", "omr", "tnd"};
	static const char *const whole_only[] = {"isk", "ugx"};
	size_t		i;

	check_amount(1, "aud", MONEY_OK);
	check_amount(2500, "aud", MONEY_OK);
	check_amount(99999999, "aud", MONEY_OK);
	check_amount(100000000, "aud", MONEY_TOO_LARGE);
	check_amount(PG_INT64_MAX, "aud", MONEY_TOO_LARGE);
	check_amount(0, "aud", MONEY_NOT_POSITIVE);
	check_amount(-1, "aud", MONEY_NOT_POSITIVE);
	check_amount(PG_INT64_MIN, "aud", MONEY_NOT_POSITIVE);

	for (i = 0; i < lengthof(zero_decimal); i++)
	{
		is_int(money_exponent(zero_decimal[i]), 0, zero_decimal[i]);
		check_amount(500, zero_decimal[i], MONEY_OK);
		check_amount(501, zero_decimal[i], MONEY_OK);
	}
	for (i = 0; i < lengthof(three_decimal); i++)
	{
		is_int(money_exponent(three_decimal[i]), 3, three_decimal[i]);
		check_amount(5120, three_decimal[i], MONEY_OK);
		check_amount(5124, three_decimal[i], MONEY_BAD_FRACTION);
		check_amount(99999990, three_decimal[i], MONEY_OK);
		check_amount(100000000, three_decimal[i], MONEY_TOO_LARGE);
	}
	for (i = 0; i < lengthof(whole_only); i++)
	{
		is_int(money_exponent(whole_only[i]), 2, whole_only[i]);
		check_amount(500, whole_only[i], MONEY_OK);
		check_amount(510, whole_only[i], MONEY_BAD_FRACTION);
		check_amount(501, whole_only[i], MONEY_BAD_FRACTION);
	}

	/* Charged with cents, whatever payouts do. */
	check_amount(1045, "huf", MONEY_OK);
	check_amount(80045, "twd", MONEY_OK);

	check_amount(999999999, "inr", MONEY_OK);
	check_amount(1000000000, "inr", MONEY_TOO_LARGE);
	check_amount(INT64CONST(999999999999), "idr", MONEY_OK);
	check_amount(INT64CONST(1000000000000), "idr", MONEY_TOO_LARGE);
	check_amount(INT64CONST(999999999999), "lbp", MONEY_OK);
	check_amount(INT64CONST(999999999999), "cop", MONEY_OK);
	check_amount(INT64CONST(999999999999), "huf", MONEY_OK);
	check_amount(INT64CONST(999999999999), "jpy", MONEY_OK);
	check_amount(INT64CONST(1000000000000), "jpy", MONEY_TOO_LARGE);
	check_amount(100000000, "krw", MONEY_TOO_LARGE);
	is_int(money_max_digits("aud"), 8, "digits of aud");
	is_int(money_max_digits("inr"), 9, "digits of inr");
	is_int(money_max_digits("idr"), 12, "digits of idr");

	/* Stripe may add a currency we have never heard of. */
	check_amount(100, "zzz", MONEY_OK);
	check_amount(100000000, "zzz", MONEY_TOO_LARGE);

	check_amount(100, "", MONEY_BAD_CURRENCY);
	check_amount(100, NULL, MONEY_BAD_CURRENCY);
	check_amount(0, "AUD", MONEY_BAD_CURRENCY);
}

static void
check_reason(int64 amount, const char *currency, const char *word)
{
	const char *why;

	money_check_amount(amount, currency, &why);
	ok(why != NULL && strstr(why, word) != NULL, "the reason mentions \"%s\"", word);
}

static void
test_reasons(void)
{
	check_reason(0, "aud", "greater than zero");
	check_reason(100000000, "aud", "eight digits");
	check_reason(1000000000, "inr", "nine digits");
	check_reason(INT64CONST(1000000000000), "idr", "twelve digits");
	check_reason(501, "isk", "00");
	check_reason(5124, "kwd", "three decimals");
	check_reason(1, "a", "ISO 4217");
}

typedef struct Minimum
{
	const char *currency;
	int			amount;
} Minimum;

static const Minimum minimums[] = {
	{"usd", 50},
	{"aud", 50},
	{"eur", 50},
	{"gbp", 30},
	{"dkk", 250},
	{"nok", 300},
	{"sek", 300},
	{"hkd", 400},
	{"aed", 200},
	{"myr", 200},
	{"pln", 200},
	{"ron", 200},
	{"bgn", 100},
	{"czk", 1500},
	{"huf", 17500},
	{"mxn", 1000},
	{"thb", 1000},
	{"jpy", 50},
	{"brl", 50},
	{"cad", 50},
	{"chf", 50},
	{"inr", 50},
	{"nzd", 50},
	{"sgd", 50},
	{"vnd", 0},
	{"zzz", 0},
	{"", 0},
};

static void
check_currency(const char *currency, MoneyCheck expected)
{
	const char *why = "stale";
	MoneyCheck	got = money_check_currency(currency, &why);

	ok(got == expected && (why == NULL) == (got == MONEY_OK),
	   "currency \"%s\"", currency ? currency : "(null)");
}

static void
test_currencies(void)
{
	static const char *const known[] = {
		"aed", "aud", "bgn", "bhd", "chf", "eur", "gbp", "idr", "isk", "jpy",
		"kwd", "nzd", "tnd", "ugx", "usd", "xcg", "zar", "zmw"};
	static const char *const unknown[] = {
		"aaa", "zzz", "d a", " ae", "ae ", "ed ", "AUD", "au", "audd", "", NULL};
	size_t		i;

	check_currency("aud", MONEY_OK);
	check_currency("zzz", MONEY_OK);
	check_currency("AUD", MONEY_BAD_CURRENCY);
	check_currency("Aud", MONEY_BAD_CURRENCY);
	check_currency("au", MONEY_BAD_CURRENCY);
	check_currency("audx", MONEY_BAD_CURRENCY);
	check_currency("a d", MONEY_BAD_CURRENCY);
	check_currency("a1d", MONEY_BAD_CURRENCY);
	check_currency("\303\251a", MONEY_BAD_CURRENCY);
	check_currency("", MONEY_BAD_CURRENCY);
	check_currency(NULL, MONEY_BAD_CURRENCY);

	for (i = 0; i < lengthof(known); i++)
		ok(money_is_known(known[i]), "\"%s\" is known", known[i]);
	for (i = 0; i < lengthof(unknown); i++)
		ok(!money_is_known(unknown[i]), "\"%s\" is not", unknown[i] ? unknown[i] : "(null)");
	for (i = 0; i < lengthof(minimums); i++)
		is_int(money_minimum(minimums[i].currency), minimums[i].amount, minimums[i].currency);
}

/*
 * Both tables are searched by halving, so every entry must be found: all
 * currencies the API counts differently are known ones, and there are as many
 * as were written down.
 */
static void
test_tables(void)
{
	int			known = 0;
	int			special = 0;
	int			special_unknown = 0;
	char		code[4] = "aaa";

	for (code[0] = 'a'; code[0] <= 'z'; code[0]++)
		for (code[1] = 'a'; code[1] <= 'z'; code[1]++)
			for (code[2] = 'a'; code[2] <= 'z'; code[2]++)
			{
				bool		differs = money_exponent(code) != 2 ||
					money_max_digits(code) != 8 || money_minimum(code) != 0;

				known += money_is_known(code);
				special += differs;
				if (differs && !money_is_known(code))
					special_unknown++;
			}
	is_int(known, 140, "all known currencies are found");
	is_int(special, 51, "so are those with facts of their own, isk and ugx apart");
	is_int(special_unknown, 0, "which are all known");
}

static void
check_lower(const char *in, const char *expected)
{
	char		lower[4] = "xxx";
	bool		good = money_lower_currency(in, lower);

	ok(good == (expected[0] != '\0') && strcmp(lower, expected) == 0,
	   "\"%s\" in lower case is \"%s\"", in ? in : "(null)", lower);
}

static void
test_lower(void)
{
	check_lower("AUD", "aud");
	check_lower("aud", "aud");
	check_lower("AuD", "aud");
	check_lower("AU", "");
	check_lower("AUDX", "");
	check_lower("A D", "");
	check_lower("A\xC3\x84", "");
	check_lower("@[`", "");
	check_lower("", "");
	check_lower(NULL, "");
}

static void
check_format(int64 amount, const char *currency, const char *expected)
{
	char		buf[MONEY_FORMAT_SIZE];

	is_str(money_format(amount, currency, buf), expected, expected);
}

static void
test_format(void)
{
	check_format(2500, "aud", "25.00 AUD");
	check_format(1, "aud", "0.01 AUD");
	check_format(10, "aud", "0.10 AUD");
	check_format(100, "aud", "1.00 AUD");
	check_format(0, "aud", "0.00 AUD");
	check_format(-5, "aud", "-0.05 AUD");
	check_format(-12345, "usd", "-123.45 USD");
	check_format(500, "jpy", "500 JPY");
	check_format(0, "jpy", "0 JPY");
	check_format(5120, "kwd", "5.120 KWD");
	check_format(5, "kwd", "0.005 KWD");
	check_format(0, "kwd", "0.000 KWD");
	check_format(500, "isk", "5.00 ISK");
	check_format(PG_INT64_MAX, "aud", "92233720368547758.07 AUD");
	check_format(PG_INT64_MIN, "aud", "-92233720368547758.08 AUD");
	check_format(PG_INT64_MIN, "jpy", "-9223372036854775808 JPY");
	check_format(2500, "%s%n", "2500");
	check_format(2500, NULL, "2500");
}

static void
check_descriptor(const char *text, bool suffix, MoneyCheck expected)
{
	const char *why = "stale";
	MoneyCheck	got = money_check_descriptor(text, suffix, &why);

	ok(got == expected && (why == NULL) == (got == MONEY_OK),
	   "%s \"%s\": %d (%s)", suffix ? "suffix" : "descriptor",
	   text ? text : "(null)", got, why ? why : "accepted");
}

static void
test_descriptors(void)
{
	check_descriptor("MEMBERPULSE", false, MONEY_OK);
	check_descriptor("ABCDE", false, MONEY_OK);
	check_descriptor("ABCD", false, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("", false, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor(NULL, false, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("ABCDEFGHIJKLMNOPQRSTUV", false, MONEY_OK);
	check_descriptor("ABCDEFGHIJKLMNOPQRSTUVW", false, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("12345", false, MONEY_DESCRIPTOR_NO_LETTER);
	check_descriptor("1234A", false, MONEY_OK);
	check_descriptor("Gym & Co. #12, Perth", false, MONEY_OK);
	check_descriptor("ABCDE<", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE>", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\\", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE'", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\"", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE*", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABC\nDE", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\x7F", false, MONEY_DESCRIPTOR_CHARACTER);

	/* Accents are Latin; lengths are in characters. */
	check_descriptor("Caf\xC3\xA9 \xC3\x85rhus", false, MONEY_OK);
	check_descriptor("\305\201\303\263d\305\272!", false, MONEY_OK);
	check_descriptor("Vi\xE1\xBB\x87t Nam", false, MONEY_OK);
	check_descriptor("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", false, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", false, MONEY_OK);
	check_descriptor("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E abc", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("party \xF0\x9F\x8E\x89", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("times \xC3\x97 two", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("euro \xE2\x82\xAC", false, MONEY_DESCRIPTOR_CHARACTER);

	/* Bytes that are no UTF-8, the last ones cut off. */
	check_descriptor("ABCDE\xFF", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\xC0\xAF", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\xC3", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\xE1\xBB", false, MONEY_DESCRIPTOR_CHARACTER);
	check_descriptor("ABCDE\xE0\x80\x80", false, MONEY_DESCRIPTOR_CHARACTER);

	check_descriptor("A", true, MONEY_OK);
	check_descriptor("ORDER 17", true, MONEY_OK);
	check_descriptor("17", true, MONEY_DESCRIPTOR_NO_LETTER);
	check_descriptor("", true, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("ABCDEFGHIJKLMNOPQRSTUV", true, MONEY_OK);
	check_descriptor("ABCDEFGHIJKLMNOPQRSTUVW", true, MONEY_DESCRIPTOR_LENGTH);
	check_descriptor("A*", true, MONEY_DESCRIPTOR_CHARACTER);
}

int
main(void)
{
	test_amounts();
	test_reasons();
	test_currencies();
	test_tables();
	test_lower();
	test_format();
	test_descriptors();
	return tap_done();
}

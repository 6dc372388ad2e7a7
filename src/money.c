/*-------------------------------------------------------------------------
 *
 * money.c
 *	  What Stripe accepts as an amount, a currency, a statement descriptor.
 *
 * The facts are those of Stripe's pages on supported currencies and statement
 * descriptors.  Amounts are integers in the smallest unit the API uses, which
 * is not always the one of ISO 4217: the Icelandic krona and the Ugandan
 * shilling have no cents but are sent as if they had, always 00, and amounts
 * with three decimals must end in 0.
 *
 * The checks are for mistakes that can be known here without asking: they may
 * let through what Stripe then refuses, never the other way round.  So the set
 * of currencies is open (Stripe adds some), a currency where cards allow more
 * digits than other methods gets the higher limit, and a minimum is only good
 * for an explanation: it depends on the currency the account settles in and on
 * the payment method.
 *
 * This file is pure.  Currencies are lower-case, as Stripe writes them; text
 * is UTF-8.  The reasons given back are constant sentences, fit for an error's
 * detail, that never repeat what was passed in.
 *
 * src/money.c
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "money.h"

/*
 * Currencies Stripe documents for charges, sorted, four bytes apart.
 */
static const char known_codes[] =
	"aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob "
	"brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp "
	"etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk "
	"jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga "
	"mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen "
	"pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd "
	"std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf "
	"xcd xcg xof xpf yer zar zmw ";

typedef struct CurrencyFacts
{
	char		code[4];
	int			exponent;		/* decimals the API counts in */
	int			digits;			/* most digits of an amount */
	int			step;			/* amounts are multiples of this */
	int64		minimum;		/* least charge settled in it, 0 if none known */
} CurrencyFacts;

/*
 * Where a currency differs from two decimals, eight digits, any amount and no
 * known minimum.  Twelve digits is what cards allow.
 */
static const CurrencyFacts default_facts = {"", 2, 8, 1, 0};

static const CurrencyFacts special_facts[] = {
	{"aed", 2, 8, 1, 200},
	{"ars", 2, 8, 1, 50},
	{"aud", 2, 8, 1, 50},
	{"bgn", 2, 8, 1, 100},
	{"bhd", 3, 8, 10, 0},
	{"bif", 0, 8, 1, 0},
	{"brl", 2, 8, 1, 50},
	{"cad", 2, 8, 1, 50},
	{"chf", 2, 8, 1, 50},
	{"clp", 0, 8, 1, 0},
	{"cop", 2, 12, 1, 50},
	{"czk", 2, 8, 1, 1500},
	{"djf", 0, 8, 1, 0},
	{"dkk", 2, 8, 1, 250},
	{"eur", 2, 8, 1, 50},
	{"gbp", 2, 8, 1, 30},
	{"gnf", 0, 8, 1, 0},
	{"hkd", 2, 8, 1, 400},
	{"huf", 2, 12, 1, 17500},
	{"idr", 2, 12, 1, 50},
	{"ils", 2, 8, 1, 50},
	{"inr", 2, 9, 1, 50},
	{"isk", 2, 8, 100, 0},
	{"jod", 3, 8, 10, 0},
	{"jpy", 0, 12, 1, 50},
	{"kmf", 0, 8, 1, 0},
	{"krw", 0, 8, 1, 50},
	{"kwd", 3, 8, 10, 0},
	{"lbp", 2, 12, 1, 0},
	{"mga", 0, 8, 1, 0},
	{"mxn", 2, 8, 1, 1000},
	{"myr", 2, 8, 1, 200},
	{"nok", 2, 8, 1, 300},
	{"nzd", 2, 8, 1, 50},
	{"omr", 3, 8, 10, 0},
	{"php", 2, 8, 1, 50},
	{"pln", 2, 8, 1, 200},
	{"pyg", 0, 8, 1, 0},
	{"ron", 2, 8, 1, 200},
	{"rub", 2, 8, 1, 50},
	{"rwf", 0, 8, 1, 0},
	{"sek", 2, 8, 1, 300},
	{"sgd", 2, 8, 1, 50},
	{"thb", 2, 8, 1, 1000},
	{"tnd", 3, 8, 10, 0},
	{"ugx", 2, 8, 100, 0},
	{"usd", 2, 8, 1, 50},
	{"vnd", 0, 8, 1, 0},
	{"vuv", 0, 8, 1, 0},
	{"xaf", 0, 8, 1, 0},
	{"xof", 0, 8, 1, 0},
	{"xpf", 0, 8, 1, 0},
	{"zar", 2, 8, 1, 50}};

static const char why_currency[] =
	"A currency is a three-letter ISO 4217 code in lower case, such as \"aud\".";

/*
 * Is this exactly three letters a to z?
 */
static bool
is_code(const char *currency)
{
	int			i;

	if (currency == NULL)
		return false;
	for (i = 0; i < 3; i++)
	{
		if (currency[i] < 'a' || currency[i] > 'z')
			return false;
	}
	return currency[3] == '\0';
}

/*
 * What holds for a currency; the defaults for one we have no row for.
 */
static const CurrencyFacts *
find_facts(const char *currency)
{
	int			low = 0;
	int			high = lengthof(special_facts) - 1;

	if (!is_code(currency))
		return &default_facts;
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			cmp = memcmp(currency, special_facts[middle].code, 3);

		if (cmp == 0)
			return &special_facts[middle];
		if (cmp < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return &default_facts;
}

/*
 * Lower-cases a code, for callers that let users write "AUD".  ASCII only, so
 * that no locale has a say.  False, with "lower" empty, unless it is three
 * letters.
 */
bool
money_lower_currency(const char *currency, char lower[4])
{
	int			i;

	memset(lower, 0, 4);
	if (currency == NULL)
		return false;
	for (i = 0; i < 3 && currency[i] != '\0'; i++)
	{
		char		c = currency[i];

		lower[i] = (c >= 'A' && c <= 'Z') ? (char) (c - 'A' + 'a') : c;
	}
	if (i == 3 && currency[3] == '\0' && is_code(lower))
		return true;
	memset(lower, 0, 4);
	return false;
}

/*
 * Is this written as a currency?  Whether Stripe supports it is its business.
 */
MoneyCheck
money_check_currency(const char *currency, const char **why)
{
	*why = NULL;
	if (is_code(currency))
		return MONEY_OK;
	*why = why_currency;
	return MONEY_BAD_CURRENCY;
}

/*
 * Is this a currency Stripe is known to charge in?  Good for a hint about a
 * probable slip, not for a refusal.
 */
bool
money_is_known(const char *currency)
{
	int			low = 0;
	int			high = (int) (sizeof(known_codes) - 1) / 4 - 1;

	if (!is_code(currency))
		return false;
	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			cmp = memcmp(currency, known_codes + middle * 4, 3);

		if (cmp == 0)
			return true;
		if (cmp < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return false;
}

/*
 * Decimals of the amounts the API takes: 0, 2 or 3.
 */
int
money_exponent(const char *currency)
{
	return find_facts(currency)->exponent;
}

/*
 * Most digits an amount may have.
 */
int
money_max_digits(const char *currency)
{
	return find_facts(currency)->digits;
}

/*
 * Least amount Stripe charges when settling in this currency, or 0 if it
 * documents none.
 */
int64
money_minimum(const char *currency)
{
	return find_facts(currency)->minimum;
}

/*
 * The sentence for an amount with too many digits.
 */
static const char *
explain_digits(int digits)
{
	switch (digits)
	{
		case 8:
			return "Stripe takes at most eight digits in this currency.";
		case 9:
			return "Stripe takes at most nine digits in this currency.";
		default:
			return "Stripe takes at most twelve digits in this currency.";
	}
}

/*
 * Can this amount be charged or refunded?  On refusal, *why is the reason.
 */
MoneyCheck
money_check_amount(int64 amount, const char *currency, const char **why)
{
	const CurrencyFacts *facts = find_facts(currency);
	MoneyCheck	check = money_check_currency(currency, why);
	int64		limit = 1;
	int			i;

	if (check != MONEY_OK)
		return check;
	if (amount <= 0)
	{
		*why = "An amount is a whole number of the currency's smallest unit, greater than zero.";
		return MONEY_NOT_POSITIVE;
	}
	for (i = 0; i < facts->digits; i++)
		limit *= 10;
	if (amount >= limit)
	{
		*why = explain_digits(facts->digits);
		return MONEY_TOO_LARGE;
	}
	if (amount % facts->step != 0)
	{
		if (facts->step == 100)
			*why = "Amounts in this currency are whole units times 100: the last two digits must be 00.";
		else
			*why = "Amounts in this currency have three decimals, and the last digit must be 0.";
		return MONEY_BAD_FRACTION;
	}
	return MONEY_OK;
}

/*
 * Writes an amount for people, as in "25.00 AUD", and returns the buffer.
 * What is not a currency is left out and the amount shown as it came.
 */
char *
money_format(int64 amount, const char *currency, char buf[MONEY_FORMAT_SIZE])
{
	bool		valid = is_code(currency);
	int			exponent = valid ? money_exponent(currency) : 0;
	uint64		rest = amount < 0 ? -(uint64) amount : (uint64) amount;
	char		reversed[MONEY_FORMAT_SIZE];
	int			n = 0;
	int			digits = 0;
	char	   *p = buf;

	/* At least one digit before the point. */
	while (rest > 0 || digits <= exponent)
	{
		if (digits == exponent && exponent > 0)
			reversed[n++] = '.';
		reversed[n++] = (char) ('0' + rest % 10);
		rest /= 10;
		digits++;
	}

	if (amount < 0)
		*p++ = '-';
	while (n > 0)
		*p++ = reversed[--n];
	if (valid)
	{
		int			i;

		*p++ = ' ';
		for (i = 0; i < 3; i++)
			*p++ = (char) (currency[i] - 'a' + 'A');
	}
	*p = '\0';
	return buf;
}

/*
 * Decodes one UTF-8 character of up to three bytes, which covers all of Latin;
 * 0 for anything else, overlong forms included.  *len is how many bytes it has.
 */
static uint32
decode_character(const unsigned char *s, int *len)
{
	*len = 1;
	if (s[0] < 0x80)
		return s[0];
	if (s[0] >= 0xC2 && s[0] <= 0xDF && (s[1] & 0xC0) == 0x80)
	{
		*len = 2;
		return ((uint32) (s[0] & 0x1F) << 6) | (s[1] & 0x3F);
	}
	if (s[0] >= 0xE1 && s[0] <= 0xEC &&
		(s[1] & 0xC0) == 0x80 && (s[2] & 0xC0) == 0x80)
	{
		*len = 3;
		return ((uint32) (s[0] & 0x0F) << 12) |
			((uint32) (s[1] & 0x3F) << 6) | (s[2] & 0x3F);
	}
	return 0;
}

/*
 * Is this a letter of the Latin script, with or without an accent?
 */
static bool
is_latin_letter(uint32 c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	if (c >= 0x00C0 && c <= 0x024F)
		return c != 0x00D7 && c != 0x00F7;	/* the signs for times, divide */
	return c >= 0x1E00 && c <= 0x1EFF;
}

/*
 * Can this text stand on a bank statement?  Either a whole descriptor, or with
 * "suffix" the part that follows the account's own prefix, which may be
 * shorter.  Two of Stripe's rules need judgement and are left to it: that the
 * text reflects the business's name, and is more than one common word.
 */
MoneyCheck
money_check_descriptor(const char *text, bool suffix, const char **why)
{
	const unsigned char *p = (const unsigned char *) text;
	int			least = suffix ? 1 : MONEY_DESCRIPTOR_MIN;
	int			count = 0;
	bool		letter = false;

	*why = NULL;
	while (p != NULL && *p != '\0' && count <= MONEY_DESCRIPTOR_MAX)
	{
		int			len;
		uint32		c = decode_character(p, &len);
		bool		latin = is_latin_letter(c);

		if (!latin && (c < 0x20 || c > 0x7E || strchr("<>\\'\"*", (int) c)))
		{
			*why = "A statement descriptor has Latin characters only, and none of < > \\ ' \" *.";
			return MONEY_DESCRIPTOR_CHARACTER;
		}
		letter |= latin;
		count++;
		p += len;
	}

	if (count < least || count > MONEY_DESCRIPTOR_MAX)
	{
		if (suffix)
			*why = "A statement descriptor suffix has 1 to 22 characters.";
		else
			*why = "A statement descriptor has 5 to 22 characters.";
		return MONEY_DESCRIPTOR_LENGTH;
	}
	if (!letter)
	{
		*why = "A statement descriptor has at least one letter.";
		return MONEY_DESCRIPTOR_NO_LETTER;
	}
	return MONEY_OK;
}

/*-------------------------------------------------------------------------
 *
 * fuzz_money.c
 *	  Amounts, currencies and descriptors of every kind.
 *
 * test/unit/fuzz_money.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "fuzz.h"
#include "money.h"

/*
 * What is written must read back as the same amount and currency.
 */
static void
check_format(int64 amount, const char *currency)
{
	char		buf[MONEY_FORMAT_SIZE];
	const char *p = money_format(amount, currency, buf);
	bool		negative = *p == '-';
	uint64		value = 0;
	int			decimals = -1;

	MUST(strlen(buf) < sizeof(buf));
	for (p += negative; *p != '\0' && *p != ' '; p++)
	{
		if (*p == '.')
		{
			MUST(decimals == -1);
			decimals = 0;
			continue;
		}
		MUST(*p >= '0' && *p <= '9');
		value = value * 10 + (uint64) (*p - '0');
		if (decimals >= 0)
			decimals++;
	}
	MUST((negative ? (int64) -value : (int64) value) == amount);
	if (*p == ' ')
	{
		char		lower[4];

		MUST(money_lower_currency(p + 1, lower) && strcmp(lower, currency) == 0);
		MUST(Max(decimals, 0) == money_exponent(currency));
	}
}

static void
check_amount(int64 amount, const char *currency)
{
	const char *why;
	const char *why_currency;
	MoneyCheck	check = money_check_amount(amount, currency, &why);

	MUST((check == MONEY_OK) == (why == NULL));
	MUST((check == MONEY_BAD_CURRENCY) ==
		 (money_check_currency(currency, &why_currency) != MONEY_OK));
	if (check == MONEY_OK)
	{
		MUST(amount > 0 && amount <= INT64CONST(999999999999));
		MUST(money_exponent(currency) != 3 || amount % 10 == 0);
	}
	if (money_is_known(currency))
		MUST(check != MONEY_BAD_CURRENCY);
	MUST(money_minimum(currency) >= 0);
}

static void
check_descriptor(const char *text, bool suffix)
{
	const char *why;
	MoneyCheck	check = money_check_descriptor(text, suffix, &why);

	MUST((check == MONEY_OK) == (why == NULL));
	if (check == MONEY_OK)
	{
		MUST(strpbrk(text, "<>\\'\"*\n\r\t") == NULL);
		MUST(strlen(text) >= (suffix ? 1 : MONEY_DESCRIPTOR_MIN));
		MUST(strlen(text) <= 3 * MONEY_DESCRIPTOR_MAX);

		/* A whole descriptor is a fine suffix as well. */
		MUST(money_check_descriptor(text, true, &why) == MONEY_OK);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {(const char *) data, size};
	uint64		amount = 0;
	char	   *text;
	char		lower[4];
	int			i;

	for (i = fuzz_byte(&in) % 9; i > 0; i--)
		amount = (amount << 8) | fuzz_byte(&in);
	text = fuzz_string(&in);

	check_format((int64) amount, text);
	check_amount((int64) amount, text);
	check_amount((int64) (amount % INT64CONST(10000000000000)), text);
	if (money_lower_currency(text, lower))
		check_amount((int64) (amount % 1000000), lower);
	check_descriptor(text, false);
	check_descriptor(text, true);
	pfree(text);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * money.h
 *	  What Stripe accepts as an amount, a currency, a statement descriptor.
 *
 * src/money.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_MONEY_H
#define MP_MONEY_H

/* Room money_format() needs for any amount. */
#define MONEY_FORMAT_SIZE 32

/* Characters, not bytes. */
#define MONEY_DESCRIPTOR_MIN 5
#define MONEY_DESCRIPTOR_MAX 22

typedef enum MoneyCheck
{
	MONEY_OK = 0,
	MONEY_BAD_CURRENCY,			/* not three lower-case letters */
	MONEY_NOT_POSITIVE,
	MONEY_TOO_LARGE,			/* more digits than the currency may have */
	MONEY_BAD_FRACTION,			/* last digits that must be zero are not */
	MONEY_DESCRIPTOR_LENGTH,
	MONEY_DESCRIPTOR_CHARACTER,
	MONEY_DESCRIPTOR_NO_LETTER
} MoneyCheck;

extern bool money_lower_currency(const char *currency, char lower[4]);
extern MoneyCheck money_check_currency(const char *currency,
									   const char **why);
extern bool money_is_known(const char *currency);
extern int	money_exponent(const char *currency);
extern int	money_max_digits(const char *currency);
extern int64 money_minimum(const char *currency);
extern MoneyCheck money_check_amount(int64 amount, const char *currency,
									 const char **why);
extern char *money_format(int64 amount, const char *currency,
						  char buf[MONEY_FORMAT_SIZE]);
extern MoneyCheck money_check_descriptor(const char *text, bool suffix,
										 const char **why);

#endif /* MP_MONEY_H */

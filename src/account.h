/*-------------------------------------------------------------------------
 *
 * account.h
 *	  Which Stripe account, mode and key a call uses.
 *
 * src/account.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ACCOUNT_H
#define MP_ACCOUNT_H

#include "datatype/timestamp.h"

#include "grants.h"
#include "secret.h"

#define ACCOUNT_MAX_WEBHOOK_SECRETS 4

/* What an account may let customers pay with. */
typedef enum AccountMethod
{
	METHOD_CARD = 1,
	METHOD_APPLE_PAY = 2,
	METHOD_GOOGLE_PAY = 4,
	METHOD_BANK_TRANSFER = 8,
	METHOD_DEBIT = 16
} AccountMethod;

typedef struct Account
{
	char		name[NAMEDATALEN];
	bool		livemode;
	char		currency[4];
	char		tax_behavior[16];	/* "" if not set; so the next two */
	char		statement_descriptor[64];
	char		connected_account[SECRET_MAX_LENGTH + 1];
	int			payment_methods;	/* AccountMethod bits; 0 leaves it to Stripe */
	int			grace_days;
	int64		renewal_slack_s;
} Account;

/*
 * The account named, or the session's if NULL.  Raises 42501 unless the
 * current user has "level" on it, and ST010 if there is no such account.  The
 * result is the backend's own copy and may change at the next look-up: copy
 * what must not.
 */
extern const Account *account_lookup(const char *name, AccessLevel level);

/* Whether the account has a secret key of its mode. */
extern bool account_has_key(const Account *account);

/* Whether it is a restricted one. */
extern bool account_key_is_restricted(const Account *account);

/*
 * The account's secret key in the clear, until account_wipe_secrets(), which
 * the caller runs after an error too.  Raises ST010 if it has none.
 */
extern const char *account_secret_key(const Account *account);

/*
 * The webhook secrets that are valid now, likewise; returns how many.
 */
extern int	account_webhook_secrets(const Account *account,
									const char *secrets[ACCOUNT_MAX_WEBHOOK_SECRETS]);
extern void account_wipe_secrets(void);

/*
 * The text a sealed credential is bound to, and the master key of "key_id"
 * (NULL: the current one), which the caller wipes.
 */
extern char *account_bound(const char *account, bool livemode, const char *purpose);
extern void account_master_key(const char *key_id, uint8 key[]);

#endif /* MP_ACCOUNT_H */

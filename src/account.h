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

typedef struct Account
{
	const char *name;
	bool		livemode;
	const char *secret_key;		/* never copied, shown or logged */
	const char *publishable_key;	/* NULL if not configured; so the next */
	const char *webhook_secret;
	const char *connected_account;	/* Stripe-Account, or NULL */
	const char *currency;		/* for calls that name none */
} Account;

/*
 * The account a call names, or the session's if "name" is NULL.  Raises ST010
 * if it has no usable key.  The result lives until the next call of this
 * function.
 */
extern const Account *account_for_call(const char *name);

#endif							/* MP_ACCOUNT_H */

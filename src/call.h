/*-------------------------------------------------------------------------
 *
 * call.h
 *	  Runs one request to Stripe, from parameters to mirrored answer.
 *
 * src/call.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_CALL_H
#define MP_CALL_H

#include "account.h"
#include "compat.h"
#include "error.h"
#include "http.h"

typedef struct Call
{
	const char *function;		/* SQL function, for messages */
	const char *method;			/* GET, POST or DELETE */
	const char *path;			/* escaped, begins with /v1/ */
	Jsonb	   *params;			/* an object */
	const char *account;		/* NULL: the session's */
	const char *idempotency_key;	/* NULL: one is made for a POST */
	AccessLevel level;			/* what the current user needs on the account */
	const char *collapse;		/* member to give back as an id, expanded for
								 * the mirror's sake; or NULL */
} Call;

typedef struct CallAnswer
{
	bool		ok;
	int			http_status;	/* 0: no answer */
	HttpFailure failure;		/* why there was none */
	int64		date;			/* Stripe's clock, seconds since 1970; or 0 */
	Jsonb	   *body;			/* NULL if there is none that is JSON */
	StripeError error;			/* unless ok */
} CallAnswer;

/*
 * Sends it and updates the mirrors.  call_run() raises failures and returns
 * Stripe's object; call_try() reports them, apart from interrupts and errors
 * in the call itself.
 */
extern Jsonb *call_run(Call *call);
extern void call_try(Call *call, CallAnswer *answer);

/*
 * The account of the call, after everything that can refuse the call without
 * a request: rights, a read-only transaction, a copied database.
 */
extern const Account *call_admit(const Call *call);

#endif /* MP_CALL_H */

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

#include "compat.h"
#include "error.h"

typedef struct Call
{
	const char *function;		/* SQL function, for messages */
	const char *method;			/* GET, POST or DELETE */
	const char *path;			/* escaped, begins with /v1/ */
	Jsonb	   *params;			/* an object */
	const char *account;		/* NULL: the session's */
	const char *idempotency_key;	/* NULL: one is made for a POST */
} Call;

typedef struct CallAnswer
{
	bool		ok;
	int			http_status;	/* 0: no answer */
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

/* Raises, before anything is sent, if a mutating call is not possible now. */
extern void call_require_writable(const Call *call);

#endif							/* MP_CALL_H */

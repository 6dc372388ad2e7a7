/*-------------------------------------------------------------------------
 *
 * error.h
 *	  What went wrong with a call to Stripe, and how it is told.
 *
 * src/error.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ERROR_H
#define MP_ERROR_H

#include "utils/elog.h"

#include "compat.h"

/* Class ST: failures that Stripe, or a call to Stripe, can have. */
#define ERRCODE_STRIPE_CARD_DECLINED MAKE_SQLSTATE('S', 'T', '0', '0', '1')
#define ERRCODE_STRIPE_AUTHENTICATION_REQUIRED MAKE_SQLSTATE('S', 'T', '0', '0', '2')
#define ERRCODE_STRIPE_INVALID_REQUEST MAKE_SQLSTATE('S', 'T', '0', '0', '3')
#define ERRCODE_STRIPE_BAD_KEY MAKE_SQLSTATE('S', 'T', '0', '0', '4')
#define ERRCODE_STRIPE_NOT_PERMITTED MAKE_SQLSTATE('S', 'T', '0', '0', '5')
#define ERRCODE_STRIPE_IDEMPOTENCY_CONFLICT MAKE_SQLSTATE('S', 'T', '0', '0', '6')
#define ERRCODE_STRIPE_RATE_LIMITED MAKE_SQLSTATE('S', 'T', '0', '0', '7')
#define ERRCODE_STRIPE_API_FAILED MAKE_SQLSTATE('S', 'T', '0', '0', '8')
#define ERRCODE_STRIPE_SIGNATURE_INVALID MAKE_SQLSTATE('S', 'T', '0', '0', '9')
#define ERRCODE_STRIPE_NOT_CONFIGURED MAKE_SQLSTATE('S', 'T', '0', '1', '0')
#define ERRCODE_STRIPE_BAD_RESPONSE MAKE_SQLSTATE('S', 'T', '0', '1', '1')
#define ERRCODE_STRIPE_MODE_MISMATCH MAKE_SQLSTATE('S', 'T', '0', '1', '2')

/*
 * A failed call.  Strings are NULL where not known; message, detail and hint
 * are what a person reads, the rest is for programs (stripe_last_error()).
 */
typedef struct StripeError
{
	int			sqlstate;
	const char *message;
	const char *detail;
	const char *hint;
	int			http_status;	/* 0: no answer */
	bool		outcome_unknown;
	const char *type;
	const char *code;
	const char *decline_code;
	const char *advice_code;
	const char *param;
	const char *stripe_message;
	const char *request_id;
	const char *payment_intent;
	const char *setup_intent;
	const char *payment_method;
	const char *charge;
	const char *doc_url;
	const char *idempotency_key;
} StripeError;

/*
 * Fills "e" from an answer with an error status.  "body" is NULL if it was
 * not JSON.  The strings are palloc'd in the current context.
 */
extern void error_from_answer(StripeError *e, int status, Jsonb *body,
							  const char *request_id, const char *limited_reason,
							  const char *idempotency_key);

/* Remembers "e" for stripe_last_error(), through a rollback. */
extern void error_remember(const StripeError *e);

/* Remembers "e" and raises it. */
extern void error_raise(const StripeError *e) pg_attribute_noreturn();

/* What error_remember() kept, as jsonb of its own fields; NULL if nothing. */
extern Jsonb *error_last(void);

/* The same jsonb for any failure. */
extern Jsonb *error_as_jsonb(const StripeError *e);

/* A palloc'd copy of foreign text in which anything like a key is masked. */
extern char *error_scrub(const char *text);

#endif /* MP_ERROR_H */

/*-------------------------------------------------------------------------
 *
 * access.h
 *	  From what Stripe says of a subscription to who may come in, and until when.
 *
 * src/access.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ACCESS_H
#define MP_ACCESS_H

/* Moments are microseconds since any one epoch; these two are outside of it. */
#define ACCESS_UNKNOWN PG_INT64_MIN
#define ACCESS_FOREVER PG_INT64_MAX

/* Where a beginning is not known, it lies before anything that counts. */
#define ACCESS_EPOCH INT64CONST(0)

#define ACCESS_SECOND INT64CONST(1000000)
#define ACCESS_DAY (86400 * ACCESS_SECOND)

/* From best to worst. */
typedef enum AccessState
{
	STATE_ACTIVE,
	STATE_TRIALING,
	STATE_CANCELING,			/* access, and a date at which it ends */
	STATE_GRACE,				/* access, although a payment failed */
	STATE_PAUSED,
	STATE_PENDING,				/* not paid for the first time yet */
	STATE_LAPSED,				/* should have been paid, and was not */
	STATE_ENDED,
	STATE_NONE
} AccessState;

/* Unknown moments are ACCESS_UNKNOWN, unknown strings NULL. */
typedef struct AccessFacts
{
	const char *status;			/* the subscription's; NULL: there is none */
	int64		start;
	int64		period_start;
	int64		period_end;
	int64		trial_end;
	int64		cancel_at;
	bool		cancel_at_period_end;
	int64		ended_at;
	const char *invoice_status; /* of the latest invoice */
	bool		invoice_renews; /* that one is for a renewal */
	int64		failed_at;		/* its payment failed first then */
	int			grace_days;
	int64		slack;			/* microseconds */
	int64		override_from;
	int64		override_until;
} AccessFacts;

/* There is access at t if and only if from <= t < until. */
typedef struct AccessResult
{
	AccessState state;			/* at the moment asked about */
	int64		from;			/* ACCESS_UNKNOWN, as "until": no access */
	int64		until;
	int64		grace_until;	/* unless ACCESS_UNKNOWN, "until" is due to grace */
	int64		end;			/* when it is set to end, or ACCESS_UNKNOWN */
} AccessResult;

extern void access_decide(const AccessFacts *facts, int64 now, AccessResult *result);

/*
 * The state at a later moment, if nothing was heard in between.
 */
extern AccessState access_later(AccessState state, int64 until, int64 end, int64 now);

extern bool access_allows(AccessState state);
extern const char *access_state_name(AccessState state);

/* The reverse; STATE_NONE for any other name. */
extern AccessState access_state_by_name(const char *name);

#endif							/* MP_ACCESS_H */

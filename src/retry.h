/*-------------------------------------------------------------------------
 *
 * retry.h
 *	  Whether to send a request again, and after how long.
 *
 * src/retry.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_RETRY_H
#define MP_RETRY_H

/* Seconds. */
#define RETRY_FIRST_SLEEP 0.5
#define RETRY_MAX_SLEEP 5.0
#define RETRY_MAX_AFTER 60.0 /* most we wait because we were told to */

typedef enum RetryDecision
{
	RETRY_STOP = 0,
	RETRY_AGAIN
} RetryDecision;

typedef struct RetryInput
{
	int			attempts_made;	/* requests sent, this one included: 1, 2, ... */
	int			limited_before; /* how many of the earlier ones were limited,
								 * by retry_is_limited() */
	int			max_retries;	/* 0 switches retries off */
	bool		got_response;	/* a whole answer; cut mid-body is none */
	bool		certificate_failure;	/* the peer's certificate was refused */
	bool		connection_reset;	/* reset, broken pipe, closed without answer */
	int			status;			/* HTTP status, when got_response */
	int			should_retry;	/* Stripe-Should-Retry: -1 absent, 0, 1 */
	bool		limiter;		/* Stripe-Rate-Limited-Reason is present */
	double		retry_after_s;	/* Retry-After in seconds; -1 absent */
	double		random01;		/* for the jitter */
	double		remaining_s;	/* until the caller's deadline */
} RetryInput;

extern bool retry_is_limited(const RetryInput *in);
extern RetryDecision retry_decide(const RetryInput *in, double *sleep_s);
extern int	retry_parse_after(const char *header);

#endif /* MP_RETRY_H */

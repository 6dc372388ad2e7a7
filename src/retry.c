/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  Whether to send a request again, and after how long.
 *
 * Stripe's official libraries agree on one policy and this is it: an answer
 * that never came is asked for again, an answer is believed when it says
 * whether to retry (Stripe-Should-Retry), and otherwise 409 and everything
 * from 500 up are tried again.  Like the Node library, a connection that was
 * closed under us is replaced once even when retries are switched off, since
 * that is what an idle connection dropped by the server looks like.
 *
 * Two things are ours.  A rate limiter's 429 is waited out for as long as the
 * caller's deadline allows, where the libraries give up: nothing was executed,
 * and the caller is better served late than refused.  It does not use up the
 * retries meant for failures, but no retries at all means none here either.
 * And Retry-After, which the libraries ignore, is honoured up to a cap.
 *
 * This file is pure: no clock, no random numbers and no waiting of its own.
 * It presumes that the same bytes go out under the same idempotency key.
 *
 * src/retry.c
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "retry.h"

/* Retry-After saturates here, far above what is honoured. */
#define AFTER_LIMIT 1000000

/*
 * Is the answer a rate limiter's?  Either it says so, or it is a 429 that
 * comes with no advice; one that comes with the advice to retry is a lock on
 * the object, which is an ordinary failure.
 */
bool
retry_is_limited(const RetryInput *in)
{
	return in->got_response && in->status == 429 &&
		(in->limiter || in->should_retry < 0);
}

/*
 * The policy without its waiting time.
 */
static bool
wants_retry(const RetryInput *in)
{
	/* Retries used up by failures; the limiter's are not counted. */
	int			retries = in->attempts_made - 1 - in->limited_before;

	if (!in->got_response)
	{
		/* Trying again will not make a wrong certificate right. */
		if (in->certificate_failure)
			return false;
		if (in->connection_reset && retries <= 0)
			return true;
		return retries < in->max_retries;
	}

	if (in->should_retry == 0)
		return false;
	if (retry_is_limited(in))
		return in->max_retries > 0;
	if (retries >= in->max_retries)
		return false;
	return in->should_retry > 0 || in->status == 409 || in->status >= 500;
}

/*
 * Exponential with a cap, shortened at random by up to a half so that many
 * clients do not come back together, and never below the first step.
 */
static double
backoff_time(int attempts_made, double random01)
{
	double		sleep = RETRY_FIRST_SLEEP;
	int			i;

	for (i = 1; i < attempts_made && sleep < RETRY_MAX_SLEEP; i++)
		sleep *= 2;
	sleep = Min(sleep, RETRY_MAX_SLEEP);

	if (!(random01 >= 0))		/* also a NaN */
		random01 = 0;
	sleep *= 0.5 * (1 + Min(random01, 1.0));
	return Max(sleep, RETRY_FIRST_SLEEP);
}

/*
 * Decides after an attempt.  With RETRY_AGAIN, *sleep_s is how long to wait
 * first, always shorter than what remains until the deadline; a wait that does
 * not fit means RETRY_STOP now rather than a timeout later, and *sleep_s is 0.
 */
RetryDecision
retry_decide(const RetryInput *in, double *sleep_s)
{
	double		sleep;

	*sleep_s = 0;
	if (!wants_retry(in))
		return RETRY_STOP;

	sleep = backoff_time(in->attempts_made, in->random01);
	if (in->got_response && in->retry_after_s > sleep)
		sleep = Min(in->retry_after_s, RETRY_MAX_AFTER);

	if (!(sleep < in->remaining_s))
		return RETRY_STOP;
	*sleep_s = sleep;
	return RETRY_AGAIN;
}

/*
 * Reads a Retry-After header in its form of a number of seconds, which
 * saturates instead of overflowing.  -1 for everything else: absent, empty, a
 * date (our clock is not to be trusted for that), a sign, a fraction.
 */
int
retry_parse_after(const char *header)
{
	int			seconds = 0;
	const char *p = header;

	if (p == NULL)
		return -1;
	while (*p == ' ' || *p == '\t')
		p++;
	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++)
	{
		if (seconds < AFTER_LIMIT)
			seconds = seconds * 10 + (*p - '0');
	}
	while (*p == ' ' || *p == '\t')
		p++;
	if (*p != '\0')
		return -1;
	return Min(seconds, AFTER_LIMIT);
}

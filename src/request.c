/*-------------------------------------------------------------------------
 *
 * request.c
 *	  A request, sent until it is answered or must not be sent again.
 *
 * What to do after an attempt is decided by retry.c, which is pure; this file
 * gathers what it needs to know and waits as long as it says.  Whoever waits
 * can be interrupted: during an attempt and between attempts alike.
 *
 * src/request.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"

#include "request.h"
#include "retry.h"
#include "wait.h"

static void
describe_attempt(const HttpRequest *req, const RequestResult *result, int limited_before,
				 double deadline, RetryInput *in)
{
	const HttpResponse *res = &result->last;

	memset(in, 0, sizeof(*in));
	in->attempts_made = result->attempts;
	in->limited_before = limited_before;
	in->max_retries = req->max_retries;
	in->got_response = res->failure == HTTP_ANSWERED;
	in->certificate_failure = res->failure == HTTP_CERTIFICATE;
	in->connection_reset = res->reset;
	in->status = res->status;
	in->should_retry = in->got_response ? res->should_retry : -1;
	in->limiter = res->limited_reason != NULL;
	in->retry_after_s = res->retry_after ? retry_parse_after(res->retry_after) : -1;
	in->random01 = pg_prng_double(&pg_global_prng_state);
	in->remaining_s = (deadline - wait_clock()) / 1000.0;
}

/*
 * Failures that trying again cannot mend: the same answer would be as large,
 * and what this machine lacks does not come by waiting.
 */
static bool
is_lasting(HttpFailure failure)
{
	return failure == HTTP_TOO_LARGE || failure == HTTP_LOCAL;
}

/*
 * An answer settles what earlier attempts left open, because they carried the
 * same idempotency key.  A failure inside Stripe settles nothing while the
 * request is to be repeated; as the last word it is an answer like any other.
 */
void
request_send(const HttpRequest *req, RequestResult *result)
{
	double		deadline = wait_clock() + req->timeout_ms;
	int			limited = 0;
	RetryInput	in;
	double		pause_s = 0;

	http_settle();
	result->attempts = 0;
	for (;;)
	{
		HttpResponse *res = &result->last;
		bool		stop;

		http_attempt(req, Max((int) (deadline - wait_clock()), 1), res);
		result->attempts += Max(res->sends, 1);
		result->open = http_unanswered();

		describe_attempt(req, result, limited, deadline, &in);
		stop = is_lasting(res->failure) || retry_decide(&in, &pause_s) == RETRY_STOP;
		if (res->failure == HTTP_ANSWERED && (stop || res->status < 500))
			http_settle();
		if (stop)
			return;
		if (retry_is_limited(&in))
			limited++;
		wait_sleep(pause_s * 1000.0);
	}
}

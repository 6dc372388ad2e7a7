/*-------------------------------------------------------------------------
 *
 * test_retry.c
 *	  The retry policy, as a table.
 *
 * test/unit/test_retry.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <math.h>

#include "retry.h"
#include "tap.h"

#define ABSENT (-1)

/* What happened in an attempt. */
#define ANSWER	true, false, false
#define LOST	false, false, false
#define RESET	false, false, true
#define CERT	false, true, false

typedef struct Case
{
	const char *name;
	int			made;
	int			limited;
	int			max;
	bool		answer;
	bool		certificate;
	bool		reset;
	int			status;
	int			should_retry;
	bool		limiter;
	RetryDecision expected;
} Case;

static const Case cases[] = {
	{"200", 1, 0, 2, ANSWER, 200, ABSENT, false, RETRY_STOP},
	{"400", 1, 0, 2, ANSWER, 400, ABSENT, false, RETRY_STOP},
	{"401", 1, 0, 2, ANSWER, 401, ABSENT, false, RETRY_STOP},
	{"402", 1, 0, 2, ANSWER, 402, ABSENT, false, RETRY_STOP},
	{"403", 1, 0, 2, ANSWER, 403, ABSENT, false, RETRY_STOP},
	{"404", 1, 0, 2, ANSWER, 404, ABSENT, false, RETRY_STOP},
	{"302", 1, 0, 2, ANSWER, 302, ABSENT, false, RETRY_STOP},
	{"409", 1, 0, 2, ANSWER, 409, ABSENT, false, RETRY_AGAIN},
	{"500", 1, 0, 2, ANSWER, 500, ABSENT, false, RETRY_AGAIN},
	{"502", 1, 0, 2, ANSWER, 502, ABSENT, false, RETRY_AGAIN},
	{"503", 2, 0, 2, ANSWER, 503, ABSENT, false, RETRY_AGAIN},
	{"504 after the last retry", 3, 0, 2, ANSWER, 504, ABSENT, false, RETRY_STOP},
	{"409 after the last retry", 3, 0, 2, ANSWER, 409, ABSENT, false, RETRY_STOP},
	{"500 without retries", 1, 0, 0, ANSWER, 500, ABSENT, false, RETRY_STOP},

	{"500, told not to", 1, 0, 2, ANSWER, 500, 0, false, RETRY_STOP},
	{"409, told not to", 1, 0, 2, ANSWER, 409, 0, false, RETRY_STOP},
	{"400, told to", 1, 0, 2, ANSWER, 400, 1, false, RETRY_AGAIN},
	{"402, told to", 2, 0, 2, ANSWER, 402, 1, false, RETRY_AGAIN},
	{"400, told to, after the last", 3, 0, 2, ANSWER, 400, 1, false, RETRY_STOP},
	{"400, told to, without retries", 1, 0, 0, ANSWER, 400, 1, false, RETRY_STOP},

	{"no answer", 1, 0, 2, LOST, 0, ABSENT, false, RETRY_AGAIN},
	{"no answer, again", 2, 0, 2, LOST, 0, ABSENT, false, RETRY_AGAIN},
	{"no answer after the last retry", 3, 0, 2, LOST, 0, ABSENT, false, RETRY_STOP},
	{"no answer without retries", 1, 0, 0, LOST, 0, ABSENT, false, RETRY_STOP},
	{"no answer does not look at a stale status", 1, 0, 2, LOST, 200, 0, true, RETRY_AGAIN},
	{"reset without retries is free once", 1, 0, 0, RESET, 0, ABSENT, false, RETRY_AGAIN},
	{"reset without retries is not free twice", 2, 0, 0, RESET, 0, ABSENT, false, RETRY_STOP},
	{"reset within retries", 2, 0, 2, RESET, 0, ABSENT, false, RETRY_AGAIN},
	{"reset after the last retry", 3, 0, 2, RESET, 0, ABSENT, false, RETRY_STOP},
	{"reset after being limited is free", 2, 1, 0, RESET, 0, ABSENT, false, RETRY_AGAIN},
	{"certificate", 1, 0, 2, CERT, 0, ABSENT, false, RETRY_STOP},
	{"certificate, and the connection closed", 1, 0, 2, false, true, true, 0, ABSENT, false, RETRY_STOP},

	{"limiter", 1, 0, 2, ANSWER, 429, ABSENT, true, RETRY_AGAIN},
	{"plain 429", 1, 0, 2, ANSWER, 429, ABSENT, false, RETRY_AGAIN},
	{"limiter beyond the retries", 9, 8, 2, ANSWER, 429, ABSENT, true, RETRY_AGAIN},
	{"limiter after failures", 3, 0, 2, ANSWER, 429, ABSENT, true, RETRY_AGAIN},
	{"limiter without retries", 1, 0, 0, ANSWER, 429, ABSENT, true, RETRY_STOP},
	{"limiter, told not to", 1, 0, 2, ANSWER, 429, 0, true, RETRY_STOP},
	{"limiter, told to", 9, 8, 2, ANSWER, 429, 1, true, RETRY_AGAIN},
	{"lock timeout", 1, 0, 2, ANSWER, 429, 1, false, RETRY_AGAIN},
	{"lock timeout after the last retry", 3, 0, 2, ANSWER, 429, 1, false, RETRY_STOP},
	{"500 after being limited keeps its retries", 4, 3, 2, ANSWER, 500, ABSENT, false, RETRY_AGAIN},
	{"500 after both uses them up", 4, 1, 2, ANSWER, 500, ABSENT, false, RETRY_STOP}
};

static RetryInput
make_input(const Case *c)
{
	RetryInput	in;

	memset(&in, 0, sizeof(in));
	in.attempts_made = c->made;
	in.limited_before = c->limited;
	in.max_retries = c->max;
	in.got_response = c->answer;
	in.certificate_failure = c->certificate;
	in.connection_reset = c->reset;
	in.status = c->status;
	in.should_retry = c->should_retry;
	in.limiter = c->limiter;
	in.retry_after_s = ABSENT;
	in.random01 = 0.5;
	in.remaining_s = 1000;
	return in;
}

static void
test_decisions(void)
{
	size_t		i;

	for (i = 0; i < lengthof(cases); i++)
	{
		RetryInput	in = make_input(&cases[i]);
		double		sleep = ABSENT;

		is_int(retry_decide(&in, &sleep), cases[i].expected, cases[i].name);
		ok(cases[i].expected == RETRY_AGAIN ? sleep >= RETRY_FIRST_SLEEP : sleep == 0,
		   "%s: sleep %.3f", cases[i].name, sleep);

		/* Whatever it is, it does not happen when there is no time left. */
		in.remaining_s = 0.4;
		is_int(retry_decide(&in, &sleep), RETRY_STOP, "no time left");
		ok(sleep == 0, "and no sleep");
	}
}

static double
sleep_of(int made, double random01, double after, double remaining)
{
	RetryInput	in = make_input(&cases[8]);
	double		sleep;

	in.attempts_made = made;
	in.max_retries = 100;
	in.random01 = random01;
	in.retry_after_s = after;
	in.remaining_s = remaining;
	return retry_decide(&in, &sleep) == RETRY_AGAIN ? sleep : ABSENT;
}

static void
is_sleep(double got, double expected, const char *name)
{
	ok(fabs(got - expected) < 1e-9, "%s: %g (expected %g)", name, got, expected);
}

static void
test_sleep(void)
{
	is_sleep(sleep_of(1, 0, ABSENT, 100), 0.5, "first, least");
	is_sleep(sleep_of(1, 1, ABSENT, 100), 0.5, "first, most");
	is_sleep(sleep_of(2, 0, ABSENT, 100), 0.5, "second, least");
	is_sleep(sleep_of(2, 1, ABSENT, 100), 1.0, "second, most");
	is_sleep(sleep_of(3, 0.5, ABSENT, 100), 1.5, "third, middle");
	is_sleep(sleep_of(4, 0, ABSENT, 100), 2.0, "fourth, least");
	is_sleep(sleep_of(4, 1, ABSENT, 100), 4.0, "fourth, most");
	is_sleep(sleep_of(5, 1, ABSENT, 100), 5.0, "fifth, capped");
	is_sleep(sleep_of(50, 0, ABSENT, 100), 2.5, "much later, least");
	is_sleep(sleep_of(50, 1, ABSENT, 100), 5.0, "much later, capped");

	is_sleep(sleep_of(1, -3, ABSENT, 100), 0.5, "random below its range");
	is_sleep(sleep_of(5, 7, ABSENT, 100), 5.0, "random above its range");
	is_sleep(sleep_of(5, NAN, ABSENT, 100), 2.5, "random not a number");

	is_sleep(sleep_of(1, 0, 0, 100), 0.5, "told to wait zero");
	is_sleep(sleep_of(1, 0, 3, 100), 3, "told to wait longer");
	is_sleep(sleep_of(5, 1, 3, 100), 5, "told to wait less than we would");
	is_sleep(sleep_of(1, 0, 61, 100), 60, "told to wait too long");
	is_sleep(sleep_of(1, 0, 1e9, 100), 60, "told to wait absurdly long");
	is_sleep(sleep_of(1, 0, NAN, 100), 0.5, "told to wait for not a number");

	is_sleep(sleep_of(1, 0, ABSENT, 0.5), ABSENT, "a sleep as long as what remains");
	is_sleep(sleep_of(1, 0, ABSENT, 0.51), 0.5, "a sleep that just fits");
	is_sleep(sleep_of(1, 0, 30, 30), ABSENT, "told to wait past the deadline");
	is_sleep(sleep_of(1, 0, ABSENT, -1), ABSENT, "deadline gone by");
	is_sleep(sleep_of(1, 0, ABSENT, NAN), ABSENT, "deadline not a number");
	is_sleep(sleep_of(1, 0, ABSENT, INFINITY), 0.5, "no deadline");
}

/*
 * Without an answer there was no Retry-After either.
 */
static void
test_stale_after(void)
{
	RetryInput	in = make_input(&cases[8]);
	double		sleep;

	in.got_response = false;
	in.retry_after_s = 30;
	is_int(retry_decide(&in, &sleep), RETRY_AGAIN, "no answer, with a stale Retry-After");
	is_sleep(sleep, 0.5, "which is not used");
}

static void
test_limited(void)
{
	RetryInput	in = make_input(&cases[0]);

	in.status = 429;
	ok(retry_is_limited(&in), "a plain 429 is the limiter's");
	in.should_retry = 1;
	ok(!retry_is_limited(&in), "one that asks to be retried is a lock");
	in.limiter = true;
	ok(retry_is_limited(&in), "unless the limiter says it is its own");
	in.should_retry = 0;
	ok(retry_is_limited(&in), "also when it advises against retrying");
	in.limiter = false;
	ok(!retry_is_limited(&in), "advice alone does not make it the limiter's");
	in.status = 503;
	in.limiter = true;
	ok(!retry_is_limited(&in), "503 is not the limiter's");
	in.status = 429;
	in.got_response = false;
	ok(!retry_is_limited(&in), "nor is no answer");
}

static void
test_after(void)
{
	is_int(retry_parse_after("0"), 0, "Retry-After: 0");
	is_int(retry_parse_after("7"), 7, "Retry-After: 7");
	is_int(retry_parse_after("120"), 120, "Retry-After: 120");
	is_int(retry_parse_after(" \t15 \t"), 15, "blanks around it");
	is_int(retry_parse_after("007"), 7, "leading zeros");
	is_int(retry_parse_after("1000000"), 1000000, "the most we keep");
	is_int(retry_parse_after("1000001"), 1000000, "more saturates");
	is_int(retry_parse_after("99999999999999999999999999"), 1000000, "much more saturates");
	is_int(retry_parse_after(NULL), -1, "absent");
	is_int(retry_parse_after(""), -1, "empty");
	is_int(retry_parse_after("  "), -1, "blank");
	is_int(retry_parse_after("-1"), -1, "negative");
	is_int(retry_parse_after("+1"), -1, "signed");
	is_int(retry_parse_after("1.5"), -1, "fraction");
	is_int(retry_parse_after("1e3"), -1, "exponent");
	is_int(retry_parse_after("1 2"), -1, "two numbers");
	is_int(retry_parse_after("0x10"), -1, "hex");
	is_int(retry_parse_after("Wed, 21 Oct 2026 07:28:00 GMT"), -1, "date");
}

int
main(void)
{
	test_decisions();
	test_sleep();
	test_stale_after();
	test_limited();
	test_after();
	return tap_done();
}

/*-------------------------------------------------------------------------
 *
 * test_access.c
 *	  Who may come in: what must hold whatever Stripe says.
 *
 * The single cases are a table in test/pgtap/membership_states.sql.  Here is
 * every combination of statuses, invoices, ends, overrides and moments around
 * the edges, against what must be true of all of them.
 *
 * test/unit/test_access.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "access.h"
#include "tap.h"

#define DAY ACCESS_DAY

/* A year that begins at day 0; asked about at each of these moments. */
static const int64 moments[] = {
	-10 * DAY, -1, 0, 1, 7 * DAY - 1, 7 * DAY, 100 * DAY, 200 * DAY, 365 * DAY - 1, 365 * DAY,
	368 * DAY - 1, 368 * DAY, 400 * DAY, 500 * DAY
};

static const char *const statuses[] = {
	NULL, "", "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid",
	"paused", "canceled", "of_the_future"
};
static const char *const invoices[] = {NULL, "draft", "open", "paid", "uncollectible", "void"};
static const int64 ends[] = {ACCESS_UNKNOWN, 200 * DAY, 365 * DAY, 400 * DAY};
static const int64 overrides[] = {ACCESS_UNKNOWN, 50 * DAY, 300 * DAY, 450 * DAY, ACCESS_FOREVER};
static const int64 failures[] = {ACCESS_UNKNOWN, 0, 100 * DAY};

static long checked = 0;
static long wrong_access = 0;
static long wrong_interval = 0;
static long wrong_later = 0;
static long wrong_override = 0;
static long wrong_grace = 0;

/* All that must hold of one answer. */
static void
check_answer(const AccessFacts *facts, int64 now)
{
	AccessFacts plain = *facts;
	AccessResult r;
	AccessResult without;
	bool		covered;

	access_decide(facts, now, &r);
	checked++;

	/* A state allows access if and only if the interval covers the moment. */
	covered = r.until != ACCESS_UNKNOWN && r.from <= now && now < r.until;
	wrong_access += covered != access_allows(r.state);

	/* An interval is none, or has a beginning before its end. */
	if (r.until == ACCESS_UNKNOWN)
		wrong_interval += r.from != ACCESS_UNKNOWN;
	else
		wrong_interval += r.from == ACCESS_UNKNOWN || r.from >= r.until;

	/* Grace is told where it is the reason, and nowhere else. */
	wrong_grace += r.state == STATE_GRACE && facts->status != NULL &&
		strcmp(facts->status, "unpaid") != 0 && r.grace_until == ACCESS_UNKNOWN;

	/* An override only adds. */
	plain.override_until = ACCESS_UNKNOWN;
	access_decide(&plain, now, &without);
	wrong_override += access_allows(without.state) && !access_allows(r.state);
	wrong_override += facts->override_until != ACCESS_UNKNOWN && facts->override_from <= now &&
		now < facts->override_until && !access_allows(r.state);

	/* What is stored now tells the state later, as long as nothing is heard. */
	for (size_t i = 0; i < lengthof(moments); i++)
	{
		AccessState later;

		if (moments[i] < now)
			continue;
		later = access_later(r.state, r.until, r.end, moments[i]);
		if (access_allows(r.state))
			wrong_later += access_allows(later) != (moments[i] < r.until);
		else
			wrong_later += later != r.state;
	}
}

static void
check_moments(AccessFacts *facts)
{
	for (size_t o = 0; o < lengthof(overrides); o++)
	{
		facts->override_until = overrides[o];
		facts->override_from = overrides[o] == ACCESS_UNKNOWN ? ACCESS_UNKNOWN : 40 * DAY;
		for (size_t m = 0; m < lengthof(moments); m++)
			check_answer(facts, moments[m]);
	}
}

static void
check_status(const char *status)
{
	AccessFacts facts = {0};

	facts.status = status;
	facts.slack = 3 * DAY;
	for (int known = 0; known < 2; known++)
		for (size_t i = 0; i < lengthof(invoices); i++)
			for (size_t e = 0; e < lengthof(ends); e++)
				for (size_t f = 0; f < lengthof(failures); f++)
					for (int bits = 0; bits < 8; bits++)
					{
						facts.start = (bits & 4) != 0 ? 0 : ACCESS_UNKNOWN;
						facts.period_start = known ? 0 : ACCESS_UNKNOWN;
						facts.period_end = known ? 365 * DAY : ACCESS_UNKNOWN;
						facts.trial_end = known ? 14 * DAY : ACCESS_UNKNOWN;
						facts.invoice_status = invoices[i];
						facts.cancel_at = ends[e];
						facts.ended_at = ends[e];
						facts.failed_at = failures[f];
						facts.invoice_renews = (bits & 1) != 0;
						facts.cancel_at_period_end = (bits & 2) != 0;
						facts.grace_days = (bits & 4) != 0 ? 7 : 0;
						check_moments(&facts);
					}
}

/* Sums at the edge of the scale do not wrap. */
static void
check_edges(void)
{
	AccessFacts facts = {0};
	AccessResult r;

	facts.status = "active";
	facts.start = 0;
	facts.period_start = 0;
	facts.trial_end = facts.cancel_at = facts.ended_at = ACCESS_UNKNOWN;
	facts.failed_at = facts.override_from = facts.override_until = ACCESS_UNKNOWN;
	facts.slack = 30 * DAY;
	facts.period_end = ACCESS_FOREVER - 1;
	access_decide(&facts, 0, &r);
	ok(r.until == ACCESS_FOREVER, "the slack of an endless period is endless");
	facts.period_end = ACCESS_FOREVER;
	access_decide(&facts, 0, &r);
	ok(r.until == ACCESS_FOREVER, "forever and a day is forever");
	facts.period_end = ACCESS_UNKNOWN;
	access_decide(&facts, 0, &r);
	ok(r.state == STATE_ACTIVE && r.until == ACCESS_FOREVER,
	   "active without a known period stays open");
	facts.start = facts.period_start = ACCESS_UNKNOWN;
	access_decide(&facts, 0, &r);
	ok(r.state == STATE_ACTIVE && r.from == ACCESS_EPOCH,
	   "and without a known beginning began before all that counts");
}

static void
check_names(void)
{
	int			wrong = 0;

	for (int s = STATE_ACTIVE; s <= STATE_NONE; s++)
		wrong += access_state_by_name(access_state_name((AccessState) s)) != (AccessState) s;
	is_int(wrong, 0, "each state is found by its name");
	is_int(access_state_by_name("no such state"), STATE_NONE, "and none by another");
}

int
main(void)
{
	for (size_t s = 0; s < lengthof(statuses); s++)
		check_status(statuses[s]);
	ok(checked > 500000, "%ld combinations", checked);
	is_int(wrong_access, 0, "a state allows access exactly while the interval lasts");
	is_int(wrong_interval, 0, "an interval has a length, or is none");
	is_int(wrong_later, 0, "later states follow from what is stored");
	is_int(wrong_override, 0, "an override gives access and takes none away");
	is_int(wrong_grace, 0, "grace has an end");
	check_edges();
	check_names();
	return tap_done();
}

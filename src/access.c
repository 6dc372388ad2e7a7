/*-------------------------------------------------------------------------
 *
 * access.c
 *	  From what Stripe says of a subscription to who may come in, and until when.
 *
 * The result is an interval, so that "has access at t" is a comparison, right
 * to the second, and time passing needs no event: a trial, a grace period, a
 * scheduled end and an override all end by themselves.  doc/memberships.md has
 * the table that this file implements.
 *
 * The rules, where they are not Stripe's:
 *
 * - A period that was not renewed stays open for a slack of some days, as the
 *	 news may only be late.  A scheduled end has no slack.
 * - A failed payment gives grace, from the failure on.  Stripe's own word for
 *	 it, past_due, may come after the invoice's, so a failed renewal counts
 *	 while the subscription still reads active; and a paid invoice restores
 *	 access while it still reads past_due.
 * - A status that is not known gives no access.
 * - An override adds access; it never takes any away.
 * - pause_collection changes nothing, as at Stripe: the status stays.
 *
 * In every state that allows access there is access at that moment, and in no
 * other.
 *
 * This file is pure: no server, no clock, no allocation.
 *
 * src/access.c
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "access.h"

static const char *const state_names[] = {
	[STATE_ACTIVE] = "active",
	[STATE_TRIALING] = "trialing",
	[STATE_CANCELING] = "canceling",
	[STATE_GRACE] = "grace",
	[STATE_PAUSED] = "paused",
	[STATE_PENDING] = "pending",
	[STATE_LAPSED] = "lapsed",
	[STATE_ENDED] = "ended",
	[STATE_NONE] = "none"
};

const char *
access_state_name(AccessState state)
{
	return state_names[state];
}

AccessState
access_state_by_name(const char *name)
{
	for (int i = 0; i < (int) lengthof(state_names); i++)
		if (strcmp(state_names[i], name) == 0)
			return (AccessState) i;
	return STATE_NONE;
}

bool
access_allows(AccessState state)
{
	return state <= STATE_GRACE;
}

/* Addition that stays within the scale: forever plus a day is forever. */
static int64
later_by(int64 moment, int64 span)
{
	if (moment == ACCESS_UNKNOWN || moment == ACCESS_FOREVER)
		return moment;
	if (moment > 0 && span > ACCESS_FOREVER - 1 - moment)
		return ACCESS_FOREVER;
	return moment + span;
}

static int64
first_known(int64 a, int64 b)
{
	return a != ACCESS_UNKNOWN ? a : b;
}

static bool
is(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* The subscription's part of the answer. */
typedef struct Interval
{
	int64		from;
	int64		until;			/* ACCESS_UNKNOWN: none at all */
	AccessState within;			/* state while it lasts */
	AccessState after;
} Interval;

static void
set_paid(const AccessFacts *f, Interval *in, AccessResult *r)
{
	bool		trial = is(f->status, "trialing");
	int64		end = trial ? first_known(f->trial_end, f->period_end) : f->period_end;

	in->until = end == ACCESS_UNKNOWN ? ACCESS_FOREVER : later_by(end, f->slack);
	in->within = r->end != ACCESS_UNKNOWN ? STATE_CANCELING : trial ? STATE_TRIALING
																	: STATE_ACTIVE;
	in->after = STATE_LAPSED;
}

/*
 * Without a moment of the failure, that of the renewal is the safe guess: it
 * cannot be later.
 */
static void
set_grace(const AccessFacts *f, Interval *in, AccessResult *r)
{
	int64		failed = first_known(f->failed_at, f->period_start);

	in->until = later_by(failed, f->grace_days * ACCESS_DAY);
	in->within = STATE_GRACE;
	in->after = STATE_LAPSED;
	r->grace_until = in->until;
}

/* What the status alone says. */
static void
read_status(const AccessFacts *f, Interval *in, AccessResult *r)
{
	bool		renewal_failed = f->failed_at != ACCESS_UNKNOWN && f->invoice_renews &&
		is(f->invoice_status, "open");

	in->until = ACCESS_UNKNOWN;
	in->within = STATE_NONE;
	in->after = STATE_LAPSED;
	if (f->status == NULL)
		in->after = STATE_NONE;
	else if (is(f->status, "trialing"))
		set_paid(f, in, r);
	else if (is(f->status, "active") && !renewal_failed)
		set_paid(f, in, r);
	else if (is(f->status, "past_due") && is(f->invoice_status, "paid"))
		set_paid(f, in, r);
	else if (is(f->status, "active") || is(f->status, "past_due"))
		set_grace(f, in, r);
	else if (is(f->status, "incomplete"))
		in->after = STATE_PENDING;
	else if (is(f->status, "paused"))
		in->after = STATE_PAUSED;
	else if (is(f->status, "unpaid"))
	{
		in->until = first_known(f->failed_at, f->period_start);
		in->within = STATE_GRACE;
	}
	else if (is(f->status, "incomplete_expired"))
		in->after = STATE_ENDED;
	else if (is(f->status, "canceled"))
	{
		in->until = first_known(f->ended_at, f->period_start);
		in->within = STATE_CANCELING;
		in->after = STATE_ENDED;
	}
}

/* A scheduled end cuts the interval short. */
static void
cut_at_end(Interval *in, AccessResult *r)
{
	if (in->until == ACCESS_UNKNOWN || r->end == ACCESS_UNKNOWN || r->end > in->until)
		return;
	in->until = r->end;
	in->after = STATE_ENDED;
}

static bool
covers(int64 from, int64 until, int64 t)
{
	return until != ACCESS_UNKNOWN && from <= t && t < until;
}

/*
 * Joins the override's interval with the subscription's.  Where they do not
 * touch, one of them must go: the one that is over, or else the later.
 */
static void
add_override(const AccessFacts *f, int64 now, AccessResult *r)
{
	int64		from = f->override_from;
	int64		until = f->override_until;

	if (until == ACCESS_UNKNOWN || (from != ACCESS_UNKNOWN && from >= until))
		return;
	if (covers(from, until, now) && !access_allows(r->state))
		r->state = STATE_ACTIVE;
	if (r->until == ACCESS_UNKNOWN)
	{
		r->from = from;
		r->until = until;
	}
	else if (from <= r->until && r->from <= until)
	{
		r->from = Min(r->from, from);
		r->until = Max(r->until, until);
	}
	else if (now < until && !covers(r->from, r->until, now))
	{
		r->from = from;
		r->until = until;
	}
}

void
access_decide(const AccessFacts *f, int64 now, AccessResult *r)
{
	Interval	in;

	r->grace_until = ACCESS_UNKNOWN;
	r->end = f->cancel_at;
	if (r->end == ACCESS_UNKNOWN && f->cancel_at_period_end)
		r->end = f->period_end;
	read_status(f, &in, r);
	cut_at_end(&in, r);

	in.from = first_known(first_known(f->start, f->period_start), ACCESS_EPOCH);
	if (in.until != ACCESS_UNKNOWN && in.from >= in.until)
		in.until = ACCESS_UNKNOWN;
	if (in.until != ACCESS_UNKNOWN && now < in.until)
		r->state = now < in.from ? STATE_PENDING : in.within;
	else
		r->state = in.after;
	r->from = in.until == ACCESS_UNKNOWN ? ACCESS_UNKNOWN : in.from;
	r->until = in.until;
	add_override(f, now, r);
}

AccessState
access_later(AccessState state, int64 until, int64 end, int64 now)
{
	if (!access_allows(state) || until == ACCESS_UNKNOWN || now < until)
		return state;
	return end != ACCESS_UNKNOWN && end <= now ? STATE_ENDED : STATE_LAPSED;
}

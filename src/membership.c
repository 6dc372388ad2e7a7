/*-------------------------------------------------------------------------
 *
 * membership.c
 *	  State of memberships, derived from the mirrors.
 *
 * The row of a membership says nothing that the mirrors, the ledger and its
 * override do not: this file derives it anew whenever one of them changed.
 * Sessions take turns at the row, and read the mirrors only once they hold
 * it, so that whoever comes last has seen all.
 *
 * Several subscriptions may belong to one membership; the best of them counts
 * and stripe.membership_conflicts shows the others.
 *
 * src/membership.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "access.h"
#include "account.h"
#include "belongs.h"
#include "json.h"
#include "membership.h"
#include "queue.h"
#include "store.h"

/* What is stored of a membership; moments may be ACCESS_UNKNOWN. */
typedef struct Membership
{
	char	   *customer;
	char	   *subscription;
	char	   *linked_by;
	char	   *plan;
	char	   *status;
	int64		access_from;
	int64		access_until;
	int64		grace_until;
	int64		cancel_at;
	int64		override_from;
	int64		override_until;
	int			grace_days;		/* the account's */
	int64		slack;
} Membership;

/* A subscription that may count, and what it gives. */
typedef struct Candidate
{
	char	   *subscription;
	char	   *customer;
	const char *linked_by;
	char	   *plan;
	AccessResult access;
} Candidate;

static StorePlan lock_membership = {
	.sql = "SELECT customer, subscription, linked_by, plan, status, access_from, access_until,"
	" grace_until, cancel_at, override_from, override_until FROM stripe.memberships"
	" WHERE account = $1 AND livemode = $2 AND membership_id = $3 FOR NO KEY UPDATE",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

/*
 * The facts of subscriptions, by a condition on one table: all else is looked
 * up by key for each row, whatever the planner believes of the tables' sizes.
 *
 * When a payment of the latest invoice failed first, the ledger knows best;
 * else it is the invoice's due date, if it was sent, or the moment it was
 * finalized.
 */
#define SELECT_FACTS(condition) \
	"SELECT s.id, s.customer, s.latest_invoice, p.plan, s.status, COALESCE(s.start_date, s.created)," \
	" s.current_period_start, s.current_period_end, s.trial_end, s.cancel_at, s.ended_at," \
	" CASE WHEN s.status IN ('past_due', 'unpaid') OR s.status = 'active' AND i.status = 'open' THEN" \
	" COALESCE((SELECT pg_catalog.min(e.created) FROM stripe.events e" \
	" WHERE e.account = $1 AND e.livemode = $2 AND e.object_id = s.latest_invoice" \
	" AND e.type = 'invoice.payment_failed')," \
	" CASE WHEN s.status <> 'active' THEN COALESCE(" \
	"CASE WHEN i.collection_method = 'send_invoice' THEN i.due_date END, i.finalized_at, i.created) END)" \
	" END," \
	" s.cancel_at_period_end, i.status, i.billing_reason = 'subscription_cycle'," \
	" CASE WHEN s.status IN ('past_due', 'active') THEN (SELECT n.grace_days FROM stripe.plans n" \
	" WHERE n.account = $1 AND n.livemode = $2 AND n.name = p.plan) END," \
	" CASE WHEN s.status = 'past_due' AND i.status IS NULL THEN s.latest_invoice END" \
	" FROM stripe.subscriptions s" \
	" LEFT JOIN LATERAL (SELECT i.status, i.collection_method, i.due_date, i.finalized_at," \
	" i.created, i.billing_reason FROM stripe.invoices i" \
	" WHERE i.account = $1 AND i.livemode = $2 AND i.id = s.latest_invoice OFFSET 0) i ON true" \
	" CROSS JOIN LATERAL (SELECT COALESCE(stripe.json_key(s.data, 'metadata.plan')," \
	" (SELECT n.name FROM stripe.plans n WHERE n.account = $1 AND n.livemode = $2" \
	" AND n.stripe_price = stripe.json_ref(s.data, 'items.data[].price|plan'))," \
	" (SELECT n.name FROM stripe.plans n WHERE n.account = $1 AND n.livemode = $2" \
	" AND n.stripe_product = stripe.json_ref(s.data, 'items.data[].price.product|plan.product')" \
	" ORDER BY n.status <> 'active', n.name LIMIT 1)) AS plan OFFSET 0) p" \
	" WHERE s.account = $1 AND s.livemode = $2 AND NOT s.deleted AND " condition

static StorePlan select_named = {
	.sql = SELECT_FACTS("s.membership_id = $3"),
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan select_one = {
	.sql = SELECT_FACTS("s.id = $3 AND s.membership_id IS NULL"),
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

/*
 * Texts: id, customer, subscription, linked_by, plan, status, cause.  Moments:
 * from, until, end of grace, end.
 */
#define WRITE_ARGS \
	.nargs = 4, \
	.argtypes = {TEXTOID, BOOLOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}

static StorePlan insert_membership = {
	.sql = "INSERT INTO stripe.memberships (account, livemode, membership_id, customer,"
	" subscription, linked_by, plan, status, cause, access_from, access_until, grace_until, cancel_at)"
	" VALUES ($1, $2, $3[1], $3[2], $3[3], $3[4], $3[5], $3[6], $3[7], $4[1], $4[2], $4[3], $4[4])"
	" ON CONFLICT (account, livemode, membership_id) DO NOTHING",
	WRITE_ARGS
};

static StorePlan update_membership = {
	.sql = "UPDATE stripe.memberships SET customer = $3[2], subscription = $3[3],"
	" linked_by = $3[4], plan = $3[5], status = $3[6], cause = $3[7], access_from = $4[1],"
	" access_until = $4[2], grace_until = $4[3], cancel_at = $4[4], updated = pg_catalog.now()"
	" WHERE account = $1 AND livemode = $2 AND membership_id = $3[1]",
	WRITE_ARGS
};

static StorePlan insert_history = {
	.sql = "INSERT INTO stripe.membership_history (account, livemode, membership_id, cause,"
	" subscription, plan, status, access_from, access_until, grace_until, cancel_at,"
	" override_until, override_reason, override_by)"
	" SELECT account, livemode, membership_id, cause, subscription, plan, status, access_from,"
	" access_until, grace_until, cancel_at, override_until, override_reason, override_by"
	" FROM stripe.memberships WHERE account = $1 AND livemode = $2 AND membership_id = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static char *
read_text(int row, int column)
{
	bool		isnull;
	Datum		value = store_column(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
read_moment(int row, int column)
{
	bool		isnull;
	Datum		value = store_column(row, column, &isnull);

	return isnull ? ACCESS_UNKNOWN : DatumGetTimestampTz(value);
}

static bool
read_flag(int row, int column)
{
	bool		isnull;
	Datum		value = store_column(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Reads and locks the row; false, and all unknown, if there is none. */
static bool
lock_row(Datum *key, Membership *m)
{
	memset(m, 0, sizeof(*m));
	m->override_from = m->override_until = ACCESS_UNKNOWN;
	if (store_execute(&lock_membership, key, NULL, 1) == 0)
		return false;
	m->customer = read_text(0, 1);
	m->subscription = read_text(0, 2);
	m->linked_by = read_text(0, 3);
	m->plan = read_text(0, 4);
	m->status = read_text(0, 5);
	m->access_from = read_moment(0, 6);
	m->access_until = read_moment(0, 7);
	m->grace_until = read_moment(0, 8);
	m->cancel_at = read_moment(0, 9);
	m->override_from = read_moment(0, 10);
	m->override_until = read_moment(0, 11);
	return true;
}

/* Months do not occur in a slack; thirty days is what the server takes one for. */
int64
membership_slack(const Interval *interval)
{
	return interval->time + (interval->day + interval->month * INT64CONST(30)) * ACCESS_DAY;
}

static void
read_candidate(int row, const Membership *held, const char *linked_by, Candidate *c)
{
	AccessFacts facts = {0};
	bool		isnull;

	c->subscription = read_text(row, 1);
	c->customer = read_text(row, 2);
	c->linked_by = linked_by;
	c->plan = read_text(row, 4);
	facts.status = read_text(row, 5);
	facts.start = read_moment(row, 6);
	facts.period_start = read_moment(row, 7);
	facts.period_end = read_moment(row, 8);
	facts.trial_end = read_moment(row, 9);
	facts.cancel_at = read_moment(row, 10);
	facts.ended_at = read_moment(row, 11);
	facts.failed_at = read_moment(row, 12);
	facts.cancel_at_period_end = read_flag(row, 13);
	facts.invoice_status = read_text(row, 14);
	facts.invoice_renews = read_flag(row, 15);
	facts.grace_days = DatumGetInt32(store_column(row, 16, &isnull));
	if (isnull)
		facts.grace_days = held->grace_days;
	facts.slack = held->slack;
	facts.override_from = held->override_from;
	facts.override_until = held->override_until;

	/* A status that is not known is no status: not the same as no subscription. */
	if (facts.status == NULL)
		facts.status = "";
	access_decide(&facts, GetCurrentTransactionStartTimestamp(), &c->access);
}

static bool
is_better(const Candidate *a, const Candidate *b)
{
	if (a->access.state != b->access.state)
		return a->access.state < b->access.state;
	if (a->access.until != b->access.until)
		return a->access.until > b->access.until;
	return strcmp(a->subscription, b->subscription) > 0;
}

/* Takes the rows of the last result into account. */
static void
consider(Datum *key, uint64 n, const Membership *held, const char *linked_by, Candidate *best)
{
	List	   *missing = NIL;
	ListCell   *lc;

	for (int i = 0; i < (int) n; i++)
	{
		Candidate	c;
		char	   *invoice = read_text(i, 17);

		read_candidate(i, held, linked_by, &c);
		if (best->subscription == NULL || is_better(&c, best))
			*best = c;
		if (invoice != NULL)
			missing = lappend(missing, invoice);
	}
	foreach(lc, missing)
		queue_refetch(TextDatumGetCString(key[0]), DatumGetBool(key[1]), "invoice", lfirst(lc),
					  QUEUE_MISSING);
}

/*
 * The best of the membership's subscriptions; without any, what an override
 * alone gives.
 */
static void
find_best(Datum *key, const Membership *held, Candidate *best)
{
	List	   *linked;
	ListCell   *lc;

	memset(best, 0, sizeof(*best));
	consider(key, store_execute(&select_named, key, NULL, 0), held, "subscription", best);
	linked = belongs_linked(key);
	foreach(lc, linked)
	{
		BelongsLink *link = lfirst(lc);
		Datum		args[3] = {key[0], key[1], CStringGetTextDatum(link->subscription)};

		consider(key, store_execute(&select_one, args, NULL, 1), held, link->linked_by, best);
	}
	if (best->subscription == NULL)
	{
		AccessFacts facts = {0};

		facts.start = facts.period_start = facts.period_end = facts.trial_end = ACCESS_UNKNOWN;
		facts.cancel_at = facts.ended_at = facts.failed_at = ACCESS_UNKNOWN;
		facts.override_from = held->override_from;
		facts.override_until = held->override_until;
		access_decide(&facts, GetCurrentTransactionStartTimestamp(), &best->access);
	}
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_current(const Membership *m, const Candidate *best)
{
	return same_text(m->subscription, best->subscription) &&
		same_text(m->customer, best->customer) &&
		same_text(m->linked_by, best->linked_by) &&
		same_text(m->plan, best->plan) &&
		same_text(m->status, access_state_name(best->access.state)) &&
		m->access_from == best->access.from &&
		m->access_until == best->access.until &&
		m->grace_until == best->access.grace_until &&
		m->cancel_at == best->access.end;
}

static Datum
make_array(Datum *values, bool *nulls, int n, Oid type)
{
	int			lbound = 1;
	bool		text_type = type == TEXTOID;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lbound, type,
											  text_type ? -1 : 8, !text_type,
											  text_type ? TYPALIGN_INT : TYPALIGN_DOUBLE));
}

static Datum
text_array(const char *const *texts, int n)
{
	Datum		values[8];
	bool		nulls[8];

	for (int i = 0; i < n; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return make_array(values, nulls, n, TEXTOID);
}

static Datum
moment_array(const int64 *moments, int n)
{
	Datum		values[4];
	bool		nulls[4];

	for (int i = 0; i < n; i++)
	{
		nulls[i] = moments[i] == ACCESS_UNKNOWN;
		values[i] = TimestampTzGetDatum(moments[i]);
	}
	return make_array(values, nulls, n, TIMESTAMPTZOID);
}

/* What is written of it, as the arguments of the statements. */
static void
make_row(const char *membership_id, const Candidate *best, const char *cause, Datum *args)
{
	const char *texts[] = {
		membership_id, best->customer, best->subscription, best->linked_by, best->plan,
		access_state_name(best->access.state), cause};
	int64		moments[] = {
		best->access.from, best->access.until, best->access.grace_until, best->access.end};

	args[2] = text_array(texts, lengthof(texts));
	args[3] = moment_array(moments, lengthof(moments));
}

bool
membership_refresh(const char *account, bool livemode, const char *membership_id, const char *cause)
{
	const Account *settings = account_lookup(account, ACCESS_NONE);
	Datum		args[4];
	Datum		key[3];
	Candidate	best;
	bool		found;

	key[0] = args[0] = CStringGetTextDatum(account);
	key[1] = args[1] = BoolGetDatum(livemode);
	key[2] = CStringGetTextDatum(membership_id);
	do
	{
		Membership	held;

		CHECK_FOR_INTERRUPTS();
		found = lock_row(key, &held);
		held.grace_days = settings->grace_days;
		held.slack = settings->renewal_slack_s * ACCESS_SECOND;
		find_best(key, &held, &best);
		if (found ? is_current(&held, &best) : best.subscription == NULL)
			return false;
		make_row(membership_id, &best, cause, args);
	} while (store_execute(found ? &update_membership : &insert_membership, args, NULL, 0) == 0);

	store_execute(&insert_history, key, NULL, 0);
	membership_announce("membership", account, best.subscription, membership_id);
	return true;
}

void
membership_record(const char *account, bool livemode, const char *membership_id)
{
	Datum		key[3];

	key[0] = CStringGetTextDatum(account);
	key[1] = BoolGetDatum(livemode);
	key[2] = CStringGetTextDatum(membership_id);
	store_execute(&insert_history, key, NULL, 0);
}

void
membership_announce(const char *kind, const char *account, const char *id,
					const char *membership_id)
{
	CompatJsonbState st = {0};
	Jsonb	   *payload;

	json_begin(&st, false);
	json_put_text(&st, "kind", kind);
	json_put_text(&st, "account", account);
	json_put_text(&st, "id", id);
	json_put_text(&st, "membership_id", membership_id);
	json_end(&st, false);
	payload = json_finish(&st);
	Async_Notify("memberpulse_stripe",
				 JsonbToCString(NULL, &payload->root, VARSIZE(payload)));
}

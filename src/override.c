/*-------------------------------------------------------------------------
 *
 * override.c
 *	  What people decide on memberships: links and overrides; and retention.
 *
 * Neither touches Stripe.  A link says which membership a subscription or a
 * customer belongs to, where metadata at Stripe does not; an override gives
 * access for a while whatever Stripe says.  Both leave their traces in the
 * membership's history, and an override in the audit trail as well.
 *
 * src/override.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "account.h"
#include "audit.h"
#include "belongs.h"
#include "bind.h"
#include "compat.h"
#include "json.h"
#include "membership.h"
#include "store.h"

COMPAT_FUNCTION(stripe_link_membership);
COMPAT_FUNCTION(stripe_override_membership);
COMPAT_FUNCTION(stripe_prune);

/*
 * The ledger is also the memory of the order rule, knows when payments failed,
 * and tells repeated deliveries; none of these looks back further.
 */
#define MIN_KEEP_DAYS 31

static StorePlan insert_link = {
	.sql = "INSERT INTO stripe.membership_links AS l (account, livemode, object_id, membership_id, linked_by)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, livemode, object_id)"
	" DO UPDATE SET membership_id = excluded.membership_id, linked_by = excluded.linked_by,"
	" linked_at = pg_catalog.now() WHERE l.membership_id <> excluded.membership_id",
	.nargs = 5,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID}
};

static StorePlan delete_link = {
	.sql = "DELETE FROM stripe.membership_links WHERE account = $1 AND livemode = $2 AND object_id = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan set_override = {
	.sql = "INSERT INTO stripe.memberships AS m (account, livemode, membership_id, status,"
	" override_from, override_until, override_reason, override_by)"
	" VALUES ($1, $2, $3, 'none', pg_catalog.now(), $4, $5, $6)"
	" ON CONFLICT (account, livemode, membership_id) DO UPDATE SET"
	" override_from = CASE WHEN m.override_until > excluded.override_from"
	" THEN m.override_from ELSE excluded.override_from END,"
	" override_until = excluded.override_until, override_reason = excluded.override_reason,"
	" override_by = excluded.override_by, updated = pg_catalog.now()",
	.nargs = 6,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

static StorePlan clear_override = {
	.sql = "UPDATE stripe.memberships SET override_from = NULL, override_until = NULL,"
	" override_reason = $4, override_by = $5, updated = pg_catalog.now()"
	" WHERE account = $1 AND livemode = $2 AND membership_id = $3 AND override_until IS NOT NULL",
	.nargs = 5,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID}
};

static StorePlan describe_membership = {
	.sql = "SELECT stripe.membership_json(m, pg_catalog.now()) FROM stripe.memberships m"
	" WHERE account = $1 AND livemode = $2 AND membership_id = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static void
refuse_argument(const char *name, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\"", name),
			 errdetail("%s", detail)));
}

static void
check_membership_id(const char *id)
{
	if (id == NULL || id[0] == '\0' || strlen(id) > BELONGS_MAX_ID)
		refuse_argument("membership_id", psprintf("It has 1 to %d bytes.", BELONGS_MAX_ID));
}

/*
 * What stripe_membership() says of it now, in memory that outlives the store
 * scope; NULL if there is no row.
 */
static Jsonb *
describe(Datum *args, MemoryContext context)
{
	MemoryContext old;
	Jsonb	   *found;
	bool		isnull;

	if (store_execute(&describe_membership, args, NULL, 1) == 0)
		return NULL;
	old = MemoryContextSwitchTo(context);
	found = DatumGetJsonbPCopy(store_column(0, 1, &isnull));
	MemoryContextSwitchTo(old);
	return found;
}

/* stripe_link_membership(membership_id, subscription, customer, account) */
Datum
stripe_link_membership(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 3), ACCESS_BILLER);
	const char *membership_id = bind_text_arg(fcinfo, 0);
	const char *subscription = bind_text_arg(fcinfo, 1);
	const char *customer = bind_text_arg(fcinfo, 2);
	const char *object = subscription ? subscription : customer;
	const char *role = GetUserNameFromId(GetUserId(), false);
	ListCell   *lc;
	StoreScope	scope;
	Datum		args[5];
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *result;

	if (membership_id != NULL)
		check_membership_id(membership_id);
	if ((subscription == NULL) == (customer == NULL))
		refuse_argument("subscription", "Give either a subscription or a customer.");
	if (strlen(object) > 255 || strncmp(object, subscription ? "sub_" : "cus_", 4) != 0)
		refuse_argument(subscription ? "subscription" : "customer",
						"It is not the id of one.");

	store_begin(&scope);
	args[0] = CStringGetTextDatum(account.name);
	args[1] = BoolGetDatum(account.livemode);
	args[2] = CStringGetTextDatum(object);
	if (membership_id != NULL)
	{
		args[3] = CStringGetTextDatum(membership_id);
		args[4] = CStringGetTextDatum(role);
		store_execute(&insert_link, args, NULL, 0);
	}
	else
		store_execute(&delete_link, args, NULL, 0);
	foreach(lc, belongs_linked_object(account.name, account.livemode, object))
		(void) membership_refresh(account.name, account.livemode, lfirst(lc), "stripe_link_membership");
	args[2] = membership_id ? CStringGetTextDatum(membership_id) : CStringGetTextDatum("");
	result = describe(args, caller);
	store_end(&scope);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

static void
audit_override(const Account *account, const char *membership_id, const char *until,
			   const char *reason)
{
	CompatJsonbState st = {0};

	json_begin(&st, false);
	json_put_text(&st, "membership_id", membership_id);
	json_put_text(&st, "until", until);
	json_put_text(&st, "reason", reason);
	json_end(&st, false);
	audit_write(account->name, account->livemode, "override_membership", json_finish(&st));
}

/* stripe_override_membership(membership_id, until, reason, account) */
Datum
stripe_override_membership(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 3), ACCESS_ADMIN);
	const char *membership_id = bind_text_arg(fcinfo, 0);
	bool		clear = PG_ARGISNULL(1);
	TimestampTz until = clear ? 0 : PG_GETARG_TIMESTAMPTZ(1);
	const char *reason = bind_text_arg(fcinfo, 2);
	const char *role = GetUserNameFromId(GetUserId(), false);
	StoreScope	scope;
	Datum		args[6];
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *result;
	uint64		changed;

	check_membership_id(membership_id);
	if (!clear && until <= GetCurrentTransactionStartTimestamp())
		refuse_argument("until", "It is not in the future.  NULL ends an override.");
	if (reason == NULL || strspn(reason, " \t\r\n") == strlen(reason))
		refuse_argument("reason", "Say why, for the audit trail.");
	audit_override(&account, membership_id, clear ? NULL : timestamptz_to_str(until), reason);

	store_begin(&scope);
	args[0] = CStringGetTextDatum(account.name);
	args[1] = BoolGetDatum(account.livemode);
	args[2] = CStringGetTextDatum(membership_id);
	args[3] = clear ? CStringGetTextDatum(reason) : TimestampTzGetDatum(until);
	args[4] = CStringGetTextDatum(clear ? role : reason);
	args[5] = CStringGetTextDatum(role);
	changed = store_execute(clear ? &clear_override : &set_override, args, NULL, 0);
	if (changed > 0 &&
		!membership_refresh(account.name, account.livemode, membership_id, "stripe_override_membership"))
		membership_record(account.name, account.livemode, membership_id);
	result = describe(args, caller);
	store_end(&scope);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

static StorePlan prune_events = {
	.sql = "DELETE FROM stripe.events WHERE ctid = ANY (ARRAY("
	"SELECT e.ctid FROM stripe.events e WHERE e.account = $1 AND e.received_at < $2"
	" AND e.created < $2 AND e.state IN ('applied', 'stale', 'ignored') LIMIT $3))",
	.nargs = 3,
	.argtypes = {TEXTOID, TIMESTAMPTZOID, INT8OID}
};

/* The newest row of each membership says how it came to be as it is. */
static StorePlan prune_history = {
	.sql = "DELETE FROM stripe.membership_history WHERE ctid = ANY (ARRAY("
	"SELECT h.ctid FROM stripe.membership_history h WHERE h.account = $1 AND h.changed_at < $2"
	" AND EXISTS (SELECT 1 FROM stripe.membership_history n WHERE n.account = h.account"
	" AND n.livemode = h.livemode AND n.membership_id = h.membership_id AND n.serial > h.serial)"
	" LIMIT $3))",
	.nargs = 3,
	.argtypes = {TEXTOID, TIMESTAMPTZOID, INT8OID}
};

/* stripe_prune(keep, max, account): rows deleted; call again while it is "max". */
Datum
stripe_prune(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 2), ACCESS_ADMIN);
	StoreScope	scope;
	Datum		args[3];
	int64		max = PG_ARGISNULL(1) ? 10000 : PG_GETARG_INT32(1);
	int64		deleted;
	TimestampTz before;

	if (PG_ARGISNULL(0) ||
		membership_slack(PG_GETARG_INTERVAL_P(0)) < MIN_KEEP_DAYS * INT64CONST(86400000000))
		refuse_argument("keep", psprintf("At least %d days are kept, which Stripe's retries and the grace of payments look back.", MIN_KEEP_DAYS));
	if (max < 1)
		refuse_argument("max", "It is not positive.");
	before = GetCurrentTransactionStartTimestamp();
	before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
													 TimestampTzGetDatum(before),
													 PG_GETARG_DATUM(0)));
	store_begin(&scope);
	args[0] = CStringGetTextDatum(account.name);
	args[1] = TimestampTzGetDatum(before);
	args[2] = Int64GetDatum(max);
	deleted = (int64) store_execute(&prune_events, args, NULL, 0);
	if (deleted < max)
	{
		args[2] = Int64GetDatum(max - deleted);
		deleted += (int64) store_execute(&prune_history, args, NULL, 0);
	}
	store_end(&scope);
	PG_RETURN_INT64(deleted);
}

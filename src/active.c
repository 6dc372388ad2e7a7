/*-------------------------------------------------------------------------
 *
 * active.c
 *	  Whether a membership gives access.
 *
 * This is asked on every page view, so it goes to the index itself: no plan,
 * no executor, no change of user, and no visit to the table where the
 * visibility map allows it.  What the caller may ask is decided by the grants
 * on the account, as for every function.  It reads with the snapshot of the
 * calling query, takes no lock that outlives it, and runs anywhere a query
 * does: in a parallel worker and on a standby.
 *
 * src/active.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/itup.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/visibilitymap.h"
#include "catalog/namespace.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "access.h"
#include "account.h"
#include "compat.h"
#include "membership.h"

COMPAT_FUNCTION(stripe_membership_active);
COMPAT_FUNCTION(stripe_membership_state);
COMPAT_FUNCTION(stripe_membership_status);

/* Columns of the primary key's index. */
#define KEY_COLUMNS 3
#define COLUMN_FROM 4
#define COLUMN_UNTIL 5

/* Does the index entry's interval hold the moment? */
static bool
entry_covers(IndexScanDesc scan, TimestampTz at)
{
	bool		no_from;
	bool		no_until;
	Datum		from = index_getattr(scan->xs_itup, COLUMN_FROM, scan->xs_itupdesc, &no_from);
	Datum		until = index_getattr(scan->xs_itup, COLUMN_UNTIL, scan->xs_itupdesc, &no_until);

	return !no_from && !no_until &&
		DatumGetTimestampTz(from) <= at && at < DatumGetTimestampTz(until);
}

/*
 * Looks the key up; as an index-only scan does, it visits the table only for
 * pages that may hold rows some transaction cannot see.
 */
static bool
lookup_access(Relation heap, Relation index, ScanKey keys, TimestampTz at)
{
	Snapshot	snapshot = GetActiveSnapshot();
	IndexScanDesc scan = compat_index_beginscan(heap, index, snapshot, KEY_COLUMNS);
	TupleTableSlot *slot = NULL;
	Buffer		map = InvalidBuffer;
	ItemPointer tid;
	bool		covers = false;

	scan->xs_want_itup = true;
	index_rescan(scan, keys, KEY_COLUMNS, NULL, 0);
	while ((tid = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		if (VM_ALL_VISIBLE(heap, ItemPointerGetBlockNumber(tid), &map))
			PredicateLockPage(heap, ItemPointerGetBlockNumber(tid), snapshot);
		else
		{
			if (slot == NULL)
				slot = table_slot_create(heap, NULL);
			if (!index_fetch_heap(scan, slot))
				continue;
		}
		covers = entry_covers(scan, at);
		break;
	}
	if (map != InvalidBuffer)
		ReleaseBuffer(map);
	if (slot != NULL)
		ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return covers;
}

static bool
has_access(const Account *account, Datum membership_id, TimestampTz at)
{
	Oid			nspid = get_namespace_oid("stripe", false);
	Relation	heap = table_open(get_relname_relid("memberships", nspid), AccessShareLock);
	Relation	index = index_open(get_relname_relid("memberships_pkey", nspid), AccessShareLock);
	ScanKeyData keys[KEY_COLUMNS];
	Datum		values[KEY_COLUMNS] = {
		CStringGetTextDatum(account->name), BoolGetDatum(account->livemode), membership_id};
	bool		covers;

	for (int i = 0; i < KEY_COLUMNS; i++)
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   index->rd_indcollation[i], i == 1 ? F_BOOLEQ : F_TEXTEQ, values[i]);
	covers = lookup_access(heap, index, keys, at);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return covers;
}

/* stripe_membership_active(membership_id, at, account) */
Datum
stripe_membership_active(PG_FUNCTION_ARGS)
{
	const char *name = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	TimestampTz at = GetCurrentTransactionStartTimestamp();

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		at = PG_GETARG_TIMESTAMPTZ(1);
	PG_RETURN_BOOL(has_access(account_lookup(name, ACCESS_READER),
							  PointerGetDatum(PG_GETARG_TEXT_PP(0)), at));
}

static int64
moment_arg(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? ACCESS_UNKNOWN : PG_GETARG_TIMESTAMPTZ(i);
}

static Datum
moment_result(int64 moment, bool *isnull)
{
	*isnull = moment == ACCESS_UNKNOWN;
	return *isnull ? (Datum) 0 : TimestampTzGetDatum(moment);
}

/*
 * stripe.membership_state(status, start, period_start, period_end, trial_end,
 * cancel_at, cancel_at_period_end, ended_at, invoice_status, invoice_renews,
 * failed_at, grace_days, renewal_slack, override_from, override_until, at)
 */
Datum
stripe_membership_state(PG_FUNCTION_ARGS)
{
	AccessFacts facts = {0};
	AccessResult result;
	TupleDesc	tupdesc;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(15))
		PG_RETURN_NULL();
	facts.status = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	facts.start = moment_arg(fcinfo, 1);
	facts.period_start = moment_arg(fcinfo, 2);
	facts.period_end = moment_arg(fcinfo, 3);
	facts.trial_end = moment_arg(fcinfo, 4);
	facts.cancel_at = moment_arg(fcinfo, 5);
	facts.cancel_at_period_end = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
	facts.ended_at = moment_arg(fcinfo, 7);
	facts.invoice_status = PG_ARGISNULL(8) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(8));
	facts.invoice_renews = !PG_ARGISNULL(9) && PG_GETARG_BOOL(9);
	facts.failed_at = moment_arg(fcinfo, 10);
	facts.grace_days = PG_ARGISNULL(11) ? 7 : PG_GETARG_INT32(11);
	facts.slack = PG_ARGISNULL(12) ? 3 * ACCESS_DAY : membership_slack(PG_GETARG_INTERVAL_P(12));
	facts.override_from = moment_arg(fcinfo, 13);
	facts.override_until = moment_arg(fcinfo, 14);
	access_decide(&facts, PG_GETARG_TIMESTAMPTZ(15), &result);

	values[0] = CStringGetTextDatum(access_state_name(result.state));
	values[1] = moment_result(result.from, &nulls[1]);
	values[2] = moment_result(result.until, &nulls[2]);
	values[3] = moment_result(result.grace_until, &nulls[3]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/* stripe.membership_status(status, access_until, cancel_at, at): as time passes. */
Datum
stripe_membership_status(PG_FUNCTION_ARGS)
{
	AccessState state;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	state = access_later(access_state_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0))),
						 moment_arg(fcinfo, 1), moment_arg(fcinfo, 2), PG_GETARG_TIMESTAMPTZ(3));
	PG_RETURN_TEXT_P(cstring_to_text(access_state_name(state)));
}

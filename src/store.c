/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The extension's own tables, through SPI, as the extension's owner.
 *
 * Callers of the SQL functions hold no privilege on the tables; what they may
 * do is decided before this file is reached.  Statements are constants, names
 * in them are qualified, and search_path is pinned while they run: a plan is
 * analysed anew under the path of the day, so pinning it only while preparing
 * would leave operators open to capture.
 *
 * src/store.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "store.h"

/* Owner of schema "stripe", who also owns the tables in it. */
Oid
store_owner(void)
{
	Oid			nspid = get_namespace_oid("stripe", false);
	HeapTuple	tup = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(nspid));
	Oid			owner;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for schema %u", nspid);
	owner = ((Form_pg_namespace) GETSTRUCT(tup))->nspowner;
	ReleaseSysCache(tup);
	return owner;
}

/*
 * What holds while statements are planned and run.  Every statement here finds
 * rows by a key, and its plan is kept.  Made while the tables are empty, and
 * statistics say so, any plan looks as good as any other: without these a
 * backend could keep one that reads whole tables, long after they have grown.
 */
static const struct
{
	const char *name;
	const char *value;
} pinned[] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
};

void
store_begin(StoreScope *scope)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	GetUserIdAndSecContext(&scope->userid, &scope->sec_context);
	SetUserIdAndSecContext(store_owner(),
						   scope->sec_context | SECURITY_LOCAL_USERID_CHANGE);
	scope->guc_level = NewGUCNestLevel();
	for (int i = 0; i < (int) lengthof(pinned); i++)
		(void) set_config_option(pinned[i].name, pinned[i].value, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
store_end(StoreScope *scope)
{
	AtEOXact_GUC(true, scope->guc_level);
	SetUserIdAndSecContext(scope->userid, scope->sec_context);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
}

/* Statements being run, one within another where triggers are. */
static int	running = 0;

/*
 * A plan made while the tables were small may be a bad one now, and nothing
 * says so before they are analysed.  So plans are made again after so many
 * runs, a few times in the life of a backend.
 */
#define FIRST_REPLAN 16
#define REPLAN_FACTOR 2

static void
make_plan(StorePlan *plan)
{
	SPIPlanPtr	made = SPI_prepare(plan->sql, plan->nargs, plan->argtypes);

	if (made == NULL || SPI_keepplan(made) != 0)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	if (plan->plan != NULL)
		SPI_freeplan(plan->plan);
	plan->plan = made;
	plan->replan_at = plan->runs == 0 ? FIRST_REPLAN : plan->runs * REPLAN_FACTOR;
}

static uint64
run_plan(StorePlan *plan, Datum *args, const char *nulls, bool read_only, long limit)
{
	int			rc = 0;

	if (plan->plan == NULL || (plan->runs >= plan->replan_at && running == 0))
		make_plan(plan);
	plan->runs++;
	running++;
	PG_TRY();
	{
		rc = SPI_execute_plan(plan->plan, args, nulls, read_only, limit);
	}
	PG_FINALLY();
	{
		running--;
	}
	PG_END_TRY();
	if (rc < 0)
		elog(ERROR, "could not execute a statement: %s", SPI_result_code_string(rc));
	return SPI_processed;
}

uint64
store_execute(StorePlan *plan, Datum *args, const char *nulls, long limit)
{
	return run_plan(plan, args, nulls, false, limit);
}

/*
 * A transaction's own snapshot may be older than the invalidation that made
 * the backend read again; what it showed would then be kept for good.
 */
uint64
store_query(StorePlan *plan, Datum *args, const char *nulls, long limit)
{
	uint64		n;

	if (IsInParallelMode())
		return run_plan(plan, args, nulls, true, limit);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	n = run_plan(plan, args, nulls, true, limit);
	PopActiveSnapshot();
	return n;
}

static StoreWatch *watches = NULL;

static void
watched_table_changed(Datum arg, Oid relid)
{
	for (StoreWatch *w = watches; w != NULL; w = w->next)
		if (relid == InvalidOid || relid == w->relid)
			w->fresh = false;
}

void
store_watch(StoreWatch *watch)
{
	static bool callback_set = false;

	if (!callback_set)
	{
		CacheRegisterRelcacheCallback(watched_table_changed, (Datum) 0);
		callback_set = true;
	}
	watch->relid = get_relname_relid(watch->table, get_namespace_oid("stripe", false));
	watch->fresh = true;
	if (!watch->registered)
	{
		watch->next = watches;
		watches = watch;
		watch->registered = true;
	}
}

void
store_changed(Oid relid)
{
	CacheInvalidateRelcacheByRelid(relid);
}

Datum
store_column(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

bool
store_writable(void)
{
	return !XactReadOnly && !RecoveryInProgress() && !IsInParallelMode();
}

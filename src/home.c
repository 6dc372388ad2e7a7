/*-------------------------------------------------------------------------
 *
 * home.c
 *	  Whether this database is the original or a copy.
 *
 * A database is known by the cluster's system identifier and its own oid.
 * Both are the same on a promoted standby, which therefore goes on without
 * asking; at least one differs in a restored dump and in a database made from
 * a template.  The table stripe.homes is dumped and copied with the rest, so a
 * copy finds the original's row in it.
 *
 * src/home.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "error.h"
#include "home.h"
#include "store.h"

static StoreWatch watch = {.table = "homes"};
static bool copy = false;

/* A copy has rows of other databases, and none of its own that is adopted. */
static StorePlan find_copy = {
	.sql = "SELECT EXISTS (SELECT 1 FROM stripe.homes h"
		   " WHERE (h.system_identifier, h.database) <> ($1, $2))"
		   " AND NOT EXISTS (SELECT 1 FROM stripe.homes h"
		   " WHERE h.system_identifier = $1 AND h.database = $2 AND h.adopted)",
	.nargs = 2,
	.argtypes = {TEXTOID, OIDOID}};

static StorePlan adopt_home = {
	.sql = "INSERT INTO stripe.homes AS h (system_identifier, database, adopted)"
		   " VALUES ($1, $2, true)"
		   " ON CONFLICT (system_identifier, database) DO UPDATE SET adopted = true, since = pg_catalog.now()",
	.nargs = 2,
	.argtypes = {TEXTOID, OIDOID}};

static void
own_name(Datum args[2])
{
	args[0] = CStringGetTextDatum(psprintf(UINT64_FORMAT, GetSystemIdentifier()));
	args[1] = ObjectIdGetDatum(MyDatabaseId);
}

bool
home_is_copy(void)
{
	if (!watch.fresh)
	{
		StoreScope	scope;
		Datum		args[2];
		bool		isnull;
		bool		found;

		store_begin(&scope);
		own_name(args);
		store_watch(&watch);
		watch.fresh = false;
		store_query(&find_copy, args, NULL, 1);
		found = DatumGetBool(store_column(0, 1, &isnull));
		store_end(&scope);
		copy = found;
		watch.fresh = true;
	}
	return copy;
}

void
home_require_original(const char *account)
{
	if (!home_is_copy())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
			 errmsg("this database is a copy and does not act for the live account \"%s\"", account),
			 errdetail("Its data came from another database, by a restored dump or as a template, and that one may still be at work."),
			 errhint("Once the other database is out of use, run stripe_adopt() here.")));
}

void
home_adopt(void)
{
	StoreScope	scope;
	Datum		args[2];

	store_begin(&scope);
	own_name(args);
	store_execute(&adopt_home, args, NULL, 0);
	store_end(&scope);
}

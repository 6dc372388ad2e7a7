/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Objects that Stripe must be asked for again.
 *
 * Nothing here uses the network: whoever finds that a row may be wrong or
 * incomplete leaves a note, and refetch.c asks later, outside of the
 * transaction that found it.
 *
 * src/queue.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "queue.h"
#include "store.h"

static StorePlan insert_refetch = {
	.sql = "INSERT INTO stripe.refetches (account, livemode, object_type, id, reason)"
	" VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT (account, livemode, object_type, id) DO NOTHING",
	.nargs = 5,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID}
};

static StorePlan delete_refetch = {
	.sql = "DELETE FROM stripe.refetches WHERE account = $1 AND livemode = $2"
	" AND object_type = $3 AND id = $4 AND reason = $5",
	.nargs = 5,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID}
};

static void
execute_refetch(StorePlan *plan, const char *account, bool livemode, const char *object_type,
				const char *id, const char *reason)
{
	Datum		args[5];

	args[0] = CStringGetTextDatum(account);
	args[1] = BoolGetDatum(livemode);
	args[2] = CStringGetTextDatum(object_type);
	args[3] = CStringGetTextDatum(id);
	args[4] = CStringGetTextDatum(reason);
	store_execute(plan, args, NULL, 0);
}

void
queue_refetch(const char *account, bool livemode, const char *object_type, const char *id,
			  const char *reason)
{
	execute_refetch(&insert_refetch, account, livemode, object_type, id, reason);
}

void
queue_settled(const char *account, bool livemode, const char *object_type, const char *id,
			  const char *reason)
{
	execute_refetch(&delete_refetch, account, livemode, object_type, id, reason);
}

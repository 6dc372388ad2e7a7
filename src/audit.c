/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  The trail of who did what to which account.
 *
 * Rows are written in the transaction of what they record: what is rolled back
 * here leaves none.  Nothing secret goes into "detail".
 *
 * src/audit.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "audit.h"
#include "store.h"

static StorePlan insert_audit = {
	.sql = "INSERT INTO stripe.access_audit"
		   " (account, livemode, action, session_role, acting_role, client_address, application_name, detail)"
		   " VALUES ($1, $2, $3, $4, $5, pg_catalog.inet_client_addr(),"
		   " pg_catalog.current_setting('application_name'), $6)",
	.nargs = 6,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID}};

void
audit_write(const char *account, int livemode, const char *action, Jsonb *detail)
{
	StoreScope	scope;
	Datum		args[6];
	char		nulls[7] = "      ";

	args[0] = CStringGetTextDatum(account);
	args[1] = BoolGetDatum(livemode == 1);
	nulls[1] = livemode < 0 ? 'n' : ' ';
	args[2] = CStringGetTextDatum(action);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[4] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	args[5] = detail ? JsonbPGetDatum(detail) : (Datum) 0;
	nulls[5] = detail ? ' ' : 'n';

	store_begin(&scope);
	store_execute(&insert_audit, args, nulls, 0);
	store_end(&scope);
}

/*-------------------------------------------------------------------------
 *
 * configure.c
 *	  SQL functions with which administrators set up accounts and rights.
 *
 * Each checks the current user's level on the account before anything else,
 * runs as the extension's owner then, and leaves a row in the audit trail.
 *
 * src/configure.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "account.h"
#include "audit.h"
#include "bind.h"
#include "compat.h"
#include "home.h"
#include "json.h"
#include "money.h"
#include "settings.h"
#include "store.h"

COMPAT_FUNCTION(stripe_configure);
COMPAT_FUNCTION(stripe_grant);
COMPAT_FUNCTION(stripe_revoke);
COMPAT_FUNCTION(stripe_adopt);
COMPAT_FUNCTION(stripe_forget_cached);

#define MAX_SLACK_DAYS 30
#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* Arguments of stripe_configure, in the order of its declaration. */
enum
{
	ARG_ACCOUNT,
	ARG_MODE,
	ARG_CURRENCY,
	ARG_TAX_BEHAVIOR,
	ARG_STATEMENT_DESCRIPTOR,
	ARG_PAYMENT_METHODS,
	ARG_GRACE_DAYS,
	ARG_RENEWAL_SLACK,
	ARG_CONNECTED_ACCOUNT,
	NUM_CONFIGURE_ARGS
};

/* NULL leaves a setting as it is; an empty text or array unsets it. */
static StorePlan upsert_account = {
	.sql = "INSERT INTO stripe.accounts AS a (account, livemode, currency, tax_behavior,"
		   " statement_descriptor, payment_methods, grace_days, renewal_slack, connected_account)"
		   " VALUES ($1, COALESCE($2, false), COALESCE($3, 'aud'), NULLIF($4, ''), NULLIF($5, ''),"
		   " NULLIF($6, '{}'), COALESCE($7, 7), COALESCE($8, '3 days'), NULLIF($9, ''))"
		   " ON CONFLICT (account) DO UPDATE SET"
		   " livemode = COALESCE($2, a.livemode),"
		   " currency = COALESCE($3, a.currency),"
		   " tax_behavior = NULLIF(COALESCE($4, a.tax_behavior), ''),"
		   " statement_descriptor = NULLIF(COALESCE($5, a.statement_descriptor), ''),"
		   " payment_methods = NULLIF(COALESCE($6, a.payment_methods), '{}'),"
		   " grace_days = COALESCE($7, a.grace_days),"
		   " renewal_slack = COALESCE($8, a.renewal_slack),"
		   " connected_account = NULLIF(COALESCE($9, a.connected_account), ''),"
		   " updated = pg_catalog.now()"
		   " RETURNING pg_catalog.to_jsonb(a) - 'livemode' ||"
		   " pg_catalog.jsonb_build_object('mode', CASE WHEN a.livemode THEN 'live' ELSE 'test' END)",
	.nargs = NUM_CONFIGURE_ARGS,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID,
				 TEXTARRAYOID, INT4OID, INTERVALOID, TEXTOID}};

static void
refuse(const char *arg, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\"", arg),
			 errdetail("%s", why)));
}

/* 1 for live, 0 for test, -1 for NULL. */
static int
mode_arg(FunctionCallInfo fcinfo, int i)
{
	char	   *mode = bind_text_arg(fcinfo, i);

	if (mode == NULL)
		return -1;
	if (strcmp(mode, "live") != 0 && strcmp(mode, "test") != 0)
		refuse("mode", "The mode is \"live\" or \"test\".");
	return strcmp(mode, "live") == 0;
}

static const char *
account_arg(FunctionCallInfo fcinfo, int i)
{
	const char *name = PG_ARGISNULL(i) ? settings_account : bind_text_arg(fcinfo, i);

	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		refuse("account", "An account name has 1 to 63 bytes.");
	return name;
}

static void
check_methods(ArrayType *array)
{
	static const char *const known[] = {"card", "apple_pay", "google_pay", "bank_transfer", "debit"};
	Datum	   *elems;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		int			k = 0;

		while (!nulls[i] && k < (int) lengthof(known) &&
			   strcmp(TextDatumGetCString(elems[i]), known[k]) != 0)
			k++;
		if (nulls[i] || k == (int) lengthof(known))
			refuse("payment_methods", "The payment methods are card, apple_pay, google_pay, bank_transfer and debit.");
	}
}

static void
check_slack(Interval *slack)
{
	Interval	none = {0};
	Interval	most = {.day = MAX_SLACK_DAYS};
	Datum		value = IntervalPGetDatum(slack);

	if (DatumGetBool(DirectFunctionCall2(interval_lt, value, IntervalPGetDatum(&none))) ||
		DatumGetBool(DirectFunctionCall2(interval_gt, value, IntervalPGetDatum(&most))))
		refuse("renewal_slack", "The slack is 0 to 30 days.");
}

/* What the table's constraints would refuse, in better words. */
static void
check_configure_args(FunctionCallInfo fcinfo)
{
	char	   *currency = bind_text_arg(fcinfo, ARG_CURRENCY);
	char	   *tax = bind_text_arg(fcinfo, ARG_TAX_BEHAVIOR);
	char	   *descriptor = bind_text_arg(fcinfo, ARG_STATEMENT_DESCRIPTOR);
	char	   *connected = bind_text_arg(fcinfo, ARG_CONNECTED_ACCOUNT);
	const char *why = NULL;

	if (currency != NULL && money_check_currency(currency, &why) != MONEY_OK)
		refuse("currency", why);
	if (tax != NULL && tax[0] != '\0' && strcmp(tax, "inclusive") != 0 && strcmp(tax, "exclusive") != 0)
		refuse("tax_behavior", "Prices are tax \"inclusive\" or \"exclusive\".");
	if (descriptor != NULL && descriptor[0] != '\0' &&
		money_check_descriptor(descriptor, true, &why) != MONEY_OK)
		refuse("statement_descriptor", why);
	if (!PG_ARGISNULL(ARG_PAYMENT_METHODS))
		check_methods(PG_GETARG_ARRAYTYPE_P(ARG_PAYMENT_METHODS));
	if (!PG_ARGISNULL(ARG_GRACE_DAYS) &&
		(PG_GETARG_INT32(ARG_GRACE_DAYS) < 0 || PG_GETARG_INT32(ARG_GRACE_DAYS) > 30))
		refuse("grace_days", "Grace lasts 0 to 30 days.");
	if (connected != NULL && connected[0] != '\0' &&
		(strncmp(connected, "acct_", 5) != 0 || connected[5] == '\0' ||
		 strlen(connected) > SECRET_MAX_LENGTH ||
		 connected[5 + strspn(connected + 5, ALPHANUMERIC)] != '\0'))
		refuse("connected_account", "The id of a connected account is \"acct_\" with letters and digits.");
	if (!PG_ARGISNULL(ARG_RENEWAL_SLACK))
		check_slack(PG_GETARG_INTERVAL_P(ARG_RENEWAL_SLACK));
}

/* stripe_configure(account, mode, currency, ...) */
Datum
stripe_configure(PG_FUNCTION_ARGS)
{
	const char *account = account_arg(fcinfo, ARG_ACCOUNT);
	int			livemode = mode_arg(fcinfo, ARG_MODE);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	StoreScope	scope;
	Datum		args[NUM_CONFIGURE_ARGS];
	char		nulls[NUM_CONFIGURE_ARGS + 1] = {0};
	bool		isnull;
	Jsonb	   *result;

	grants_require(account, ACCESS_ADMIN);
	check_configure_args(fcinfo);
	for (int i = 0; i < NUM_CONFIGURE_ARGS; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	args[ARG_ACCOUNT] = CStringGetTextDatum(account);
	nulls[ARG_ACCOUNT] = ' ';
	args[ARG_MODE] = BoolGetDatum(livemode == 1);

	store_begin(&scope);
	store_execute(&upsert_account, args, nulls, 0);
	old = MemoryContextSwitchTo(caller);
	result = DatumGetJsonbPCopy(store_column(0, 1, &isnull));
	MemoryContextSwitchTo(old);
	store_end(&scope);
	audit_write(account, livemode, livemode >= 0 ? "mode" : "configure", result);
	PG_RETURN_JSONB_P(result);
}

static StorePlan put_grant = {
	.sql = "INSERT INTO stripe.grants AS g (role, account, level, granted_by)"
		   " VALUES ($1, $2, $3, $4) ON CONFLICT (role, account) DO UPDATE SET"
		   " level = excluded.level, granted_by = excluded.granted_by, granted_at = pg_catalog.now()",
	.nargs = 4,
	.argtypes = {OIDOID, TEXTOID, TEXTOID, TEXTOID}};

static StorePlan take_grant = {
	.sql = "DELETE FROM stripe.grants g WHERE g.role = $1 AND g.account = $2",
	.nargs = 2,
	.argtypes = {OIDOID, TEXTOID}};

static StorePlan sync_privileges = {
	.sql = "SELECT stripe.sync_privileges($1)",
	.nargs = 1,
	.argtypes = {OIDOID}};

static void
audit_grant(const char *account, const char *action, const char *role, const char *level)
{
	CompatJsonbState st = {0};

	json_begin(&st, false);
	json_put_text(&st, "role", role);
	json_put_text(&st, "level", level);
	json_end(&st, false);
	audit_write(account, -1, action, json_finish(&st));
}

/* stripe_grant(role, level, account) */
Datum
stripe_grant(PG_FUNCTION_ARGS)
{
	const char *role;
	const char *level;
	const char *account = account_arg(fcinfo, 2);
	StoreScope	scope;
	Datum		args[4];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		refuse(PG_ARGISNULL(0) ? "role" : "level", "It must not be null.");
	role = NameStr(*PG_GETARG_NAME(0));
	level = bind_text_arg(fcinfo, 1);
	grants_require(account, ACCESS_ADMIN);
	if (grants_level_by_name(level) == ACCESS_NONE)
		refuse("level", "The levels are reader, biller and admin.");

	args[0] = ObjectIdGetDatum(get_role_oid(role, false));
	args[1] = CStringGetTextDatum(account);
	args[2] = CStringGetTextDatum(level);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	store_begin(&scope);
	store_execute(&put_grant, args, NULL, 0);
	store_execute(&sync_privileges, args, NULL, 0);
	store_end(&scope);
	audit_grant(account, "grant", role, level);
	PG_RETURN_VOID();
}

/* stripe_revoke(role, account) → whether there was a grant */
Datum
stripe_revoke(PG_FUNCTION_ARGS)
{
	const char *role;
	const char *account = account_arg(fcinfo, 1);
	StoreScope	scope;
	Datum		args[2];
	bool		found;

	if (PG_ARGISNULL(0))
		refuse("role", "It must not be null.");
	role = NameStr(*PG_GETARG_NAME(0));
	grants_require(account, ACCESS_ADMIN);
	args[0] = ObjectIdGetDatum(get_role_oid(role, false));
	args[1] = CStringGetTextDatum(account);
	store_begin(&scope);
	found = store_execute(&take_grant, args, NULL, 0) > 0;
	store_execute(&sync_privileges, args, NULL, 0);
	store_end(&scope);
	if (found)
		audit_grant(account, "revoke", role, NULL);
	PG_RETURN_BOOL(found);
}

/* stripe_adopt() → whether this database was a copy */
Datum
stripe_adopt(PG_FUNCTION_ARGS)
{
	bool		was_copy;

	grants_require_owner("adopt this database");
	was_copy = home_is_copy();
	home_adopt();
	audit_write("*", -1, "adopt", NULL);
	PG_RETURN_BOOL(was_copy);
}

/* Trigger on tables whose content backends keep. */
Datum
stripe_forget_cached(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "stripe.forget_cached() is a trigger function");
	store_changed(RelationGetRelid(((TriggerData *) fcinfo->context)->tg_relation));
	PG_RETURN_POINTER(NULL);
}

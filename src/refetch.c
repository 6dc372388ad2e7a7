/*-------------------------------------------------------------------------
 *
 * refetch.c
 *	  Asks Stripe again for objects whose rows are in doubt.
 *
 * What stripe.refetches lists is read anew, which puts it right by the order
 * rule like any answer, and lists that were cut short are read to their end.
 * An entry is taken out before Stripe is asked, so that a doubt that arises
 * meanwhile is put down again; the transaction brings it back if it fails.
 *
 * src/refetch.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "account.h"
#include "apply.h"
#include "call.h"
#include "check.h"
#include "error.h"
#include "form.h"
#include "json.h"
#include "nested.h"
#include "params.h"
#include "store.h"

COMPAT_FUNCTION(stripe_refetch);

#define ENTITLEMENTS_PATH "/v1/entitlements/active_entitlements"

/* A page of a list, and how many of them are read of one. */
#define PAGE_SIZE "100"
#define MAX_PAGES 1000

/* A failed one is tried again after 1, 2, 4 ... minutes, up to a day. */
#define MAX_BACKOFF_MINUTES 1440

static StorePlan claim_refetches = {
	.sql = "DELETE FROM stripe.refetches WHERE ctid = ANY (ARRAY("
	"SELECT r.ctid FROM stripe.refetches r WHERE r.account = $1 AND r.livemode = $2"
	" AND r.next_attempt <= pg_catalog.now() ORDER BY r.next_attempt LIMIT $3"
	" FOR UPDATE SKIP LOCKED)) RETURNING object_type, id, reason, attempts",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, INT4OID}
};

static StorePlan put_back = {
	.sql = "INSERT INTO stripe.refetches (account, livemode, object_type, id, reason, attempts,"
	" next_attempt, last_error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	" ON CONFLICT (account, livemode, object_type, id) DO UPDATE SET attempts = excluded.attempts,"
	" next_attempt = excluded.next_attempt, last_error = excluded.last_error",
	.nargs = 8,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID, TEXTOID}
};

typedef struct Refetch
{
	char	   *object_type;
	char	   *id;
	char	   *reason;
	int			attempts;
	const char *error;
} Refetch;

static bool
get_object(const Account *account, const char *path, Params *params, CallAnswer *answer)
{
	Call	   *call = palloc0(sizeof(Call));

	call->function = "stripe_refetch";
	call->method = "GET";
	call->path = check_path(path);
	call->params = params_finish(params);
	call->account = pstrdup(account->name);
	call->level = ACCESS_BILLER;
	call_try(call, answer);
	return answer->ok;
}

/* Parameters in the address of a list, which are ids. */
static char *
split_address(const char *url, Params *params)
{
	char	   *path = pstrdup(url);
	char	   *query = strchr(path, '?');
	char	   *save = NULL;

	if (query == NULL)
		return path;
	*query++ = '\0';
	for (char *pair = strtok_r(query, "&", &save); pair != NULL; pair = strtok_r(NULL, "&", &save))
	{
		char	   *value = strchr(pair, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		params_put_text(params, pair, value, "url");
	}
	return path;
}

/*
 * All entries of the list at an address, as an array; NULL, and the failure in
 * "answer", if a page could not be read.
 */
static Jsonb *
read_list(const Account *account, const char *url, CallAnswer *answer)
{
	CompatJsonbState st = {0};
	char	   *cursor = NULL;

	json_begin(&st, true);
	for (int page = 0; page < MAX_PAGES; page++)
	{
		Params	   *params = params_create();
		char	   *path = split_address(url, params);
		JsonbContainer *data;
		bool		more = false;
		int			n;

		params_put_text(params, "limit", PAGE_SIZE, "limit");
		if (cursor != NULL)
			params_put_text(params, "starting_after", cursor, "cursor");
		if (!get_object(account, path, params, answer))
			return NULL;
		data = json_get_container(&answer->body->root, "data");
		n = data != NULL && JsonContainerIsArray(data) ? JsonContainerSize(data) : 0;
		cursor = NULL;
		for (int i = 0; i < n; i++)
		{
			JsonbValue *entry = getIthJsonbValueFromContainer(data, i);

			json_element(&st, entry);
			cursor = entry->type == jbvBinary ? json_get_text(entry->val.binary.data, "id") : NULL;
		}
		(void) json_get_bool(&answer->body->root, "has_more", &more);
		if (!more || cursor == NULL)
			break;
	}
	json_end(&st, true);
	return json_finish(&st);
}

static ApplySource
answer_source(const Account *account)
{
	/* Not later than anything: what has a moment of its own keeps it. */
	return (ApplySource){account->name, account->livemode, time_t_to_timestamptz(0), NULL};
}

/* The object, and if Stripe cut its list short, the rest of that. */
static bool
refetch_object(const Account *account, const StripeObjectType *type, const char *id,
			   CallAnswer *answer)
{
	ApplySource source = answer_source(account);
	char	   *path = psprintf("%s/%s", type->path, form_escape_segment(id, strlen(id)));
	char	   *url;
	Jsonb	   *object;
	Jsonb	   *entries;
	StoreScope	scope;

	if (!get_object(account, path, params_create(), answer))
	{
		if (answer->http_status != 404)
			return false;
		store_begin(&scope);
		apply_gone(&source, type, id);
		store_end(&scope);
		return true;
	}
	object = answer->body;
	if (type->list == NULL || !nested_is_cut(type, &object->root))
		return true;
	url = json_get_text(json_get_container(&object->root, type->list), "url");
	if (url == NULL)
		return true;
	entries = read_list(account, url, answer);
	if (entries == NULL)
		return false;
	object = nested_complete(type, &object->root, &entries->root);
	store_begin(&scope);
	apply_completed(&source, type, id, &object->root);
	store_end(&scope);
	return true;
}

/* A customer's whole set; nobody else changes it until this commits. */
static bool
refetch_entitlements(const Account *account, const char *customer, CallAnswer *answer)
{
	ApplySource source = answer_source(account);
	char	   *url = psprintf("%s?customer=%s", ENTITLEMENTS_PATH, customer);
	Jsonb	   *entries;
	StoreScope	scope;

	nested_lock_entitlements(customer);
	entries = read_list(account, url, answer);
	if (entries == NULL)
		return false;
	store_begin(&scope);
	nested_entitlements(&source, customer, &entries->root, true);
	store_end(&scope);
	return true;
}

static void
put_back_refetch(const Account *account, Refetch *r, const CallAnswer *answer)
{
	int			minutes = Min(1 << Min(r->attempts, 11), MAX_BACKOFF_MINUTES);
	StoreScope	scope;
	Datum		args[8];

	r->error = error_scrub(answer->error.detail ? psprintf("%s: %s", answer->error.message, answer->error.detail) : answer->error.message);
	store_begin(&scope);
	args[0] = CStringGetTextDatum(account->name);
	args[1] = BoolGetDatum(account->livemode);
	args[2] = CStringGetTextDatum(r->object_type);
	args[3] = CStringGetTextDatum(r->id);
	args[4] = CStringGetTextDatum(r->reason);
	args[5] = Int32GetDatum(r->attempts + 1);
	args[6] = TimestampTzGetDatum(TimestampTzPlusMilliseconds(GetCurrentTransactionStartTimestamp(),
															  minutes * INT64CONST(60000)));
	args[7] = CStringGetTextDatum(r->error);
	store_execute(&put_back, args, NULL, 0);
	store_end(&scope);
}

static void
run_refetch(const Account *account, Refetch *r)
{
	const StripeObjectType *type = objects_find(r->object_type);
	CallAnswer	answer = {0};

	if (strcmp(r->object_type, NESTED_SUMMARY_TYPE) == 0)
	{
		if (!refetch_entitlements(account, r->id, &answer))
			put_back_refetch(account, r, &answer);
	}
	else if (type != NULL && type->path != NULL && !refetch_object(account, type, r->id, &answer))
		put_back_refetch(account, r, &answer);
}

/* Takes what is due out of the table. */
static Refetch *
claim(const Account *account, int max, int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	StoreScope	scope;
	Datum		args[3];
	Refetch    *claimed;
	bool		isnull;

	store_begin(&scope);
	args[0] = CStringGetTextDatum(account->name);
	args[1] = BoolGetDatum(account->livemode);
	args[2] = Int32GetDatum(max);
	*n = (int) store_execute(&claim_refetches, args, NULL, 0);
	claimed = MemoryContextAllocZero(caller, sizeof(Refetch) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		claimed[i].object_type = TextDatumGetCString(store_column(i, 1, &isnull));
		claimed[i].id = TextDatumGetCString(store_column(i, 2, &isnull));
		claimed[i].reason = TextDatumGetCString(store_column(i, 3, &isnull));
		claimed[i].attempts = DatumGetInt32(store_column(i, 4, &isnull));
		MemoryContextSwitchTo(old);
	}
	store_end(&scope);
	return claimed;
}

/* stripe_refetch(max, account) */
Datum
stripe_refetch(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Account		account = *account_lookup(name, ACCESS_BILLER);
	int			max = PG_ARGISNULL(0) ? 100 : PG_GETARG_INT32(0);
	Refetch    *claimed;
	int			n;

	if (max < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"max\""),
				 errdetail("It is negative.")));
	PreventCommandIfReadOnly("stripe_refetch()");
	InitMaterializedSRF(fcinfo, 0);
	claimed = claim(&account, max, &n);
	for (int i = 0; i < n; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		CHECK_FOR_INTERRUPTS();
		run_refetch(&account, &claimed[i]);
		values[0] = CStringGetTextDatum(claimed[i].object_type);
		values[1] = CStringGetTextDatum(claimed[i].id);
		values[2] = CStringGetTextDatum(claimed[i].reason);
		nulls[3] = claimed[i].error == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(claimed[i].error);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*-------------------------------------------------------------------------
 *
 * customer.c
 *	  One Stripe customer for each member.
 *
 * stripe_ensure_customer() may be called again and again, from several
 * sessions at once, and after a rollback, and still leaves one customer:
 * sessions take turns by an advisory lock on the member; the mirror is asked
 * first; then Stripe's search, which knows all but the last minute; and the
 * creation's idempotency key is made from the member, so that what search does
 * not know yet is answered again instead of made again.
 *
 * src/customer.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "account.h"
#include "bind.h"
#include "call.h"
#include "json.h"
#include "params.h"
#include "seal.h"
#include "store.h"

COMPAT_FUNCTION(stripe_ensure_customer);

/* First key of our advisory locks: "mpst". */
#define ADVISORY_CLASS 0x6d707374

static StorePlan find_customer = {
	.sql = "SELECT c.id, c.data, c.deleted FROM stripe.customers c"
		   " WHERE c.account = $1 AND c.livemode = $2 AND c.member_id = $3"
		   " ORDER BY c.deleted, c.created, c.id LIMIT 1",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}};

typedef struct FoundCustomer
{
	char	   *id;
	Jsonb	   *data;			/* NULL if deleted or unknown */
} FoundCustomer;

static void
lock_member(const Account *account, const char *member_id)
{
	char	   *name = psprintf("%s %d %s", account->name, account->livemode, member_id);
	uint32		hash = hash_bytes((unsigned char *) name, strlen(name));

	(void) DirectFunctionCall2(pg_advisory_xact_lock_int4,
							   Int32GetDatum(ADVISORY_CLASS),
							   Int32GetDatum((int32) hash));
}

static void
find_in_mirror(const Account *account, const char *member_id, FoundCustomer *found)
{
	StoreScope	scope;
	MemoryContext caller = CurrentMemoryContext;
	Datum		args[3];
	bool		isnull;

	memset(found, 0, sizeof(*found));
	args[0] = CStringGetTextDatum(account->name);
	args[1] = BoolGetDatum(account->livemode);
	args[2] = CStringGetTextDatum(member_id);
	store_begin(&scope);
	if (store_execute(&find_customer, args, NULL, 1) > 0)
	{
		Datum		id = store_column(0, 1, &isnull);
		Datum		data = store_column(0, 2, &isnull);
		bool		deleted = DatumGetBool(store_column(0, 3, &isnull));
		MemoryContext old = MemoryContextSwitchTo(caller);

		found->id = TextDatumGetCString(id);
		found->data = deleted ? NULL : DatumGetJsonbPCopy(data);
		MemoryContextSwitchTo(old);
	}
	store_end(&scope);
}

/* Asks Stripe's search, in which quotes and backslashes need escaping. */
static Jsonb *
find_at_stripe(const Call *create, const char *member_id)
{
	Call		search = {0};
	Params	   *params = params_create();
	StringInfoData query;
	JsonbContainer *data;
	JsonbValue *first;

	initStringInfo(&query);
	appendStringInfoString(&query, "metadata[\"member_id\"]:\"");
	for (const char *p = member_id; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			appendStringInfoChar(&query, '\\');
		appendStringInfoChar(&query, *p);
	}
	appendStringInfoChar(&query, '"');

	search.function = create->function;
	search.method = "GET";
	search.path = "/v1/customers/search";
	search.account = create->account;
	search.level = create->level;
	params_put_text(params, "query", query.data, "query");
	search.params = params_finish(params);
	data = json_get_container(&call_run(&search)->root, "data");
	if (data == NULL || !JsonContainerIsArray(data) || JsonContainerSize(data) == 0)
		return NULL;

	/* The search is not case-sensitive; members are. */
	for (uint32 i = 0; i < JsonContainerSize(data); i++)
	{
		JsonbContainer *metadata;
		char	   *value;

		first = getIthJsonbValueFromContainer(data, i);
		if (first->type != jbvBinary)
			continue;
		metadata = json_get_container(first->val.binary.data, "metadata");
		value = metadata ? json_get_text(metadata, "member_id") : NULL;
		if (value != NULL && strcmp(value, member_id) == 0)
			return json_from_value(first);
	}
	return NULL;
}

static bool has_all(JsonbContainer *customer, JsonbContainer *wanted);

/*
 * Whether a field of the customer already is what a parameter asks for.
 * Stripe keeps an empty string as null, and all of metadata as text.
 */
static bool
is_already(JsonbValue *have, JsonbValue *want)
{
	char	   *wanted = params_scalar_text(want);
	char	   *had = params_scalar_text(have);

	if (want->type == jbvBinary && have->type == jbvBinary)
	{
		JsonbContainer *h = have->val.binary.data;
		JsonbContainer *w = want->val.binary.data;

		return JsonContainerIsObject(w) ? has_all(h, w) : compareJsonbContainers(h, w) == 0;
	}
	if (wanted == NULL)
		return false;
	return had ? strcmp(had, wanted) == 0 : wanted[0] == '\0' && have->type == jbvNull;
}

/* Whether the customer already has every parameter that is asked for. */
static bool
has_all(JsonbContainer *customer, JsonbContainer *wanted)
{
	JsonbIterator *it = JsonbIteratorInit(wanted);
	JsonbIteratorToken tok;
	JsonbValue	v;
	JsonbValue	have;
	char	   *key = NULL;

	(void) JsonbIteratorNext(&it, &v, true);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
	{
		if (tok == WJB_KEY)
		{
			key = pnstrdup(v.val.string.val, v.val.string.len);
			continue;
		}
		if (!json_get(customer, key, &have))
			have.type = jbvNull;
		if (!is_already(&have, &v))
			return false;
	}
	return true;
}

/*
 * Makes the customer with nothing but the member's id, so that whoever repeats
 * it sends the same request under the same key, whatever else they ask for.
 * The last deleted customer of the member goes into the key: without that,
 * Stripe would answer with the deleted one for a day.
 */
static Jsonb *
create_customer(const Call *call, const Account *account, const char *member_id,
				const char *deleted_id)
{
	Call		create = *call;
	Params	   *params = params_create();
	char	   *all = psprintf("%s %d %s %s", account->name, account->livemode,
							   deleted_id ? deleted_id : "", member_id);

	params_put_text(params, "metadata[member_id]", member_id, "member_id");
	create.params = params_finish(params);
	create.idempotency_key = psprintf("mp-customer-%s", seal_sha256_hex(all, strlen(all)));
	return call_run(&create);
}

Datum
stripe_ensure_customer(PG_FUNCTION_ARGS)
{
	Call	   *call = bind_call(fcinfo);
	Account		account;
	FoundCustomer found;
	JsonbContainer *metadata = json_get_container(&call->params->root, "metadata");
	char	   *member_id = metadata ? json_get_text(metadata, "member_id") : NULL;

	if (member_id == NULL || member_id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"member_id\" of stripe_ensure_customer() must not be null or empty")));
	account = *call_admit(call);
	lock_member(&account, member_id);
	find_in_mirror(&account, member_id, &found);
	if (found.data == NULL)
		found.data = find_at_stripe(call, member_id);
	if (found.data == NULL)
		found.data = create_customer(call, &account, member_id, found.id);
	if (has_all(&found.data->root, &call->params->root))
		PG_RETURN_JSONB_P(found.data);
	call->path = psprintf("/v1/customers/%s", json_get_text(&found.data->root, "id"));
	PG_RETURN_JSONB_P(call_run(call));
}

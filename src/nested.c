/*-------------------------------------------------------------------------
 *
 * nested.c
 *	  Lists within objects: what Stripe cuts short, and what has rows of its own.
 *
 * Stripe shows the first ten entries of a list within an object.  The rest is
 * read from the list's own address, later (refetch.c), and kept: an event
 * that shows the same ten again does not throw it away.  Rows that come from
 * such a list are deleted only when the whole list was seen.
 *
 * The items of a subscription have no events of their own, so their rows
 * follow the subscription's.  So do a customer's entitlements follow the
 * summary, which is no object that can be read again and has no row itself.
 *
 * src/nested.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "json.h"
#include "nested.h"
#include "queue.h"
#include "store.h"

/* Class of the advisory locks on a customer's set of entitlements. */
#define ENTITLEMENT_LOCK_CLASS 0x6d707374

static StorePlan delete_items = {
	.sql = "DELETE FROM stripe.subscription_items WHERE account = $1 AND livemode = $2"
	" AND subscription = $3 AND as_of <= $4 AND id <> ALL ($5)",
	.nargs = 5,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID, TEXTARRAYOID}
};

static StorePlan own_entitlement = {
	.sql = "UPDATE stripe.active_entitlements SET customer = $4"
	" WHERE account = $1 AND livemode = $2 AND id = $3 AND customer IS DISTINCT FROM $4",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID}
};

static StorePlan delete_entitlements = {
	.sql = "DELETE FROM stripe.active_entitlements WHERE account = $1 AND livemode = $2"
	" AND customer = $3 AND id <> ALL ($4)",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTARRAYOID}
};

/* The entries of a list object, or NULL. */
static JsonbContainer *
list_data(JsonbContainer *object, const char *member)
{
	JsonbContainer *list = member ? json_get_container(object, member) : NULL;
	JsonbContainer *data = list ? json_get_container(list, "data") : NULL;

	return data != NULL && JsonContainerIsArray(data) ? data : NULL;
}

bool
nested_is_cut(const StripeObjectType *type, JsonbContainer *object)
{
	bool		more = false;

	return list_data(object, type->list) != NULL &&
		json_get_bool(json_get_container(object, type->list), "has_more", &more) && more;
}

static char *
entry_id(JsonbContainer *entries, int i)
{
	JsonbValue *v = getIthJsonbValueFromContainer(entries, i);

	return v->type == jbvBinary ? json_get_text(v->val.binary.data, "id") : NULL;
}

/* The next key of an object being walked; false at the end. */
static bool
next_key(JsonbIterator **it, JsonbValue *key, JsonbValue *value)
{
	if (JsonbIteratorNext(it, key, true) != WJB_KEY)
		return false;
	(void) JsonbIteratorNext(it, value, true);
	return true;
}

static bool
key_is(const JsonbValue *key, const char *name)
{
	return key->val.string.len == (int) strlen(name) &&
		memcmp(key->val.string.val, name, key->val.string.len) == 0;
}

/* A copy of an object with one member replaced. */
static Jsonb *
with_member(JsonbContainer *object, const char *name, JsonbValue *member)
{
	CompatJsonbState st = {0};
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue	key;
	JsonbValue	value;

	(void) JsonbIteratorNext(&it, &value, true);
	json_begin(&st, false);
	while (next_key(&it, &key, &value))
	{
		json_key(&st, key.val.string.val, key.val.string.len);
		json_value(&st, key_is(&key, name) ? member : &value);
	}
	json_end(&st, false);
	return json_finish(&st);
}

static void
set_container(JsonbValue *v, JsonbContainer *c)
{
	v->type = jbvBinary;
	v->val.binary.data = c;
	v->val.binary.len = 0;
}

Jsonb *
nested_complete(const StripeObjectType *type, JsonbContainer *object, JsonbContainer *entries)
{
	JsonbValue	v;
	Jsonb	   *list;

	set_container(&v, entries);
	list = with_member(json_get_container(object, type->list), "data", &v);
	v.type = jbvBool;
	v.val.boolean = false;
	list = with_member(&list->root, "has_more", &v);
	set_container(&v, &list->root);
	return with_member(object, type->list, &v);
}

Jsonb *
nested_carry(const StripeObjectType *type, Jsonb *held, Jsonb *data)
{
	JsonbContainer *entries;
	JsonbContainer *before;
	CompatJsonbState st = {0};
	int			n;

	if (!nested_is_cut(type, &data->root) || nested_is_cut(type, &held->root))
		return data;
	entries = list_data(&data->root, type->list);
	before = list_data(&held->root, type->list);
	n = JsonContainerSize(entries);
	if (before == NULL || (int) JsonContainerSize(before) <= n)
		return data;
	for (int i = 0; i < n; i++)
	{
		char	   *id = entry_id(entries, i);
		char	   *old = entry_id(before, i);

		if (id == NULL || old == NULL || strcmp(id, old) != 0)
			return data;
	}
	json_begin(&st, true);
	for (int i = 0; i < (int) JsonContainerSize(before); i++)
		json_element(&st, getIthJsonbValueFromContainer(i < n ? entries : before, i));
	json_end(&st, true);
	return nested_complete(type, &data->root, &json_finish(&st)->root);
}

/* A price comes whole within each item; what price events say is newer. */
static void
add_price(const ApplySource *source, JsonbContainer *item)
{
	JsonbContainer *price = json_get_container(item, "price");
	char	   *id = price ? json_get_text(price, "id") : NULL;

	if (id != NULL)
		(void) apply_part(source, objects_find("price"), id, price, PART_ADDS);
}

void
nested_add_prices(const ApplySource *source, const StripeObjectType *type, JsonbContainer *object)
{
	JsonbContainer *entries = list_data(object, "items");

	if (strcmp(type->name, "subscription") != 0 || entries == NULL)
		return;
	for (int i = 0; i < (int) JsonContainerSize(entries); i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(entries, i);

		if (v->type == jbvBinary)
			add_price(source, v->val.binary.data);
	}
}

/*
 * Applies each entry of the list to the mirror of its type and returns their
 * ids as an array.
 */
static Datum
apply_entries(const ApplySource *source, const StripeObjectType *type, JsonbContainer *entries,
			  void (*each)(const ApplySource *, JsonbContainer *))
{
	int			n = JsonContainerSize(entries);
	Datum	   *ids = palloc(sizeof(Datum) * Max(n, 1));
	int			nids = 0;

	for (int i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(entries, i);
		char	   *id = v->type == jbvBinary ? json_get_text(v->val.binary.data, "id") : NULL;

		if (id == NULL)
			continue;
		ids[nids++] = CStringGetTextDatum(id);
		(void) apply_part(source, type, id, v->val.binary.data, PART_FOLLOWS);
		if (each != NULL)
			each(source, v->val.binary.data);
	}
	return PointerGetDatum(construct_array(ids, nids, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Deletes rows of items that a whole list does not have. */
static void
delete_other_items(const ApplySource *source, const char *id, TimestampTz as_of, Datum ids)
{
	Datum		args[5];

	args[0] = CStringGetTextDatum(source->account);
	args[1] = BoolGetDatum(source->livemode);
	args[2] = CStringGetTextDatum(id);
	args[3] = TimestampTzGetDatum(as_of);
	args[4] = ids;
	store_execute(&delete_items, args, NULL, 0);
}

static void
follow_items(const ApplySource *source, const char *id, Jsonb *held, Jsonb *data)
{
	const StripeObjectType *type = objects_find("subscription");
	JsonbContainer *entries = list_data(&data->root, "items");
	JsonbContainer *before = held ? list_data(&held->root, "items") : NULL;
	Datum		ids;

	if (entries == NULL || (before != NULL && order_equal(entries, before)))
		return;
	ids = apply_entries(source, objects_find("subscription_item"), entries, add_price);
	if (held != NULL && !nested_is_cut(type, &data->root))
		delete_other_items(source, id, source->as_of, ids);
}

void
nested_finish(const ApplySource *source, const StripeObjectType *type, const char *id,
			  JsonbContainer *object)
{
	JsonbContainer *entries = list_data(object, type->list);

	if (strcmp(type->name, "subscription") == 0 && entries != NULL)
		delete_other_items(source, id, DT_NOEND,
						   apply_entries(source, objects_find("subscription_item"), entries,
										 add_price));
}

void
nested_follow(const ApplySource *source, const StripeObjectType *type, const char *id,
			  Jsonb *held, Jsonb *data)
{
	if (strcmp(type->name, "subscription") == 0)
		follow_items(source, id, held, data);

	/* What was carried over may have changed behind the cut, too. */
	if (type->list != NULL && source->event_id != NULL &&
		(nested_is_cut(type, &data->root) ||
		 (list_data(&data->root, type->list) != NULL &&
		  JsonContainerSize(list_data(&data->root, type->list)) > 10)))
		queue_refetch(source->account, source->livemode, type->name, id, QUEUE_NESTED_LIST);
}

void
nested_lock_entitlements(const char *customer)
{
	(void) DirectFunctionCall2(pg_advisory_xact_lock_int4, Int32GetDatum(ENTITLEMENT_LOCK_CLASS),
							   Int32GetDatum((int32) string_hash(customer, strlen(customer) + 1)));
}

void
nested_entitlements(const ApplySource *source, const char *customer, JsonbContainer *list,
					bool complete)
{
	const StripeObjectType *type = objects_find("entitlements.active_entitlement");
	Datum		args[4];

	args[0] = CStringGetTextDatum(source->account);
	args[1] = BoolGetDatum(source->livemode);
	args[3] = apply_entries(source, type, list, NULL);
	for (int i = 0; i < (int) JsonContainerSize(list); i++)
	{
		char	   *id = entry_id(list, i);
		Datum		own[4] = {args[0], args[1], 0, CStringGetTextDatum(customer)};

		if (id == NULL)
			continue;
		own[2] = CStringGetTextDatum(id);
		store_execute(&own_entitlement, own, NULL, 0);
	}
	if (!complete)
		return;
	args[2] = CStringGetTextDatum(customer);
	store_execute(&delete_entitlements, args, NULL, 0);
}

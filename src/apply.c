/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  Puts what Stripe says of an object into its mirror.
 *
 * The order rule: a row knows the moment its content was true, by Stripe's
 * clock, in whole seconds.  What is older than that is left out; what is
 * newer replaces it; within the same second a final status is kept, and else
 * the later arrival wins.  A deleted object stays deleted.
 *
 * Content that is already there writes nothing, not even a row lock: the row
 * is read first, and only a difference goes on to the upsert, which repeats
 * the order rule because another session may have come in between.
 *
 * What is stored is the object less its client secret, with expanded objects
 * collapsed to their ids again, so that the same object always looks the same.
 *
 * src/apply.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "apply.h"
#include "columns.h"
#include "error.h"
#include "json.h"
#include "objects.h"
#include "store.h"

/* Stripe's ids have up to 255 characters; a longer one would not fit an index. */
#define MAX_ID_LENGTH 255

/* The mirror row an object is compared with. */
typedef struct MirrorRow
{
	bool		found;
	Jsonb	   *data;
	TimestampTz as_of;
	bool		deleted;
} MirrorRow;

/* Plans of each table, made when first needed. */
static StorePlan *select_plans = NULL;
static StorePlan *upsert_plans = NULL;

static ApplyListener listener = NULL;

void
apply_set_listener(ApplyListener fn)
{
	listener = fn;
}

/*
 * The texts of the statements, one pair a table, differ in the table's name
 * alone, which is a constant of the catalogue.
 */
static void
make_plans(void)
{
	StorePlan  *selects = MemoryContextAllocZero(TopMemoryContext, sizeof(StorePlan) * object_ntypes);
	StorePlan  *upserts = MemoryContextAllocZero(TopMemoryContext, sizeof(StorePlan) * object_ntypes);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < object_ntypes; i++)
	{
		selects[i].sql = psprintf("SELECT data, as_of, deleted FROM stripe.%s"
								  " WHERE account = $1 AND livemode = $2 AND id = $3",
								  object_types[i].table);
		selects[i].nargs = 3;
		upserts[i].sql = psprintf("INSERT INTO stripe.%s AS m"
								  " (account, livemode, id, data, as_of, deleted, last_event)"
								  " VALUES ($1, $2, $3, $4, $5, $6, $7)"
								  " ON CONFLICT (account, livemode, id) DO UPDATE SET"
								  " data = CASE WHEN excluded.deleted AND NOT $8 THEN m.data ELSE excluded.data END,"
								  " as_of = GREATEST(m.as_of, excluded.as_of),"
								  " deleted = excluded.deleted,"
								  " last_event = excluded.last_event,"
								  " synced_at = pg_catalog.now()"
								  " WHERE NOT m.deleted AND (excluded.deleted OR m.as_of < excluded.as_of OR"
								  " m.as_of = excluded.as_of AND ((m.data ->> 'status') <> ALL ($9) IS NOT FALSE"
								  " OR (excluded.data ->> 'status') = (m.data ->> 'status')))",
								  object_types[i].table);
		upserts[i].nargs = 9;
		for (int a = 0; a < 3; a++)
			selects[i].argtypes[a] = upserts[i].argtypes[a] = (a == 1) ? BOOLOID : TEXTOID;
		upserts[i].argtypes[3] = JSONBOID;
		upserts[i].argtypes[4] = TIMESTAMPTZOID;
		upserts[i].argtypes[5] = BOOLOID;
		upserts[i].argtypes[6] = TEXTOID;
		upserts[i].argtypes[7] = BOOLOID;
		upserts[i].argtypes[8] = TEXTARRAYOID;
	}
	MemoryContextSwitchTo(old);
	select_plans = selects;
	upsert_plans = upserts;
}

/* Whether a member of an object is itself an object with a mirror. */
static const StripeObjectType *
expanded_type(const JsonbValue *v)
{
	char	   *name;
	char	   *id;

	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		return NULL;
	name = json_get_text(v->val.binary.data, "object");
	id = name ? json_get_text(v->val.binary.data, "id") : NULL;
	return id ? objects_find(name) : NULL;
}

/*
 * The object as it is stored: without client secrets, at whatever depth, and
 * with expanded objects as their ids.  Expanded objects are applied on the way, which
 * is why this takes the source.
 */
static Jsonb *
normalize(const ApplySource *source, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken tok;
	JsonbValue	v;
	JsonbValue	key = {0};
	CompatJsonbState st = {0};

	(void) JsonbIteratorNext(&it, &v, true);
	json_begin(&st, false);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
	{
		if (tok == WJB_KEY)
		{
			key = v;
			continue;
		}
		json_key(&st, key.val.string.val, key.val.string.len);
		if (expanded_type(&v) != NULL)
		{
			apply_object(source, v.val.binary.data);
			json_text_value(&v, json_get_text(v.val.binary.data, "id"));
		}
		json_value(&st, &v);
	}
	json_end(&st, false);
	return columns_without_client_secret(json_finish(&st));
}

static void
check_mode(const ApplySource *source, JsonbContainer *object, const char *id)
{
	bool		livemode;

	if (json_get_bool(object, "livemode", &livemode) && livemode != source->livemode)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_MODE_MISMATCH),
				 errmsg("object \"%s\" is of the %s mode", id, livemode ? "live" : "test"),
				 errdetail("Account \"%s\" is in %s mode.", source->account,
						   source->livemode ? "live" : "test"),
				 errhint("Use the key and the webhook secret of the same mode.")));
}

static void
read_row(int type, Datum *args, MirrorRow *row)
{
	bool		isnull;

	row->found = store_execute(&select_plans[type], args, NULL, 1) > 0;
	if (!row->found)
		return;
	row->data = DatumGetJsonbP(store_column(0, 1, &isnull));
	row->as_of = DatumGetTimestampTz(store_column(0, 2, &isnull));
	row->deleted = DatumGetBool(store_column(0, 3, &isnull));
}

/* The order rule; the upsert's WHERE says the same to concurrent sessions. */
static bool
is_news(const ApplySource *source, const StripeObjectType *type, const MirrorRow *row,
		Jsonb *data, bool deleted)
{
	char	   *before;
	char	   *after;

	if (!row->found)
		return true;
	if (row->deleted || deleted)
		return !row->deleted;
	if (row->as_of > source->as_of)
		return false;
	if (VARSIZE(row->data) == VARSIZE(data) && memcmp(row->data, data, VARSIZE(data)) == 0)
		return false;
	if (row->as_of < source->as_of)
		return true;
	before = json_get_text(&row->data->root, "status");
	after = json_get_text(&data->root, "status");
	return !objects_is_final(type, before) || (after != NULL && strcmp(before, after) == 0);
}

static Datum
final_statuses(const StripeObjectType *type)
{
	Datum		values[OBJECT_MAX_FINAL];
	int			n = 0;

	while (n < OBJECT_MAX_FINAL && type->final[n] != NULL)
	{
		values[n] = CStringGetTextDatum(type->final[n]);
		n++;
	}
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
apply_one(const ApplySource *source, const StripeObjectType *type, const char *id,
		  JsonbContainer *object)
{
	int			t = type - object_types;
	bool		deleted = false;
	bool		stub;
	JsonbValue	created;
	MirrorRow	row = {0};
	Jsonb	   *data;
	Datum		args[9];
	char		nulls[10] = "         ";

	if (select_plans == NULL)
		make_plans();
	check_mode(source, object, id);
	(void) json_get_bool(object, "deleted", &deleted);
	data = normalize(source, object);

	args[0] = CStringGetTextDatum(source->account);
	args[1] = BoolGetDatum(source->livemode);
	args[2] = CStringGetTextDatum(id);
	read_row(t, args, &row);
	if (!is_news(source, type, &row, data, deleted))
		return;

	/* A stub says only that the object is gone; what it was is kept. */
	stub = deleted && !json_get(object, "created", &created);
	args[3] = JsonbPGetDatum(data);
	args[4] = TimestampTzGetDatum(source->as_of);
	args[5] = BoolGetDatum(deleted);
	args[6] = source->event_id ? CStringGetTextDatum(source->event_id) : (Datum) 0;
	nulls[6] = source->event_id ? ' ' : 'n';
	args[7] = BoolGetDatum(!stub);
	args[8] = final_statuses(type);
	if (store_execute(&upsert_plans[t], args, nulls, 0) > 0 && listener != NULL)
		listener(source, type, id, data);
}

void
apply_object(const ApplySource *source, JsonbContainer *object)
{
	char	   *name;
	char	   *id;
	const StripeObjectType *type;
	JsonbContainer *list;

	check_stack_depth();
	if (!JsonContainerIsObject(object) || (name = json_get_text(object, "object")) == NULL)
		return;

	if (strcmp(name, "list") == 0 || strcmp(name, "search_result") == 0)
	{
		JsonbIterator *it;
		JsonbIteratorToken tok;
		JsonbValue	v;

		list = json_get_container(object, "data");
		if (list == NULL || !JsonContainerIsArray(list))
			return;
		it = JsonbIteratorInit(list);
		(void) JsonbIteratorNext(&it, &v, true);
		while ((tok = JsonbIteratorNext(&it, &v, true)) == WJB_ELEM)
			if (v.type == jbvBinary)
				apply_object(source, v.val.binary.data);
		return;
	}

	type = objects_find(name);
	id = json_get_text(object, "id");
	if (type != NULL && id != NULL && strlen(id) <= MAX_ID_LENGTH)
		apply_one(source, type, id, object);
}

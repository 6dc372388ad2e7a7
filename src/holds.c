/*-------------------------------------------------------------------------
 *
 * holds.c
 *	  Whether the mirrors already hold what an answer says.
 *
 * Most answers bring nothing new.  This file finds that out without SPI and
 * without building anything: it fetches the row by its primary key and walks
 * the two objects side by side, as they would be stored.  Whatever it is not
 * sure of it calls different, and apply.c, which decides, has the last word.
 *
 * src/holds.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "holds.h"
#include "json.h"
#include "objects.h"

#define SECRET "client_secret"

static bool same_container(JsonbContainer *in, JsonbContainer *held, bool top);

/* The id under which an object with a mirror of its own is stored, or NULL. */
static char *
collapsed_id(const JsonbValue *v)
{
	char	   *name;

	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		return NULL;
	name = json_get_text(v->val.binary.data, "object");
	return name && objects_find(name) ? json_get_text(v->val.binary.data, "id") : NULL;
}

static bool
same_bytes(const char *a, int alen, const char *b, int blen)
{
	return alen == blen && memcmp(a, b, alen) == 0;
}

/* Equal numbers may be written in two ways; then they count as different. */
static bool
same_value(JsonbValue *in, JsonbValue *held, bool top)
{
	char	   *id = top ? collapsed_id(in) : NULL;

	if (id != NULL)
		return held->type == jbvString &&
			same_bytes(id, strlen(id), held->val.string.val, held->val.string.len);
	if (in->type != held->type)
		return false;
	switch (in->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return in->val.boolean == held->val.boolean;
		case jbvString:
			return same_bytes(in->val.string.val, in->val.string.len,
							  held->val.string.val, held->val.string.len);
		case jbvNumeric:
			return same_bytes((char *) in->val.numeric, VARSIZE_ANY(in->val.numeric),
							  (char *) held->val.numeric, VARSIZE_ANY(held->val.numeric));
		case jbvBinary:
			return same_container(in->val.binary.data, held->val.binary.data, false);
		default:
			return false;
	}
}

/* Next member or element; a client secret is passed over. */
static JsonbIteratorToken
next_part(JsonbIterator **it, JsonbValue *v)
{
	JsonbIteratorToken tok = JsonbIteratorNext(it, v, true);

	while (tok == WJB_KEY &&
		   same_bytes(v->val.string.val, v->val.string.len, SECRET, sizeof(SECRET) - 1))
	{
		(void) JsonbIteratorNext(it, v, true);
		tok = JsonbIteratorNext(it, v, true);
	}
	return tok;
}

/* jsonb keeps the members of an object in order, so one pass is enough. */
static bool
same_container(JsonbContainer *in, JsonbContainer *held, bool top)
{
	JsonbIterator *a = JsonbIteratorInit(in);
	JsonbIterator *b = JsonbIteratorInit(held);
	JsonbValue	x;
	JsonbValue	y;

	check_stack_depth();
	for (;;)
	{
		JsonbIteratorToken tok = next_part(&a, &x);

		if (tok != JsonbIteratorNext(&b, &y, true))
			return false;
		switch (tok)
		{
			case WJB_DONE:
				return true;
			case WJB_KEY:
				if (!same_bytes(x.val.string.val, x.val.string.len,
								y.val.string.val, y.val.string.len))
					return false;
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				if (!same_value(&x, &y, top))
					return false;
				break;
			default:
				break;
		}
	}
}

/* Compares the object with the row in the slot. */
static bool
same_as_row(Relation rel, TupleTableSlot *slot, JsonbContainer *object)
{
	bool		isnull;
	bool		same;
	Datum		data;
	Jsonb	   *held;

	if (DatumGetBool(slot_getattr(slot, get_attnum(RelationGetRelid(rel), "deleted"), &isnull)))
		return false;
	data = slot_getattr(slot, get_attnum(RelationGetRelid(rel), "data"), &isnull);
	held = DatumGetJsonbP(data);
	same = same_container(object, &held->root, true);
	if ((Pointer) held != DatumGetPointer(data))
		pfree(held);
	return same;
}

/*
 * Fetches the row by its primary key.  The index's own collation orders it.
 * The snapshot is a new one: the statement's may be as old as the request.
 */
static bool
row_holds(const char *table, const char *account, bool livemode, const char *id,
		  JsonbContainer *object)
{
	Relation	rel = table_open(get_relname_relid(table, get_namespace_oid("stripe", false)),
								 AccessShareLock);
	Relation	index = index_open(RelationGetPrimaryKeyIndex(rel), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = compat_index_beginscan(rel, index, snapshot, 3);
	ScanKeyData keys[3];
	bool		same = false;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(account));
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(livemode));
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(id));
	for (int i = 0; i < 3; i++)
		keys[i].sk_collation = index->rd_indcollation[i];
	index_rescan(scan, keys, 3, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		same = same_as_row(rel, slot, object);

	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return same;
}

/* Every object within, at the depth at which apply.c would find it. */
static bool
parts_hold(const char *account, bool livemode, JsonbContainer *c)
{
	JsonbIterator *it = JsonbIteratorInit(c);
	JsonbIteratorToken tok;
	JsonbValue	v;

	(void) JsonbIteratorNext(&it, &v, true);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT && tok != WJB_END_ARRAY)
		if (tok != WJB_KEY && (tok == WJB_ELEM || collapsed_id(&v) != NULL) &&
			v.type == jbvBinary && !holds_object(account, livemode, v.val.binary.data))
			return false;
	return true;
}

bool
holds_object(const char *account, bool livemode, JsonbContainer *object)
{
	char	   *name;
	char	   *id;
	const StripeObjectType *type;

	check_stack_depth();
	if (!JsonContainerIsObject(object) || (name = json_get_text(object, "object")) == NULL)
		return true;
	if (strcmp(name, "list") == 0 || strcmp(name, "search_result") == 0)
	{
		JsonbContainer *data = json_get_container(object, "data");

		return data == NULL || parts_hold(account, livemode, data);
	}
	type = objects_find(name);
	id = json_get_text(object, "id");
	if (type == NULL)
		return true;
	return id != NULL && row_holds(type->table, account, livemode, id, object) &&
		parts_hold(account, livemode, object);
}

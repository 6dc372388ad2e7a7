/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  Puts what Stripe says of an object into its mirror.
 *
 * The order rule: a row knows the moment its content was true, by Stripe's
 * clock, in whole seconds.  What is older than that, or than an event the
 * ledger has of the object, is left out; what is newer replaces it.  States of
 * one second are all compared with each other (order.c), and if that leaves a
 * doubt, the object is also put down to be fetched again.  A deleted object
 * stays deleted.
 *
 * Sessions that apply the same object wait for each other at its row: what is
 * decided from the row and the ledger is decided while the row is locked, and
 * an insert that finds the row there by now starts over.  An event locks the
 * row even if it changes nothing, so that none can be decided on without
 * being seen.  An answer of the API that changes nothing writes nothing at
 * all, not even a lock.
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
#include "ledger.h"
#include "nested.h"
#include "queue.h"
#include "store.h"

/* Stripe's ids have up to 255 characters; a longer one would not fit an index. */
#define MAX_ID_LENGTH 255

/* The mirror row an object is compared with. */
typedef struct MirrorRow
{
	Jsonb	   *data;			/* NULL if there is none */
	TimestampTz as_of;
	bool		deleted;
	char	   *last_event;
} MirrorRow;

/* One object on its way to its row. */
typedef struct Arrival
{
	const ApplySource *source;
	const StripeObjectType *type;
	const char *id;
	const ApplyEvent *event;	/* NULL: the API, or a part of another object */
	bool		part;
	ApplyPart	how;			/* if a part */
	Jsonb	   *data;			/* what to store */
	const char *last_event;
	bool		deleted;
	Datum		key[3];
} Arrival;

typedef enum Verdict
{
	VERDICT_STALE,
	VERDICT_UNCHANGED,
	VERDICT_WRITE
} Verdict;

/* Plans of each table, made when first needed. */
typedef struct MirrorPlans
{
	StorePlan	read;
	StorePlan	lock;
	StorePlan	insert;
	StorePlan	update;
} MirrorPlans;

static MirrorPlans *plans = NULL;

static ApplyListener listener = NULL;
static ApplyBracket bracket = NULL;

void
apply_set_listener(ApplyListener fn, ApplyBracket around)
{
	listener = fn;
	bracket = around;
}

static void
set_plan(StorePlan *plan, char *sql, int nargs)
{
	static const Oid types[] = {
		TEXTOID, BOOLOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, BOOLOID, TEXTOID};

	plan->sql = sql;
	plan->nargs = nargs;
	memcpy(plan->argtypes, types, sizeof(Oid) * nargs);
}

/*
 * The texts of the statements differ in the table's name alone, which is a
 * constant of the catalogue.
 */
static void
make_plans(void)
{
	Size		size = sizeof(MirrorPlans) * object_ntypes;
	MirrorPlans *made = MemoryContextAllocZero(TopMemoryContext, size);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	for (int i = 0; i < object_ntypes; i++)
	{
		const char *table = object_types[i].table;

		set_plan(&made[i].read,
				 psprintf("SELECT data, as_of, deleted, last_event FROM stripe.%s"
						  " WHERE account = $1 AND livemode = $2 AND id = $3",
						  table),
				 3);
		set_plan(&made[i].lock,
				 psprintf("SELECT data, as_of, deleted, last_event FROM stripe.%s"
						  " WHERE account = $1 AND livemode = $2 AND id = $3 FOR NO KEY UPDATE",
						  table),
				 3);
		set_plan(&made[i].insert,
				 psprintf("INSERT INTO stripe.%s (account, livemode, id, data, as_of, deleted, last_event)"
						  " VALUES ($1, $2, $3, $4, $5, $6, $7)"
						  " ON CONFLICT (account, livemode, id) DO NOTHING",
						  table),
				 7);
		set_plan(&made[i].update,
				 psprintf("UPDATE stripe.%s SET data = $4, as_of = $5, deleted = $6, last_event = $7,"
						  " synced_at = pg_catalog.now()"
						  " WHERE account = $1 AND livemode = $2 AND id = $3",
						  table),
				 7);
	}
	MemoryContextSwitchTo(old);
	plans = made;
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
 * with expanded objects as their ids.  Expanded objects are applied on the way:
 * those of an answer in their own right, while an event speaks of its own
 * object only.  The price of a subscription's item is a part of it.
 */
static Jsonb *
normalize(const Arrival *a, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken tok;
	JsonbValue	v;
	JsonbValue	key = {0};
	CompatJsonbState st = {0};
	bool		collapse = strcmp(a->type->name, "subscription_item") != 0;

	(void) JsonbIteratorNext(&it, &v, true);
	json_begin(&st, false);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
	{
		const StripeObjectType *type;

		if (tok == WJB_KEY)
		{
			key = v;
			continue;
		}
		json_key(&st, key.val.string.val, key.val.string.len);
		if (collapse && (type = expanded_type(&v)) != NULL)
		{
			char	   *id = json_get_text(v.val.binary.data, "id");

			if (a->event == NULL && !a->part)
				apply_object(a->source, v.val.binary.data);
			else
				(void) apply_part(a->source, type, id, v.val.binary.data, PART_ADDS);
			json_text_value(&v, id);
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
read_row(Arrival *a, bool lock, MirrorRow *row)
{
	MirrorPlans *p = &plans[a->type - object_types];
	bool		isnull;
	Datum		last_event;

	memset(row, 0, sizeof(*row));
	if (store_execute(lock ? &p->lock : &p->read, a->key, NULL, 1) == 0)
		return;
	row->data = DatumGetJsonbP(store_column(0, 1, &isnull));
	row->as_of = DatumGetTimestampTz(store_column(0, 2, &isnull));
	row->deleted = DatumGetBool(store_column(0, 3, &isnull));
	last_event = store_column(0, 4, &isnull);
	row->last_event = isnull ? NULL : TextDatumGetCString(last_event);
}

/* A stub says only that the object is gone. */
static bool
is_stub(Jsonb *data)
{
	bool		deleted = false;
	JsonbValue	created;

	return json_get_bool(&data->root, "deleted", &deleted) && deleted &&
		!json_get(&data->root, "created", &created);
}

/*
 * Compares all that is known of the object in its newest second.  May make
 * another state of it the one to store: the last piece of a chain shows where
 * its end is.
 */
static Verdict
judge_second(Arrival *a, const MirrorRow *row)
{
	const ApplySource *source = a->source;
	OrderState	states[ORDER_MAX_STATES];
	bool		tie = row->as_of == source->as_of;
	bool		row_known = !tie;
	bool		certain;
	int			n = 0;
	int			best;

	memset(&states[0], 0, sizeof(OrderState));
	states[n++] = a->event ? a->event->state : (OrderState){.object = &a->data->root};
	for (int i = 0; a->event && i < a->event->npeers && n < ORDER_MAX_STATES / 2; i++)
		states[n++] = a->event->peers[i];
	best = ledger_states(source->account, source->livemode, a->type->name, a->id,
						 source->event_id, source->as_of, states + n, ORDER_MAX_STATES - n - 1);
	if (best < 0)
		return VERDICT_STALE;
	n += best;

	for (int i = 0; i < n && !row_known; i++)
		row_known = states[i].event_id != NULL && row->last_event != NULL &&
			strcmp(states[i].event_id, row->last_event) == 0;

	/* Of two answers, the later one is later, whatever their second. */
	if (!row_known && source->event_id == NULL && row->last_event == NULL)
	{
		if (objects_rank(a->type, json_get_text(&a->data->root, "status")) <
			objects_rank(a->type, json_get_text(&row->data->root, "status")))
			return VERDICT_STALE;
	}
	else if (!row_known)
		states[n++] = (OrderState){.event_id = row->last_event, .object = &row->data->root};
	if (n == 1)
		return VERDICT_WRITE;

	best = order_pick(a->type, states, n, &certain);
	if (certain)
		queue_settled(source->account, source->livemode, a->type->name, a->id, QUEUE_SAME_SECOND);
	else
		queue_refetch(source->account, source->livemode, a->type->name, a->id, QUEUE_SAME_SECOND);
	if (best == 0 || order_equal(states[best].object, states[0].object))
		return VERDICT_WRITE;
	if (states[best].object == &row->data->root)
		return VERDICT_STALE;
	a->data = normalize(a, states[best].object);
	a->last_event = states[best].event_id;
	return order_equal(&a->data->root, &row->data->root) ? VERDICT_STALE : VERDICT_WRITE;
}

/*
 * The order rule.  Without the lock, "write" means: look again with it.
 */
static Verdict
judge(Arrival *a, const MirrorRow *row, bool locked)
{
	if (row->deleted)
	{
		/* What it was may come after the news that it is gone. */
		if (a->deleted || !is_stub(row->data))
			return VERDICT_STALE;
		a->deleted = true;
		return VERDICT_WRITE;
	}
	if (a->deleted)
	{
		if (is_stub(a->data))
			a->data = row->data;
		return VERDICT_WRITE;
	}
	if (a->part && a->how == PART_ADDS)
		return VERDICT_UNCHANGED;
	if (row->as_of > a->source->as_of)
		return VERDICT_STALE;
	a->data = nested_carry(a->type, row->data, a->data);
	if (VARSIZE(row->data) == VARSIZE(a->data) && memcmp(row->data, a->data, VARSIZE(a->data)) == 0)
		return VERDICT_UNCHANGED;
	if (a->part || !locked)
		return VERDICT_WRITE;
	return judge_second(a, row);
}

static bool
write_row(Arrival *a, const MirrorRow *row)
{
	MirrorPlans *p = &plans[a->type - object_types];
	Datum		args[7];
	char		nulls[8] = "       ";

	memcpy(args, a->key, sizeof(a->key));
	args[3] = JsonbPGetDatum(a->data);
	args[4] = TimestampTzGetDatum(row->data ? Max(row->as_of, a->source->as_of) : a->source->as_of);
	args[5] = BoolGetDatum(a->deleted);
	args[6] = a->last_event ? CStringGetTextDatum(a->last_event) : (Datum) 0;
	nulls[6] = a->last_event ? ' ' : 'n';
	return store_execute(row->data ? &p->update : &p->insert, args, nulls, 0) > 0;
}

static ApplyOutcome
apply_arrival(Arrival *a, JsonbContainer *object)
{
	bool		deleted = false;
	bool		lock = a->event != NULL;
	Jsonb	   *data;

	if (plans == NULL)
		make_plans();
	check_mode(a->source, object, a->id);
	(void) json_get_bool(object, "deleted", &deleted);
	deleted = deleted || (a->event != NULL && a->event->deleted);
	data = normalize(a, object);
	a->key[0] = CStringGetTextDatum(a->source->account);
	a->key[1] = BoolGetDatum(a->source->livemode);
	a->key[2] = CStringGetTextDatum(a->id);

	for (;;)
	{
		MirrorRow	row;

		CHECK_FOR_INTERRUPTS();
		a->data = data;
		a->deleted = deleted;
		a->last_event = a->source->event_id;
		read_row(a, lock, &row);
		if (row.data != NULL)
		{
			Verdict		verdict = judge(a, &row, lock);

			if (verdict == VERDICT_STALE)
				nested_add_prices(a->source, a->type, object);
			if (verdict != VERDICT_WRITE)
				return verdict == VERDICT_STALE ? APPLY_STALE : APPLY_UNCHANGED;
		}
		if ((row.data == NULL || lock) && write_row(a, &row))
		{
			nested_follow(a->source, a->type, a->id, row.data, a->data);
			if (a->data != data)
				nested_add_prices(a->source, a->type, object);
			if (listener != NULL)
				listener(a->source, a->type, a->id, a->data);
			return a->last_event == a->source->event_id ? APPLY_WRITTEN : APPLY_STALE;
		}
		lock = true;
	}
}

static bool
usable_id(const char *id)
{
	return id != NULL && id[0] != '\0' && strlen(id) <= MAX_ID_LENGTH;
}

static void
apply_within(const ApplySource *source, JsonbContainer *object)
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
				apply_within(source, v.val.binary.data);
		return;
	}

	type = objects_find(name);
	id = json_get_text(object, "id");
	if (type != NULL && usable_id(id))
	{
		Arrival		a = {.source = source, .type = type, .id = id};

		(void) apply_arrival(&a, object);
	}
}

/*
 * What depends on the mirrors follows when all of an answer is in them.  An
 * object expanded in another one is a part of the same answer.
 */
void
apply_object(const ApplySource *source, JsonbContainer *object)
{
	static bool within = false;

	if (within || bracket == NULL)
	{
		apply_within(source, object);
		return;
	}
	within = true;
	bracket(source, BRACKET_BEGIN);
	PG_TRY();
	{
		apply_within(source, object);
	}
	PG_CATCH();
	{
		within = false;
		bracket(source, BRACKET_ABANDON);
		PG_RE_THROW();
	}
	PG_END_TRY();
	within = false;
	bracket(source, BRACKET_END);
}

ApplyOutcome
apply_event(const ApplySource *source, const ApplyEvent *event)
{
	Arrival		a = {.source = source, .type = event->type, .id = event->id, .event = event};

	return apply_arrival(&a, event->state.object);
}

ApplyOutcome
apply_part(const ApplySource *source, const StripeObjectType *type, const char *id,
		   JsonbContainer *object, ApplyPart how)
{
	Arrival		a = {.source = source, .type = type, .id = id, .part = true, .how = how};

	check_stack_depth();
	if (!usable_id(id))
		return APPLY_STALE;
	return apply_arrival(&a, object);
}

/* An arrival without content, and the row it is about, locked. */
static Arrival
lock_known(const ApplySource *source, const StripeObjectType *type, const char *id, MirrorRow *row)
{
	Arrival		a = {.source = source, .type = type, .id = id};

	if (plans == NULL)
		make_plans();
	a.key[0] = CStringGetTextDatum(source->account);
	a.key[1] = BoolGetDatum(source->livemode);
	a.key[2] = CStringGetTextDatum(id);
	read_row(&a, true, row);
	return a;
}

void
apply_completed(const ApplySource *source, const StripeObjectType *type, const char *id,
				JsonbContainer *object)
{
	ApplySource same = *source;
	MirrorRow	row;
	Arrival		a = lock_known(source, type, id, &row);
	JsonbContainer *entries;
	Jsonb	   *whole;

	if (row.data == NULL || row.deleted)
		return;
	a.part = true;
	whole = normalize(&a, object);
	entries = json_get_container(json_get_container(&whole->root, type->list), "data");
	if (json_get_container(&row.data->root, type->list) == NULL ||
		!order_equal(&nested_complete(type, &row.data->root, entries)->root, &whole->root))
	{
		queue_refetch(source->account, source->livemode, type->name, id, QUEUE_NESTED_LIST);
		return;
	}
	same.as_of = row.as_of;
	(void) apply_part(&same, type, id, object, PART_FOLLOWS);
	nested_finish(&same, type, id, &whole->root);
}

void
apply_gone(const ApplySource *source, const StripeObjectType *type, const char *id)
{
	MirrorRow	row;
	Arrival		a = lock_known(source, type, id, &row);

	if (row.data == NULL || row.deleted)
		return;
	a.data = row.data;
	a.deleted = true;
	(void) write_row(&a, &row);
	if (listener != NULL)
		listener(source, type, id, a.data);
}

/*-------------------------------------------------------------------------
 *
 * order.c
 *	  Which of several states of an object, all of one second, came last.
 *
 * Stripe's clock has whole seconds, and one request of a customer makes
 * several events.  What else there is to go by, strongest first:
 *
 * - A status that is never left, or never returned to (objects.c).
 * - An event that says the object was made came before all others.
 * - previous_attributes.  The new state with these values put back is the
 *	 state before: if that is exactly a state we know, this one followed it.
 * - The same loosely: the values are those that a state we know has.
 *
 * What still ties is settled arbitrarily but always the same way, so that any
 * order of arrival ends alike, and the caller asks Stripe.  An answer of the
 * API wins then, since it cannot be older than the request for it.
 *
 * All states of the second are judged together.  Judging each only against
 * the one that is held would make the result depend on the order of arrival:
 * of a chain a-b-c, a and c may not be comparable until b is there.
 *
 * Nothing here reads tables or the clock.
 *
 * src/order.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "json.h"
#include "order.h"

bool
order_equal(JsonbContainer *a, JsonbContainer *b)
{
	return compareJsonbContainers(a, b) == 0;
}

static bool
equal_values(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		case jbvBinary:
			return order_equal(a->val.binary.data, b->val.binary.data);
		default:
			return false;
	}
}

static bool
is_object(const JsonbValue *v)
{
	return v->type == jbvBinary && JsonContainerIsObject(v->val.binary.data);
}

static bool
get_member(JsonbContainer *object, const JsonbValue *key, JsonbValue *v)
{
	return getKeyJsonValueFromContainer(object, key->val.string.val, key->val.string.len,
										v) != NULL;
}

/* The next key of an object being walked, with its value; false at the end. */
static bool
next_member(JsonbIterator **it, JsonbValue *key, JsonbValue *value)
{
	if (JsonbIteratorNext(it, key, true) != WJB_KEY)
		return false;
	(void) JsonbIteratorNext(it, value, true);
	return true;
}

static JsonbIterator *
walk_members(JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue	v;

	(void) JsonbIteratorNext(&it, &v, true);
	return it;
}

/* Does "old" describe a member's value, or its absence (has is false)? */
static bool
describes_value(const JsonbValue *old, bool has, const JsonbValue *value);

/*
 * Does every old value agree with the object?  A hash holds only the members
 * that changed; one that was absent is given as null.
 */
static bool
describes(JsonbContainer *previous, JsonbContainer *object)
{
	JsonbIterator *it = walk_members(previous);
	JsonbValue	key;
	JsonbValue	old;

	check_stack_depth();
	while (next_member(&it, &key, &old))
	{
		JsonbValue	value;
		bool		has = get_member(object, &key, &value);

		if (!describes_value(&old, has, &value))
			return false;
	}
	return true;
}

static bool
describes_value(const JsonbValue *old, bool has, const JsonbValue *value)
{
	if (!has)
		return old->type == jbvNull;
	if (equal_values(old, value))
		return true;
	return is_object(old) && is_object(value) &&
		describes(old->val.binary.data, value->val.binary.data);
}

/*
 * Is "before" exactly "after" with the old values put back?
 */
static bool
reverts(JsonbContainer *after, JsonbContainer *previous, JsonbContainer *before)
{
	JsonbIterator *it = walk_members(before);
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	old;
	JsonbValue	now;

	check_stack_depth();
	while (next_member(&it, &key, &value))
	{
		bool		has = get_member(after, &key, &now);

		if (!get_member(previous, &key, &old))
		{
			if (!has || !equal_values(&now, &value))
				return false;
		}
		else if (!equal_values(&old, &value) &&
				 !(has && is_object(&old) && is_object(&value) && is_object(&now) &&
				   reverts(now.val.binary.data, old.val.binary.data, value.val.binary.data)))
			return false;
	}

	/* What the change added was null, or nothing, before. */
	it = walk_members(after);
	while (next_member(&it, &key, &value))
		if (!get_member(before, &key, &now) &&
			!(get_member(previous, &key, &old) && old.type == jbvNull))
			return false;
	return true;
}

/* Which states are still in question, and which say the same as another. */
typedef struct Contest
{
	const OrderState *states;
	int			n;
	int			same_as[ORDER_MAX_STATES];	/* the first state with this content */
	bool		out[ORDER_MAX_STATES];	/* of first states: came earlier */
} Contest;

typedef bool (*Follows) (const OrderState *later, const OrderState *earlier);

static bool
follows_exactly(const OrderState *later, const OrderState *earlier)
{
	return later->previous != NULL && reverts(later->object, later->previous, earlier->object);
}

static bool
follows_loosely(const OrderState *later, const OrderState *earlier)
{
	return later->previous != NULL && describes(later->previous, earlier->object);
}

/* Whether any event that brought content "a" says that it followed "b". */
static bool
content_follows(const Contest *c, int a, int b, Follows follows)
{
	for (int i = 0; i < c->n; i++)
		if (c->same_as[i] == a && follows(&c->states[i], &c->states[b]))
			return true;
	return false;
}

static int
count_left(const Contest *c, int *any)
{
	int			left = 0;

	for (int i = 0; i < c->n; i++)
		if (c->same_as[i] == i && !c->out[i])
		{
			*any = i;
			left++;
		}
	return left;
}

/*
 * Rules out each content that another one followed.  Two that followed each
 * other, there and back within the second, both stay.
 */
static void
rule_out_followed(Contest *c, Follows follows)
{
	bool		out[ORDER_MAX_STATES];
	int			left = 0;

	memcpy(out, c->out, sizeof(out));
	for (int b = 0; b < c->n; b++)
	{
		if (c->same_as[b] != b || c->out[b])
			continue;
		for (int a = 0; a < c->n && !out[b]; a++)
			if (a != b && c->same_as[a] == a && !c->out[a] &&
				content_follows(c, a, b, follows) && !content_follows(c, b, a, follows))
				out[b] = true;
		left += !out[b];
	}
	if (left > 0)
		memcpy(c->out, out, sizeof(out));
}

static void
rule_out_by_rank(Contest *c, const StripeObjectType *type)
{
	int			rank[ORDER_MAX_STATES];
	int			best = 0;

	for (int i = 0; i < c->n; i++)
	{
		rank[i] = type ? objects_rank(type, json_get_text(c->states[i].object, "status")) : 0;
		best = Max(best, rank[i]);
	}
	for (int i = 0; i < c->n; i++)
		c->out[i] = rank[i] < best;
}

/* Content that only the object's first event brought, unless all did. */
static void
rule_out_first(Contest *c)
{
	bool		first[ORDER_MAX_STATES];
	bool		others = false;

	for (int i = 0; i < c->n; i++)
	{
		if (c->same_as[i] != i || c->out[i])
			continue;
		first[i] = true;
		for (int j = 0; j < c->n; j++)
			if (c->same_as[j] == i && !c->states[j].created)
				first[i] = false;
		others = others || !first[i];
	}
	for (int i = 0; others && i < c->n; i++)
		if (c->same_as[i] == i && !c->out[i] && first[i])
			c->out[i] = true;
}

/*
 * The one to keep for now: an answer of the API, or else the greatest event
 * id, which tells nothing but is the same whoever comes first.
 */
static int
pick_any(const Contest *c)
{
	int			best = -1;

	for (int i = 0; i < c->n; i++)
	{
		const char *id = c->states[i].event_id;

		if (c->out[c->same_as[i]])
			continue;
		if (id == NULL)
			return i;
		if (best < 0 || strcmp(id, c->states[best].event_id) > 0)
			best = i;
	}
	return best;
}

int
order_pick(const StripeObjectType *type, const OrderState *states, int n, bool *certain)
{
	Contest		c = {.states = states, .n = n};
	int			last = 0;

	Assert(n > 0 && n <= ORDER_MAX_STATES);
	for (int i = 0; i < n; i++)
	{
		c.same_as[i] = i;
		for (int j = 0; j < i && c.same_as[i] == i; j++)
			if (c.same_as[j] == j && order_equal(states[i].object, states[j].object))
				c.same_as[i] = j;
	}
	rule_out_by_rank(&c, type);
	rule_out_first(&c);
	if (count_left(&c, &last) > 1)
		rule_out_followed(&c, follows_exactly);
	if (count_left(&c, &last) > 1)
		rule_out_followed(&c, follows_loosely);
	*certain = count_left(&c, &last) == 1;
	return pick_any(&c);
}

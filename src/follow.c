/*-------------------------------------------------------------------------
 *
 * follow.c
 *	  What depends on the mirrors is brought in line with them.
 *
 * The objects of an answer, and the events of a batch, are followed together,
 * after all their mirror rows and their rows in the ledger: that saves work,
 * and it makes all sessions lock in one order: mirrors, ledger, the advisory
 * locks below, memberships by id, payments by id.
 *
 * Two sessions may take in two halves of one thing at once, such as a customer
 * that names a membership and its subscription.  Neither sees the other's row,
 * and there is no row yet that both could lock.  So both take an advisory lock
 * on what the halves have in common before they look.
 *
 * src/follow.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"

#include "belongs.h"
#include "follow.h"
#include "json.h"
#include "membership.h"
#include "payment.h"

/* The advisory locks of this file: their class, and how many there are. */
#define FOLLOW_LOCK_CLASS 0x6d706677
#define FOLLOW_LOCKS 256

static FollowSet *gathering = NULL;

void
follow_gather(FollowSet *set)
{
	gathering = set;
}

static List *
add_item(List *items, const char *id, const char *cause)
{
	FollowItem *item = palloc(sizeof(FollowItem));

	item->id = pstrdup(id);
	item->cause = pstrdup(cause);
	item->serial = list_length(items);
	return lappend(items, item);
}

/* A changed object that may belong to a membership which is not known yet. */
typedef struct Change
{
	ApplySource source;
	const StripeObjectType *type;
	const char *id;
	Jsonb	   *data;
	const char *cause;
} Change;

static void
add_lock(FollowSet *set, const ApplySource *source, char kind, const char *id)
{
	char	   *name;

	if (id == NULL)
		return;
	name = psprintf("%c%d %s %s", kind, source->livemode, source->account, id);
	set->locks = lappend_int(set->locks,
							 hash_bytes((unsigned char *) name, strlen(name)) % FOLLOW_LOCKS);
	pfree(name);
}

/*
 * What the change has in common with others that lead to the same membership
 * or payment: whoever comes second waits for whoever came first to commit, and
 * sees what that wrote.
 */
static void
add_locks(FollowSet *set, const ApplySource *source, const StripeObjectType *type,
		  const char *id, Jsonb *data, const char *payment)
{
	if (strcmp(type->name, "customer") == 0)
		add_lock(set, source, 'c', id);
	else if (strcmp(type->name, "subscription") == 0)
	{
		add_lock(set, source, 's', id);
		add_lock(set, source, 'c', json_get_ref(&data->root, "customer"));
	}
	else if (strcmp(type->name, "invoice") == 0)
		add_lock(set, source, 's', belongs_invoice_subscription(data));
	add_lock(set, source, 'p', payment);
}

static bool
is_membership_type(const StripeObjectType *type)
{
	return strcmp(type->name, "customer") == 0 || strcmp(type->name, "subscription") == 0 ||
		strcmp(type->name, "invoice") == 0;
}

static Jsonb *
copy_jsonb(Jsonb *data)
{
	Jsonb	   *copy = palloc(VARSIZE(data));

	memcpy(copy, data, VARSIZE(data));
	return copy;
}

void
follow_mirror(const ApplySource *source, const StripeObjectType *type, const char *id, Jsonb *data)
{
	FollowSet	own = {.context = CurrentMemoryContext};
	FollowSet  *set = gathering ? gathering : &own;
	const char *cause = source->event_id ? source->event_id : "api";
	List	   *memberships = belongs_to(source, type, id, data);
	char	   *payment = payment_of(source, type, id, data);
	MemoryContext old = MemoryContextSwitchTo(set->context);
	ListCell   *lc;

	foreach(lc, memberships)
	{
		set->memberships = add_item(set->memberships, lfirst(lc), cause);
		add_lock(set, source, 'm', lfirst(lc));
	}
	if (payment != NULL)
		set->payments = add_item(set->payments, payment, cause);
	add_locks(set, source, type, id, data, payment);
	if (is_membership_type(type))
	{
		Change	   *change = palloc(sizeof(Change));

		*change = (Change){*source, type, pstrdup(id), copy_jsonb(data), pstrdup(cause)};
		set->changes = lappend(set->changes, change);
	}
	MemoryContextSwitchTo(old);
	if (set == &own)
		follow_run(source->account, source->livemode, set);
}

static FollowSet answer;

void
follow_answer(const ApplySource *source, ApplyBracketStep step)
{
	if (step == BRACKET_BEGIN && gathering == NULL)
	{
		answer = (FollowSet){.context = CurrentMemoryContext};
		gathering = &answer;
	}
	else if (step != BRACKET_BEGIN && gathering == &answer)
	{
		gathering = NULL;
		if (step == BRACKET_END)
			follow_run(source->account, source->livemode, &answer);
	}
}

static int
compare_ints(const ListCell *a, const ListCell *b)
{
	return lfirst_int(a) - lfirst_int(b);
}

/*
 * Takes the locks, in one order, until the end of the transaction.  There are
 * FOLLOW_LOCKS of them in all, so that a large batch does not fill the lock
 * table.  What was read before they were taken may be out of date: the changes
 * are asked again what they belong to.
 */
static void
lock_and_look_again(FollowSet *set)
{
	int			last = -1;
	ListCell   *lc;

	list_sort(set->locks, compare_ints);
	foreach(lc, set->locks)
	{
		if (lfirst_int(lc) != last)
			(void) DirectFunctionCall2(pg_advisory_xact_lock_int4,
									   Int32GetDatum(FOLLOW_LOCK_CLASS),
									   Int32GetDatum(lfirst_int(lc)));
		last = lfirst_int(lc);
	}
	foreach(lc, set->changes)
	{
		Change	   *change = lfirst(lc);
		List	   *memberships;
		ListCell   *m;

		memberships = belongs_to(&change->source, change->type, change->id, change->data);
		foreach(m, memberships)
			set->memberships = add_item(set->memberships, lfirst(m), change->cause);
	}
}

/* By id; of equal ones the last added comes first. */
static int
compare_items(const ListCell *a, const ListCell *b)
{
	const FollowItem *x = lfirst(a);
	const FollowItem *y = lfirst(b);
	int			order = strcmp(x->id, y->id);

	return order != 0 ? order : y->serial - x->serial;
}

void
follow_run(const char *account, bool livemode, FollowSet *set)
{
	const char *last = NULL;
	ListCell   *lc;

	lock_and_look_again(set);
	list_sort(set->memberships, compare_items);
	foreach(lc, set->memberships)
	{
		FollowItem *item = lfirst(lc);

		if (last == NULL || strcmp(last, item->id) != 0)
			membership_refresh(account, livemode, item->id, item->cause);
		last = item->id;
	}
	last = NULL;
	list_sort(set->payments, compare_items);
	foreach(lc, set->payments)
	{
		FollowItem *item = lfirst(lc);

		if (last == NULL || strcmp(last, item->id) != 0)
			payment_refresh(account, livemode, item->id);
		last = item->id;
	}
}

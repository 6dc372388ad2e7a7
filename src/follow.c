/*-------------------------------------------------------------------------
 *
 * follow.c
 *	  What depends on the mirrors is brought in line with them.
 *
 * An answer of the API is followed at once, row by row.  Events are followed
 * together, after all their mirror rows and their rows in the ledger: that
 * saves work, and it makes all sessions lock in one order: mirrors, ledger,
 * memberships by id, payments by id.
 *
 * src/follow.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "belongs.h"
#include "follow.h"
#include "membership.h"
#include "payment.h"

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

void
follow_mirror(const ApplySource *source, const StripeObjectType *type, const char *id, Jsonb *data)
{
	FollowSet	own = {CurrentMemoryContext, NIL, NIL};
	FollowSet  *set = gathering ? gathering : &own;
	const char *cause = source->event_id ? source->event_id : "api";
	List	   *memberships = belongs_to(source, type, id, data);
	char	   *payment = payment_of(source, type, id, data);
	MemoryContext old = MemoryContextSwitchTo(set->context);
	ListCell   *lc;

	foreach(lc, memberships)
		set->memberships = add_item(set->memberships, lfirst(lc), cause);
	if (payment != NULL)
		set->payments = add_item(set->payments, payment, cause);
	MemoryContextSwitchTo(old);
	if (set == &own)
		follow_run(source->account, source->livemode, set);
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

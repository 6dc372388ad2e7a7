/*-------------------------------------------------------------------------
 *
 * follow.h
 *	  What depends on the mirrors is brought in line with them.
 *
 * src/follow.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_FOLLOW_H
#define MP_FOLLOW_H

#include "nodes/pg_list.h"

#include "apply.h"

/* Memberships and payments that a change of the mirrors concerns. */
typedef struct FollowSet
{
	MemoryContext context;		/* where the lists live */
	List	   *memberships;	/* of FollowItem */
	List	   *payments;
	List	   *changes;		/* what may belong to more by the time it is followed */
	List	   *locks;			/* of int, see follow.c */
} FollowSet;

typedef struct FollowItem
{
	const char *id;
	const char *cause;			/* event, or "api" */
	int			serial;
} FollowItem;

/* An ApplyListener: adds to the set being gathered, or follows at once. */
extern void follow_mirror(const ApplySource *source, const StripeObjectType *type,
						  const char *id, Jsonb *data);

/*
 * From here on, what is to follow is gathered in "set".  follow_gather(NULL)
 * ends that, and must be called after an error, too.
 */
extern void follow_gather(FollowSet *set);

/* The same around an answer of the API: an ApplyBracket. */
extern void follow_answer(const ApplySource *source, ApplyBracketStep step);

/* Follows a set, each membership and payment once, in an order all keep to. */
extern void follow_run(const char *account, bool livemode, FollowSet *set);

#endif							/* MP_FOLLOW_H */

/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  Objects that Stripe must be asked for again.
 *
 * src/queue.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_QUEUE_H
#define MP_QUEUE_H

/* Why; also what the table shows. */
#define QUEUE_SAME_SECOND "same second"
#define QUEUE_NESTED_LIST "nested list"
#define QUEUE_MISSING "missing"

/*
 * Adds an object to stripe.refetches, or nothing if it is there.  Must run
 * within a store scope, as must the next.
 */
extern void queue_refetch(const char *account, bool livemode, const char *object_type,
						  const char *id, const char *reason);

/* Takes it out again if it is there for this reason. */
extern void queue_settled(const char *account, bool livemode, const char *object_type,
						  const char *id, const char *reason);

#endif							/* MP_QUEUE_H */

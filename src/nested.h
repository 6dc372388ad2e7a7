/*-------------------------------------------------------------------------
 *
 * nested.h
 *	  Lists within objects: what Stripe cuts short, and what has rows of its own.
 *
 * src/nested.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_NESTED_H
#define MP_NESTED_H

#include "apply.h"

/* Stands for a customer's whole set of entitlements; it has no id. */
#define NESTED_SUMMARY_TYPE "entitlements.active_entitlement_summary"

/* Whether the object's own list goes on where Stripe cut it. */
extern bool nested_is_cut(const StripeObjectType *type, JsonbContainer *object);

/*
 * The object, with the rest of its list from what is held if Stripe cut it
 * where we once read on and the beginning is the same.
 */
extern Jsonb *nested_carry(const StripeObjectType *type, Jsonb *held, Jsonb *data);

/* The object with "entries", an array, as its whole list. */
extern Jsonb *nested_complete(const StripeObjectType *type, JsonbContainer *object,
							  JsonbContainer *entries);

/*
 * Adds the prices in a subscription's items that have no row.  A state of the
 * subscription that is out of date may be the only one that shows them.
 */
extern void nested_add_prices(const ApplySource *source, const StripeObjectType *type,
							  JsonbContainer *object);

/* Brings rows that come from an object's list in line.  "held" may be NULL. */
extern void nested_follow(const ApplySource *source, const StripeObjectType *type,
						  const char *id, Jsonb *held, Jsonb *data);

/*
 * The same for an object whose list was read to its end just now: no row that
 * is not in it is right.
 */
extern void nested_finish(const ApplySource *source, const StripeObjectType *type,
						  const char *id, JsonbContainer *object);

/* Sessions that change a customer's entitlements take turns, to commit. */
extern void nested_lock_entitlements(const char *customer);

/*
 * Makes the customer's entitlements those of the list, an array of them;
 * unless "complete", none is taken away.
 */
extern void nested_entitlements(const ApplySource *source, const char *customer,
								JsonbContainer *list, bool complete);

#endif							/* MP_NESTED_H */

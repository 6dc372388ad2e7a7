/*-------------------------------------------------------------------------
 *
 * order.h
 *	  Which of several states of an object, all of one second, came last.
 *
 * src/order.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ORDER_H
#define MP_ORDER_H

#include "utils/jsonb.h"

#include "objects.h"

/* As many states of one second are compared; more are not looked at. */
#define ORDER_MAX_STATES 64

typedef struct OrderState
{
	const char *event_id;		/* NULL: an answer of the API */
	bool		created;		/* the event says the object was made just now */
	JsonbContainer *object;
	JsonbContainer *previous;	/* old values of what changed, or NULL */
} OrderState;

/*
 * Index of the state that came last.  The answer depends on the set alone, not
 * on its order.  *certain is false if more than one may be it.
 */
extern int	order_pick(const StripeObjectType *type, const OrderState *states, int n,
					   bool *certain);

/* Whether two objects hold the same. */
extern bool order_equal(JsonbContainer *a, JsonbContainer *b);

#endif							/* MP_ORDER_H */

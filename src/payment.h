/*-------------------------------------------------------------------------
 *
 * payment.h
 *	  Payments of orders, derived from the mirrors.
 *
 * src/payment.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_PAYMENT_H
#define MP_PAYMENT_H

#include "apply.h"

/*
 * The payment intent whose payment the object has a part in, or NULL.  Must run
 * within a store scope, as the next.
 */
extern char *payment_of(const ApplySource *source, const StripeObjectType *type,
						const char *id, Jsonb *data);

/* Brings a row of stripe.payments in line with the mirrors. */
extern void payment_refresh(const char *account, bool livemode, const char *payment_intent);

#endif /* MP_PAYMENT_H */

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

/* An ApplyListener: keeps stripe.payments true to the mirrors. */
extern void payment_follow(const ApplySource *source, const StripeObjectType *type,
						   const char *id, Jsonb *data);

#endif							/* MP_PAYMENT_H */

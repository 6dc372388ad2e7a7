/*-------------------------------------------------------------------------
 *
 * apply.h
 *	  Puts what Stripe says of an object into its mirror.
 *
 * src/apply.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_APPLY_H
#define MP_APPLY_H

#include "datatype/timestamp.h"

#include "compat.h"
#include "objects.h"

/* Where an object was heard of. */
typedef struct ApplySource
{
	const char *account;
	bool		livemode;
	TimestampTz as_of;			/* content was true then, by Stripe's clock */
	const char *event_id;		/* NULL: an answer of the API */
} ApplySource;

/*
 * Told of each mirror row written, within the same store scope and
 * transaction.  "data" is what was stored.
 */
typedef void (*ApplyListener) (const ApplySource *source, const StripeObjectType *type,
							   const char *id, Jsonb *data);
extern void apply_set_listener(ApplyListener listener);

/*
 * Applies an object, a list of objects or a deletion stub; anything else is
 * ignored.  Objects expanded in it are applied too.  Must run within a store
 * scope (store.h).  Raises ST012 if the object belongs to the other mode.
 */
extern void apply_object(const ApplySource *source, JsonbContainer *object);

#endif							/* MP_APPLY_H */

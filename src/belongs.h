/*-------------------------------------------------------------------------
 *
 * belongs.h
 *	  Which membership an object of Stripe's belongs to.
 *
 * src/belongs.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_BELONGS_H
#define MP_BELONGS_H

#include "nodes/pg_list.h"

#include "apply.h"

/* Longest membership id; longer ones in metadata are as if not there. */
#define BELONGS_MAX_ID 512

/*
 * The memberships whose state the object has a part in, as a list of strings.
 * "data" is its content.  Must run within a store scope, as all here.
 */
extern List *belongs_to(const ApplySource *source, const StripeObjectType *type,
						const char *id, Jsonb *data);

/* The same of a subscription or customer whose link changed. */
extern List *belongs_linked_object(const char *account, bool livemode, const char *object_id);

/* A subscription that belongs to a membership its metadata does not name. */
typedef struct BelongsLink
{
	const char *subscription;
	const char *linked_by;		/* "link" or "customer" */
} BelongsLink;

/* Those of a membership; "key" is account, mode and membership, as arguments. */
extern List *belongs_linked(Datum *key);

/* The subscription that an invoice names, in the shapes of all versions, or NULL. */
extern char *belongs_invoice_subscription(Jsonb *data);

#endif							/* MP_BELONGS_H */

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
#include "order.h"

/* Where an object was heard of. */
typedef struct ApplySource
{
	const char *account;
	bool		livemode;
	TimestampTz as_of;			/* content was true then, by Stripe's clock */
	const char *event_id;		/* NULL: an answer of the API */
} ApplySource;

/* What an event adds to that. */
typedef struct ApplyEvent
{
	const StripeObjectType *type;
	const char *id;
	OrderState	state;
	bool		deleted;		/* the object is gone */
	const OrderState *peers;	/* not in the ledger yet: events of the same */
	int			npeers;			/* object and second, applied before */
} ApplyEvent;

typedef enum ApplyOutcome
{
	APPLY_STALE,				/* what is held is newer */
	APPLY_UNCHANGED,			/* what is held says the same */
	APPLY_WRITTEN
} ApplyOutcome;

/*
 * Told of each mirror row written, within the same store scope and
 * transaction.  "data" is what was stored.
 */
typedef void (*ApplyListener) (const ApplySource *source, const StripeObjectType *type,
							   const char *id, Jsonb *data);

/*
 * Told when the objects of an answer begin and end to be applied, or when an
 * error cut that short.
 */
typedef enum ApplyBracketStep
{
	BRACKET_BEGIN,
	BRACKET_END,
	BRACKET_ABANDON
} ApplyBracketStep;

typedef void (*ApplyBracket) (const ApplySource *source, ApplyBracketStep step);
extern void apply_set_listener(ApplyListener listener, ApplyBracket bracket);

/*
 * Applies an object, a list of objects or a deletion stub of an answer;
 * anything else is ignored.  Objects expanded in it are applied too.  Must run
 * within a store scope (store.h), as all functions here.  Raises ST012 if the
 * object belongs to the other mode.
 */
extern void apply_object(const ApplySource *source, JsonbContainer *object);

/* Applies the object of an event. */
extern ApplyOutcome apply_event(const ApplySource *source, const ApplyEvent *event);

/* How an object that came within another one is applied. */
typedef enum ApplyPart
{
	PART_FOLLOWS,				/* true whenever the whole is */
	PART_ADDS					/* only if nothing is known of it yet */
} ApplyPart;

extern ApplyOutcome apply_part(const ApplySource *source, const StripeObjectType *type,
							   const char *id, JsonbContainer *object, ApplyPart how);

/*
 * Completes an object that was just applied: "object" is the same with its
 * whole list.  If it was changed in between, it is put down to be read again.
 */
extern void apply_completed(const ApplySource *source, const StripeObjectType *type,
							const char *id, JsonbContainer *object);

/* Marks an object as gone, if it is known. */
extern void apply_gone(const ApplySource *source, const StripeObjectType *type, const char *id);

#endif							/* MP_APPLY_H */

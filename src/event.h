/*-------------------------------------------------------------------------
 *
 * event.h
 *	  Events: reading, the ledger, applying, trying again.
 *
 * src/event.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_EVENT_H
#define MP_EVENT_H

#include "account.h"
#include "apply.h"

typedef struct Event
{
	/* What it says; set by event_read(). */
	Jsonb	   *json;
	char	   *id;
	char	   *type;
	char	   *api_version;	/* NULL if not there; so the next three */
	char	   *request_id;
	char	   *object_type;
	char	   *object_id;
	TimestampTz created;
	const StripeObjectType *mirror; /* NULL: its object has none */
	OrderState	state_of_object;
	const char *flaw;			/* why it cannot be applied, or NULL */

	/* What became of it. */
	const char *state;			/* as in stripe.events; NULL: not yet known */
	char	   *error;
	char	   *membership_id;
	int			attempts;
	int			arrival;		/* position in the batch */
} Event;

/*
 * Reads an event.  Raises 22023 if it is not one, or not of a kind that can be
 * taken in, and ST012 if it is of another mode or account.  What is wrong with
 * its object is left in "flaw".
 */
extern void event_read(const Account *account, Jsonb *json, Event *event);

/*
 * Takes in events that are known to come from Stripe, in one go; each that
 * cannot be applied ends as failed.  An event that is known already is
 * answered from the ledger.
 */
extern void event_ingest(const Account *account, Event *events, int n);

/* Applies an event of the ledger again; false if it is not there. */
extern bool event_replay(const Account *account, const char *id, Event *event);

/* Failed events that are due; at most "max".  Returns an array of their ids. */
extern char **event_due(const Account *account, int max, int *n);

#endif							/* MP_EVENT_H */

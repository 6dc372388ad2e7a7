/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  What stripe.events knows of an object.
 *
 * src/ledger.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_LEDGER_H
#define MP_LEDGER_H

#include "datatype/timestamp.h"

#include "order.h"

/*
 * Fills "states" with the other events of the object that are of the second
 * "at", at most "max", and returns how many; -1 if one is later than that.
 * Must run within a store scope; the states live as long.
 */
extern int	ledger_states(const char *account, bool livemode, const char *object_type,
						  const char *object_id, const char *event_id, TimestampTz at,
						  OrderState *states, int max);

/* Fills "state" from an event; false if it has no object. */
extern bool ledger_read_state(JsonbContainer *event, OrderState *state);

#endif							/* MP_LEDGER_H */

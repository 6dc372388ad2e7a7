/*-------------------------------------------------------------------------
 *
 * ledger.c
 *	  What stripe.events knows of an object.
 *
 * The ledger is the memory of the order rule: a mirror row keeps the moment
 * its content was first true, and not that a later event said the same again,
 * because unchanged content writes nothing.  The ledger has that event.
 *
 * src/ledger.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "json.h"
#include "ledger.h"
#include "store.h"

static StorePlan select_states = {
	.sql = "SELECT e.id, e.created, e.payload FROM stripe.events e"
	" WHERE e.account = $1 AND e.livemode = $2 AND e.object_id = $3 AND e.created >= $4"
	" AND e.object_type = $5 AND e.id IS DISTINCT FROM $6 AND e.state IN ('applied', 'stale')"
	" ORDER BY e.created DESC",
	.nargs = 6,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

bool
ledger_read_state(JsonbContainer *event, OrderState *state)
{
	JsonbContainer *data = json_get_container(event, "data");
	char	   *type = json_get_text(event, "type");
	size_t		len = type ? strlen(type) : 0;

	memset(state, 0, sizeof(*state));
	state->event_id = json_get_text(event, "id");
	state->created = len > 8 && strcmp(type + len - 8, ".created") == 0;
	if (data == NULL)
		return false;
	state->object = json_get_container(data, "object");
	state->previous = json_get_container(data, "previous_attributes");
	if (state->previous != NULL && !JsonContainerIsObject(state->previous))
		state->previous = NULL;
	return state->object != NULL && JsonContainerIsObject(state->object);
}

int
ledger_states(const char *account, bool livemode, const char *object_type,
			  const char *object_id, const char *event_id, TimestampTz at,
			  OrderState *states, int max)
{
	Datum		args[6];
	char		nulls[7] = "      ";
	uint64		found;
	bool		isnull;
	int			n = 0;

	args[0] = CStringGetTextDatum(account);
	args[1] = BoolGetDatum(livemode);
	args[2] = CStringGetTextDatum(object_id);
	args[3] = TimestampTzGetDatum(at);
	args[4] = CStringGetTextDatum(object_type);
	args[5] = event_id ? CStringGetTextDatum(event_id) : (Datum) 0;
	nulls[5] = event_id ? ' ' : 'n';
	found = store_execute(&select_states, args, nulls, max);
	for (int i = 0; i < (int) found; i++)
	{
		if (DatumGetTimestampTz(store_column(i, 2, &isnull)) > at)
			return -1;
		if (ledger_read_state(&DatumGetJsonbP(store_column(i, 3, &isnull))->root, &states[n]))
			n++;
	}
	return n;
}

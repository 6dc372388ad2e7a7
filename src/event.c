/*-------------------------------------------------------------------------
 *
 * event.c
 *	  The ledger of events, and applying them.
 *
 * A batch is applied whole, within one subtransaction: mirrors first, then the
 * ledger's rows, each written once with its final state, then the memberships
 * and payments that follow.  Only if something in it raises an error is the
 * batch cut in halves, down to the event at fault, which ends as failed: what
 * an event says never keeps it, or another, from being taken in.  Errors that
 * are not the event's doing, such as a cancelled statement or a full disk, are
 * raised.
 *
 * Within a batch, events are taken by object and time.  The result does not
 * depend on it (apply.c), but locks are then taken in one order by all.
 *
 * src/event.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "belongs.h"
#include "columns.h"
#include "error.h"
#include "event.h"
#include "follow.h"
#include "json.h"
#include "ledger.h"
#include "nested.h"
#include "queue.h"
#include "store.h"

/* A deadlock is nobody's fault; so often it is tried again. */
#define MAX_DEADLOCKS 3

/* A failed event is tried again after 1, 2, 4 ... minutes, up to a day. */
#define MAX_ATTEMPTS 20
#define MAX_BACKOFF_MINUTES 1440

#define MAX_ERROR_LENGTH 2000

/* Texts: id, type, api_version, object_type, object_id, membership_id, state, error, request_id. */
static StorePlan insert_event = {
	.sql = "INSERT INTO stripe.events (account, livemode, id, type, api_version, object_type,"
	" object_id, membership_id, state, error, request_id, created, next_attempt, applied_at, payload)"
	" VALUES ($1, $2, $3[1], $3[2], $3[3], $3[4], $3[5], $3[6], $3[7], $3[8], $3[9], $4, $5,"
	" CASE WHEN $3[8] IS NULL THEN pg_catalog.now() END, $6)"
	" ON CONFLICT (account, livemode, id) DO NOTHING",
	.nargs = 6,
	.argtypes = {TEXTOID, BOOLOID, TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID}
};

static StorePlan update_event = {
	.sql = "UPDATE stripe.events SET membership_id = COALESCE($3[2], membership_id),"
	" state = CASE WHEN state = 'applied' AND $3[3] = 'stale' THEN state ELSE $3[3] END,"
	" error = $3[4], attempts = attempts + 1, next_attempt = $4,"
	" applied_at = CASE WHEN $3[4] IS NULL THEN pg_catalog.now() END"
	" WHERE account = $1 AND livemode = $2 AND id = $3[1]",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTARRAYOID, TIMESTAMPTZOID}
};

static StorePlan select_known = {
	.sql = "SELECT e.id, e.state, e.error, e.membership_id FROM pg_catalog.unnest($3) n(id)"
	" CROSS JOIN LATERAL (SELECT k.id, k.state, k.error, k.membership_id FROM stripe.events k"
	" WHERE k.account = $1 AND k.livemode = $2 AND k.id = n.id OFFSET 0) e",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTARRAYOID}
};

static StorePlan select_one = {
	.sql = "SELECT state, attempts, payload FROM stripe.events"
	" WHERE account = $1 AND livemode = $2 AND id = $3 FOR NO KEY UPDATE",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan select_due = {
	.sql = "SELECT id FROM stripe.events WHERE account = $1 AND livemode = $2"
	" AND state IN ('received', 'failed') AND next_attempt <= pg_catalog.now()"
	" ORDER BY next_attempt LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, INT4OID}
};

/* Events being taken in together. */
typedef struct Batch
{
	const Account *account;
	Event	  **events;
	bool		replay;			/* they are in the ledger already */
	MemoryContext context;
} Batch;

static void
account_args(const Account *account, Datum *args)
{
	args[0] = CStringGetTextDatum(account->name);
	args[1] = BoolGetDatum(account->livemode);
}

static Datum
text_array(const char *const *texts, int n)
{
	Datum		values[9];
	bool		nulls[9];
	int			lbound = 1;

	for (int i = 0; i < n; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lbound, TEXTOID,
											  -1, false, TYPALIGN_INT));
}

/*
 * Applies a summary of entitlements: the customer's whole set.  It is ordered
 * by the ledger alone, as the set has no row of its own; an advisory lock
 * takes the place of the row's.
 */
static ApplyOutcome
apply_summary(const ApplySource *source, const ApplyEvent *apply)
{
	OrderState	states[ORDER_MAX_STATES];
	bool		certain;
	bool		more = false;
	JsonbContainer *list;
	int			n = 0;
	int			found;

	nested_lock_entitlements(apply->id);
	states[n++] = apply->state;
	for (int i = 0; i < apply->npeers && n < ORDER_MAX_STATES / 2; i++)
		states[n++] = apply->peers[i];
	found = ledger_states(source->account, source->livemode, NESTED_SUMMARY_TYPE, apply->id,
						  source->event_id, source->as_of, states + n, ORDER_MAX_STATES - n);
	if (found < 0)
		return APPLY_STALE;
	n += found;
	found = order_pick(NULL, states, n, &certain);
	list = json_get_container(states[found].object, "entitlements");
	if (list != NULL)
		(void) json_get_bool(list, "has_more", &more);
	if (more || !certain)
		queue_refetch(source->account, source->livemode, NESTED_SUMMARY_TYPE, apply->id,
					  more ? QUEUE_NESTED_LIST : QUEUE_SAME_SECOND);
	list = list ? json_get_container(list, "data") : NULL;
	if (list != NULL && JsonContainerIsArray(list))
		nested_entitlements(source, apply->id, list, !more);
	return found == 0 ? APPLY_WRITTEN : APPLY_STALE;
}

static bool
has_suffix(const char *text, const char *suffix)
{
	size_t		len = strlen(text);
	size_t		n = strlen(suffix);

	return len > n && strcmp(text + len - n, suffix) == 0;
}

static bool
same_second(const Event *a, const Event *b)
{
	return a->created == b->created && a->object_id != NULL && b->object_id != NULL &&
		strcmp(a->object_id, b->object_id) == 0 && strcmp(a->object_type, b->object_type) == 0;
}

/*
 * Brings the mirrors in line with events[at], after those from "first" on.
 */
static void
apply_one(Batch *batch, int first, int at)
{
	Event	   *event = batch->events[at];
	ApplySource source = {batch->account->name, batch->account->livemode};
	ApplyEvent	apply = {event->mirror, event->object_id, event->state_of_object};
	bool		summary = event->object_type != NULL &&
		strcmp(event->object_type, NESTED_SUMMARY_TYPE) == 0;
	OrderState	peers[ORDER_MAX_STATES];
	ApplyOutcome outcome;

	if (event->flaw != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s", event->flaw)));
	source.as_of = event->created;
	source.event_id = event->id;
	event->state = "ignored";
	if (event->object_id == NULL || (event->mirror == NULL && !summary))
		return;
	apply.peers = peers;
	while (at > first && apply.npeers < ORDER_MAX_STATES &&
		   same_second(event, batch->events[at - 1]))
		peers[apply.npeers++] = batch->events[--at]->state_of_object;
	apply.deleted = !summary && event->mirror->deletable && has_suffix(event->type, ".deleted");
	outcome = summary ? apply_summary(&source, &apply) : apply_event(&source, &apply);
	event->state = outcome == APPLY_STALE ? "stale" : "applied";

	/* The moment of a failure counts, even where the invoice says nothing new. */
	if (strcmp(event->type, "invoice.payment_failed") == 0 && outcome != APPLY_WRITTEN)
		follow_mirror(&source, event->mirror, event->object_id,
					  json_from_container(event->state_of_object.object));
}

/* The membership in the metadata, where nothing better is known. */
static char *
named_membership(const Event *event)
{
	JsonbContainer *metadata = event->state_of_object.object ? json_get_container(event->state_of_object.object, "metadata") : NULL;
	char	   *id = metadata ? json_get_text(metadata, "membership_id") : NULL;

	return id != NULL && strlen(id) <= BELONGS_MAX_ID ? id : NULL;
}

static TimestampTz
next_attempt(const Event *event)
{
	int			minutes = Min(1 << Min(event->attempts, 11), MAX_BACKOFF_MINUTES);

	return TimestampTzPlusMilliseconds(GetCurrentTransactionStartTimestamp(),
									   minutes * INT64CONST(60000));
}

/* Writes the event's row, or brings it up to date. */
static void
record_event(Batch *batch, Event *event)
{
	Datum		args[6];
	char		nulls[7] = "      ";
	bool		failed = event->error != NULL;
	const char *columns[] = {
		event->id, event->type, event->api_version, event->object_type,
		event->flaw == NULL ? event->object_id : NULL, event->membership_id,
		event->state, event->error, event->request_id};
	int			at = batch->replay ? 3 : 4;

	account_args(batch->account, args);
	nulls[at] = failed && event->attempts < MAX_ATTEMPTS ? ' ' : 'n';
	args[at] = failed ? TimestampTzGetDatum(next_attempt(event)) : (Datum) 0;
	if (batch->replay)
	{
		const char *texts[] = {event->id, event->membership_id, event->state, event->error};

		args[2] = text_array(texts, lengthof(texts));
		store_execute(&update_event, args, nulls, 0);
		return;
	}
	args[2] = text_array(columns, lengthof(columns));
	args[3] = TimestampTzGetDatum(event->created);
	args[5] = JsonbPGetDatum(columns_without_client_secret(event->json));
	store_execute(&insert_event, args, nulls, 0);
}

/*
 * Everything that events[first .. end) bring about.  Each has a connection of
 * its own to SPI, so that what it read is freed before the next.
 */
static void
apply_range(Batch *batch, int first, int end)
{
	FollowSet	set = {.context = batch->context};

	follow_gather(&set);
	for (int i = first; i < end; i++)
	{
		Event	   *event = batch->events[i];
		int			before = list_length(set.memberships);

		CHECK_FOR_INTERRUPTS();
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "could not connect to SPI");
		apply_one(batch, first, i);
		SPI_finish();
		event->error = NULL;
		event->membership_id = named_membership(event);
		if (list_length(set.memberships) > before)
		{
			FollowItem *item = list_nth(set.memberships, before);

			event->membership_id = pstrdup(item->id);
		}
	}
	follow_gather(NULL);
	for (int i = first; i < end; i++)
	{
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "could not connect to SPI");
		record_event(batch, batch->events[i]);
		SPI_finish();
	}
	follow_run(batch->account->name, batch->account->livemode, &set);
}

/*
 * Whether an error speaks of what was applied.  The others concern the
 * transaction, the session or the machine, and would hit any event.
 */
static bool
is_about_content(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return false;
	}
	return sqlstate != ERRCODE_DATA_CORRUPTED && sqlstate != ERRCODE_INDEX_CORRUPTED;
}

/*
 * Applies a range within a subtransaction.  NULL, or the error that undid it.
 */
static ErrorData *
try_range(Batch *batch, int first, int end)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile edata = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		apply_range(batch, first, end);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(batch->context);
		edata = CopyErrorData();
		FlushErrorState();
		follow_gather(NULL);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return edata;
}

/* The reason as it is kept: one text of bounded length without secrets. */
static char *
describe_error(const ErrorData *edata)
{
	const char *message = edata->message ? edata->message : "no message";
	char	   *text = edata->detail ? psprintf("%s (%s)  %s", message,
												unpack_sql_state(edata->sqlerrcode), edata->detail)
							   : psprintf("%s (%s)", message, unpack_sql_state(edata->sqlerrcode));

	text = error_scrub(text);
	text[pg_mbcliplen(text, strlen(text), MAX_ERROR_LENGTH)] = '\0';
	return text;
}

static void
apply_batch(Batch *batch, int first, int end)
{
	ErrorData  *edata = NULL;
	int			middle = first + (end - first) / 2;

	if (first >= end)
		return;
	for (int turn = 0; turn < MAX_DEADLOCKS; turn++)
	{
		edata = try_range(batch, first, end);
		if (edata == NULL || edata->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			break;
	}
	if (edata == NULL)
		return;
	if (!is_about_content(edata->sqlerrcode))
		ReThrowError(edata);
	if (end - first > 1)
	{
		apply_batch(batch, first, middle);
		apply_batch(batch, middle, end);
		return;
	}
	batch->events[first]->state = "failed";
	batch->events[first]->error = describe_error(edata);
	record_event(batch, batch->events[first]);
}

static int
compare_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

/* By object and time. */
static int
compare_events(const void *x, const void *y)
{
	const Event *a = *(Event *const *) x;
	const Event *b = *(Event *const *) y;
	int			order = compare_text(a->object_type, b->object_type);

	if (order == 0)
		order = compare_text(a->object_id, b->object_id);
	if (order == 0)
		order = (a->created > b->created) - (a->created < b->created);
	return order != 0 ? order : a->arrival - b->arrival;
}

/* By id, and of equal ids by arrival. */
static int
compare_ids(const void *x, const void *y)
{
	const Event *a = *(Event *const *) x;
	const Event *b = *(Event *const *) y;
	int			order = strcmp(a->id, b->id);

	return order != 0 ? order : a->arrival - b->arrival;
}

static int
find_id(Event **by_id, int n, const char *id)
{
	int			low = 0;

	while (n > 0)
	{
		int			half = n / 2;

		if (strcmp(by_id[low + half]->id, id) < 0)
		{
			low += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	return low;
}

static char *
column_text(int row, int column)
{
	bool		isnull;
	Datum		value = store_column(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* Answers from the ledger for those it has. */
static void
find_known(const Account *account, Event **by_id, int n)
{
	Datum		args[3];
	Datum	   *ids = palloc(sizeof(Datum) * n);
	uint64		found;

	for (int i = 0; i < n; i++)
		ids[i] = CStringGetTextDatum(by_id[i]->id);
	account_args(account, args);
	args[2] = PointerGetDatum(construct_array(ids, n, TEXTOID, -1, false, TYPALIGN_INT));
	found = store_execute(&select_known, args, NULL, 0);
	for (int row = 0; row < (int) found; row++)
	{
		Event	   *event = by_id[find_id(by_id, n, column_text(row, 1))];

		event->state = column_text(row, 2);
		event->error = column_text(row, 3);
		event->membership_id = column_text(row, 4);
	}
}

/* Results live in the caller's memory, not in that of the store scope. */
static void
keep_results(Event *events, int n, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < n; i++)
	{
		events[i].state = events[i].state ? pstrdup(events[i].state) : NULL;
		events[i].error = events[i].error ? pstrdup(events[i].error) : NULL;
		events[i].membership_id = events[i].membership_id ? pstrdup(events[i].membership_id) : NULL;
	}
	MemoryContextSwitchTo(old);
}

void
event_ingest(const Account *account, Event *events, int n)
{
	MemoryContext caller = CurrentMemoryContext;
	StoreScope	scope;
	Batch		batch = {account};
	Event	  **by_id = palloc(sizeof(Event *) * n);
	int			fresh = 0;

	if (n == 0)
		return;
	batch.events = palloc(sizeof(Event *) * n);
	for (int i = 0; i < n; i++)
	{
		events[i].arrival = i;
		by_id[i] = &events[i];
	}
	qsort(by_id, n, sizeof(Event *), compare_ids);

	store_begin(&scope);
	batch.context = CurrentMemoryContext;
	find_known(account, by_id, n);
	for (int i = 0; i < n; i++)
		if (by_id[i]->state == NULL && (i == 0 || strcmp(by_id[i]->id, by_id[i - 1]->id) != 0))
			batch.events[fresh++] = by_id[i];
	qsort(batch.events, fresh, sizeof(Event *), compare_events);
	apply_batch(&batch, 0, fresh);

	/* The same event twice in a batch: the first answers for both. */
	for (int i = 1; i < n; i++)
		if (strcmp(by_id[i]->id, by_id[i - 1]->id) == 0)
		{
			by_id[i]->state = by_id[i - 1]->state;
			by_id[i]->error = by_id[i - 1]->error;
			by_id[i]->membership_id = by_id[i - 1]->membership_id;
		}
	keep_results(events, n, caller);
	store_end(&scope);
}

bool
event_replay(const Account *account, const char *id, Event *event)
{
	MemoryContext caller = CurrentMemoryContext;
	StoreScope	scope;
	Batch		batch = {account};
	Datum		args[3];
	char	   *before;
	bool		isnull;
	int			attempts;

	store_begin(&scope);
	account_args(account, args);
	args[2] = CStringGetTextDatum(id);
	if (store_execute(&select_one, args, NULL, 1) == 0)
	{
		store_end(&scope);
		return false;
	}
	before = column_text(0, 1);
	attempts = DatumGetInt32(store_column(0, 2, &isnull));
	MemoryContextSwitchTo(caller);
	event_read(account, DatumGetJsonbPCopy(store_column(0, 3, &isnull)), event);
	event->attempts = attempts;
	batch.events = &event;
	batch.replay = true;
	batch.context = AllocSetContextCreate(caller, "Stripe event", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(batch.context);
	apply_batch(&batch, 0, 1);
	keep_results(event, 1, caller);
	store_end(&scope);

	/* What was applied once stays applied, though by now it may be history. */
	if (strcmp(before, "applied") == 0 && strcmp(event->state, "stale") == 0)
		event->state = "applied";
	return true;
}

char **
event_due(const Account *account, int max, int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	StoreScope	scope;
	Datum		args[3];
	char	  **ids;

	store_begin(&scope);
	account_args(account, args);
	args[2] = Int32GetDatum(max);
	*n = (int) store_execute(&select_due, args, NULL, 0);
	ids = MemoryContextAlloc(caller, sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		ids[i] = MemoryContextStrdup(caller, column_text(i, 1));
	store_end(&scope);
	return ids;
}

/*-------------------------------------------------------------------------
 *
 * webhook.c
 *	  Webhooks: checking where they come from, and taking them in.
 *
 * What is signed is bytes.  A payload given as bytea is checked as it is and
 * only then read as text; one given as text is checked in UTF-8, in which
 * Stripe sends it, whatever the database's encoding.  Nothing of a payload is
 * looked at before its signature was found good.
 *
 * src/webhook.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "account.h"
#include "bind.h"
#include "compat.h"
#include "error.h"
#include "event.h"
#include "json.h"
#include "seal.h"
#include "settings.h"
#include "signature.h"

COMPAT_FUNCTION(stripe_verify_webhook_text);
COMPAT_FUNCTION(stripe_verify_webhook_bytea);
COMPAT_FUNCTION(stripe_webhook_is_valid_text);
COMPAT_FUNCTION(stripe_webhook_is_valid_bytea);
COMPAT_FUNCTION(stripe_ingest_webhook_text);
COMPAT_FUNCTION(stripe_ingest_webhook_bytea);
COMPAT_FUNCTION(stripe_ingest_webhooks);
COMPAT_FUNCTION(stripe_ingest_events);
COMPAT_FUNCTION(stripe_replay_event);
COMPAT_FUNCTION(stripe_retry_events);

/* Larger than any event; a limit that keeps errors far from the server's own. */
#define MAX_PAYLOAD_BYTES (16 * 1024 * 1024)

#define RESULT_COLUMNS 6

typedef struct Payload
{
	const char *data;
	size_t		len;
} Payload;

static Payload
read_payload(Datum value, bool is_text)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
	Payload		payload = {VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v)};

	if (is_text)
	{
		const char *utf8 = pg_server_to_any(payload.data, (int) payload.len, PG_UTF8);

		if (utf8 != payload.data)
			payload = (Payload){utf8, strlen(utf8)};
	}
	return payload;
}

static Payload
payload_arg(FunctionCallInfo fcinfo, const char *function, bool is_text)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"payload\" of %s() must not be null", function)));
	return read_payload(PG_GETARG_DATUM(0), is_text);
}

static SignatureOutcome
check_signature(const char *const *secrets, int nsecrets, const Payload *payload,
				const char *header, TimestampTz at)
{
	SignatureInput in = {0};

	in.payload = payload->data;
	in.payload_len = payload->len;
	in.header = header;
	in.secrets = secrets;
	in.nsecrets = nsecrets;
	in.now = (int64) timestamptz_to_time_t(at);
	in.tolerance = settings_webhook_tolerance;
	in.hmac = seal_signature_hmac;
	return signature_check(&in, NULL);
}

static SignatureOutcome
check_with_account(const Account *account, const Payload *payload, const char *header,
				   TimestampTz at)
{
	SignatureOutcome outcome;

	PG_TRY();
	{
		const char *secrets[ACCOUNT_MAX_WEBHOOK_SECRETS];
		int			n = account_webhook_secrets(account, secrets);

		if (n == 0)
			ereport(ERROR,
					(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
					 errmsg("account \"%s\" has no webhook secret for %s mode", account->name,
							account->livemode ? "live" : "test"),
					 errhint("Set it with stripe_set_credentials(), or for the account \"default\" with STRIPE_WEBHOOK_SECRET in the server's environment.")));
		outcome = check_signature(secrets, n, payload, header, at);
	}
	PG_FINALLY();
	{
		account_wipe_secrets();
	}
	PG_END_TRY();
	return outcome;
}

static void
refuse_signature(SignatureOutcome outcome)
{
	const char *hint = NULL;

	switch (outcome)
	{
		case SIGNATURE_OK:
			return;
		case SIGNATURE_MISMATCH:
			hint = "Pass the request's body byte for byte as it came, and use the secret of this very endpoint and mode.";
			break;
		case SIGNATURE_TOO_OLD:
		case SIGNATURE_TOO_NEW:
			hint = "Check the clock of this server; a delivery must be checked within \"memberpulse_stripe.webhook_tolerance\".";
			break;
		case SIGNATURE_NO_HEADER:
			hint = "Pass the value of the request's Stripe-Signature header.";
			break;
		default:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_SIGNATURE_INVALID),
			 errmsg("the webhook's signature is not valid"),
			 errdetail("%s", signature_reason(outcome)),
			 hint ? errhint("%s", hint) : 0));
}

/* Reads a payload whose signature is good. */
static Jsonb *
parse_payload(const Payload *payload)
{
	const char *why = NULL;
	Jsonb	   *json;

	if (payload->len > MAX_PAYLOAD_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the webhook's payload is too large"),
				 errdetail("It has %zu bytes, and at most %d are taken in.", payload->len,
						   MAX_PAYLOAD_BYTES)));
	json = json_parse(payload->data, payload->len, &why);
	if (json == NULL)
	{
		int			sqlstate = ERRCODE_INVALID_TEXT_REPRESENTATION;

		if (!pg_verify_mbstr(PG_UTF8, payload->data, (int) payload->len, true))
			sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("the webhook's payload cannot be read"),
				 errdetail("The signature is valid, but of the content: %s.", why)));
	}
	return json;
}

/* Arguments: payload, signature, account, secret, at. */
static SignatureOutcome
check_arguments(FunctionCallInfo fcinfo, const Payload *payload)
{
	const char *header = bind_text_arg(fcinfo, 1);
	const char *secret = bind_text_arg(fcinfo, 3);
	TimestampTz at = PG_ARGISNULL(4) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(4);

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"at\""),
				 errdetail("It is infinite.")));
	if (secret != NULL)
		return check_signature(&secret, 1, payload, header, at);
	return check_with_account(account_lookup(bind_text_arg(fcinfo, 2), ACCESS_READER), payload,
							  header, at);
}

static Datum
verify_webhook(FunctionCallInfo fcinfo, bool is_text)
{
	Payload		payload = payload_arg(fcinfo, "stripe_verify_webhook", is_text);

	refuse_signature(check_arguments(fcinfo, &payload));
	return JsonbPGetDatum(parse_payload(&payload));
}

Datum
stripe_verify_webhook_text(PG_FUNCTION_ARGS)
{
	return verify_webhook(fcinfo, true);
}

Datum
stripe_verify_webhook_bytea(PG_FUNCTION_ARGS)
{
	return verify_webhook(fcinfo, false);
}

static Datum
webhook_is_valid(FunctionCallInfo fcinfo, bool is_text)
{
	Payload		payload;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	payload = read_payload(PG_GETARG_DATUM(0), is_text);
	PG_RETURN_BOOL(check_arguments(fcinfo, &payload) == SIGNATURE_OK);
}

Datum
stripe_webhook_is_valid_text(PG_FUNCTION_ARGS)
{
	return webhook_is_valid(fcinfo, true);
}

Datum
stripe_webhook_is_valid_bytea(PG_FUNCTION_ARGS)
{
	return webhook_is_valid(fcinfo, false);
}

static HeapTuple
form_result(TupleDesc tupdesc, const Event *event, const char *refusal)
{
	const char *texts[RESULT_COLUMNS] = {
		event->id, event->type, event->state, event->object_id, event->membership_id,
		refusal ? refusal : event->error};
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS];

	for (int i = 0; i < RESULT_COLUMNS; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return heap_form_tuple(tupdesc, values, nulls);
}

static Datum
return_result(FunctionCallInfo fcinfo, const Event *event)
{
	TupleDesc	tupdesc;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(form_result(BlessTupleDesc(tupdesc), event, NULL));
}

static Datum
ingest_webhook(FunctionCallInfo fcinfo, bool is_text)
{
	Payload		payload = payload_arg(fcinfo, "stripe_ingest_webhook", is_text);
	Account		account = *account_lookup(bind_text_arg(fcinfo, 2), ACCESS_BILLER);
	Event		event;

	refuse_signature(check_with_account(&account, &payload, bind_text_arg(fcinfo, 1),
										GetCurrentTimestamp()));
	event_read(&account, parse_payload(&payload), &event);
	event_ingest(&account, &event, 1);
	return return_result(fcinfo, &event);
}

Datum
stripe_ingest_webhook_text(PG_FUNCTION_ARGS)
{
	return ingest_webhook(fcinfo, true);
}

Datum
stripe_ingest_webhook_bytea(PG_FUNCTION_ARGS)
{
	return ingest_webhook(fcinfo, false);
}

/*
 * One of a batch, as it comes and as it is taken in.  "json" is given where no
 * signature is to be checked.
 */
typedef struct Delivery
{
	Payload		payload;
	const char *header;
	Jsonb	   *json;
	bool		missing;
	char	   *refusal;
	Event	   *event;			/* NULL if refused */
} Delivery;

/* Errors that one delivery can cause without harm to the others. */
static bool
is_refusal(int sqlstate)
{
	return sqlstate == ERRCODE_STRIPE_SIGNATURE_INVALID ||
		sqlstate == ERRCODE_STRIPE_MODE_MISMATCH ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/*
 * Checks and reads one delivery; what it does takes no locks and writes
 * nothing, so its errors need no subtransaction.
 */
static void
admit_delivery(const Account *account, Delivery *d, Event *event)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		if (d->missing)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the payload must not be null")));
		if (d->json == NULL)
		{
			refuse_signature(check_with_account(account, &d->payload, d->header,
												GetCurrentTimestamp()));
			d->json = parse_payload(&d->payload);
		}
		event_read(account, d->json, event);
		d->event = event;
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		if (!is_refusal(edata->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		d->refusal = edata->detail ? psprintf("%s: %s", edata->message, edata->detail) : pstrdup(edata->message);
		FreeErrorData(edata);
		memset(event, 0, sizeof(*event));
	}
	PG_END_TRY();
}

/* Takes in a batch and returns a row for each delivery, in their order. */
static void
ingest_deliveries(FunctionCallInfo fcinfo, const Account *account, Delivery *deliveries, int n)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Event	   *events = palloc(sizeof(Event) * Max(n, 1));
	int			admitted = 0;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		admit_delivery(account, &deliveries[i], &events[admitted]);
		if (deliveries[i].event != NULL)
			admitted++;
	}
	event_ingest(account, events, admitted);
	for (int i = 0; i < n; i++)
	{
		static const Event none;
		const Event *event = deliveries[i].event ? deliveries[i].event : &none;

		tuplestore_puttuple(rsinfo->setResult,
							form_result(rsinfo->setDesc, event, deliveries[i].refusal));
	}
}

static int
array_arg(FunctionCallInfo fcinfo, int i, Oid type, Datum **values, bool **nulls)
{
	int			n = 0;
	int16		len;
	bool		byval;
	char		align;

	if (PG_ARGISNULL(i))
		return 0;
	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(i), type, len, byval, align, values, nulls, &n);
	return n;
}

/* stripe_ingest_webhooks(payloads text[] or bytea[], signatures text[], account) */
Datum
stripe_ingest_webhooks(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 2), ACCESS_BILLER);
	bool		is_text = !PG_ARGISNULL(0) && ARR_ELEMTYPE(PG_GETARG_ARRAYTYPE_P(0)) == TEXTOID;
	Datum	   *payloads;
	bool	   *no_payload;
	Datum	   *headers;
	bool	   *no_header;
	int			n = array_arg(fcinfo, 0, is_text ? TEXTOID : BYTEAOID, &payloads, &no_payload);
	Delivery   *deliveries = palloc0(sizeof(Delivery) * Max(n, 1));

	if (array_arg(fcinfo, 1, TEXTOID, &headers, &no_header) != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arguments \"payloads\" and \"signatures\" must have as many elements")));
	for (int i = 0; i < n; i++)
	{
		deliveries[i].missing = no_payload[i];
		if (!no_payload[i])
			deliveries[i].payload = read_payload(payloads[i], is_text);
		deliveries[i].header = no_header[i] ? NULL : TextDatumGetCString(headers[i]);
	}
	ingest_deliveries(fcinfo, &account, deliveries, n);
	return (Datum) 0;
}

/* stripe_ingest_events(events jsonb[], account): nothing vouches for them but the caller. */
Datum
stripe_ingest_events(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 1), ACCESS_ADMIN);
	Datum	   *events;
	bool	   *missing;
	int			n = array_arg(fcinfo, 0, JSONBOID, &events, &missing);
	Delivery   *deliveries = palloc0(sizeof(Delivery) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		deliveries[i].missing = missing[i];
		if (!missing[i])
			deliveries[i].json = DatumGetJsonbP(events[i]);
	}
	ingest_deliveries(fcinfo, &account, deliveries, n);
	return (Datum) 0;
}

/* stripe_replay_event(id, account) */
Datum
stripe_replay_event(PG_FUNCTION_ARGS)
{
	Account		account = *account_lookup(bind_text_arg(fcinfo, 1), ACCESS_ADMIN);
	const char *id = bind_text_arg(fcinfo, 0);
	Event		event;

	if (id == NULL || !event_replay(&account, id, &event))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("event \"%s\" is not in the ledger", id ? id : ""),
				 errdetail("Looked at account \"%s\" in %s mode.", account.name,
						   account.livemode ? "live" : "test")));
	return return_result(fcinfo, &event);
}

/* stripe_retry_events(max, account): the failed ones that are due. */
Datum
stripe_retry_events(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Account		account = *account_lookup(bind_text_arg(fcinfo, 1), ACCESS_BILLER);
	int			max = PG_ARGISNULL(0) ? 100 : PG_GETARG_INT32(0);
	char	  **ids;
	int			n;

	if (max < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"max\""),
				 errdetail("It is negative.")));
	InitMaterializedSRF(fcinfo, 0);
	ids = event_due(&account, max, &n);
	for (int i = 0; i < n; i++)
	{
		Event		event;

		if (event_replay(&account, ids[i], &event))
			tuplestore_puttuple(rsinfo->setResult, form_result(rsinfo->setDesc, &event, NULL));
	}
	return (Datum) 0;
}

/*-------------------------------------------------------------------------
 *
 * call.c
 *	  Runs one request to Stripe, from parameters to mirrored answer.
 *
 * The order matters: everything that can fail without Stripe comes before the
 * request, because a request cannot be rolled back.  From the moment the first
 * byte leaves, any error carries the idempotency key in its context and says
 * whether the outcome is known.
 *
 * src/call.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "account.h"
#include "apply.h"
#include "audit.h"
#include "call.h"
#include "check.h"
#include "holds.h"
#include "home.h"
#include "json.h"
#include "params.h"
#include "request.h"
#include "seal.h"
#include "settings.h"
#include "store.h"

#define CERTIFICATE_HINT \
	"Check the server's clock and \"memberpulse_stripe.ca_file\"; a proxy that opens TLS connections is not supported."

/* What a failure of the network is called. */
static const struct
{
	HttpFailure failure;
	int			sqlstate;		/* when nothing was sent, or for a GET */
	const char *message;
	const char *hint;
} failure_table[] = {
	{HTTP_NOT_CONNECTED, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	 "could not connect to the Stripe API",
	 "Check the server's network, DNS and firewall, and \"memberpulse_stripe.api_base\"."},
	{HTTP_CERTIFICATE, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
	 "could not verify the certificate of the Stripe API", CERTIFICATE_HINT},
	{HTTP_LOST, ERRCODE_CONNECTION_FAILURE,
	 "lost the connection to the Stripe API", "Call again."},
	{HTTP_TIMED_OUT, ERRCODE_CONNECTION_FAILURE,
	 "the Stripe API did not answer in time",
	 "Call again, with a larger \"memberpulse_stripe.timeout\" if this happens often."},
	{HTTP_LOCAL, ERRCODE_SYSTEM_ERROR,
	 "could not send a request to the Stripe API",
	 "Check \"memberpulse_stripe.ca_file\" and the memory of this machine."},
};

static bool
is_post(const Call *call)
{
	return strcmp(call->method, "POST") == 0;
}

static bool
is_get(const Call *call)
{
	return strcmp(call->method, "GET") == 0;
}

/*
 * Context of every error between the decision to send and the end of the
 * call.  Runs at error time, so it must not fail itself.
 */
static void
add_call_context(void *arg)
{
	const Call *call = arg;

	if (is_get(call))
		errcontext("Stripe request %s %s", call->method, call->path);
	else if (http_unanswered())
		errcontext("Stripe request %s %s, whose outcome is unknown; repeat it with idempotency key \"%s\"",
				   call->method, call->path, call->idempotency_key);
	else
		errcontext("Stripe request %s %s with idempotency key \"%s\"",
				   call->method, call->path, call->idempotency_key);
}

const Account *
call_admit(const Call *call)
{
	const Account *account = account_lookup(call->account, call->level);

	if (!is_get(call))
	{
		const char *command = psprintf("%s()", call->function);

		PreventCommandIfReadOnly(command);
		PreventCommandDuringRecovery(command);
		PreventCommandIfParallelMode(command);
		if (account->livemode)
			home_require_original(account->name);
	}
	return account;
}

static const char **
build_headers(const Call *call, const Account *account)
{
	const char **headers = palloc0(sizeof(char *) * 8);
	int			n = 0;

	headers[n++] = "Accept: application/json";
	headers[n++] = "User-Agent: memberpulse_stripe/" MP_VERSION;
	headers[n++] = psprintf("Stripe-Version: %s", settings_api_version);
	if (is_post(call))
		headers[n++] = "Content-Type: application/x-www-form-urlencoded";
	if (call->idempotency_key != NULL && is_post(call))
		headers[n++] = psprintf("Idempotency-Key: %s", call->idempotency_key);
	if (account->connected_account[0] != '\0')
		headers[n++] = psprintf("Stripe-Account: %s", account->connected_account);
	return headers;
}

/*
 * The moment at which an answer's content was true: Stripe's clock less the
 * time the request took, in whole seconds, since events know no finer time.
 * Our own clock never decides; without a Date the answer orders before
 * everything else.
 */
static TimestampTz
answer_moment(const RequestResult *res)
{
	int64		seconds = 0;

	if (res->last.date > 0)
		seconds = (int64) floor((double) res->last.date - res->last.duration_ms / 1000.0);
	return time_t_to_timestamptz((pg_time_t) seconds);
}

/* Fills answer->error for a failure without a usable answer. */
static void
explain_failure(const Call *call, const RequestResult *res, StripeError *e)
{
	int			i = 0;
	bool		unknown = res->open && !is_get(call) && res->last.failure != HTTP_LOCAL;

	memset(e, 0, sizeof(*e));
	while (failure_table[i].failure != res->last.failure)
		i++;
	e->sqlstate = failure_table[i].sqlstate;
	e->message = failure_table[i].message;
	e->hint = failure_table[i].hint;
	e->type = "api_connection_error";
	e->idempotency_key = call->idempotency_key;
	e->detail = psprintf("After %d %s: %s.", res->attempts,
						 res->attempts == 1 ? "attempt" : "attempts", error_scrub(res->last.reason));
	if (unknown)
	{
		e->outcome_unknown = true;
		e->sqlstate = ERRCODE_TRANSACTION_RESOLUTION_UNKNOWN;
		e->detail = psprintf("%s  The request was sent, so its outcome is unknown.", e->detail);
		e->hint = psprintf("Repeat the call with idempotency_key => '%s': Stripe then answers what became of it.",
						   call->idempotency_key);
	}
}

/* Fills answer->error for an answer that is not what Stripe sends. */
static void
explain_bad_answer(const Call *call, const RequestResult *res, const char *why, StripeError *e)
{
	memset(e, 0, sizeof(*e));
	e->sqlstate = ERRCODE_STRIPE_BAD_RESPONSE;
	e->message = "the answer of the Stripe API is not usable";
	e->http_status = res->last.status;
	e->type = "api_error";
	e->request_id = res->last.request_id ? error_scrub(res->last.request_id) : NULL;
	e->idempotency_key = call->idempotency_key;
	e->outcome_unknown = !is_get(call);
	e->detail = psprintf("Stripe answered with HTTP status %d, but %s%s%s.", res->last.status, why,
						 e->request_id ? ": request " : "", e->request_id ? e->request_id : "");
	if (res->last.failure == HTTP_TOO_LARGE)
		e->hint = "Ask for fewer objects, or raise \"memberpulse_stripe.max_response_size\".";
	else if (is_get(call))
		e->hint = "Call again; if it happens again, something between this server and Stripe changes answers.";
	else
		e->hint = psprintf("Repeat the call with idempotency_key => '%s': Stripe then answers what became of it.",
						   call->idempotency_key);
}

/* The answer's body as jsonb, or NULL with a reason. */
static Jsonb *
read_body(const RequestResult *res, const char **why)
{
	Jsonb	   *body;

	if (res->last.body_len == 0)
	{
		*why = "it is empty";
		return NULL;
	}
	if (res->last.content_type == NULL ||
		pg_strncasecmp(res->last.content_type, "application/json", 16) != 0)
	{
		*why = "it is not of type application/json";
		return NULL;
	}
	body = json_parse(res->last.body, res->last.body_len, why);
	if (body != NULL && !JB_ROOT_IS_OBJECT(body))
	{
		*why = "it is not a JSON object";
		return NULL;
	}
	return body;
}

/* Sends the request as it stands. */
static void
send_call(const Call *call, const Account *account, RequestResult *res)
{
	HttpRequest req = {0};
	size_t		form_len;
	char	   *form = params_encode(call->params, &form_len);

	req.method = call->method;
	req.url = psprintf("%s%s", settings_api_base, call->path);
	if (is_post(call))
	{
		req.body = form;
		req.body_len = form_len;
	}
	else if (form_len > 0)
		req.url = psprintf("%s?%s", req.url, form);
	req.bearer = account_secret_key(account);
	req.headers = build_headers(call, account);
	req.ca_file = settings_ca_file;
	req.timeout_ms = settings_timeout;
	req.connect_timeout_ms = settings_connect_timeout;
	req.max_retries = settings_max_retries;
	req.max_response = (size_t) settings_max_response_kb * 1024;
	request_send(&req, res);
	account_wipe_secrets();
}

/*
 * Judges the answer.  An answer whose status says success must have a body
 * we can read; with an error status the body only adds to what is known.
 */
static void
judge_answer(const Call *call, const RequestResult *res, CallAnswer *answer)
{
	const char *why = NULL;

	memset(answer, 0, sizeof(*answer));
	answer->failure = res->last.failure;
	answer->date = res->last.date;
	switch (res->last.failure)
	{
		case HTTP_ANSWERED:
			break;
		case HTTP_TRUNCATED:
		case HTTP_TOO_LARGE:
		case HTTP_BAD_CONTENT:
			explain_bad_answer(call, res, res->last.reason, &answer->error);
			return;
		default:
			explain_failure(call, res, &answer->error);
			return;
	}
	answer->http_status = res->last.status;
	answer->body = read_body(res, &why);
	if (res->last.status >= 200 && res->last.status <= 299)
	{
		answer->ok = answer->body != NULL;
		if (!answer->ok)
			explain_bad_answer(call, res, why, &answer->error);
	}
	else
		error_from_answer(&answer->error, res->last.status, answer->body, res->last.request_id,
						  res->last.limited_reason, call->idempotency_key);
}

/* Objects in the answer, or in its error, go to their mirrors. */
static void
mirror_answer(const Account *account, const RequestResult *res, const CallAnswer *answer)
{
	ApplySource source;
	StoreScope	scope;
	JsonbContainer *c;

	if (answer->body == NULL || !store_writable())
		return;
	source.account = account->name;
	source.livemode = account->livemode;
	source.as_of = answer_moment(res);
	source.event_id = NULL;
	if (answer->ok && holds_object(account->name, account->livemode, &answer->body->root))
		return;

	store_begin(&scope);
	if (answer->ok)
		apply_object(&source, &answer->body->root);
	else if ((c = json_get_container(&answer->body->root, "error")) != NULL)
	{
		static const char *const members[] = {"payment_intent", "setup_intent", "payment_method"};

		for (int i = 0; i < (int) lengthof(members); i++)
		{
			JsonbContainer *object = json_get_container(c, members[i]);

			if (object != NULL)
				apply_object(&source, object);
		}
	}
	store_end(&scope);
}

/*
 * A DELETE that is sent again after its answer was lost finds nothing to
 * delete.  What the first one did can still be read, and deleting what is gone
 * is no failure.
 */
static void
reread_deleted(const Call *call, const Account *account, RequestResult *res, CallAnswer *answer)
{
	Call		get = *call;
	CallAnswer	again;
	bool		deleted = false;
	char	   *status;

	if (strcmp(call->method, "DELETE") != 0 || answer->http_status != 404)
		return;
	get.method = "GET";
	send_call(&get, account, res);
	judge_answer(&get, res, &again);
	if (!again.ok)
		return;
	(void) json_get_bool(&again.body->root, "deleted", &deleted);
	status = json_get_text(&again.body->root, "status");
	if (deleted || (status != NULL && strcmp(status, "canceled") == 0))
		*answer = again;
}

/* Who last read as whom, so that one row of a session says so. */
static struct
{
	char		account[NAMEDATALEN];
	bool		livemode;
	Oid			user;
} last_read;

/* The row that said so may be gone. */
static void
forget_last_read(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		last_read.user = InvalidOid;
}

static void
forget_last_read_sub(SubXactEvent event, SubTransactionId sub, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		last_read.user = InvalidOid;
}

static bool
is_read_again(const Account *account)
{
	static bool callbacks_set = false;

	if (!callbacks_set)
	{
		RegisterXactCallback(forget_last_read, NULL);
		RegisterSubXactCallback(forget_last_read_sub, NULL);
		callbacks_set = true;
	}
	if (last_read.user == GetUserId() && last_read.livemode == account->livemode &&
		strcmp(last_read.account, account->name) == 0)
		return true;
	strlcpy(last_read.account, account->name, sizeof(last_read.account));
	last_read.livemode = account->livemode;
	last_read.user = GetUserId();
	return false;
}

/*
 * Mutating calls are in the audit trail one by one; reads once for each
 * account and role of a session, as the use of a key.
 */
static void
audit_call(const Call *call, const Account *account)
{
	CompatJsonbState st = {0};

	if (!store_writable() || (is_get(call) && is_read_again(account)))
		return;
	json_begin(&st, false);
	json_put_text(&st, "function", call->function);
	if (!is_get(call))
	{
		json_put_text(&st, "path", call->path);
		json_put_text(&st, "idempotency_key", call->idempotency_key);
	}
	json_end(&st, false);
	audit_write(account->name, account->livemode,
				is_get(call) ? "read" : strcmp(call->function, "stripe_refund") == 0 ? "refund"
																					 : "call",
				json_finish(&st));
}

/*
 * An interrupt, or an error of ours, while the call runs: remembered for
 * stripe_last_error(), since the caller's transaction is about to vanish.
 */
static void
remember_interrupted(const Call *call)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ErrorData  *edata = CopyErrorData();
	StripeError e = {0};

	e.sqlstate = edata->sqlerrcode;
	e.message = edata->message;
	e.detail = edata->detail;
	e.hint = edata->hint;
	e.outcome_unknown = http_unanswered() && !is_get(call);
	e.idempotency_key = call->idempotency_key;
	error_remember(&e);
	FreeErrorData(edata);
	MemoryContextSwitchTo(old);
}

void
call_try(Call *call, CallAnswer *answer)
{
	Account		account = *call_admit(call);
	RequestResult res;
	ErrorContextCallback context;

	if (call->idempotency_key == NULL && !is_get(call))
		call->idempotency_key = seal_uuid();

	context.callback = add_call_context;
	context.arg = call;
	context.previous = error_context_stack;
	error_context_stack = &context;
	PG_TRY();
	{
		send_call(call, &account, &res);
		judge_answer(call, &res, answer);
		if (!answer->ok)
			reread_deleted(call, &account, &res, answer);
		mirror_answer(&account, &res, answer);
		audit_call(call, &account);
	}
	PG_CATCH();
	{
		account_wipe_secrets();
		remember_interrupted(call);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = context.previous;
}

/* A copy of an object in which one expanded member is an id again. */
static Jsonb *
collapse_member(Jsonb *object, const char *member)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken tok;
	JsonbValue	v;
	CompatJsonbState st = {0};
	char	   *id = json_get_ref(&object->root, member);
	bool		here = false;

	if (id == NULL || json_get_container(&object->root, member) == NULL)
		return object;
	(void) JsonbIteratorNext(&it, &v, true);
	json_begin(&st, false);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
	{
		if (tok == WJB_KEY)
		{
			here = v.val.string.len == (int) strlen(member) &&
				memcmp(v.val.string.val, member, v.val.string.len) == 0;
			json_key(&st, v.val.string.val, v.val.string.len);
			continue;
		}
		if (here)
			json_text_value(&v, id);
		json_value(&st, &v);
	}
	json_end(&st, false);
	return json_finish(&st);
}

Jsonb *
call_run(Call *call)
{
	CallAnswer	answer;

	call_try(call, &answer);
	if (!answer.ok)
	{
		ErrorContextCallback context;

		context.callback = add_call_context;
		context.arg = call;
		context.previous = error_context_stack;
		error_context_stack = &context;
		error_raise(&answer.error);
	}
	return call->collapse ? collapse_member(answer.body, call->collapse) : answer.body;
}

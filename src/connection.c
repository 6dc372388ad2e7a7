/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  Whether an account's key works, and if not, why.
 *
 * src/connection.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "account.h"
#include "call.h"
#include "compat.h"
#include "configured.h"
#include "home.h"
#include "json.h"
#include "params.h"

COMPAT_FUNCTION(stripe_test_connection);
COMPAT_FUNCTION(stripe_key_state);
COMPAT_FUNCTION(stripe_is_copy);

/* A signature is refused when the clocks differ by the tolerance of 300 s. */
#define SKEW_ALLOWED_S 60

/* What a restricted key should be able to read. */
static const char *const probes[] = {
	"customers", "payment_methods", "payment_intents", "setup_intents", "charges", "refunds",
	"products", "prices", "subscriptions", "invoices", "events"};

typedef struct Finding
{
	bool		ok;
	const char *problem;		/* a word for programs; NULL if ok */
	const char *seen;
	const char *advice;
	const char *stripe_account;
	int64		skew_s;
	bool		has_skew;
} Finding;

static void
probe(const char *account, const char *path, CallAnswer *answer)
{
	Call	   *call = palloc0(sizeof(Call));

	call->function = "stripe_test_connection";
	call->method = "GET";
	call->path = path;
	call->account = account;
	call->level = ACCESS_ADMIN;
	call->params = params_finish(params_create());
	call_try(call, answer);
}

/* What of the list above the key may not read. */
static char *
list_forbidden(const char *account)
{
	StringInfoData missing;

	initStringInfo(&missing);
	for (int i = 0; i < (int) lengthof(probes); i++)
	{
		CallAnswer	answer;

		probe(account, psprintf("/v1/%s", probes[i]), &answer);
		if (answer.http_status == 403)
			appendStringInfo(&missing, "%s%s", missing.len > 0 ? ", " : "", probes[i]);
	}
	return missing.data;
}

static void
find_problem(const CallAnswer *answer, Finding *f)
{
	f->seen = answer->error.detail;
	f->advice = answer->error.hint;
	if (answer->failure == HTTP_CERTIFICATE)
		f->problem = "certificate";
	else if (answer->failure == HTTP_TIMED_OUT)
		f->problem = "timeout";
	else if (answer->failure != HTTP_ANSWERED)
		f->problem = "unreachable";
	else if (answer->http_status == 401)
		f->problem = "bad_key";
	else
		f->problem = "stripe";
}

/*
 * A restricted key often may not read the account itself, which says nothing
 * about payments; only what it lacks of the list above is a problem.
 */
static void
judge_restricted(const Account *account, Finding *f)
{
	char	   *missing = list_forbidden(account->name);

	f->ok = missing[0] == '\0';
	f->problem = f->ok ? NULL : "restricted_key";
	f->seen = f->ok ? "Stripe accepted the restricted key." : psprintf("The key may not read: %s.", missing);
	f->advice = f->ok ? NULL : "Give the restricted key these permissions, or use another key.";
}

static void
judge(const Account *account, const CallAnswer *answer, Finding *f)
{
	f->ok = answer->ok;
	if (answer->date > 0)
	{
		f->has_skew = true;
		f->skew_s = (int64) time(NULL) - answer->date;
	}
	if (answer->ok)
	{
		f->stripe_account = json_get_text(&answer->body->root, "id");
		f->seen = "Stripe accepted the key.";
	}
	if (answer->http_status == 403 || (answer->ok && account_key_is_restricted(account)))
		judge_restricted(account, f);
	else if (!answer->ok)
		find_problem(answer, f);
	if (f->ok && f->has_skew && labs((long) f->skew_s) > SKEW_ALLOWED_S)
	{
		f->ok = false;
		f->problem = "clock_skew";
		f->seen = psprintf("This server's clock differs from Stripe's by %lld seconds.",
						   (long long) f->skew_s);
		f->advice = "Set the clock by NTP: webhook signatures are refused when it is off.";
	}
}

/* The configured key's mode may differ from the one the account is in. */
static bool
is_wrong_mode(const Account *account)
{
	int			livemode = strcmp(account->name, "default") == 0 ? configured_livemode() : -1;

	return livemode >= 0 && (livemode == 1) != account->livemode && !account_has_key(account);
}

/* stripe_test_connection(account) → ok, problem, seen, advice, ... */
Datum
stripe_test_connection(PG_FUNCTION_ARGS)
{
	const char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Account		account = *account_lookup(name, ACCESS_ADMIN);
	Finding		f = {0};
	CallAnswer	answer = {0};
	TupleDesc	tupdesc;
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (is_wrong_mode(&account))
	{
		f.problem = "wrong_mode";
		f.seen = psprintf("Account \"%s\" is in %s mode, and the configured key is of the other.",
						  account.name, account.livemode ? "live" : "test");
		f.advice = "Configure a key of that mode, or change the mode with stripe_configure().";
	}
	else if (!account_has_key(&account))
	{
		f.problem = "no_key";
		f.seen = psprintf("Account \"%s\" has no secret key of the %s mode.",
						  account.name, account.livemode ? "live" : "test");
		f.advice = "Set one with stripe_set_credentials().";
	}
	else
	{
		probe(account.name, "/v1/account", &answer);
		judge(&account, &answer, &f);
	}

	values[0] = BoolGetDatum(f.ok);
	values[1] = f.problem ? CStringGetTextDatum(f.problem) : (Datum) 0;
	values[2] = f.seen ? CStringGetTextDatum(f.seen) : (Datum) 0;
	values[3] = f.advice ? CStringGetTextDatum(f.advice) : (Datum) 0;
	values[4] = f.stripe_account ? CStringGetTextDatum(f.stripe_account) : (Datum) 0;
	values[5] = CStringGetTextDatum(account.livemode ? "live" : "test");
	values[6] = Int64GetDatum(f.skew_s);
	nulls[1] = f.problem == NULL;
	nulls[2] = f.seen == NULL;
	nulls[3] = f.advice == NULL;
	nulls[4] = f.stripe_account == NULL;
	nulls[6] = !f.has_skew;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

/* stripe.key_state(account) → which keys there are: "secret", "webhook", both or none. */
Datum
stripe_key_state(PG_FUNCTION_ARGS)
{
	const char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Account		account = *account_lookup(name, ACCESS_ADMIN);
	const char *webhook[ACCOUNT_MAX_WEBHOOK_SECRETS];
	bool		has_webhook = account_webhook_secrets(&account, webhook) > 0;

	account_wipe_secrets();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s", account_has_key(&account) ? "secret " : "",
											  has_webhook ? "webhook" : "")));
}

/* stripe.is_copy() */
Datum
stripe_is_copy(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(home_is_copy());
}

/*-------------------------------------------------------------------------
 *
 * error.c
 *	  Turns failures of calls into sentences, SQLSTATEs and stripe_last_error().
 *
 * The wording of every Stripe failure is in this file, in tables, so that the
 * same failure always reads the same.  Stripe classifies by HTTP status
 * first; codes only refine.  Codes are an open set: one that no table knows
 * still gets its status's words.
 *
 * Text from Stripe is passed on only after error_scrub(): no message may
 * repeat a key, not even in part.
 *
 * src/error.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "error.h"
#include "json.h"

/* By HTTP status; the last row takes what the others leave. */
static const struct
{
	int			from;
	int			to;
	int			sqlstate;
	const char *message;
	const char *hint;
} status_table[] = {
	{400, 400, ERRCODE_STRIPE_INVALID_REQUEST, "Stripe refused the request",
	 "Correct the argument that the detail names, and call again with a new idempotency key."},
	{401, 401, ERRCODE_STRIPE_BAD_KEY, "Stripe did not accept the secret key",
	 "Set a key that is valid now; it may have been rolled, revoked or have expired."},
	{402, 402, ERRCODE_STRIPE_CARD_DECLINED, "the payment was declined",
	 "Ask the customer for another payment method."},
	{403, 403, ERRCODE_STRIPE_NOT_PERMITTED, "the secret key does not permit this request",
	 "Give the restricted key the permission that the detail names, or use another key."},
	{404, 404, ERRCODE_STRIPE_INVALID_REQUEST, "Stripe has no such object",
	 "Check the id, the account and the mode: test and live objects never mix."},
	{409, 409, ERRCODE_STRIPE_IDEMPOTENCY_CONFLICT, "another request with this idempotency key is still running",
	 "Call again with the same idempotency key in a few seconds."},
	{429, 429, ERRCODE_STRIPE_RATE_LIMITED, "Stripe limited the rate of requests",
	 "Call again later; the request was not carried out."},
	{500, 599, ERRCODE_STRIPE_API_FAILED, "Stripe could not complete the request",
	 "Call again with the same idempotency key; Stripe then answers what became of the first request."},
	{300, 399, ERRCODE_STRIPE_BAD_RESPONSE, "Stripe answered with a redirect, which is not followed",
	 "Check \"memberpulse_stripe.api_base\"."},
	{0, 999, ERRCODE_STRIPE_BAD_RESPONSE, "Stripe answered with an unexpected status", NULL}};

/* By Stripe's error code, where that says more than the status does. */
static const struct
{
	const char *code;
	int			sqlstate;		/* 0: the status's */
	const char *message;		/* NULL: the status's; so is the hint */
	const char *hint;
} code_table[] = {
	{"authentication_required", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the customer's bank asks for authentication",
	 "Bring the customer back and confirm the same payment intent with them present."},
	{"payment_intent_action_required", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the customer's bank asks for authentication",
	 "Bring the customer back and confirm the same payment intent with them present."},
	{"payment_intent_authentication_failure", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the customer did not pass the bank's authentication",
	 "Let the customer try again, or ask for another payment method."},
	{"setup_intent_authentication_failure", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the customer did not pass the bank's authentication",
	 "Let the customer try again, or ask for another payment method."},
	{"subscription_payment_intent_requires_action", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the first payment of the subscription asks for authentication",
	 "Create the subscription with payment_behavior default_incomplete, and let the customer confirm."},
	{"invoice_payment_intent_requires_action", ERRCODE_STRIPE_AUTHENTICATION_REQUIRED,
	 "the invoice's payment asks for authentication",
	 "Bring the customer back and confirm the invoice's payment intent with them present."},
	{"expired_card", 0, "the card has expired", "Ask the customer for another card."},
	{"incorrect_cvc", 0, "the card's security code is wrong", "Let the customer enter the card again."},
	{"invalid_cvc", 0, "the card's security code is wrong", "Let the customer enter the card again."},
	{"incorrect_number", 0, "the card number is wrong", "Let the customer enter the card again."},
	{"invalid_number", 0, "the card number is wrong", "Let the customer enter the card again."},
	{"processing_error", 0, "an error occurred while processing the card",
	 "Try the same card again in a few minutes."},
	{"insufficient_funds", 0, "the account has insufficient funds",
	 "Try again after some days, or ask the customer for another payment method."},
	{"card_decline_rate_limit_exceeded", 0, "this card was declined too often",
	 "Wait 24 hours before charging this card again."},
	{"secret_key_required", ERRCODE_STRIPE_BAD_KEY, "a publishable key was used where the secret key belongs",
	 "Set the key that begins with \"sk_\" or \"rk_\" as the secret key."},
	{"api_key_expired", ERRCODE_STRIPE_BAD_KEY, "the secret key has expired",
	 "Set the account's current key."},
	{"platform_api_key_expired", ERRCODE_STRIPE_BAD_KEY, "the platform's secret key has expired",
	 "Set the platform's current key."},
	{"account_invalid", ERRCODE_STRIPE_NOT_PERMITTED, "the connected account does not exist or is not reachable with this key",
	 "Check the connected account's id and that the platform's access was not revoked."},
	{"livemode_mismatch", ERRCODE_STRIPE_MODE_MISMATCH, "the object belongs to the other mode",
	 "Use the key of the mode in which the object was made."},
	{"rate_limit", ERRCODE_STRIPE_RATE_LIMITED, "Stripe limited the rate of requests",
	 "Call again later; the request was not carried out."},
	{"lock_timeout", ERRCODE_STRIPE_RATE_LIMITED, "the object is locked by another request",
	 "Call again in a moment, and do not change the same object from several sessions at once."},
	{"idempotency_key_in_use", ERRCODE_STRIPE_IDEMPOTENCY_CONFLICT, NULL, NULL},
	{"charge_already_refunded", 0, "the payment has already been refunded in full",
	 "Nothing is left to refund."},
	{"charge_disputed", 0, "the payment is disputed and cannot be refunded",
	 "Answer or accept the dispute instead."},
	{"refund_disputed_payment", 0, "the payment is disputed and cannot be refunded",
	 "Answer or accept the dispute instead."},
	{"payment_intent_unexpected_state", 0, "the payment intent's status does not allow this",
	 "Read the payment intent and decide by its status."},
	{"setup_intent_unexpected_state", 0, "the setup intent's status does not allow this",
	 "Read the setup intent and decide by its status."},
	{"payment_method_types_no_longer_supported", 0, "this API version does not take payment_method_types",
	 "Leave it out, or pass allowed_payment_method_types or excluded_payment_method_types in params."},
	{"amount_too_small", 0, "the amount is below Stripe's minimum for the currency",
	 "Charge at least the minimum, or add the amount to another payment."},
	{"balance_insufficient", 0, "the Stripe balance is too low for this refund",
	 "Add funds to the Stripe balance, or wait for payments to become available."},
};

/* Decline codes by what to do about them; codes not listed are new_method. */
typedef enum DeclineGroup
{
	DECLINE_NEW_METHOD,
	DECLINE_LATER,
	DECLINE_AUTHENTICATE,
	DECLINE_FIX_DATA,
	DECLINE_SECRET,
	DECLINE_MERCHANT
} DeclineGroup;

static const char *const decline_hints[] = {
	[DECLINE_NEW_METHOD] = "Ask the customer for another payment method, or to call the card's issuer.",
	[DECLINE_LATER] = "Try the same payment method again some hours later, a few times at most.",
	[DECLINE_AUTHENTICATE] = "Bring the customer back and confirm the same payment intent with them present.",
	[DECLINE_FIX_DATA] = "Let the customer enter the card again.",
	[DECLINE_SECRET] = "Tell the customer only that the card was declined, not why, and do not try it again.",
	[DECLINE_MERCHANT] = "Look for an earlier payment of the same amount before charging again."};

static const struct
{
	const char *decline_code;
	DeclineGroup group;
} decline_table[] = {
	{"try_again_later", DECLINE_LATER},
	{"processing_error", DECLINE_LATER},
	{"issuer_not_available", DECLINE_LATER},
	{"reenter_transaction", DECLINE_LATER},
	{"approve_with_id", DECLINE_LATER},
	{"insufficient_funds", DECLINE_LATER},
	{"card_velocity_exceeded", DECLINE_LATER},
	{"withdrawal_count_limit_exceeded", DECLINE_LATER},
	{"authentication_required", DECLINE_AUTHENTICATE},
	{"authentication_not_handled", DECLINE_AUTHENTICATE},
	{"mobile_device_authentication_required", DECLINE_AUTHENTICATE},
	{"offline_pin_required", DECLINE_AUTHENTICATE},
	{"online_or_offline_pin_required", DECLINE_AUTHENTICATE},
	{"incorrect_number", DECLINE_FIX_DATA},
	{"invalid_number", DECLINE_FIX_DATA},
	{"incorrect_cvc", DECLINE_FIX_DATA},
	{"invalid_cvc", DECLINE_FIX_DATA},
	{"incorrect_zip", DECLINE_FIX_DATA},
	{"incorrect_address", DECLINE_FIX_DATA},
	{"invalid_expiry_month", DECLINE_FIX_DATA},
	{"invalid_expiry_year", DECLINE_FIX_DATA},
	{"incorrect_pin", DECLINE_FIX_DATA},
	{"invalid_pin", DECLINE_FIX_DATA},
	{"fraudulent", DECLINE_SECRET},
	{"lost_card", DECLINE_SECRET},
	{"stolen_card", DECLINE_SECRET},
	{"merchant_blacklist", DECLINE_SECRET},
	{"pickup_card", DECLINE_SECRET},
	{"restricted_card", DECLINE_SECRET},
	{"duplicate_transaction", DECLINE_MERCHANT},
};

/* Stripe's advice, when given, overrides the group of the decline code. */
static const struct
{
	const char *advice_code;
	const char *hint;
} advice_table[] = {
	{"try_again_later", "Try the same payment method again some hours later, a few times at most."},
	{"do_not_try_again", "Ask the customer for another payment method; this one will not work again."},
	{"confirm_card_data", "Let the customer enter the card again."},
};

/* The last failure of this session, as the text of a JSON object. */
static Jsonb *last_error = NULL;

/*
 * Masks every word that begins like a key.  Stripe itself shows part of a key
 * that it refuses.
 */
char *
error_scrub(const char *text)
{
	static const char *const prefixes[] = {"sk_", "rk_", "whsec_"};
	StringInfoData out;
	const char *p = text;

	initStringInfo(&out);
	while (*p != '\0')
	{
		size_t		skip = 0;

		for (int i = 0; i < (int) lengthof(prefixes); i++)
			if (strncmp(p, prefixes[i], strlen(prefixes[i])) == 0)
				skip = strcspn(p, " \t\r\n\"'`,;:)}]");
		if (skip > 0)
		{
			appendStringInfoString(&out, "<key>");
			p += skip;
		}
		else
			appendStringInfoChar(&out, *p++);
	}
	return out.data;
}

static char *
get_scrubbed(JsonbContainer *c, const char *key)
{
	char	   *text = c ? json_get_text(c, key) : NULL;

	return text ? error_scrub(text) : NULL;
}

/* Status, then code, then decline code, each refining the one before. */
static void
choose_words(StripeError *e)
{
	int			i = 0;

	while (e->http_status < status_table[i].from || e->http_status > status_table[i].to)
		i++;
	e->sqlstate = status_table[i].sqlstate;
	e->message = status_table[i].message;
	e->hint = status_table[i].hint;

	if (e->type != NULL && strcmp(e->type, "idempotency_error") == 0 && e->http_status == 400)
	{
		e->sqlstate = ERRCODE_STRIPE_IDEMPOTENCY_CONFLICT;
		e->message = "this idempotency key was used before with other parameters";
		e->hint = "Repeat a request only with the same parameters; give a different request a new key.";
	}
	if (e->code != NULL && e->http_status < 500)
		for (i = 0; i < (int) lengthof(code_table); i++)
			if (strcmp(e->code, code_table[i].code) == 0)
			{
				if (code_table[i].sqlstate != 0)
					e->sqlstate = code_table[i].sqlstate;
				if (code_table[i].message != NULL)
					e->message = code_table[i].message;
				if (code_table[i].hint != NULL)
					e->hint = code_table[i].hint;
			}

	/* A 404 for an id of the other mode has no code of its own. */
	if (e->http_status == 404 && e->stripe_message != NULL &&
		strstr(e->stripe_message, "a similar object exists in") != NULL)
	{
		e->sqlstate = ERRCODE_STRIPE_MODE_MISMATCH;
		e->message = "the object belongs to the other mode";
		e->hint = "Use the key of the mode in which the object was made.";
	}
}

static void
choose_decline_words(StripeError *e)
{
	DeclineGroup group = DECLINE_NEW_METHOD;

	if (e->decline_code == NULL || e->http_status != 402)
		return;
	for (int i = 0; i < (int) lengthof(decline_table); i++)
		if (strcmp(e->decline_code, decline_table[i].decline_code) == 0)
			group = decline_table[i].group;
	e->hint = decline_hints[group];
	if (group == DECLINE_AUTHENTICATE)
	{
		e->sqlstate = ERRCODE_STRIPE_AUTHENTICATION_REQUIRED;
		e->message = "the customer's bank asks for authentication";
	}
	else
		e->message = "the payment was declined";
	if (e->advice_code != NULL && group != DECLINE_SECRET)
		for (int i = 0; i < (int) lengthof(advice_table); i++)
			if (strcmp(e->advice_code, advice_table[i].advice_code) == 0)
				e->hint = advice_table[i].hint;
}

static void
append_fact(StringInfo buf, const char *name, const char *value)
{
	if (value != NULL)
		appendStringInfo(buf, "%s%s %s", buf->len > 0 ? ", " : "", name, value);
}

/* Stripe's own sentence, then the facts, as one detail. */
static char *
compose_detail(const StripeError *e)
{
	StringInfoData facts;
	StringInfoData detail;

	initStringInfo(&facts);
	append_fact(&facts, "type", e->type);
	append_fact(&facts, "code", e->code);
	append_fact(&facts, "decline code", e->decline_code);
	append_fact(&facts, "parameter", e->param);
	append_fact(&facts, "payment intent", e->payment_intent);
	append_fact(&facts, "setup intent", e->setup_intent);
	append_fact(&facts, "charge", e->charge);
	append_fact(&facts, "request", e->request_id);

	initStringInfo(&detail);
	if (e->stripe_message != NULL)
	{
		size_t		len = strlen(e->stripe_message);

		appendStringInfo(&detail, "Stripe said: %s%s", e->stripe_message,
						 len > 0 && strchr(".!?", e->stripe_message[len - 1]) ? "" : ".");
		appendStringInfoString(&detail, "  ");
	}
	appendStringInfo(&detail, "Stripe answered with HTTP status %d%s%s.", e->http_status,
					 facts.len > 0 ? ": " : "", facts.data);
	return detail.data;
}

void
error_from_answer(StripeError *e, int status, Jsonb *body, const char *request_id,
				  const char *limited_reason, const char *idempotency_key)
{
	JsonbContainer *error = body ? json_get_container(&body->root, "error") : NULL;

	memset(e, 0, sizeof(*e));
	e->http_status = status;
	e->request_id = request_id ? error_scrub(request_id) : NULL;
	e->idempotency_key = idempotency_key;
	if (error != NULL)
	{
		e->type = get_scrubbed(error, "type");
		e->code = get_scrubbed(error, "code");
		e->decline_code = get_scrubbed(error, "decline_code");
		e->advice_code = get_scrubbed(error, "advice_code");
		e->param = get_scrubbed(error, "param");
		e->stripe_message = get_scrubbed(error, "message");
		e->doc_url = get_scrubbed(error, "doc_url");
		e->charge = json_get_ref(error, "charge");
		e->payment_intent = json_get_ref(error, "payment_intent");
		e->setup_intent = json_get_ref(error, "setup_intent");
		e->payment_method = json_get_ref(error, "payment_method");
	}

	choose_words(e);
	choose_decline_words(e);
	if (limited_reason != NULL && e->code == NULL)
		e->code = error_scrub(limited_reason);
	e->detail = compose_detail(e);
	e->outcome_unknown = status >= 500 && idempotency_key != NULL;
}

Jsonb *
error_as_jsonb(const StripeError *e)
{
	CompatJsonbState st = {0};

	json_begin(&st, false);
	json_put_text(&st, "sqlstate", unpack_sql_state(e->sqlstate));
	json_put_text(&st, "message", e->message);
	json_put_text(&st, "detail", e->detail);
	json_put_text(&st, "hint", e->hint);
	if (e->http_status > 0)
		json_put_int64(&st, "http_status", e->http_status);
	json_put_bool(&st, "outcome_unknown", e->outcome_unknown);
	json_put_text(&st, "type", e->type);
	json_put_text(&st, "code", e->code);
	json_put_text(&st, "decline_code", e->decline_code);
	json_put_text(&st, "advice_code", e->advice_code);
	json_put_text(&st, "param", e->param);
	json_put_text(&st, "request_id", e->request_id);
	json_put_text(&st, "payment_intent", e->payment_intent);
	json_put_text(&st, "setup_intent", e->setup_intent);
	json_put_text(&st, "payment_method", e->payment_method);
	json_put_text(&st, "charge", e->charge);
	json_put_text(&st, "doc_url", e->doc_url);
	json_put_text(&st, "idempotency_key", e->idempotency_key);
	json_end(&st, false);
	return json_finish(&st);
}

void
error_remember(const StripeError *e)
{
	Jsonb	   *built = error_as_jsonb(e);
	Jsonb	   *kept = MemoryContextAlloc(TopMemoryContext, VARSIZE(built));

	memcpy(kept, built, VARSIZE(built));
	pfree(built);
	if (last_error != NULL)
		pfree(last_error);
	last_error = kept;
}

void
error_raise(const StripeError *e)
{
	error_remember(e);
	ereport(ERROR,
			(errcode(e->sqlstate),
			 errmsg("%s", e->message),
			 e->detail ? errdetail("%s", e->detail) : 0,
			 e->hint ? errhint("%s", e->hint) : 0));
}

Jsonb *
error_last(void)
{
	return last_error;
}

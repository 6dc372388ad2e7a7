/*-------------------------------------------------------------------------
 *
 * payment.c
 *	  Payments of orders, derived from the mirrors; refunds.
 *
 * A row of stripe.payments says nothing that the mirrors do not: the view
 * stripe.payment_states derives it, and this file copies the view's row
 * whenever a mirror row behind it changed.  Only the receipt number is its
 * own, given once.
 *
 * src/payment.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "account.h"
#include "bind.h"
#include "call.h"
#include "fallback.h"
#include "json.h"
#include "membership.h"
#include "money.h"
#include "params.h"
#include "payment.h"
#include "store.h"

COMPAT_FUNCTION(stripe_refund);

#define STATE_COLUMNS \
	"order_type, order_id, customer, status, amount, amount_received, amount_refunded, currency, tax," \
	" payment_method_type, failure_code, decline_code, receipt_url, created"

/* Writes only if something differs, so that unchanged content writes nothing. */
static StorePlan update_payment = {
	.sql = "UPDATE stripe.payments p SET (" STATE_COLUMNS ", updated) ="
		   " (SELECT s.order_type, s.order_id, s.customer, s.status, s.amount, s.amount_received,"
		   " s.amount_refunded, s.currency, s.tax, s.payment_method_type, s.failure_code,"
		   " s.decline_code, s.receipt_url, s.created, pg_catalog.now())"
		   " FROM stripe.payment_states s"
		   " WHERE p.account = $1 AND p.livemode = $2 AND p.payment_intent = $3"
		   " AND s.account = $1 AND s.livemode = $2 AND s.payment_intent = $3"
		   " AND (p.order_type, p.order_id, p.customer, p.status, p.amount, p.amount_received,"
		   " p.amount_refunded, p.currency, p.tax, p.payment_method_type, p.failure_code,"
		   " p.decline_code, p.receipt_url, p.created) IS DISTINCT FROM"
		   " (s.order_type, s.order_id, s.customer, s.status, s.amount, s.amount_received,"
		   " s.amount_refunded, s.currency, s.tax, s.payment_method_type, s.failure_code,"
		   " s.decline_code, s.receipt_url, s.created)",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}};

static StorePlan lock_payment = {
	.sql = "SELECT 1 FROM stripe.payments"
	" WHERE account = $1 AND livemode = $2 AND payment_intent = $3 FOR NO KEY UPDATE",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan insert_payment = {
	.sql = "INSERT INTO stripe.payments (account, livemode, payment_intent, " STATE_COLUMNS ", receipt_number)"
		   " SELECT s.account, s.livemode, s.payment_intent, " STATE_COLUMNS ","
		   " 'INV-' || pg_catalog.to_char(COALESCE(s.created, pg_catalog.now()) AT TIME ZONE 'UTC', 'YYYYMMDD')"
		   " || '-' || pg_catalog.lpad(n.n::text, GREATEST(4, pg_catalog.length(n.n::text)), '0')"
		   " FROM stripe.payment_states s, pg_catalog.nextval('stripe.receipt_number') n(n)"
		   " WHERE s.account = $1 AND s.livemode = $2 AND s.payment_intent = $3"
		   " ON CONFLICT (account, livemode, payment_intent) DO NOTHING",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}};

/*
 * The row is locked before the view is read: an update that waits for another
 * session's would go on with what the view said before.  A refund or charge
 * may be heard of before its payment intent: there is nothing to derive then,
 * yet, and the last turn of the loop finds no row either.
 */
void
payment_refresh(const char *account, bool livemode, const char *payment_intent)
{
	Datum		args[3];
	bool		changed = false;

	args[0] = CStringGetTextDatum(account);
	args[1] = BoolGetDatum(livemode);
	args[2] = CStringGetTextDatum(payment_intent);
	for (int turn = 0; turn < 2 && !changed; turn++)
	{
		if (store_execute(&lock_payment, args, NULL, 1) > 0)
		{
			changed = store_execute(&update_payment, args, NULL, 0) > 0;
			break;
		}
		changed = store_execute(&insert_payment, args, NULL, 0) > 0;
	}
	if (changed)
		membership_announce("payment", account, payment_intent, NULL);
}

static StorePlan find_by_charge = {
	.sql = "SELECT payment_intent FROM stripe.charges"
	" WHERE account = $1 AND livemode = $2 AND id = $3 AND payment_intent IS NOT NULL",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

/*
 * Old disputes and refunds name their charge alone.
 */
static char *
intent_of_charge(const ApplySource *source, const char *charge)
{
	Datum		args[3];
	bool		isnull;

	args[0] = CStringGetTextDatum(source->account);
	args[1] = BoolGetDatum(source->livemode);
	args[2] = CStringGetTextDatum(charge);
	if (store_execute(&find_by_charge, args, NULL, 1) == 0)
		return NULL;
	return TextDatumGetCString(store_column(0, 1, &isnull));
}

char *
payment_of(const ApplySource *source, const StripeObjectType *type, const char *id, Jsonb *data)
{
	static const char *const types[] = {"charge", "refund", "dispute"};
	char	   *payment_intent;
	char	   *charge;

	if (strcmp(type->name, "payment_intent") == 0)
		return pstrdup(id);
	for (int i = 0; i < (int) lengthof(types); i++)
	{
		if (strcmp(type->name, types[i]) != 0)
			continue;
		payment_intent = json_get_ref(&data->root, "payment_intent");
		charge = json_get_ref(&data->root, "charge");
		if (payment_intent == NULL && charge != NULL)
			return intent_of_charge(source, charge);
		return payment_intent;
	}
	return NULL;
}

/* What is left of a payment, as far as the tables know. */
typedef struct Refundable
{
	bool		known;
	bool		paid;
	int64		left;
	char		currency[8];
	char		payment_intent[256];
} Refundable;

static StorePlan find_refundable = {
	.sql = "SELECT p.payment_intent, p.amount_received - p.amount_refunded, p.currency,"
		   " p.amount_received > 0 FROM stripe.payments p"
		   " WHERE p.account = $1 AND p.livemode = $2 AND p.payment_intent = COALESCE($3,"
		   " (SELECT c.payment_intent FROM stripe.charges c"
		   " WHERE c.account = $1 AND c.livemode = $2 AND c.id = $4))",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID}};

static void
read_refundable(const Account *account, const char *payment_intent, const char *charge,
				Refundable *out)
{
	StoreScope	scope;
	Datum		args[4] = {0};
	char		nulls[5] = "    ";
	bool		isnull;

	memset(out, 0, sizeof(*out));
	args[0] = CStringGetTextDatum(account->name);
	args[1] = BoolGetDatum(account->livemode);
	if (payment_intent != NULL)
		args[2] = CStringGetTextDatum(payment_intent);
	if (charge != NULL)
		args[3] = CStringGetTextDatum(charge);
	nulls[2] = payment_intent ? ' ' : 'n';
	nulls[3] = charge ? ' ' : 'n';

	store_begin(&scope);
	if (store_execute(&find_refundable, args, nulls, 1) > 0)
	{
		Datum		currency;

		out->known = true;
		strlcpy(out->payment_intent, TextDatumGetCString(store_column(0, 1, &isnull)),
				sizeof(out->payment_intent));
		out->left = DatumGetInt64(store_column(0, 2, &isnull));
		currency = store_column(0, 3, &isnull);
		if (!isnull)
			strlcpy(out->currency, TextDatumGetCString(currency), sizeof(out->currency));
		out->paid = DatumGetBool(store_column(0, 4, &isnull));
	}
	store_end(&scope);
}

static Call *
new_read(const Call *refund, const char *path, Params *params)
{
	Call	   *get = palloc0(sizeof(Call));

	get->function = refund->function;
	get->method = "GET";
	get->path = path;
	get->account = refund->account;
	get->level = refund->level;
	get->params = params_finish(params);
	return get;
}

/*
 * Asks Stripe for the payment, its charge and its refunds, which brings the
 * tables up to date, before a refund is refused on their word.
 */
static void
refetch_payment(const Call *refund, const char *payment_intent)
{
	Params	   *params = params_create();
	const char *cursor = NULL;
	bool		more = true;

	(void) fallback_expand(params, "latest_charge");
	(void) call_run(new_read(refund, psprintf("/v1/payment_intents/%s", payment_intent), params));
	while (more)
	{
		Jsonb	   *page;
		JsonbContainer *data;
		JsonbValue *last;

		params = params_create();
		params_put_text(params, "payment_intent", payment_intent, "payment_intent");
		params_put_text(params, "limit", "100", "limit");
		if (cursor != NULL)
			params_put_text(params, "starting_after", cursor, "cursor");
		page = call_run(new_read(refund, "/v1/refunds", params));
		data = json_get_container(&page->root, "data");
		more = false;
		(void) json_get_bool(&page->root, "has_more", &more);
		if (data == NULL || !JsonContainerIsArray(data) || JsonContainerSize(data) == 0)
			break;
		last = getIthJsonbValueFromContainer(data, JsonContainerSize(data) - 1);
		cursor = last->type == jbvBinary ? json_get_text(last->val.binary.data, "id") : NULL;
		more = more && cursor != NULL;
	}
}

static void
refuse_refund(const Refundable *r, int64 amount)
{
	char		left[MONEY_FORMAT_SIZE];
	char		asked[MONEY_FORMAT_SIZE];

	if (r->left <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_INVALID_REQUEST),
				 errmsg("payment \"%s\" has nothing left to refund", r->payment_intent),
				 errdetail("All of it has been refunded already.")));
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_INVALID_REQUEST),
			 errmsg("the refund is larger than what is left of payment \"%s\"", r->payment_intent),
			 errdetail("Asked for %s, and %s is left.",
					   money_format(amount, r->currency, asked),
					   money_format(r->left, r->currency, left)),
			 errhint("Leave the amount out to refund all that is left.")));
}

/*
 * stripe_refund: never more than was paid.  Stripe would refuse too, but an
 * amount over the rest is refused here with the figures.  The tables may be
 * behind, so they may allow a refund at once, but refuse one only after Stripe
 * was asked.  A call with the caller's own idempotency key may repeat one that
 * went through, so only Stripe can judge it.
 */
Datum
stripe_refund(PG_FUNCTION_ARGS)
{
	Call	   *call = bind_call(fcinfo);
	char	   *payment_intent = json_get_text(&call->params->root, "payment_intent");
	char	   *charge = json_get_text(&call->params->root, "charge");
	int64		amount = 0;
	bool		has_amount = json_get_int64(&call->params->root, "amount", &amount);
	Account		account;

	if (payment_intent == NULL && charge == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"payment\" of stripe_refund() must not be null")));
	account = *call_admit(call);
	if (call->idempotency_key == NULL)
	{
		Refundable	r;

		read_refundable(&account, payment_intent, charge, &r);
		if (r.known && r.paid && (has_amount ? amount > r.left : r.left <= 0))
		{
			refetch_payment(call, r.payment_intent);
			read_refundable(&account, payment_intent, charge, &r);
			if (has_amount ? amount > r.left : r.left <= 0)
				refuse_refund(&r, amount);
		}
	}
	PG_RETURN_JSONB_P(call_run(call));
}

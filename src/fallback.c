/*-------------------------------------------------------------------------
 *
 * fallback.c
 *	  What a request says where the caller did not: the account's settings.
 *
 * The caller's own arguments always come first; a setting never contradicts
 * them, it is left out instead.
 *
 * src/fallback.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "error.h"
#include "fallback.h"
#include "json.h"
#include "settings.h"

/* From this version on the types are given as a filter. */
#define FILTER_SINCE "2026-07-29"

/* Bank debits by the currency they take. */
static const struct
{
	const char *currency;
	const char *type;
} debit_types[] = {
	{"aud", "au_becs_debit"},
	{"aud", "payto"},
	{"eur", "sepa_debit"},
	{"usd", "us_bank_account"},
	{"gbp", "bacs_debit"},
	{"cad", "acss_debit"},
};

/* Currencies of bank transfers, which Stripe calls customer_balance. */
static const char *const transfer_currencies[] = {"eur", "gbp", "jpy", "mxn", "usd"};

/* Parameters with which a caller chooses payment methods. */
static const char *const method_params[] = {
	"payment_method_types", "allowed_payment_method_types", "excluded_payment_method_types",
	"automatic_payment_methods", "payment_method_configuration"};

static void
push_type(CompatJsonbState *st, const char *type)
{
	JsonbValue	v;

	json_text_value(&v, type);
	json_element(st, &v);
}

/*
 * The types that the account's settings allow for a currency.  Wallets are
 * cards to Stripe, so any of the three allows cards.
 */
static JsonbContainer *
allowed_types(const Account *account, const char *currency)
{
	CompatJsonbState st = {0};

	json_begin(&st, true);
	if (account->payment_methods & (METHOD_CARD | METHOD_APPLE_PAY | METHOD_GOOGLE_PAY))
		push_type(&st, "card");
	if (account->payment_methods & METHOD_BANK_TRANSFER)
		for (int i = 0; i < (int) lengthof(transfer_currencies); i++)
			if (pg_strcasecmp(transfer_currencies[i], currency) == 0)
				push_type(&st, "customer_balance");
	if (account->payment_methods & METHOD_DEBIT)
		for (int i = 0; i < (int) lengthof(debit_types); i++)
			if (pg_strcasecmp(debit_types[i].currency, currency) == 0)
				push_type(&st, debit_types[i].type);
	json_end(&st, true);
	return &json_finish(&st)->root;
}

static void
fall_back_to_methods(Params *params, const Account *account, const char *currency)
{
	JsonbValue	v;

	if (account->payment_methods == 0)
		return;
	for (int i = 0; i < (int) lengthof(method_params); i++)
		if (params_has(params, method_params[i]))
			return;
	v.type = jbvBinary;
	v.val.binary.data = allowed_types(account, currency);
	v.val.binary.len = 0;
	if (JsonContainerSize(v.val.binary.data) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("account \"%s\" has no payment method enabled that takes the currency \"%s\"",
						account->name, currency),
				 errhint("Enable one with stripe_configure(), or use another currency.")));
	params_put(params, strcmp(settings_api_version, FILTER_SINCE) >= 0 ? "allowed_payment_method_types" : "payment_method_types", &v, "payment_methods");
}

void
fallback_for_payment(Params *params, const Account *account)
{
	const char *currency = params_get_text(params, "currency");

	if (currency == NULL)
	{
		currency = account->currency;
		params_put_text(params, "currency", currency, "currency");
	}
	if (account->statement_descriptor[0] != '\0' &&
		!params_has(params, "statement_descriptor") &&
		!params_has(params, "statement_descriptor_suffix"))
		params_put_text(params, "statement_descriptor_suffix", account->statement_descriptor,
						"statement_descriptor_suffix");
	fall_back_to_methods(params, account, currency);
}

bool
fallback_expand(Params *params, const char *member)
{
	CompatJsonbState st = {0};
	JsonbValue	v;
	JsonbValue	given;

	json_begin(&st, true);
	if (params_get(params, "expand", &given))
	{
		JsonbIterator *it;
		JsonbIteratorToken tok;

		if (given.type != jbvBinary || !JsonContainerIsArray(given.val.binary.data))
			return false;
		it = JsonbIteratorInit(given.val.binary.data);
		(void) JsonbIteratorNext(&it, &v, true);
		while ((tok = JsonbIteratorNext(&it, &v, true)) == WJB_ELEM)
		{
			if (v.type == jbvString && v.val.string.len >= (int) strlen(member) &&
				strncmp(v.val.string.val, member, strlen(member)) == 0)
				return false;
			json_element(&st, &v);
		}
	}
	push_type(&st, member);
	json_end(&st, true);
	v.type = jbvBinary;
	v.val.binary.data = &json_finish(&st)->root;
	v.val.binary.len = 0;
	params_replace(params, "expand", &v);
	return true;
}

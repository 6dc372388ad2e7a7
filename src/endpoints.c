/*-------------------------------------------------------------------------
 *
 * endpoints.c
 *	  The catalogue of endpoints: which SQL function asks what of Stripe.
 *
 * An SQL function's declaration names its arguments; this table says which
 * request they make.  An argument whose name is also the parameter's needs no
 * row.  What runs an entry is call.c; nothing here knows how.
 *
 * src/endpoints.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "endpoints.h"

#define PAYMENT_METHOD_IDS "pm_ card_ src_ ba_"

/* Arguments that mean the same wherever they occur. */
static const EndpointArg common_args[] = {
	{"customer", NULL, "cus_"},
	{"payment_method", NULL, PAYMENT_METHOD_IDS},
	{"order_type", "metadata[order_type]", NULL},
	{"order_id", "metadata[order_id]", NULL},
	{"member_id", "metadata[member_id]", NULL},
	{"membership_id", "metadata[membership_id]", NULL},
};

static const Endpoint endpoints[] = {
	/* payments */
	{"stripe_create_intent", "POST", "/v1/payment_intents", ENDPOINT_PAYMENT | ENDPOINT_CHARGE, {{NULL}}},
	{"stripe_update_intent", "POST", "/v1/payment_intents/{id}", 0, {{"id", NULL, "pi_"}}},
	{"stripe_confirm_intent", "POST", "/v1/payment_intents/{id}/confirm", ENDPOINT_CHARGE, {{"id", NULL, "pi_"}}},
	{"stripe_capture_intent", "POST", "/v1/payment_intents/{id}/capture", ENDPOINT_CHARGE, {{"id", NULL, "pi_"}, {"amount", "amount_to_capture", NULL}}},
	{"stripe_cancel_intent", "POST", "/v1/payment_intents/{id}/cancel", ENDPOINT_CHARGE, {{"id", NULL, "pi_"}, {"reason", "cancellation_reason", NULL}}},
	{"stripe_get_payment", "GET", "/v1/payment_intents/{id}", 0, {{"id", NULL, "pi_"}}},

	/* refunds */
	{"stripe_refund", "POST", "/v1/refunds", ENDPOINT_ADMIN, {{"payment", "payment_intent", "pi_"}, {"payment", "charge", "ch_ py_"}}},
	{"stripe_cancel_refund", "POST", "/v1/refunds/{id}/cancel", ENDPOINT_ADMIN, {{"id", NULL, "re_ pyr_"}}},

	/* customers */
	{"stripe_create_customer", "POST", "/v1/customers", 0, {{NULL}}},
	{"stripe_ensure_customer", "POST", "/v1/customers", 0, {{NULL}}},
	{"stripe_update_customer", "POST", "/v1/customers/{customer}", 0, {{NULL}}},
	{"stripe_delete_customer", "DELETE", "/v1/customers/{customer}", 0, {{NULL}}},

	/* saved methods */
	{"stripe_create_setup_intent", "POST", "/v1/setup_intents", 0, {{NULL}}},
	{"stripe_attach_payment_method", "POST", "/v1/payment_methods/{payment_method}/attach", 0, {{NULL}}},
	{"stripe_detach_payment_method", "POST", "/v1/payment_methods/{payment_method}/detach", 0, {{NULL}}},
	{"stripe_set_default_payment_method", "POST", "/v1/customers/{customer}", 0, {{"payment_method", "invoice_settings[default_payment_method]", PAYMENT_METHOD_IDS}}},
	{"stripe_list_payment_methods", "GET", "/v1/customers/{customer}/payment_methods", 0, {{NULL}}},
};

const Endpoint *
endpoints_find(const char *function)
{
	for (int i = 0; i < (int) lengthof(endpoints); i++)
		if (strcmp(endpoints[i].function, function) == 0)
			return &endpoints[i];
	return NULL;
}

static bool
has_prefix(const char *prefixes, const char *value)
{
	const char *p = prefixes;

	while (*p != '\0')
	{
		size_t		len = strcspn(p, " ");

		if (strncmp(value, p, len) == 0 && value[len] != '\0')
			return true;
		p += len;
		p += strspn(p, " ");
	}
	return false;
}

static const EndpointArg *
search_rows(const EndpointArg *rows, int nrows, const char *arg, const char *value,
			const char **prefixes, bool *named)
{
	for (int i = 0; i < nrows && rows[i].arg != NULL; i++)
	{
		if (strcmp(rows[i].arg, arg) != 0)
			continue;
		*named = true;
		if (rows[i].prefixes == NULL || value == NULL || has_prefix(rows[i].prefixes, value))
			return &rows[i];
		*prefixes = *prefixes ? psprintf("%s %s", *prefixes, rows[i].prefixes) : rows[i].prefixes;
	}
	return NULL;
}

const EndpointArg *
endpoints_arg(const Endpoint *endpoint, const char *arg, const char *value,
			  const char **prefixes)
{
	bool		named = false;
	const EndpointArg *row;

	*prefixes = NULL;
	row = search_rows(endpoint->args, ENDPOINT_MAX_ARGS, arg, value, prefixes, &named);
	if (row == NULL && !named)
		row = search_rows(common_args, lengthof(common_args), arg, value, prefixes, &named);
	if (row != NULL)
		*prefixes = NULL;
	return row;
}

const char *
endpoints_arg_name(const Endpoint *endpoint, const char *param)
{
	for (int i = 0; i < ENDPOINT_MAX_ARGS && endpoint->args[i].arg != NULL; i++)
		if (endpoint->args[i].param != NULL && strcmp(endpoint->args[i].param, param) == 0)
			return endpoint->args[i].arg;
	return param;
}

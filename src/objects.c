/*-------------------------------------------------------------------------
 *
 * objects.c
 *	  The types of Stripe object that are mirrored, as a table.
 *
 * One row a type; whoever needs to know something about a type reads it here.
 * The columns of the mirror tables are declared in sql/, not here: they are
 * generated from the object, so no code names them.
 *
 * Ranks tell which of two states came later when Stripe's clock cannot.  Only
 * what no object of the type ever does backwards is ranked: a subscription
 * never becomes incomplete again, but it does go from past_due to active.
 *
 * src/objects.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "objects.h"

const StripeObjectType object_types[] = {
	{"product", "products", "/v1/products", NULL, true},
	{"price", "prices", "/v1/prices", NULL, true},
	{"customer", "customers", "/v1/customers", NULL, true},
	{"payment_method", "payment_methods", "/v1/payment_methods"},
	{"payment_intent", "payment_intents", "/v1/payment_intents", NULL, false,
	{{"succeeded", RANK_FINAL}, {"canceled", RANK_FINAL}}},
	{"setup_intent", "setup_intents", "/v1/setup_intents", NULL, false,
	{{"succeeded", RANK_FINAL}, {"canceled", RANK_FINAL}}},
	{"mandate", "mandates", "/v1/mandates"},
	{"charge", "charges", "/v1/charges", "refunds", false,
	{{"pending", RANK_FIRST}}},
	{"refund", "refunds", "/v1/refunds", NULL, false,
		{{"pending", RANK_FIRST}, {"requires_action", RANK_FIRST}, {"succeeded", 2},
	{"failed", RANK_FINAL}, {"canceled", RANK_FINAL}}},
	{"dispute", "disputes", "/v1/disputes"},
	{"subscription", "subscriptions", "/v1/subscriptions", "items", false,
	{{"incomplete", RANK_FIRST}, {"canceled", RANK_FINAL}, {"incomplete_expired", RANK_FINAL}}},
	{"subscription_item", "subscription_items", "/v1/subscription_items", NULL, true},
	{"subscription_schedule", "subscription_schedules", "/v1/subscription_schedules", NULL, false,
		{{"not_started", RANK_FIRST}, {"completed", RANK_FINAL}, {"released", RANK_FINAL},
	{"canceled", RANK_FINAL}}},
	{"invoice", "invoices", "/v1/invoices", "lines", true,
		{{"draft", RANK_FIRST}, {"open", RANK_MIDDLE}, {"uncollectible", 2},
	{"paid", RANK_FINAL}, {"void", RANK_FINAL}}},
	{"invoice_payment", "invoice_payments", "/v1/invoice_payments", NULL, false,
	{{"open", RANK_FIRST}, {"paid", RANK_FINAL}, {"canceled", RANK_FINAL}}},
	{"credit_note", "credit_notes", "/v1/credit_notes", "lines", false,
	{{"void", RANK_FINAL}}},
	{"coupon", "coupons", "/v1/coupons", NULL, true},
	{"promotion_code", "promotion_codes", "/v1/promotion_codes"},
	{"checkout.session", "checkout_sessions", "/v1/checkout/sessions", NULL, false,
	{{"open", RANK_FIRST}, {"complete", RANK_FINAL}, {"expired", RANK_FINAL}}},
	{"tax_rate", "tax_rates", "/v1/tax_rates"},
	{"entitlements.active_entitlement", "active_entitlements"},
};

const int	object_ntypes = lengthof(object_types);

const StripeObjectType *
objects_find(const char *name)
{
	for (int i = 0; i < object_ntypes; i++)
		if (strcmp(object_types[i].name, name) == 0)
			return &object_types[i];
	return NULL;
}

int
objects_rank(const StripeObjectType *type, const char *status)
{
	for (int i = 0; status != NULL && i < OBJECT_MAX_RANKS && type->ranks[i].status != NULL; i++)
		if (strcmp(type->ranks[i].status, status) == 0)
			return type->ranks[i].rank;
	return RANK_MIDDLE;
}

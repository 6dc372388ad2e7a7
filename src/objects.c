/*-------------------------------------------------------------------------
 *
 * objects.c
 *	  The types of Stripe object that are mirrored, as a table.
 *
 * One row a type; whoever needs to know something about a type reads it here.
 * The columns of the mirror tables are declared in sql/, not here: they are
 * generated from the object, so no code names them.
 *
 * src/objects.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "objects.h"

const StripeObjectType object_types[] = {
	{"product", "products", {NULL}},
	{"price", "prices", {NULL}},
	{"customer", "customers", {NULL}},
	{"payment_method", "payment_methods", {NULL}},
	{"payment_intent", "payment_intents", {"succeeded", "canceled"}},
	{"setup_intent", "setup_intents", {"succeeded", "canceled"}},
	{"mandate", "mandates", {NULL}},
	{"charge", "charges", {NULL}},
	{"refund", "refunds", {"failed", "canceled"}},
	{"dispute", "disputes", {NULL}},
	{"subscription", "subscriptions", {"canceled", "incomplete_expired"}},
	{"subscription_item", "subscription_items", {NULL}},
	{"subscription_schedule", "subscription_schedules", {"completed", "released", "canceled"}},
	{"invoice", "invoices", {"void"}},
	{"invoice_payment", "invoice_payments", {"paid", "canceled"}},
	{"credit_note", "credit_notes", {"void"}},
	{"coupon", "coupons", {NULL}},
	{"promotion_code", "promotion_codes", {NULL}},
	{"checkout.session", "checkout_sessions", {"expired"}},
	{"tax_rate", "tax_rates", {NULL}},
	{"entitlements.active_entitlement", "active_entitlements", {NULL}},
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

bool
objects_is_final(const StripeObjectType *type, const char *status)
{
	if (status == NULL)
		return false;
	for (int i = 0; i < OBJECT_MAX_FINAL && type->final[i] != NULL; i++)
		if (strcmp(type->final[i], status) == 0)
			return true;
	return false;
}

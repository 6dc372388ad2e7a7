/*-------------------------------------------------------------------------
 *
 * belongs.c
 *	  Which membership an object of Stripe's belongs to.
 *
 * A subscription belongs to the membership that its metadata names; else to
 * the one it was linked to; else to the one its customer's metadata names;
 * else to the one its customer was linked to.  The view
 * stripe.membership_subscriptions says the same of all; here each step is
 * one look-up by a key, whatever the planner believes of the tables' sizes.
 *
 * src/belongs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "belongs.h"
#include "json.h"
#include "store.h"

/* Objects linked to the membership, and customers that name it. */
static StorePlan select_linked = {
	.sql = "SELECT l.object_id FROM stripe.membership_links l"
	" WHERE l.account = $1 AND l.livemode = $2 AND l.membership_id = $3"
	" UNION ALL SELECT c.id FROM stripe.customers c WHERE c.account = $1 AND c.livemode = $2"
	" AND stripe.json_key(c.data, 'metadata.membership_id') = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan select_of_customer = {
	.sql = "SELECT s.id FROM stripe.subscriptions s WHERE s.account = $1 AND s.livemode = $2"
	" AND s.customer = $3 AND s.membership_id IS NULL",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

/*
 * The membership of a subscription whose metadata names none, and how it is
 * linked; stripe.membership_subscriptions says the same of all.
 */
static StorePlan resolve = {
	.sql = "SELECT COALESCE(a.id, b.id, c.id), CASE WHEN a.id IS NULL AND b.id IS NOT NULL"
	" THEN 'customer' ELSE 'link' END FROM (SELECT"
	" (SELECT l.membership_id FROM stripe.membership_links l"
	" WHERE l.account = $1 AND l.livemode = $2 AND l.object_id = $3)) a(id), (SELECT"
	" (SELECT stripe.json_key(c.data, 'metadata.membership_id') FROM stripe.customers c"
	" WHERE c.account = $1 AND c.livemode = $2 AND c.id = $4)) b(id), (SELECT"
	" (SELECT l.membership_id FROM stripe.membership_links l"
	" WHERE l.account = $1 AND l.livemode = $2 AND l.object_id = $4)) c(id)",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID}
};

/* The membership that counts a subscription by now, if it is another. */
static StorePlan counted_by = {
	.sql = "SELECT m.membership_id FROM stripe.memberships m"
	" WHERE m.account = $1 AND m.livemode = $2 AND m.subscription = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

static StorePlan select_names = {
	.sql = "SELECT s.membership_id, s.customer FROM stripe.subscriptions s"
	" WHERE s.account = $1 AND s.livemode = $2 AND s.id = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID}
};

/* Only the latest invoice of a subscription says anything of its state. */
static StorePlan by_invoice = {
	.sql = "SELECT s.membership_id, s.customer FROM stripe.subscriptions s"
	" WHERE s.account = $1 AND s.livemode = $2 AND s.id = $3 AND s.latest_invoice = $4",
	.nargs = 4,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID}
};

static char *
read_text(int row, int column)
{
	bool		isnull;
	Datum		value = store_column(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* The ids that a statement returns. */
static List *
read_ids(StorePlan *plan, Datum *args, List *ids)
{
	uint64		n = store_execute(plan, args, NULL, 0);

	for (int i = 0; i < (int) n; i++)
		ids = lappend(ids, read_text(i, 1));
	return ids;
}

/*
 * The membership of a subscription whose metadata names none; NULL if nothing
 * else does either.
 */
static char *
resolve_membership(Datum *key, const char *subscription, const char *customer,
				   const char **linked_by)
{
	Datum		args[4] = {key[0], key[1], CStringGetTextDatum(subscription), 0};
	char	   *id;

	args[3] = customer ? CStringGetTextDatum(customer) : (Datum) 0;
	store_execute(&resolve, args, customer ? NULL : "   n", 1);
	id = read_text(0, 1);
	if (linked_by != NULL)
		*linked_by = read_text(0, 2);
	return id != NULL && id[0] != '\0' ? id : NULL;
}

static List *
add_link(List *links, const char *subscription, const char *linked_by)
{
	BelongsLink *link = palloc(sizeof(BelongsLink));

	link->subscription = subscription;
	link->linked_by = linked_by;
	return lappend(links, link);
}

/*
 * Adds a subscription that a link or a customer suggests, if nothing stronger
 * gives it to another membership.
 */
static List *
add_if_linked(List *links, Datum *key, const char *id, const char *customer)
{
	const char *linked_by;
	char	   *membership = resolve_membership(key, id, customer, &linked_by);

	if (membership == NULL || strcmp(membership, TextDatumGetCString(key[2])) != 0)
		return links;
	return add_link(links, id, linked_by);
}

List *
belongs_linked(Datum *key)
{
	List	   *objects = read_ids(&select_linked, key, NIL);
	List	   *links = NIL;
	ListCell   *lc;

	foreach(lc, objects)
	{
		char	   *object = lfirst(lc);
		Datum		args[3] = {key[0], key[1], CStringGetTextDatum(object)};
		List	   *subscriptions;
		ListCell   *s;

		if (strncmp(object, "cus_", 4) != 0)
		{
			if (store_execute(&select_names, args, NULL, 1) > 0 && read_text(0, 1) == NULL)
				links = add_if_linked(links, key, object, read_text(0, 2));
			continue;
		}
		subscriptions = read_ids(&select_of_customer, args, NIL);
		foreach(s, subscriptions)
			links = add_if_linked(links, key, lfirst(s), object);
	}
	return links;
}

/* The metadata's membership, if it can be one. */
static char *
named_membership(Jsonb *data)
{
	JsonbContainer *metadata = json_get_container(&data->root, "metadata");
	char	   *id = metadata ? json_get_text(metadata, "membership_id") : NULL;

	return id != NULL && id[0] != '\0' && strlen(id) <= BELONGS_MAX_ID ? id : NULL;
}

/* Where an invoice names its subscription, in the shapes of all versions. */
char *
belongs_invoice_subscription(Jsonb *data)
{
	char	   *id = json_get_ref(&data->root, "subscription");
	JsonbContainer *parent = json_get_container(&data->root, "parent");
	JsonbContainer *details = parent ? json_get_container(parent, "subscription_details") : NULL;

	return id == NULL && details != NULL ? json_get_ref(details, "subscription") : id;
}

static List *
add_id(List *ids, char *id)
{
	return id != NULL ? lappend(ids, id) : ids;
}

static List *
of_invoice(Datum *key, const char *invoice, Jsonb *data)
{
	char	   *subscription = belongs_invoice_subscription(data);
	Datum		args[4] = {key[0], key[1], 0, CStringGetTextDatum(invoice)};
	char	   *named;
	char	   *customer;

	if (subscription == NULL)
		return NIL;
	args[2] = CStringGetTextDatum(subscription);
	if (store_execute(&by_invoice, args, NULL, 1) == 0)
		return NIL;
	named = read_text(0, 1);
	customer = read_text(0, 2);
	if (named == NULL)
		named = resolve_membership(key, subscription, customer, NULL);
	return add_id(NIL, named);
}

/*
 * The memberships that a subscription belongs to, and that count it though it
 * may have left them.  "named" is what its metadata says.
 */
static List *
of_subscription(Datum *key, const char *id, char *named, const char *customer, List *ids)
{
	Datum		args[3] = {key[0], key[1], CStringGetTextDatum(id)};

	if (named == NULL)
		named = resolve_membership(key, id, customer, NULL);
	return read_ids(&counted_by, args, add_id(ids, named));
}

/* Those of a customer's subscriptions that leave it to the customer. */
static List *
of_customer(Datum *key, const char *id, List *ids)
{
	Datum		args[3] = {key[0], key[1], CStringGetTextDatum(id)};
	List	   *subscriptions = read_ids(&select_of_customer, args, NIL);
	ListCell   *lc;

	foreach(lc, subscriptions)
		ids = of_subscription(key, lfirst(lc), NULL, id, ids);
	return ids;
}

List *
belongs_to(const ApplySource *source, const StripeObjectType *type, const char *id, Jsonb *data)
{
	Datum		key[2];

	key[0] = CStringGetTextDatum(source->account);
	key[1] = BoolGetDatum(source->livemode);
	if (strcmp(type->name, "invoice") == 0)
		return of_invoice(key, id, data);
	if (strcmp(type->name, "subscription") == 0)
		return of_subscription(key, id, named_membership(data),
							   json_get_ref(&data->root, "customer"), NIL);
	if (strcmp(type->name, "customer") == 0)
		return of_customer(key, id, add_id(NIL, named_membership(data)));
	return NIL;
}

List *
belongs_linked_object(const char *account, bool livemode, const char *object_id)
{
	Datum		key[3];
	char	   *named;

	key[0] = CStringGetTextDatum(account);
	key[1] = BoolGetDatum(livemode);
	key[2] = CStringGetTextDatum(object_id);
	if (strncmp(object_id, "cus_", 4) == 0)
		return of_customer(key, object_id, NIL);
	if (store_execute(&select_names, key, NULL, 1) == 0)
		return NIL;
	named = read_text(0, 1);
	return of_subscription(key, object_id, named, read_text(0, 2), NIL);
}

/*-------------------------------------------------------------------------
 *
 * envelope.c
 *	  Reads an event: what it says of itself, and whose it is.
 *
 * What makes an event unusable as such is an error: it could not be kept under
 * its id, or not for this account.  What is wrong inside of it is not: the
 * event is kept, and the flaw becomes the reason why it was not applied.
 *
 * src/envelope.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "error.h"
#include "event.h"
#include "json.h"
#include "ledger.h"
#include "nested.h"

/* An id or type has at most so many bytes: an index must hold it. */
#define MAX_NAME_LENGTH 255

static void
refuse_event(const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the payload is not an event that can be taken in"),
			 errdetail("%s", detail),
			 hint ? errhint("%s", hint) : 0));
}

static char *
required_name(JsonbContainer *c, const char *key)
{
	char	   *value = json_get_text(c, key);

	if (value == NULL || value[0] == '\0' || strlen(value) > MAX_NAME_LENGTH)
		refuse_event(psprintf("Its member \"%s\" is missing, or not a string of 1 to %d bytes.",
							  key, MAX_NAME_LENGTH),
					 NULL);
	return value;
}

/* A string that is nice to have. */
static char *
optional_name(JsonbContainer *c, const char *key)
{
	char	   *value = c ? json_get_text(c, key) : NULL;

	return value != NULL && strlen(value) <= MAX_NAME_LENGTH ? value : NULL;
}

static void
check_kind(JsonbContainer *c)
{
	char	   *object = JsonContainerIsObject(c) ? json_get_text(c, "object") : NULL;

	if (object != NULL && strcmp(object, "v2.core.event") == 0)
		refuse_event("It is a thin event, which says only that something changed.",
					 "Let the webhook endpoint send snapshot events.");
	if (object == NULL || strcmp(object, "event") != 0)
		refuse_event("It is not an object whose member \"object\" is \"event\".", NULL);
}

/*
 * Another mode's or another account's event, however well it is signed, is
 * about other people's money.
 */
static void
check_owner(const Account *account, JsonbContainer *c, const char *id)
{
	char	   *owner = json_get_text(c, "account");
	bool		livemode;

	if (!json_get_bool(c, "livemode", &livemode))
		refuse_event("Its member \"livemode\" is missing.", NULL);
	if (livemode != account->livemode)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_MODE_MISMATCH),
				 errmsg("event \"%s\" is of the %s mode", id, livemode ? "live" : "test"),
				 errdetail("Account \"%s\" is in %s mode.", account->name,
						   account->livemode ? "live" : "test"),
				 errhint("Use the webhook secret of an endpoint of the same mode, or stripe_configure() to change the account's mode.")));
	if (strcmp(owner ? owner : "", account->connected_account) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_MODE_MISMATCH),
			 errmsg("event \"%s\" belongs to another Stripe account", id),
			 owner ? errdetail("It is of account \"%s\", and \"%s\" %s%s.",
							   error_scrub(owner), account->name,
							   account->connected_account[0] ? "acts for " : "is no connected account",
							   account->connected_account)
				   : errdetail("It is the platform's own, and \"%s\" acts for %s.", account->name,
							   account->connected_account),
			 errhint("Name the account that the webhook endpoint belongs to.")));
}

/* The object it is about, or what is wrong with it. */
static void
read_object(Event *event)
{
	JsonbContainer *object;
	JsonbValue	id;

	if (!ledger_read_state(&event->json->root, &event->state_of_object))
	{
		event->flaw = "the event has no object";
		return;
	}
	object = event->state_of_object.object;
	event->object_type = optional_name(object, "object");
	if (event->object_type == NULL)
	{
		event->flaw = "the event's object does not say what it is";
		return;
	}
	event->mirror = objects_find(event->object_type);
	event->object_id = optional_name(object, strcmp(event->object_type, NESTED_SUMMARY_TYPE) == 0 ? "customer" : "id");
	if (event->object_id == NULL && json_get(object, "id", &id))
		event->flaw = "the id of the event's object is not a string of up to 255 bytes";
	else if (event->object_id != NULL && event->object_id[0] == '\0')
		event->flaw = "the id of the event's object is empty";
}

void
event_read(const Account *account, Jsonb *json, Event *event)
{
	JsonbContainer *c = &json->root;
	JsonbContainer *request;
	int64		created;

	memset(event, 0, sizeof(*event));
	check_kind(c);
	event->json = json;
	event->id = required_name(c, "id");
	event->type = required_name(c, "type");
	if (!json_get_int64(c, "created", &created) || created < 0 || created > INT64CONST(253402300799))
		refuse_event("Its member \"created\" is missing, or not a number of seconds.", NULL);
	event->created = time_t_to_timestamptz((pg_time_t) created);
	check_owner(account, c, event->id);
	event->api_version = optional_name(c, "api_version");

	/* Events older than 2017-05-25 give the id alone. */
	request = json_get_container(c, "request");
	event->request_id = request ? optional_name(request, "id") : optional_name(c, "request");
	read_object(event);
}

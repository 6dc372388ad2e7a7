/*-------------------------------------------------------------------------
 *
 * configured.c
 *	  Keys that the server's configuration holds, for the account "default".
 *
 * They come from the file that memberpulse_stripe.credentials_file names or,
 * without one, from the server's environment.  The environment is emptied of
 * them as soon as the library is loaded, which with shared_preload_libraries
 * is before any backend exists: programs that the server starts later do not
 * inherit them, and no memory of a process shows them.
 *
 * No message of this file may hold a key or a part of one.
 *
 * src/configured.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "configured.h"
#include "error.h"
#include "keyfile.h"
#include "seal.h"
#include "settings.h"

#define MAX_FILE_SIZE 16384

static const char *const key_names[NUM_KEY_KINDS] = {
	[KEY_SECRET] = "STRIPE_SECRET_KEY",
	[KEY_PUBLISHABLE] = "STRIPE_PUBLISHABLE_KEY",
	[KEY_WEBHOOK] = "STRIPE_WEBHOOK_SECRET"};

typedef struct KeySet
{
	Secret		keys[NUM_KEY_KINDS];
	bool		given[NUM_KEY_KINDS];
} KeySet;

static KeySet from_environment;
static KeySet configured;
static bool configured_valid = false;
static TimestampTz configured_at = 0;	/* PgReloadTime when read */
static int	configured_mode = -1;

void
configured_take_environment(void)
{
	for (int kind = 0; kind < NUM_KEY_KINDS; kind++)
	{
		char	   *value = getenv(key_names[kind]);

		if (value == NULL)
			continue;
		secret_set(&from_environment.keys[kind], value);
		from_environment.given[kind] = true;
		seal_wipe(value, strlen(value));
		unsetenv(key_names[kind]);
	}
}

static void
forget_configured(int code, Datum arg)
{
	seal_wipe(&configured, sizeof(configured));
	configured_valid = false;
}

static void
refuse_key(KeyKind kind, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
			 errmsg("%s is not usable", key_names[kind]),
			 errdetail("The value %s.", why),
			 errhint("Set it to the value that Stripe's dashboard shows, without spaces or quotes.")));
}

/* Splits the file into NAME=value lines; "#" begins a comment line. */
static void
parse_file(char *text, KeySet *into)
{
	int			lineno = 0;

	for (char *line = text; line != NULL; lineno++)
	{
		char	   *end = strchr(line, '\n');
		char	   *value;
		int			kind = 0;

		if (end != NULL)
			*end = '\0';
		if (line[0] != '\0' && line[0] != '#')
		{
			value = strchr(line, '=');
			if (value != NULL)
				*value++ = '\0';
			while (kind < NUM_KEY_KINDS && strcmp(line, key_names[kind]) != 0)
				kind++;
			if (value == NULL || kind == NUM_KEY_KINDS)
				keyfile_refuse("credentials file",
							   psprintf("Line %d is not NAME=value with a known name.", lineno + 1),
							   "The names are STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY and STRIPE_WEBHOOK_SECRET.");
			secret_set(&into->keys[kind], value);
			into->given[kind] = true;
		}
		line = end ? end + 1 : NULL;
	}
}

static void
read_credentials_file(KeySet *into)
{
	char		text[MAX_FILE_SIZE + 1];

	PG_TRY();
	{
		size_t		len = keyfile_read("credentials file", "credentials_file",
									   settings_credentials_file, text, sizeof(text));

		if (strlen(text) != len)
			keyfile_refuse("credentials file", "It holds a zero byte.",
						   "Keep one NAME=value on each line.");
		parse_file(text, into);
	}
	PG_FINALLY();
	{
		seal_wipe(text, sizeof(text));
	}
	PG_END_TRY();
}

/*
 * Checks every key that is given.  One that is set but empty is refused like
 * any other: a half-done deployment should not look like one without Stripe.
 */
static void
check_configured(void)
{
	int			modes[NUM_KEY_KINDS] = {-1, -1, -1};

	for (int kind = 0; kind < NUM_KEY_KINDS; kind++)
	{
		ClearSecret clear;
		const char *why = NULL;
		bool		ok;

		if (!configured.given[kind])
			continue;
		secret_reveal(&configured.keys[kind], &clear);
		ok = secret_check(kind, clear.text, &modes[kind], &why);
		if (configured.keys[kind].len > SECRET_MAX_LENGTH)
		{
			ok = false;
			why = "is too long to be a key";
		}
		secret_wipe(&clear);
		if (!ok)
			refuse_key(kind, why);
	}
	if (modes[KEY_SECRET] >= 0 && modes[KEY_PUBLISHABLE] >= 0 &&
		modes[KEY_SECRET] != modes[KEY_PUBLISHABLE])
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("the publishable key and the secret key are of different modes"),
				 errhint("Set both keys of the test mode, or both of the live mode.")));
	configured_mode = modes[KEY_SECRET];
}

static void
read_configured(void)
{
	static bool exit_hook_set = false;

	if (configured_valid && configured_at == PgReloadTime)
		return;
	if (!exit_hook_set)
	{
		on_proc_exit(forget_configured, 0);
		exit_hook_set = true;
	}
	forget_configured(0, 0);
	if (settings_credentials_file[0] != '\0')
		read_credentials_file(&configured);
	else
		configured = from_environment;
	check_configured();
	configured_at = PgReloadTime;
	configured_valid = true;
}

const Secret *
configured_key(KeyKind kind)
{
	read_configured();
	return configured.given[kind] ? &configured.keys[kind] : NULL;
}

int
configured_livemode(void)
{
	read_configured();
	return configured_mode;
}

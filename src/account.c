/*-------------------------------------------------------------------------
 *
 * account.c
 *	  Which Stripe account, mode and key a call uses.
 *
 * The account "default" takes its keys from the file that
 * memberpulse_stripe.credentials_file names or, without one, from the
 * server's environment.  The keys are read once and again after a reload of
 * the configuration, live in memory of their own, and are wiped when they
 * change and when the backend exits.
 *
 * No message of this file may hold a key or a part of one.
 *
 * src/account.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "account.h"
#include "error.h"
#include "seal.h"
#include "settings.h"

#define MAX_KEY_LENGTH 255
#define MAX_FILE_SIZE 16384

typedef enum KeyKind
{
	KEY_SECRET,
	KEY_PUBLISHABLE,
	KEY_WEBHOOK
} KeyKind;

#define NUM_KEYS 3

static const char *const key_names[NUM_KEYS] = {
	[KEY_SECRET] = "STRIPE_SECRET_KEY",
	[KEY_PUBLISHABLE] = "STRIPE_PUBLISHABLE_KEY",
	[KEY_WEBHOOK] = "STRIPE_WEBHOOK_SECRET"
};

/* Every prefix a key of Stripe's can have, and where it belongs. */
static const struct
{
	const char *prefix;
	KeyKind		kind;
	int			livemode;		/* -1: the key does not tell */
	const char *description;
}			key_prefixes[] = {
	{"sk_test_", KEY_SECRET, 0, "a secret key"},
	{"sk_live_", KEY_SECRET, 1, "a secret key"},
	{"rk_test_", KEY_SECRET, 0, "a restricted key"},
	{"rk_live_", KEY_SECRET, 1, "a restricted key"},
	{"pk_test_", KEY_PUBLISHABLE, 0, "a publishable key"},
	{"pk_live_", KEY_PUBLISHABLE, 1, "a publishable key"},
	{"whsec_", KEY_WEBHOOK, -1, "a webhook secret"},
};

/* What the configuration holds; one block, so that it is wiped as one. */
typedef struct Configured
{
	char		keys[NUM_KEYS][MAX_KEY_LENGTH + 1];
} Configured;

static Configured configured;
static bool configured_valid = false;
static TimestampTz configured_at = 0;	/* PgReloadTime when read */

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

/*
 * Checks a key and returns its mode (-1: a webhook secret has none).  An
 * environment variable that is set but empty is refused like any other value:
 * a half-done deployment should not look like one without Stripe.
 */
static int
check_key(KeyKind kind, const char *value)
{
	size_t		len = strlen(value);

	if (len == 0)
		refuse_key(kind, "is empty");
	if (strpbrk(value, " \t\r\n\v\f") != NULL)
		refuse_key(kind, "contains a space or a line break");
	if (len > MAX_KEY_LENGTH)
		refuse_key(kind, "is too long to be a key");
	for (size_t i = 0; i < len; i++)
		if (value[i] < 0x21 || value[i] > 0x7e)
			refuse_key(kind, "contains a character that no key has");

	for (int i = 0; i < (int) lengthof(key_prefixes); i++)
	{
		if (strncmp(value, key_prefixes[i].prefix, strlen(key_prefixes[i].prefix)) != 0)
			continue;
		if (key_prefixes[i].kind != kind)
			refuse_key(kind, psprintf("is %s", key_prefixes[i].description));
		if (len < strlen(key_prefixes[i].prefix) + 8)
			refuse_key(kind, "is too short to be a key");
		return key_prefixes[i].livemode;
	}
	refuse_key(kind, kind == KEY_SECRET ? "does not begin with \"sk_\" or \"rk_\" and a mode" :
			   kind == KEY_PUBLISHABLE ? "does not begin with \"pk_\" and a mode" :
			   "does not begin with \"whsec_\"");
	return -1;					/* not reached */
}

static void
refuse_file(const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
			 errmsg("the credentials file is not usable"),
			 errdetail("%s", why),
			 errhint("%s", hint)));
}

/*
 * Reads the whole file into "buf".  What is checked is the open file, not the
 * name, so it cannot be exchanged in between.
 */
static void
read_file(const char *path, char *buf, size_t size)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	ssize_t		n;

	if (fd < 0)
		refuse_file(psprintf("The file could not be opened: %s.", strerror(errno)),
					"Check \"memberpulse_stripe.credentials_file\" and that the server's user may read the file.");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		refuse_file("It is not a regular file.", "Name a plain file.");
	if (st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		refuse_file("Others than the server's user may read or change it.",
					"Make the server's user its owner, with mode 0600 or less.");
	n = read(fd, buf, size);
	CloseTransientFile(fd);
	if (n < 0)
		refuse_file("The file could not be read.", "Check the file system.");
	if ((size_t) n >= size)
		refuse_file(psprintf("It is larger than %d bytes.", MAX_FILE_SIZE),
					"Keep only the keys in it.");
	buf[n] = '\0';
	if (strlen(buf) != (size_t) n)
		refuse_file("It holds a zero byte.", "Keep one NAME=value on each line.");
}

/* Splits the file into NAME=value lines; "#" begins a comment line. */
static void
parse_file(char *text, Configured *into)
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
			while (kind < NUM_KEYS && strcmp(line, key_names[kind]) != 0)
				kind++;
			if (value == NULL || kind == NUM_KEYS)
				refuse_file(psprintf("Line %d is not NAME=value with a known name.", lineno + 1),
							"The names are STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY and STRIPE_WEBHOOK_SECRET.");
			check_key(kind, value);
			strlcpy(into->keys[kind], value, sizeof(into->keys[kind]));
		}
		line = end ? end + 1 : NULL;
	}
}

static void
read_configured(void)
{
	static bool exit_hook_set = false;

	if (!exit_hook_set)
	{
		on_proc_exit(forget_configured, 0);
		exit_hook_set = true;
	}
	forget_configured(0, 0);

	if (settings_credentials_file[0] != '\0')
	{
		char		text[MAX_FILE_SIZE + 1];

		PG_TRY();
		{
			read_file(settings_credentials_file, text, sizeof(text));
			parse_file(text, &configured);
		}
		PG_FINALLY();
		{
			seal_wipe(text, sizeof(text));
		}
		PG_END_TRY();
	}
	else
	{
		for (int kind = 0; kind < NUM_KEYS; kind++)
		{
			const char *value = getenv(key_names[kind]);

			if (value == NULL)
				continue;
			check_key(kind, value);
			strlcpy(configured.keys[kind], value, sizeof(configured.keys[kind]));
		}
	}

	if (configured.keys[KEY_SECRET][0] != '\0' && configured.keys[KEY_PUBLISHABLE][0] != '\0' &&
		check_key(KEY_SECRET, configured.keys[KEY_SECRET]) !=
		check_key(KEY_PUBLISHABLE, configured.keys[KEY_PUBLISHABLE]))
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("the publishable key and the secret key are of different modes"),
				 errhint("Set both keys of the test mode, or both of the live mode.")));
	configured_at = PgReloadTime;
	configured_valid = true;
}

static const char *
configured_key(KeyKind kind)
{
	return configured.keys[kind][0] != '\0' ? configured.keys[kind] : NULL;
}

const Account *
account_for_call(const char *name)
{
	static Account account;

	if (name == NULL)
		name = settings_account;
	if (strcmp(name, "default") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("account \"%s\" is not configured", name),
				 errhint("Use the account \"default\".")));
	if (!configured_valid || configured_at != PgReloadTime)
		read_configured();
	if (configured_key(KEY_SECRET) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("no secret key is configured for account \"%s\"", name),
				 errhint("Set STRIPE_SECRET_KEY in the server's environment, or name a file with \"memberpulse_stripe.credentials_file\".")));

	account.name = "default";
	account.secret_key = configured_key(KEY_SECRET);
	account.livemode = check_key(KEY_SECRET, account.secret_key) == 1;
	account.publishable_key = configured_key(KEY_PUBLISHABLE);
	account.webhook_secret = configured_key(KEY_WEBHOOK);
	account.connected_account = NULL;
	account.currency = "aud";
	return &account;
}

/*-------------------------------------------------------------------------
 *
 * account.c
 *	  Which Stripe account, mode and key a call uses.
 *
 * An account is a row of stripe.accounts with sealed keys in
 * stripe.credentials.  The account "default" works without either, from the
 * server's configuration (configured.c); what the tables hold comes first.
 *
 * Settings and keys are kept per backend, the keys masked, and read again when
 * one of the tables changes or the configuration is reloaded.  So a call pays
 * a hash look-up for them.
 *
 * No message of this file may hold a key or a part of one.
 *
 * src/account.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "account.h"
#include "compat.h"
#include "configured.h"
#include "error.h"
#include "keyfile.h"
#include "seal.h"
#include "settings.h"
#include "store.h"

COMPAT_FUNCTION(stripe_livemode);

#define DEFAULT_ACCOUNT "default"

/* What a backend keeps of an account; the hash key comes first. */
typedef struct CachedAccount
{
	Account		account;
	uint64		generation;		/* of the tables, when it was read */
	TimestampTz configured_at;	/* PgReloadTime then */
	bool		known;			/* has a row, or is the default */
	bool		opened;			/* the keys below have been read */
	Secret		secret_key;
	int			nwebhook;
	Secret		webhook[ACCOUNT_MAX_WEBHOOK_SECRETS];
	TimestampTz webhook_expires[ACCOUNT_MAX_WEBHOOK_SECRETS];
} CachedAccount;

static HTAB *cache = NULL;
static uint64 generation = 0;
static StoreWatch accounts_watch = {.table = "accounts"};
static StoreWatch credentials_watch = {.table = "credentials"};

/* Keys in the clear, for the moment of their use. */
static ClearSecret clear_key;
static ClearSecret clear_webhook[ACCOUNT_MAX_WEBHOOK_SECRETS];

static StorePlan read_account = {
	.sql = "SELECT a.livemode, a.currency, COALESCE(a.tax_behavior, ''),"
		   " COALESCE(a.statement_descriptor, ''), COALESCE(a.connected_account, ''),"
		   " a.payment_methods, a.grace_days, EXTRACT(epoch FROM a.renewal_slack)::bigint"
		   " FROM stripe.accounts a WHERE a.account = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}};

static StorePlan read_credentials = {
	.sql = "SELECT c.purpose, c.sealed, c.key_id, c.expires_at FROM stripe.credentials c"
		   " WHERE c.account = $1 AND c.livemode = $2 AND c.purpose IN ('secret_key', 'webhook_secret')"
		   " ORDER BY c.purpose, c.serial = 0 DESC, c.serial DESC",
	.nargs = 2,
	.argtypes = {TEXTOID, BOOLOID}};

static const struct
{
	const char *name;
	AccountMethod bit;
} method_names[] = {
	{"card", METHOD_CARD},
	{"apple_pay", METHOD_APPLE_PAY},
	{"google_pay", METHOD_GOOGLE_PAY},
	{"bank_transfer", METHOD_BANK_TRANSFER},
	{"debit", METHOD_DEBIT},
};

void
account_wipe_secrets(void)
{
	secret_wipe(&clear_key);
	for (int i = 0; i < ACCOUNT_MAX_WEBHOOK_SECRETS; i++)
		secret_wipe(&clear_webhook[i]);
}

static void
wipe_cache(int code, Datum arg)
{
	HASH_SEQ_STATUS seq;
	CachedAccount *entry;

	account_wipe_secrets();
	hash_seq_init(&seq, cache);
	while ((entry = hash_seq_search(&seq)) != NULL)
	{
		secret_clear(&entry->secret_key);
		for (int i = 0; i < ACCOUNT_MAX_WEBHOOK_SECRETS; i++)
			secret_clear(&entry->webhook[i]);
	}
}

static void
make_cache(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(CachedAccount);
	ctl.hcxt = TopMemoryContext;
	cache = hash_create("Stripe accounts", 16, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	on_proc_exit(wipe_cache, 0);
}

char *
account_bound(const char *account, bool livemode, const char *purpose)
{
	return psprintf("memberpulse_stripe/1\n%s\n%s\n%s", account, livemode ? "live" : "test", purpose);
}

/* Reads one master key file; exactly so many raw bytes. */
static void
read_master_key(const char *setting, const char *path, uint8 *key)
{
	char		buf[SEAL_KEY_BYTES + 2];
	size_t		len = 0;

	PG_TRY();
	{
		len = keyfile_read("master key file", setting, path, buf, sizeof(buf));
		if (len != SEAL_KEY_BYTES)
			keyfile_refuse("master key file",
						   psprintf("It holds %zu bytes instead of %d.", len, SEAL_KEY_BYTES),
						   "Make it with: openssl rand -out FILE 32");
		memcpy(key, buf, SEAL_KEY_BYTES);
	}
	PG_FINALLY();
	{
		seal_wipe(buf, sizeof(buf));
	}
	PG_END_TRY();
}

/* Looks for the key in the files that the settings name now. */
static bool
find_master_key(const char *key_id, uint8 *key)
{
	const struct
	{
		const char *setting;
		const char *path;
	} files[] = {
		{"master_key_file", settings_master_key_file},
		{"old_master_key_file", settings_old_master_key_file},
	};

	for (int i = 0; i < (int) lengthof(files); i++)
	{
		char		id[SEAL_KEY_ID_SIZE];

		if (files[i].path[0] == '\0')
			continue;
		read_master_key(files[i].setting, files[i].path, key);
		seal_key_id(key, id);
		if (key_id == NULL || strcmp(id, key_id) == 0)
			return true;
		seal_wipe(key, SEAL_KEY_BYTES);
	}
	return false;
}

/*
 * While keys are being resealed, rows of two master keys exist side by side;
 * the row says which one sealed it.  A row may be newer than the settings as
 * this backend knows them: a reload waits for the end of the client's
 * statement, and a commit does not.
 */
void
account_master_key(const char *key_id, uint8 *key)
{
	if (settings_master_key_file[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("no master key file is configured"),
				 errhint("Make one with \"openssl rand -out FILE 32\", readable by the server's user only, and name it with \"memberpulse_stripe.master_key_file\".")));
	if (find_master_key(key_id, key))
		return;
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		if (find_master_key(key_id, key))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
			 errmsg("the master key file does not hold the key that sealed these credentials"),
			 errdetail("They were sealed with the master key %s.", key_id),
			 errhint("Restore that master key file, also as \"memberpulse_stripe.old_master_key_file\", or set the credentials again.")));
}

static void
open_sealed(const Account *account, const char *purpose, bytea *sealed,
			const char *key_id, Secret *into)
{
	uint8		key[SEAL_KEY_BYTES];
	ClearSecret clear;
	size_t		len = VARSIZE_ANY_EXHDR(sealed);
	bool		ok;

	account_master_key(key_id, key);
	ok = len >= SEAL_OVERHEAD && len <= SEAL_OVERHEAD + SECRET_MAX_LENGTH &&
		seal_open(key, account_bound(account->name, account->livemode, purpose),
				  (uint8 *) VARDATA_ANY(sealed), len, (uint8 *) clear.text);
	seal_wipe(key, sizeof(key));
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("a credential of account \"%s\" does not open", account->name),
				 errdetail("Its row was changed, or belongs to another account, mode or purpose."),
				 errhint("Set the credentials again with stripe_set_credentials().")));
	clear.text[len - SEAL_OVERHEAD] = '\0';
	secret_set(into, clear.text);
	secret_wipe(&clear);
}

static int
methods_from_array(Datum array)
{
	Datum	   *elems;
	bool	   *nulls;
	int			n;
	int			bits = 0;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elems, &nulls, &n);
	for (int i = 0; i < n; i++)
		for (int m = 0; m < (int) lengthof(method_names); m++)
			if (!nulls[i] && strcmp(TextDatumGetCString(elems[i]), method_names[m].name) == 0)
				bits |= method_names[m].bit;
	return bits;
}

static void
copy_column(char *into, size_t size, int column)
{
	bool		isnull;

	strlcpy(into, TextDatumGetCString(store_column(0, column, &isnull)), size);
}

/* Settings of the account; what a row would default to, where it has none. */
static void
load_settings(CachedAccount *entry, Datum *args)
{
	Account    *a = &entry->account;
	bool		isnull;
	Datum		methods;

	strlcpy(a->currency, "aud", sizeof(a->currency));
	a->tax_behavior[0] = a->statement_descriptor[0] = a->connected_account[0] = '\0';
	a->payment_methods = 0;
	a->grace_days = 7;
	a->renewal_slack_s = 3 * SECS_PER_DAY;
	entry->known = store_query(&read_account, args, NULL, 1) > 0;
	if (!entry->known)
		return;
	a->livemode = DatumGetBool(store_column(0, 1, &isnull));
	copy_column(a->currency, sizeof(a->currency), 2);
	copy_column(a->tax_behavior, sizeof(a->tax_behavior), 3);
	copy_column(a->statement_descriptor, sizeof(a->statement_descriptor), 4);
	copy_column(a->connected_account, sizeof(a->connected_account), 5);
	methods = store_column(0, 6, &isnull);
	a->payment_methods = isnull ? 0 : methods_from_array(methods);
	a->grace_days = DatumGetInt32(store_column(0, 7, &isnull));
	a->renewal_slack_s = DatumGetInt64(store_column(0, 8, &isnull));
}

static void
load_credentials(CachedAccount *entry, Datum *args)
{
	int			n;
	bool		isnull;

	args[1] = BoolGetDatum(entry->account.livemode);
	n = (int) store_query(&read_credentials, args, NULL, 0);
	for (int i = 0; i < n; i++)
	{
		char	   *purpose = TextDatumGetCString(store_column(i, 1, &isnull));
		bytea	   *sealed = DatumGetByteaPP(store_column(i, 2, &isnull));
		char	   *key_id = TextDatumGetCString(store_column(i, 3, &isnull));
		Datum		expires = store_column(i, 4, &isnull);
		Secret	   *into = &entry->secret_key;

		if (strcmp(purpose, "webhook_secret") == 0)
		{
			if (entry->nwebhook == ACCOUNT_MAX_WEBHOOK_SECRETS)
				continue;
			entry->webhook_expires[entry->nwebhook] =
				isnull ? DT_NOEND : DatumGetTimestampTz(expires);
			into = &entry->webhook[entry->nwebhook++];
		}
		open_sealed(&entry->account, purpose, sealed, key_id, into);
	}
}

/*
 * The default account's configured keys fill what the tables leave open.  A
 * configured key of the other mode than the account's row is not used: it is
 * as if there were none, and the error says so.
 */
static void
load_configured(CachedAccount *entry)
{
	int			livemode = configured_livemode();
	const Secret *key = configured_key(KEY_SECRET);
	const Secret *webhook = configured_key(KEY_WEBHOOK);

	if (entry->secret_key.len == 0 && key != NULL && entry->account.livemode == (livemode == 1))
		entry->secret_key = *key;
	if (entry->nwebhook == 0 && webhook != NULL &&
		(livemode < 0 || entry->account.livemode == (livemode == 1)))
	{
		entry->webhook[0] = *webhook;
		entry->webhook_expires[0] = DT_NOEND;
		entry->nwebhook = 1;
	}
}

static void
forget_keys(CachedAccount *entry)
{
	secret_clear(&entry->secret_key);
	for (int i = 0; i < ACCOUNT_MAX_WEBHOOK_SECRETS; i++)
		secret_clear(&entry->webhook[i]);
	entry->nwebhook = 0;
	entry->opened = false;
}

/*
 * The account "default" exists without a row, in the mode of the configured
 * key, if there is one.
 */
static void
load_account(CachedAccount *entry)
{
	StoreScope	scope;
	Datum		args[2];

	entry->generation = 0;
	forget_keys(entry);
	entry->account.livemode = false;

	store_begin(&scope);
	args[0] = CStringGetTextDatum(entry->account.name);
	load_settings(entry, args);
	store_end(&scope);
	if (!entry->known && strcmp(entry->account.name, DEFAULT_ACCOUNT) == 0)
	{
		entry->account.livemode = configured_livemode() == 1;
		entry->known = true;
	}
	entry->configured_at = PgReloadTime;
	entry->generation = generation;
}

/*
 * Opens the keys at their first use.  Whoever only asks for settings, or reads
 * tables, does not depend on the master key.
 */
static void
open_keys(CachedAccount *entry)
{
	StoreScope	scope;
	Datum		args[2];

	if (entry->opened)
		return;
	forget_keys(entry);
	store_begin(&scope);
	args[0] = CStringGetTextDatum(entry->account.name);
	load_credentials(entry, args);
	store_end(&scope);
	if (strcmp(entry->account.name, DEFAULT_ACCOUNT) == 0)
		load_configured(entry);
	entry->opened = true;
}

/* Any change of the tables makes every entry out of date. */
static void
follow_changes(void)
{
	if (accounts_watch.fresh && credentials_watch.fresh)
		return;
	store_watch(&accounts_watch);
	store_watch(&credentials_watch);
	generation++;
}

static CachedAccount *
find_entry(const char *name)
{
	CachedAccount *entry;
	bool		found;

	if (cache == NULL)
		make_cache();
	AcceptInvalidationMessages();
	follow_changes();
	entry = hash_search(cache, name, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) entry + NAMEDATALEN, 0, sizeof(*entry) - NAMEDATALEN);
		strlcpy(entry->account.name, name, NAMEDATALEN);
	}
	if (entry->generation != generation || entry->configured_at != PgReloadTime)
		load_account(entry);
	return entry;
}

const Account *
account_lookup(const char *name, AccessLevel level)
{
	CachedAccount *entry;

	if (name == NULL)
		name = settings_account;
	if (strlen(name) >= NAMEDATALEN || name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an account name has 1 to %d bytes", NAMEDATALEN - 1)));
	grants_require(name, level);
	entry = find_entry(name);
	if (!entry->known)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("account \"%s\" is not configured", name),
				 errhint("Create it with stripe_configure() and stripe_set_credentials().")));
	return &entry->account;
}

/* The entry of an account that account_lookup() returned, its keys opened. */
static CachedAccount *
entry_of(const Account *account)
{
	CachedAccount *entry = hash_search(cache, account->name, HASH_FIND, NULL);

	if (entry == NULL || entry->account.livemode != account->livemode)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("account \"%s\" was changed in the meantime", account->name),
				 errhint("Call again.")));
	open_keys(entry);
	return entry;
}

bool
account_has_key(const Account *account)
{
	return entry_of(account)->secret_key.len > 0;
}

bool
account_key_is_restricted(const Account *account)
{
	bool		restricted = strncmp(account_secret_key(account), "rk_", 3) == 0;

	account_wipe_secrets();
	return restricted;
}

const char *
account_secret_key(const Account *account)
{
	CachedAccount *entry = entry_of(account);

	if (entry->secret_key.len == 0)
	{
		const char *mode = account->livemode ? "live" : "test";

		if (strcmp(account->name, DEFAULT_ACCOUNT) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
					 errmsg("no secret key of the %s mode is configured for account \"%s\"", mode, account->name),
					 errhint("Set STRIPE_SECRET_KEY in the server's environment, name a file with \"memberpulse_stripe.credentials_file\", or use stripe_set_credentials().")));
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("no secret key of the %s mode is set for account \"%s\"", mode, account->name),
				 errhint("Set it with stripe_set_credentials().")));
	}
	secret_reveal(&entry->secret_key, &clear_key);
	return clear_key.text;
}

int
account_webhook_secrets(const Account *account, const char *secrets[ACCOUNT_MAX_WEBHOOK_SECRETS])
{
	CachedAccount *entry = entry_of(account);
	TimestampTz now = GetCurrentTimestamp();
	int			n = 0;

	for (int i = 0; i < entry->nwebhook; i++)
	{
		if (entry->webhook_expires[i] <= now)
			continue;
		secret_reveal(&entry->webhook[i], &clear_webhook[n]);
		secrets[n] = clear_webhook[n].text;
		n++;
	}
	return n;
}

/* stripe.livemode(account) */
Datum
stripe_livemode(PG_FUNCTION_ARGS)
{
	const char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(account_lookup(name, ACCESS_READER)->livemode);
}

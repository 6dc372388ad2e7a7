/*-------------------------------------------------------------------------
 *
 * credentials.c
 *	  SQL functions that seal keys into the database.
 *
 * Nothing here returns a key or puts one into a message: what comes out again
 * is the last four characters.  Keys are in the clear on the stack only, from
 * the check to the sealing.
 *
 * src/credentials.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "account.h"
#include "audit.h"
#include "compat.h"
#include "error.h"
#include "json.h"
#include "scrub.h"
#include "seal.h"
#include "secret.h"
#include "settings.h"
#include "store.h"

COMPAT_FUNCTION(stripe_set_credentials);
COMPAT_FUNCTION(stripe_reseal);

/* In the order of the function's arguments, which follow account and mode. */
static const struct
{
	const char *purpose;
	KeyKind		kind;
} purposes[] = {
	{"publishable_key", KEY_PUBLISHABLE},
	{"secret_key", KEY_SECRET},
	{"webhook_secret", KEY_WEBHOOK},
};

#define FIRST_KEY_ARG 2
#define OVERLAP_ARG 5

/* A replaced webhook secret stays valid for a while, under another serial. */
static StorePlan keep_webhook = {
	.sql = "UPDATE stripe.credentials c SET serial ="
		   " (SELECT pg_catalog.max(x.serial) + 1 FROM stripe.credentials x WHERE x.account = $1"
		   " AND x.livemode = $2 AND x.purpose = 'webhook_secret'),"
		   " expires_at = pg_catalog.now() + COALESCE($3, '24 hours')"
		   " WHERE c.account = $1 AND c.livemode = $2 AND c.purpose = 'webhook_secret' AND c.serial = 0",
	.nargs = 3,
	.argtypes = {TEXTOID, BOOLOID, INTERVALOID}};

static StorePlan drop_expired = {
	.sql = "DELETE FROM stripe.credentials c WHERE c.account = $1 AND c.livemode = $2"
		   " AND c.expires_at <= pg_catalog.now()",
	.nargs = 2,
	.argtypes = {TEXTOID, BOOLOID}};

static StorePlan put_credential = {
	.sql = "INSERT INTO stripe.credentials AS c"
		   " (account, livemode, purpose, last_four, set_by, key_id, sealed)"
		   " VALUES ($1, $2, $3, $4, $5, $6, $7)"
		   " ON CONFLICT (account, livemode, purpose, serial) DO UPDATE SET"
		   " last_four = excluded.last_four, set_by = excluded.set_by, set_at = pg_catalog.now(),"
		   " expires_at = NULL, key_id = excluded.key_id, sealed = excluded.sealed",
	.nargs = 7,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID}};

static StorePlan has_account = {
	.sql = "SELECT a.livemode FROM stripe.accounts a WHERE a.account = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}};

/* Refuses a key that is none, is of another kind, or of the other mode. */
static void
check_credential(const char *purpose, KeyKind kind, const char *text, bool livemode)
{
	int			key_mode;
	const char *why;

	if (!secret_check(kind, text, &key_mode, &why))
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("invalid value for argument \"%s\"", purpose),
				 errdetail("The value %s.", why),
				 errhint("Pass the value that Stripe's dashboard shows, without spaces or quotes.")));
	if (key_mode >= 0 && (key_mode == 1) != livemode)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_MODE_MISMATCH),
				 errmsg("invalid value for argument \"%s\"", purpose),
				 errdetail("It is a key of the %s mode, and the credentials of the %s mode are being set.",
						   key_mode == 1 ? "live" : "test", livemode ? "live" : "test")));
}

/* Seals a key under the current master key. */
static bytea *
seal_credential(const char *account, bool livemode, const char *purpose,
				const char *text, size_t len, char key_id[SEAL_KEY_ID_SIZE])
{
	uint8		key[SEAL_KEY_BYTES];
	bytea	   *sealed = palloc(VARHDRSZ + len + SEAL_OVERHEAD);

	SET_VARSIZE(sealed, VARHDRSZ + len + SEAL_OVERHEAD);
	account_master_key(NULL, key);
	seal_key_id(key, key_id);
	seal_close(key, account_bound(account, livemode, purpose), text, len,
			   (uint8 *) VARDATA(sealed));
	seal_wipe(key, sizeof(key));
	return sealed;
}

static void
store_credential(const char *account, bool livemode, int which, const char *text, Datum overlap,
				 bool overlap_null)
{
	const char *purpose = purposes[which].purpose;
	size_t		len = strlen(text);
	char		key_id[SEAL_KEY_ID_SIZE];
	bytea	   *sealed = seal_credential(account, livemode, purpose, text, len, key_id);
	StoreScope	scope;
	Datum		args[7];
	char		nulls[4] = "   ";
	const char *set_by = GetUserNameFromId(GetUserId(), false);

	store_begin(&scope);
	args[0] = CStringGetTextDatum(account);
	args[1] = BoolGetDatum(livemode);
	if (purposes[which].kind == KEY_WEBHOOK)
	{
		store_execute(&drop_expired, args, NULL, 0);
		args[2] = overlap;
		nulls[2] = overlap_null ? 'n' : ' ';
		store_execute(&keep_webhook, args, nulls, 0);
	}
	args[2] = CStringGetTextDatum(purpose);
	args[3] = CStringGetTextDatum(text + len - 4);
	args[4] = CStringGetTextDatum(set_by);
	args[5] = CStringGetTextDatum(key_id);
	args[6] = PointerGetDatum(sealed);
	store_execute(&put_credential, args, NULL, 0);
	store_end(&scope);
}

/* The mode whose keys are set: as said, else the account's, else test. */
static bool
target_mode(const char *account, const char *mode)
{
	StoreScope	scope;
	Datum		args[1];
	bool		isnull;
	bool		livemode = false;

	if (mode != NULL)
	{
		if (strcmp(mode, "live") != 0 && strcmp(mode, "test") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for argument \"mode\""),
					 errdetail("The mode is \"live\" or \"test\".")));
		return strcmp(mode, "live") == 0;
	}
	store_begin(&scope);
	args[0] = CStringGetTextDatum(account);
	if (store_query(&has_account, args, NULL, 1) > 0)
		livemode = DatumGetBool(store_column(0, 1, &isnull));
	store_end(&scope);
	return livemode;
}

/*
 * stripe_set_credentials(account, mode, publishable_key, secret_key,
 * webhook_secret, webhook_overlap) → what was set, as last four characters
 */
Datum
stripe_set_credentials(PG_FUNCTION_ARGS)
{
	const char *account = settings_account;
	bool		livemode;
	CompatJsonbState st = {0};
	Jsonb	   *result;
	int			nset = 0;

	scrub_current_statement();
	if (!PG_ARGISNULL(0))
		account = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (account[0] == '\0' || strlen(account) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"account\""),
				 errdetail("An account name has 1 to %d bytes.", NAMEDATALEN - 1)));
	grants_require(account, ACCESS_ADMIN);
	livemode = target_mode(account, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));

	json_begin(&st, false);
	json_put_text(&st, "account", account);
	json_put_text(&st, "mode", livemode ? "live" : "test");
	for (int i = 0; i < (int) lengthof(purposes); i++)
	{
		char	   *value;

		if (PG_ARGISNULL(FIRST_KEY_ARG + i))
			continue;
		value = text_to_cstring(PG_GETARG_TEXT_PP(FIRST_KEY_ARG + i));
		check_credential(purposes[i].purpose, purposes[i].kind, value, livemode);
		store_credential(account, livemode, i, value, PG_GETARG_DATUM(OVERLAP_ARG),
						 PG_ARGISNULL(OVERLAP_ARG));
		json_put_text(&st, purposes[i].purpose, pstrdup(value + strlen(value) - 4));
		seal_wipe(value, strlen(value));
		nset++;
	}
	json_end(&st, false);
	if (nset == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no credential was given"),
				 errhint("Pass publishable_key, secret_key or webhook_secret.")));
	result = json_finish(&st);
	audit_write(account, livemode, "credentials", result);
	PG_RETURN_JSONB_P(result);
}

static StorePlan all_credentials = {
	.sql = "SELECT c.account, c.livemode, c.purpose, c.serial, c.key_id, c.sealed"
		   " FROM stripe.credentials c ORDER BY 1, 2, 3, 4 FOR UPDATE"};

static StorePlan put_sealed = {
	.sql = "UPDATE stripe.credentials c SET key_id = $5, sealed = $6"
		   " WHERE c.account = $1 AND c.livemode = $2 AND c.purpose = $3 AND c.serial = $4",
	.nargs = 6,
	.argtypes = {TEXTOID, BOOLOID, TEXTOID, INT4OID, TEXTOID, BYTEAOID}};

/* Opens a row under the key that sealed it and seals it under the current one. */
static void
reseal_row(Datum *args, const char *old_key_id, bytea *sealed)
{
	char	   *account = TextDatumGetCString(args[0]);
	bool		livemode = DatumGetBool(args[1]);
	char	   *purpose = TextDatumGetCString(args[2]);
	uint8		key[SEAL_KEY_BYTES];
	ClearSecret clear;
	size_t		len = VARSIZE_ANY_EXHDR(sealed);
	char		key_id[SEAL_KEY_ID_SIZE];
	bool		ok;

	account_master_key(old_key_id, key);
	ok = len >= SEAL_OVERHEAD && len <= SEAL_OVERHEAD + SECRET_MAX_LENGTH &&
		seal_open(key, account_bound(account, livemode, purpose),
				  (uint8 *) VARDATA_ANY(sealed), len, (uint8 *) clear.text);
	seal_wipe(key, sizeof(key));
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
				 errmsg("a credential of account \"%s\" does not open", account),
				 errdetail("Its row was changed, or belongs to another account, mode or purpose."),
				 errhint("Set that account's credentials again, then reseal.")));
	args[5] = PointerGetDatum(seal_credential(account, livemode, purpose, clear.text,
											  len - SEAL_OVERHEAD, key_id));
	secret_wipe(&clear);
	args[4] = CStringGetTextDatum(key_id);
	store_execute(&put_sealed, args, NULL, 0);
}

/* stripe_reseal() → how many rows moved to the current master key */
Datum
stripe_reseal(PG_FUNCTION_ARGS)
{
	StoreScope	scope;
	uint8		key[SEAL_KEY_BYTES];
	char		current[SEAL_KEY_ID_SIZE];
	SPITupleTable *rows;
	int			n;
	int			moved = 0;

	grants_require_owner("reseal credentials");
	account_master_key(NULL, key);
	seal_key_id(key, current);
	seal_wipe(key, sizeof(key));

	store_begin(&scope);
	n = (int) store_execute(&all_credentials, NULL, NULL, 0);
	rows = SPI_tuptable;
	for (int i = 0; i < n; i++)
	{
		Datum		args[6];
		bool		isnull;
		char	   *key_id;
		bytea	   *sealed;

		key_id = TextDatumGetCString(SPI_getbinval(rows->vals[i], rows->tupdesc, 5, &isnull));
		sealed = DatumGetByteaPP(SPI_getbinval(rows->vals[i], rows->tupdesc, 6, &isnull));
		for (int a = 0; a < 4; a++)
			args[a] = SPI_getbinval(rows->vals[i], rows->tupdesc, a + 1, &isnull);
		if (strcmp(key_id, current) == 0)
			continue;
		reseal_row(args, key_id, sealed);
		moved++;
	}
	store_end(&scope);
	audit_write("*", -1, "reseal", NULL);
	PG_RETURN_INT32(moved);
}

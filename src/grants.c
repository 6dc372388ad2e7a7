/*-------------------------------------------------------------------------
 *
 * grants.c
 *	  What the current user may do with which account.
 *
 * EXECUTE on a function says that a role may use it at all; the grants here
 * say for which accounts.  A member of a role has the role's grants.  A grant
 * for the account "*" holds for all.  Superusers and the extension's owner may
 * do everything.
 *
 * src/grants.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "grants.h"
#include "store.h"

COMPAT_FUNCTION(stripe_may_read);

typedef struct Grant
{
	Oid			role;
	AccessLevel level;
	char		account[NAMEDATALEN];
} Grant;

static StoreWatch watch = {.table = "grants"};
static Grant *grants = NULL;
static int	ngrants = 0;

static StorePlan read_grants = {
	.sql = "SELECT g.role::oid, g.account, g.level FROM stripe.grants g ORDER BY g.account"};

static const char *const level_names[] = {
	[ACCESS_READER] = "reader",
	[ACCESS_BILLER] = "biller",
	[ACCESS_ADMIN] = "admin"};

AccessLevel
grants_level_by_name(const char *name)
{
	for (int level = ACCESS_READER; level <= ACCESS_ADMIN; level++)
		if (strcmp(level_names[level], name) == 0)
			return level;
	return ACCESS_NONE;
}

/* The new array is complete before it replaces the old one. */
static void
load_grants(void)
{
	StoreScope	scope;
	Grant	   *loaded;
	int			n;
	bool		isnull;

	store_begin(&scope);
	store_watch(&watch);
	watch.fresh = false;
	n = (int) store_query(&read_grants, NULL, NULL, 0);
	loaded = MemoryContextAllocZero(TopMemoryContext, sizeof(Grant) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		loaded[i].role = DatumGetObjectId(store_column(i, 1, &isnull));
		strlcpy(loaded[i].account, TextDatumGetCString(store_column(i, 2, &isnull)), NAMEDATALEN);
		loaded[i].level = grants_level_by_name(TextDatumGetCString(store_column(i, 3, &isnull)));
	}
	store_end(&scope);
	if (grants != NULL)
		pfree(grants);
	grants = loaded;
	ngrants = n;
	watch.fresh = true;
}

static bool
is_owner(Oid user)
{
	return superuser_arg(user) || has_privs_of_role(user, store_owner());
}

AccessLevel
grants_level(const char *account)
{
	Oid			user = GetUserId();
	AccessLevel best = ACCESS_NONE;

	if (superuser_arg(user))
		return ACCESS_ADMIN;
	if (!watch.fresh)
		load_grants();
	for (int i = 0; i < ngrants; i++)
		if (grants[i].level > best &&
			(strcmp(grants[i].account, account) == 0 || strcmp(grants[i].account, "*") == 0) &&
			has_privs_of_role(user, grants[i].role))
			best = grants[i].level;
	if (best == ACCESS_NONE && is_owner(user))
		best = ACCESS_ADMIN;
	return best;
}

void
grants_require(const char *account, AccessLevel level)
{
	if (grants_level(account) >= level)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for account \"%s\"", account),
			 errdetail("Role \"%s\" needs the level %s or above on this account.",
					   GetUserNameFromId(GetUserId(), false), level_names[level]),
			 errhint("An administrator can give it with stripe_grant().")));
}

void
grants_require_owner(const char *what)
{
	if (is_owner(GetUserId()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to %s", what),
			 errdetail("Only superusers and the owner of the extension may do this.")));
}

/* stripe.may_read(account): for row security. */
Datum
stripe_may_read(PG_FUNCTION_ARGS)
{
	text	   *account = PG_GETARG_TEXT_PP(0);
	char		name[NAMEDATALEN];
	size_t		len = VARSIZE_ANY_EXHDR(account);

	if (len >= NAMEDATALEN)
		PG_RETURN_BOOL(false);
	memcpy(name, VARDATA_ANY(account), len);
	name[len] = '\0';
	PG_RETURN_BOOL(grants_level(name) >= ACCESS_READER);
}

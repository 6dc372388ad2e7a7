/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  Defines the memberpulse_stripe.* settings and checks their values.
 *
 * No secret is ever the value of a setting: settings are shown, logged and
 * dumped.  Keys come from the server's environment or from the file that
 * credentials_file names.  Check hooks never repeat the value they refuse.
 *
 * src/settings.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "compat.h"
#include "settings.h"

char	   *settings_api_base = NULL;
char	   *settings_api_version = NULL;
char	   *settings_account = NULL;
char	   *settings_ca_file = NULL;
char	   *settings_credentials_file = NULL;
char	   *settings_master_key_file = NULL;
char	   *settings_old_master_key_file = NULL;
int			settings_timeout = 30000;
int			settings_connect_timeout = 10000;
int			settings_max_retries = 2;
int			settings_max_response_kb = 16 * 1024;
int			settings_webhook_tolerance = 300;

/*
 * The hosts that plain http may name: only traffic that never leaves the
 * machine may go without TLS, because every request carries the secret key.
 */
static const char *const loopback_hosts[] = {"127.0.0.1", "localhost", "[::1]"};

/*
 * Length of the host at the start of "authority", or 0 if it holds anything
 * but a host name, an address, or a bracketed IPv6 address.  User names
 * ("@") are refused by that too.
 */
static size_t
host_length(const char *authority)
{
	size_t		n = 0;

	if (authority[0] == '[')
	{
		n = strspn(authority + 1, "0123456789abcdefABCDEF:.") + 1;
		return authority[n] == ']' ? n + 1 : 0;
	}
	while (isalnum((unsigned char) authority[n]) || authority[n] == '.' || authority[n] == '-')
		n++;
	return n;
}

/*
 * Accepts scheme://host[:port] and nothing more: the paths are Stripe's, so a
 * path, query or user name here could only send requests astray.
 */
static bool
check_api_base(char **newval, void **extra, GucSource source)
{
	const char *base = *newval;
	const char *authority;
	bool		plain;
	size_t		hostlen;
	const char *port;

	if (strncmp(base, "https://", 8) == 0)
	{
		plain = false;
		authority = base + 8;
	}
	else if (strncmp(base, "http://", 7) == 0)
	{
		plain = true;
		authority = base + 7;
	}
	else
	{
		GUC_check_errdetail("The address must begin with \"https://\".");
		return false;
	}

	hostlen = host_length(authority);
	port = authority + hostlen;
	if (*port == ':')
	{
		size_t		digits = strspn(port + 1, "0123456789");

		port = (digits >= 1 && digits <= 5) ? port + 1 + digits : port;
	}
	if (hostlen == 0 || *port != '\0')
	{
		GUC_check_errdetail("The address must be a scheme, a host and an optional port, with no path after it.");
		return false;
	}
	if (plain)
	{
		for (int i = 0; i < (int) lengthof(loopback_hosts); i++)
			if (strlen(loopback_hosts[i]) == hostlen &&
				strncmp(authority, loopback_hosts[i], hostlen) == 0)
				return true;
		GUC_check_errdetail("Plain http is accepted only for 127.0.0.1, localhost and [::1].");
		return false;
	}
	return true;
}

/* The version travels in a header, so it may hold no byte that ends one. */
static bool
check_api_version(char **newval, void **extra, GucSource source)
{
	const char *v = *newval;

	if (strlen(v) < 10 || strlen(v) > 64 ||
		strspn(v, "abcdefghijklmnopqrstuvwxyz0123456789-._;=") != strlen(v))
	{
		GUC_check_errdetail("An API version is a date, such as \"2024-04-10\", or a date and a name, such as \"%s\".",
							MP_API_VERSION);
		return false;
	}
	return true;
}

static bool
check_account(char **newval, void **extra, GucSource source)
{
	size_t		len = strlen(*newval);

	if (len < 1 || len > 63)
	{
		GUC_check_errdetail("An account name has 1 to 63 characters.");
		return false;
	}
	return true;
}

/*
 * Whether a session-level value, such as one from connection options, has
 * taken the place of what the configuration file says about one of ours.  It
 * is refused once the variable is defined, if whoever gave it may not set it,
 * but the file's value is gone by then.
 */
static bool
file_value_displaced(void)
{
	struct config_generic **variables;
	int			n;
	bool		displaced = false;

	compat_guc_variables(variables, n);
	for (int i = 0; i < n; i++)
		if (strncmp(variables[i]->name, "memberpulse_stripe.", 19) == 0 &&
			variables[i]->source > PGC_S_FILE)
			displaced = true;
	return displaced;
}

/*
 * Called once from _PG_init.  Reserving the prefix afterwards turns values
 * given to misspelt names before the library was loaded into warnings.
 */
void
settings_define(void)
{
	bool		displaced = !process_shared_preload_libraries_in_progress &&
		file_value_displaced();

	DefineCustomStringVariable("memberpulse_stripe.api_base",
							   "Address of the Stripe API.",
							   "Plain http is accepted for loopback only.",
							   &settings_api_base, "https://api.stripe.com",
							   PGC_SUSET, 0, check_api_base, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.api_version",
							   "Stripe API version sent with every request.",
							   NULL,
							   &settings_api_version, MP_API_VERSION,
							   PGC_SUSET, 0, check_api_version, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.account",
							   "Account used by calls that name none.",
							   NULL,
							   &settings_account, "default",
							   PGC_USERSET, 0, check_account, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.ca_file",
							   "File of certificate authorities to trust instead of the system's.",
							   NULL,
							   &settings_ca_file, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.credentials_file",
							   "File that holds the keys of the account \"default\".",
							   "Only the server's user may be able to read it.",
							   &settings_credentials_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.master_key_file",
							   "File of 32 bytes under which credentials are sealed.",
							   "Only the server's user may be able to read it.",
							   &settings_master_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("memberpulse_stripe.old_master_key_file",
							   "File of the master key used before, until stripe_reseal() has run.",
							   NULL,
							   &settings_old_master_key_file, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("memberpulse_stripe.timeout",
							"Time a call may take in all, retries included.",
							NULL,
							&settings_timeout, 30000, 1, 600000,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("memberpulse_stripe.connect_timeout",
							"Time to reach the Stripe API and agree on TLS.",
							NULL,
							&settings_connect_timeout, 10000, 1, 600000,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("memberpulse_stripe.max_retries",
							"Times a request is sent again after a failure that allows it.",
							NULL,
							&settings_max_retries, 2, 0, 10,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("memberpulse_stripe.max_response_size",
							"Largest answer that is read, after decompression.",
							NULL,
							&settings_max_response_kb, 16 * 1024, 1, 256 * 1024,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomIntVariable("memberpulse_stripe.webhook_tolerance",
							"How far a webhook's signature may be from the clock, either way.",
							"0 turns the check of its age off.",
							&settings_webhook_tolerance, 300, 0, 86400,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);

	MarkGUCPrefixReserved("memberpulse_stripe");

	/* Fetch what the file says again, for what was refused just now. */
	if (displaced)
		ProcessConfigFile(PGC_SIGHUP);
}

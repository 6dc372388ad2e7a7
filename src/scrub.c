/*-------------------------------------------------------------------------
 *
 * scrub.c
 *	  Keeps keys out of the server log, pg_stat_activity and the like.
 *
 * A key that is written into a statement passes through places this extension
 * does not own.  The log hook masks whatever looks like a key of Stripe's in
 * what is about to be logged.  It works in place and allocates nothing, since
 * it runs in the middle of error handling.
 *
 * A session that loads the library by its first call has logged that call's
 * statement already; shared_preload_libraries closes that gap.
 *
 * src/scrub.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/elog.h"

#include "scrub.h"

static emit_log_hook_type previous_emit_log_hook = NULL;
static ProcessUtility_hook_type previous_utility_hook = NULL;

static const char *const key_beginnings[] = {
	"sk_test_", "sk_live_", "rk_test_", "rk_live_", "whsec_"};

/* Length of a key at p, and in *keep how much of it may be shown; or 0. */
static size_t
key_at(const char *p, size_t *keep)
{
	for (int i = 0; i < (int) lengthof(key_beginnings); i++)
	{
		size_t		len = strlen(key_beginnings[i]);
		size_t		n = len;

		if (strncmp(p, key_beginnings[i], len) != 0)
			continue;
		while (isalnum((unsigned char) p[n]) || (p[n] != '\0' && strchr("_+/=-", p[n]) != NULL))
			n++;
		*keep = len;
		return n > len ? n : 0;
	}
	return 0;
}

/* Masks every key in the text; true if there was one. */
static bool
mask_keys(char *text)
{
	bool		found = false;

	if (text == NULL)
		return false;
	for (char *p = text; (p = strchr(p, '_')) != NULL; p++)
	{
		/* The underscore is the third or sixth character of a beginning. */
		static const int back[] = {2, 5};

		for (int i = 0; i < (int) lengthof(back); i++)
		{
			size_t		keep;
			size_t		len;

			if (p - text < back[i] || (len = key_at(p - back[i], &keep)) == 0)
				continue;
			memset(p - back[i] + keep, '*', len - keep);
			found = true;
		}
	}
	return found;
}

static bool
has_key(const char *text)
{
	size_t		keep;

	if (text != NULL)
		for (const char *p = text; *p != '\0'; p++)
			if ((*p == 's' || *p == 'r' || *p == 'w') && key_at(p, &keep) > 0)
				return true;
	return false;
}

/* Shows the running statement without its keys in pg_stat_activity. */
static void
mask_activity(void)
{
	static char masked[8192];

	strlcpy(masked, debug_query_string, sizeof(masked));
	mask_keys(masked);
	pgstat_report_activity(STATE_RUNNING, masked);
}

/*
 * A utility statement, such as DO, is kept by pg_stat_statements as it was
 * written.  It gets to see a copy, as long as the original, if this library
 * comes after it in shared_preload_libraries.
 */
static void
scrub_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = previous_utility_hook;

	if (next == NULL)
		next = standard_ProcessUtility;
	if (has_key(query))
	{
		char	   *masked = pstrdup(query);

		mask_keys(masked);
		query = masked;
	}
	next(pstmt, query, read_only_tree, context, params, environment, dest, qc);
}

/* The texts of an ErrorData are its own copies; the statement's is not. */
static void
scrub_log(ErrorData *edata)
{
	mask_keys(edata->message);
	mask_keys(edata->detail);
	mask_keys(edata->detail_log);
	mask_keys(edata->hint);
	mask_keys(edata->context);
	mask_keys(edata->backtrace);
	mask_keys(edata->internalquery);
	if (has_key(debug_query_string))
	{
		edata->hide_stmt = true;
		if (edata->elevel >= ERROR)
			mask_activity();
	}
	if (previous_emit_log_hook)
		previous_emit_log_hook(edata);
}

void
scrub_install(void)
{
	previous_emit_log_hook = emit_log_hook;
	emit_log_hook = scrub_log;
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = scrub_utility;
}

void
scrub_current_statement(void)
{
	if (debug_query_string == NULL || !has_key(debug_query_string))
		return;
	mask_activity();
	ereport(WARNING,
			(errmsg("the statement spells out a key"),
			 errdetail("Statements are shown to monitoring roles and may be logged; the log is scrubbed only where \"shared_preload_libraries\" holds memberpulse_stripe."),
			 errhint("Pass keys as parameters ($1) of a statement, apart from its text.")));
}

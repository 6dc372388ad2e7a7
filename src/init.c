/*-------------------------------------------------------------------------
 *
 * init.c
 *	  What happens when the library is loaded.
 *
 * It may be loaded by any backend at its first call, by the postmaster through
 * shared_preload_libraries, and by pg_upgrade without either: nothing here
 * may fail, use the network, or start a thread.
 *
 * src/init.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "apply.h"
#include "compat.h"
#include "configured.h"
#include "follow.h"
#include "scrub.h"
#include "settings.h"

COMPAT_MODULE_MAGIC("memberpulse_stripe", MP_VERSION);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	settings_define();
	configured_take_environment();
	scrub_install();
	apply_set_listener(follow_mirror, follow_answer);
}

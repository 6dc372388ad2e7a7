/*-------------------------------------------------------------------------
 *
 * scrub.h
 *	  Keeps keys out of the server log and out of pg_stat_activity.
 *
 * src/scrub.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_SCRUB_H
#define MP_SCRUB_H

/* Installs the hook on the server log; once, when the library is loaded. */
extern void scrub_install(void);

/*
 * For a function that is given keys: if the running statement spells a key
 * out, hides it from pg_stat_activity, and warns that it may have been logged
 * where the library was not preloaded.
 */
extern void scrub_current_statement(void);

#endif /* MP_SCRUB_H */

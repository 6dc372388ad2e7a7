/*-------------------------------------------------------------------------
 *
 * audit.h
 *	  The trail of who did what to which account.
 *
 * src/audit.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_AUDIT_H
#define MP_AUDIT_H

#include "compat.h"

/*
 * Appends a row, in the caller's transaction.  "livemode" is 1, 0, or -1 where
 * the action concerns both modes; "detail" may be NULL.  Must not run within a
 * store scope: the acting role is the current user.
 */
extern void audit_write(const char *account, int livemode, const char *action, Jsonb *detail);

#endif /* MP_AUDIT_H */

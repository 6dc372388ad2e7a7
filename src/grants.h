/*-------------------------------------------------------------------------
 *
 * grants.h
 *	  What the current user may do with which account.
 *
 * src/grants.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_GRANTS_H
#define MP_GRANTS_H

/* Each level includes those before it. */
typedef enum AccessLevel
{
	ACCESS_NONE,
	ACCESS_READER,				/* see the account's rows */
	ACCESS_BILLER,				/* take payments, manage subscriptions */
	ACCESS_ADMIN				/* configure, refund, and all else */
} AccessLevel;

extern AccessLevel grants_level(const char *account);

/* Raises 42501 unless the current user has at least "level". */
extern void grants_require(const char *account, AccessLevel level);

/* Raises 42501 unless the current user is a superuser or owns the extension. */
extern void grants_require_owner(const char *what);

/* By name: reader, biller or admin; ACCESS_NONE for anything else. */
extern AccessLevel grants_level_by_name(const char *name);

#endif /* MP_GRANTS_H */

/*-------------------------------------------------------------------------
 *
 * membership.h
 *	  State of memberships, derived from the mirrors.
 *
 * src/membership.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_MEMBERSHIP_H
#define MP_MEMBERSHIP_H

#include "utils/timestamp.h"

#include "compat.h"

/*
 * Brings one membership in line with the mirrors, in stripe.memberships and
 * its history, and tells listeners.  False, and nothing is written, if nothing
 * changes.
 */
extern bool membership_refresh(const char *account, bool livemode, const char *membership_id,
							   const char *cause);

/* Adds the row as it is to the history. */
extern void membership_record(const char *account, bool livemode, const char *membership_id);

/* A slack in the unit of access.h. */
extern int64 membership_slack(const Interval *interval);

/* Tells listeners, at commit, that something changed. */
extern void membership_announce(const char *kind, const char *account, const char *id,
								const char *membership_id);

#endif							/* MP_MEMBERSHIP_H */

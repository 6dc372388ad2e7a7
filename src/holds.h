/*-------------------------------------------------------------------------
 *
 * holds.h
 *	  Whether the mirrors already hold what an answer says.
 *
 * src/holds.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_HOLDS_H
#define MP_HOLDS_H

#include "compat.h"

/*
 * True if applying the object, or list of objects, would write nothing.  False
 * says nothing: apply.c looks more closely.  Reads as the server itself, not
 * as the current user, and needs no store scope.
 */
extern bool holds_object(const char *account, bool livemode, JsonbContainer *object);

#endif							/* MP_HOLDS_H */

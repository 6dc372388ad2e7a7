/*-------------------------------------------------------------------------
 *
 * configured.h
 *	  Keys that the server's configuration holds, for the account "default".
 *
 * src/configured.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_CONFIGURED_H
#define MP_CONFIGURED_H

#include "secret.h"

/*
 * Takes the keys out of the environment into masked memory.  Called when the
 * library is loaded; never fails.
 */
extern void configured_take_environment(void);

/*
 * The configured key, or NULL if there is none; read again after a reload.
 * Raises ST010 if what is configured is not usable.
 */
extern const Secret *configured_key(KeyKind kind);

/* Mode of the configured secret key: 1 live, 0 test, -1 none configured. */
extern int	configured_livemode(void);

#endif /* MP_CONFIGURED_H */

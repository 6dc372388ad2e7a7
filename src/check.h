/*-------------------------------------------------------------------------
 *
 * check.h
 *	  Checks on the parameters of a request before it is sent.
 *
 * src/check.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_CHECK_H
#define MP_CHECK_H

#include "compat.h"
#include "endpoints.h"

/* Raises 22023, naming the argument, for what Stripe is sure to refuse. */
extern void check_params(const Endpoint *endpoint, Jsonb *params);
extern void check_metadata(Jsonb *params);
extern void check_params_object(Jsonb *params);
extern const char *check_path(const char *path);
extern void check_idempotency_key(const char *key);

#endif /* MP_CHECK_H */

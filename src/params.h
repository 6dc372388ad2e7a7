/*-------------------------------------------------------------------------
 *
 * params.h
 *	  The parameters of a request: gathered, merged, encoded.
 *
 * src/params.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_PARAMS_H
#define MP_PARAMS_H

#include "compat.h"

typedef struct Params Params;

extern Params *params_create(void);

/*
 * Puts a value at a path such as "metadata[order_id]".  Objects are merged
 * member by member; null is left out.  "origin" is the argument it came from:
 * the same path with two different values is an error that names both.
 */
extern void params_put(Params *params, const char *path, JsonbValue *value,
					   const char *origin);
extern void params_put_text(Params *params, const char *path, const char *value,
							const char *origin);

/* The scalar at a top-level path, as text, or NULL. */
extern const char *params_get_text(Params *params, const char *name);

/* Whether there is such a top-level parameter, and its value if no object. */
extern bool params_has(Params *params, const char *name);
extern bool params_get(Params *params, const char *name, JsonbValue *value);

/* Sets a top-level parameter, whatever it was. */
extern void params_replace(Params *params, const char *name, JsonbValue *value);

/* A scalar as Stripe will see it, palloc'd; NULL for null and containers. */
extern char *params_scalar_text(const JsonbValue *v);

/* All of it as one jsonb object. */
extern Jsonb *params_finish(Params *params);

/*
 * Stripe's form encoding of a jsonb object, palloc'd.  JSON null is left out,
 * an empty string unsets.
 */
extern char *params_encode(Jsonb *params, size_t *len);

#endif /* MP_PARAMS_H */

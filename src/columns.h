/*-------------------------------------------------------------------------
 *
 * columns.h
 *	  What the typed columns of the mirror tables are computed with.
 *
 * The path language is described in columns.c.
 *
 * src/columns.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_COLUMNS_H
#define MP_COLUMNS_H

#include "fmgr.h"
#include "utils/jsonb.h"

/*
 * A value longer than this many bytes cannot be a key: it is left out of the
 * columns that indexes are built on, because an index entry that outgrows a
 * third of a page would be an error, and a mirror must take any content.
 * Stripe's own limits (ids 255, lookup keys 200, metadata values 500
 * characters) are below it.
 */
#define COLUMN_KEY_MAX 512

extern bool columns_has_client_secret(Jsonb *data);
extern Jsonb *columns_without_client_secret(Jsonb *data);

extern PGDLLEXPORT Datum stripe_json_text(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_key(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_ref(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_boolean(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_bigint(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_numeric(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_time(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_part(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_time_min(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_time_max(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_sum_bigint(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_has_client_secret(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_json_without_client_secret(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum stripe_keep_last_customer(PG_FUNCTION_ARGS);

#endif /* MP_COLUMNS_H */

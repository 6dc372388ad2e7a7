/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Every difference between server versions 15 to 19 that this extension
 *	  meets, and the only file that may test PG_VERSION_NUM.
 *
 * It must not hold logic: each entry gives one name to what several servers
 * spell differently.
 *
 * src/compat.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_COMPAT_H
#define MP_COMPAT_H

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "memberpulse_stripe needs PostgreSQL 15 or newer"
#endif

/* 18 moved the wait event set out of storage/latch.h. */
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "storage/latch.h"

/*
 * A set that lives as long as the backend.  From 17 on the first argument is
 * a resource owner, and none means the same as TopMemoryContext did before.
 */
#if PG_VERSION_NUM >= 170000
#define compat_create_wait_event_set(n) CreateWaitEventSet(NULL, (n))
#else
#define compat_create_wait_event_set(n) CreateWaitEventSet(TopMemoryContext, (n))
#endif

/* 17 lets an extension name its wait events; before, all share one name. */
#if PG_VERSION_NUM >= 170000
#define compat_wait_event_new(name) WaitEventExtensionNew(name)
#else
#define compat_wait_event_new(name) PG_WAIT_EXTENSION
#endif

/* 18 shows the name and version of a loaded library. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_MODULE_MAGIC(n, v) PG_MODULE_MAGIC_EXT(.name = (n), .version = (v))
#else
#define COMPAT_MODULE_MAGIC(n, v) PG_MODULE_MAGIC
#endif

/* 18 puts the attribute in front of the declaration. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_NORETURN pg_noreturn
#else
#define COMPAT_NORETURN pg_attribute_noreturn()
#endif

/* 18 lets an index scan be instrumented. */
#if PG_VERSION_NUM >= 180000
#define compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), 0)
#else
#define compat_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), (nkeys), 0)
#endif

/* All settings, as an array. */
#if PG_VERSION_NUM >= 160000
#define compat_guc_variables(vars, n) ((vars) = get_guc_variables(&(n)))
#else
#define compat_guc_variables(vars, n) \
	((vars) = get_guc_variables(), (n) = GetNumConfigOptions())
#endif

/* 15 does not export the functions it registers; from 16 on it does. */
#define COMPAT_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/*
 * Building jsonb: 19 keeps the result in the state it is given, earlier
 * servers return it from each push.
 */
#if PG_VERSION_NUM >= 190000
typedef JsonbInState CompatJsonbState;
#define compat_push_jsonb(st, tok, v) pushJsonbValue((st), (tok), (v))
#else
typedef struct CompatJsonbState
{
	JsonbParseState *parseState;
	JsonbValue *result;
} CompatJsonbState;
#define compat_push_jsonb(st, tok, v) \
	((st)->result = pushJsonbValue(&(st)->parseState, (tok), (v)))
#endif

#endif /* MP_COMPAT_H */

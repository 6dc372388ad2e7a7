/*-------------------------------------------------------------------------
 *
 * store.h
 *	  The extension's own tables, through SPI, as the extension's owner.
 *
 * src/store.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_STORE_H
#define MP_STORE_H

#include "executor/spi.h"

/* A statement whose plan is made once in a backend and kept. */
typedef struct StorePlan
{
	const char *sql;
	int			nargs;
	Oid			argtypes[12];
	SPIPlanPtr	plan;			/* NULL until first used */
	uint64		runs;
	uint64		replan_at;
} StorePlan;

typedef struct StoreScope
{
	Oid			userid;
	int			sec_context;
	int			guc_level;
} StoreScope;

/*
 * Between these two, SPI is connected, the current user is the owner of
 * schema "stripe" and search_path holds pg_catalog alone.  An error needs no
 * store_end(): ending the (sub)transaction undoes all three.
 */
extern void store_begin(StoreScope *scope);
extern void store_end(StoreScope *scope);

/* Runs the statement; returns SPI_processed, with rows in SPI_tuptable. */
extern uint64 store_execute(StorePlan *plan, Datum *args, const char *nulls, long limit);

/*
 * The same for a query whose result the backend will keep: it sees what is
 * committed now, whatever the transaction's snapshot, and changes of its own.
 */
extern uint64 store_query(StorePlan *plan, Datum *args, const char *nulls, long limit);

/*
 * A table whose content a backend keeps.  "fresh" turns false when the table
 * is changed, here or by a commit elsewhere; the keeper reads again then and
 * calls store_watch() before it does.
 */
typedef struct StoreWatch
{
	const char *table;			/* in schema "stripe" */
	Oid			relid;
	bool		fresh;
	struct StoreWatch *next;
	bool		registered;
} StoreWatch;

extern void store_watch(StoreWatch *watch);

/* Tells every backend, at commit, that a watched table was changed. */
extern void store_changed(Oid relid);

/* A column of a row of the last result; lives until store_end(). */
extern Datum store_column(int row, int column, bool *isnull);

/* Owner of the extension's tables. */
extern Oid	store_owner(void);

/* Whether this transaction may write tables at all. */
extern bool store_writable(void);

#endif /* MP_STORE_H */

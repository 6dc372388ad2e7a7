/*-------------------------------------------------------------------------
 *
 * bind.h
 *	  From the arguments of an SQL function to a request.
 *
 * src/bind.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_BIND_H
#define MP_BIND_H

#include "fmgr.h"

#include "call.h"
#include "params.h"

/*
 * The call that the running SQL function makes, by its declaration, its entry
 * in the catalogue of endpoints, and the arguments given.  NULL arguments are
 * left out.  Checked, and safe to send.
 */
extern Call *bind_call(FunctionCallInfo fcinfo);

/*
 * The path of a function of the catalogue whose only variable part is the
 * argument "arg", checked and escaped.
 */
extern char *bind_path(const char *function, const char *arg, const char *value);

/* A text argument, or NULL if it is null or not declared. */
extern char *bind_text_arg(FunctionCallInfo fcinfo, int i);

/* A value as jsonb would hold it; the type must be one the functions use. */
extern void bind_value(Datum value, Oid type, JsonbValue *v);

#endif /* MP_BIND_H */

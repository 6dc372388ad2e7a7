/*-------------------------------------------------------------------------
 *
 * bind.c
 *	  From the arguments of an SQL function to a request.
 *
 * Every function of the catalogue enters C through the same door.  Its
 * declaration in pg_proc gives the arguments' names and types, the catalogue
 * (endpoints.c) what they mean; the two together are the request.  So an
 * argument is declared once, in SQL, and documented there.
 *
 * src/bind.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "bind.h"
#include "check.h"
#include "fallback.h"
#include "form.h"
#include "json.h"

/* A function's declaration, read once per call site. */
typedef struct Declaration
{
	const char *function;
	const Endpoint *endpoint;	/* NULL if not in the catalogue */
	int			nargs;
	int			nrequired;		/* how many of them have no default */
	char	  **names;
	Oid		   *types;
} Declaration;

static Declaration *
read_declaration(Oid function, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	HeapTuple	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Declaration *d = palloc0(sizeof(Declaration));
	char	   *modes;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for function %u", function);
	d->function = pstrdup(NameStr(((Form_pg_proc) GETSTRUCT(tup))->proname));
	d->nargs = ((Form_pg_proc) GETSTRUCT(tup))->pronargs;
	d->nrequired = d->nargs - ((Form_pg_proc) GETSTRUCT(tup))->pronargdefaults;
	(void) get_func_arg_info(tup, &d->types, &d->names, &modes);
	ReleaseSysCache(tup);
	d->endpoint = endpoints_find(d->function);
	MemoryContextSwitchTo(old);
	return d;
}

/* fn_extra belongs to funcapi.c in functions that return sets. */
static Declaration *
declaration_of(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;

	if (flinfo->fn_retset)
		return read_declaration(flinfo->fn_oid, CurrentMemoryContext);
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = read_declaration(flinfo->fn_oid, flinfo->fn_mcxt);
	return flinfo->fn_extra;
}

static void
bind_array(ArrayType *array, JsonbValue *v)
{
	CompatJsonbState st = {0};
	Datum	   *elems;
	bool	   *nulls;
	int			n;
	JsonbValue	e;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elems, &nulls, &n);
	json_begin(&st, true);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		json_text_value(&e, TextDatumGetCString(elems[i]));
		json_element(&st, &e);
	}
	json_end(&st, true);
	v->type = jbvBinary;
	v->val.binary.data = &json_finish(&st)->root;
	v->val.binary.len = 0;
}

char *
bind_text_arg(FunctionCallInfo fcinfo, int i)
{
	return PG_NARGS() <= i || PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

void
bind_value(Datum value, Oid type, JsonbValue *v)
{
	switch (type)
	{
		case TEXTOID:
			json_text_value(v, TextDatumGetCString(value));
			break;
		case INT8OID:
			v->type = jbvNumeric;
			v->val.numeric = int64_to_numeric(DatumGetInt64(value));
			break;
		case INT4OID:
			v->type = jbvNumeric;
			v->val.numeric = int64_to_numeric(DatumGetInt32(value));
			break;
		case BOOLOID:
			v->type = jbvBool;
			v->val.boolean = DatumGetBool(value);
			break;
		case TIMESTAMPTZOID:
			v->type = jbvNumeric;
			v->val.numeric = int64_to_numeric(timestamptz_to_time_t(DatumGetTimestampTz(value)));
			break;
		case TEXTARRAYOID:
			bind_array(DatumGetArrayTypeP(value), v);
			break;
		case JSONBOID:
		{
			Jsonb	   *jb = DatumGetJsonbP(value);

			if (JB_ROOT_IS_SCALAR(jb))
				*v = *getIthJsonbValueFromContainer(&jb->root, 0);
			else
			{
				v->type = jbvBinary;
				v->val.binary.data = &jb->root;
				v->val.binary.len = VARSIZE(jb) - VARHDRSZ;
			}
			break;
		}
		default:
			elog(ERROR, "argument type %u has no place in a request", type);
	}
}

static void
refuse_prefix(const char *arg, const char *prefixes)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\"", arg),
			 errdetail("The id does not begin with any of: %s.", prefixes),
			 errhint("Pass the id of the kind of object that the argument is named after.")));
}

/* Replaces {name} in the path by the escaped value of that argument. */
static void
fill_path(StringInfo path, const char *arg, const char *value)
{
	char	   *placeholder = psprintf("{%s}", arg);
	char	   *at = strstr(path->data, placeholder);
	char	   *segment = form_escape_segment(value, strlen(value));
	char	   *rest;

	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"%s\"", arg),
				 errdetail("It cannot be an id.")));
	rest = pstrdup(at + strlen(placeholder));
	path->len = at - path->data;
	appendStringInfoString(path, segment);
	appendStringInfoString(path, rest);
}

static bool
is_path_arg(const Endpoint *endpoint, const char *arg)
{
	return strstr(endpoint->path, psprintf("{%s}", arg)) != NULL;
}

/* Stops an id of the wrong kind, and one that is missing from the path. */
static const EndpointArg *
check_prefix(const Endpoint *endpoint, const char *arg, const char *value)
{
	const char *prefixes;
	const EndpointArg *row = endpoints_arg(endpoint, arg, value, &prefixes);

	if (prefixes != NULL)
		refuse_prefix(arg, prefixes);
	return row;
}

static void
refuse_null(const char *arg, const char *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" of %s() must not be null", arg, function)));
}

char *
bind_path(const char *function, const char *arg, const char *value)
{
	const Endpoint *endpoint = endpoints_find(function);
	StringInfoData path;

	if (endpoint == NULL || !is_path_arg(endpoint, arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function \"%s\" has no path with \"%s\"", function, arg)));
	if (value == NULL)
		refuse_null(arg, function);
	(void) check_prefix(endpoint, arg, value);
	initStringInfo(&path);
	appendStringInfoString(&path, endpoint->path);
	fill_path(&path, arg, value);
	return path.data;
}

/*
 * An argument without a default must be given, here or within "params": a
 * request without it would only be refused, or mean something else.
 */
static void
check_required(FunctionCallInfo fcinfo, const Declaration *d, Params *params)
{
	for (int i = 0; i < d->nrequired; i++)
	{
		const char *prefixes;
		const EndpointArg *row;
		char	   *name;

		if (!PG_ARGISNULL(i) || is_path_arg(d->endpoint, d->names[i]))
			continue;
		row = endpoints_arg(d->endpoint, d->names[i], NULL, &prefixes);
		name = pstrdup(row && row->param ? row->param : d->names[i]);
		name[strcspn(name, "[")] = '\0';
		if (!params_has(params, name))
			refuse_null(d->names[i], d->function);
	}
}

/* One argument that is a parameter or a part of the path. */
static void
bind_argument(const Endpoint *endpoint, const char *arg, JsonbValue *v,
			  StringInfo path, Params *params)
{
	const char *text = NULL;
	const EndpointArg *row;

	if (v->type == jbvString && v->val.string.len > 0)
		text = v->val.string.val;
	row = check_prefix(endpoint, arg, text);
	if (is_path_arg(endpoint, arg))
		fill_path(path, arg, text ? text : "");
	else
		params_put(params, row && row->param ? row->param : arg, v, arg);
}

Call *
bind_call(FunctionCallInfo fcinfo)
{
	Declaration *d = declaration_of(fcinfo);
	const Endpoint *endpoint = d->endpoint;
	Call	   *call = palloc0(sizeof(Call));
	Params	   *params = params_create();
	JsonbValue	extra;
	bool		has_extra = false;
	StringInfoData path;

	if (endpoint == NULL)
		elog(ERROR, "function \"%s\" has no endpoint", d->function);
	initStringInfo(&path);
	appendStringInfoString(&path, endpoint->path);
	call->function = d->function;
	call->method = endpoint->method;

	for (int i = 0; i < d->nargs; i++)
	{
		const char *arg = d->names[i];
		JsonbValue	v;

		if (PG_ARGISNULL(i))
		{
			if (is_path_arg(endpoint, arg))
				refuse_null(arg, d->function);
			continue;
		}
		bind_value(PG_GETARG_DATUM(i), d->types[i], &v);
		if (strcmp(arg, "params") == 0)
		{
			check_params_object(PG_GETARG_JSONB_P(i));
			extra = v;
			has_extra = true;
		}
		else if (strcmp(arg, "idempotency_key") == 0)
			call->idempotency_key = TextDatumGetCString(PG_GETARG_DATUM(i));
		else if (strcmp(arg, "account") == 0)
			call->account = TextDatumGetCString(PG_GETARG_DATUM(i));
		else
			bind_argument(endpoint, arg, &v, &path, params);
	}
	if (has_extra)				/* last, so that what differs is refused */
		params_put(params, "", &extra, "params");
	check_required(fcinfo, d, params);
	call->level = (endpoint->flags & ENDPOINT_ADMIN) ? ACCESS_ADMIN : ACCESS_BILLER;
	if (endpoint->flags & ENDPOINT_PAYMENT)
		fallback_for_payment(params, account_lookup(call->account, call->level));
	if ((endpoint->flags & ENDPOINT_CHARGE) && fallback_expand(params, "latest_charge"))
		call->collapse = "latest_charge";
	call->path = path.data;
	call->params = params_finish(params);

	if (call->idempotency_key != NULL)
		check_idempotency_key(call->idempotency_key);
	check_params(endpoint, call->params);
	return call;
}

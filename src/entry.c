/*-------------------------------------------------------------------------
 *
 * entry.c
 *	  SQL entry points that run one request each.
 *
 * stripe_call serves every function of the catalogue whose work is the
 * request alone.  stripe_request and stripe_try_request send what the caller
 * spells out.  There is no rule of business in this file.
 *
 * src/entry.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "bind.h"
#include "call.h"
#include "check.h"
#include "json.h"
#include "params.h"

COMPAT_FUNCTION(stripe_call);
COMPAT_FUNCTION(stripe_request);
COMPAT_FUNCTION(stripe_try_request);
COMPAT_FUNCTION(stripe_last_error);
COMPAT_FUNCTION(stripe_endpoint_path);

/* Any function of the catalogue: one request, answered by Stripe's object. */
Datum
stripe_call(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(call_run(bind_call(fcinfo)));
}

static const char *
check_method(const char *method)
{
	static const char *const methods[] = {"GET", "POST", "DELETE"};

	for (int i = 0; i < (int) lengthof(methods); i++)
		if (pg_strcasecmp(methods[i], method) == 0)
			return methods[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"method\""),
			 errdetail("The methods of Stripe's API are GET, POST and DELETE.")));
}

/* Shared arguments: method, path, params, idempotency_key, account. */
static Call *
spelled_out_call(FunctionCallInfo fcinfo, const char *function)
{
	Call	   *call = palloc0(sizeof(Call));
	Params	   *params = params_create();
	JsonbValue	v;

	for (int i = 0; i < 2; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" of %s() must not be null",
							i == 0 ? "method" : "path", function)));
	call->function = function;
	call->level = ACCESS_ADMIN;
	call->method = check_method(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	call->path = check_path(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (!PG_ARGISNULL(2))
	{
		check_params_object(PG_GETARG_JSONB_P(2));
		bind_value(PG_GETARG_DATUM(2), JSONBOID, &v);
		params_put(params, "", &v, "params");
	}
	call->params = params_finish(params);
	check_metadata(call->params);
	if (!PG_ARGISNULL(3))
	{
		call->idempotency_key = text_to_cstring(PG_GETARG_TEXT_PP(3));
		check_idempotency_key(call->idempotency_key);
	}
	if (!PG_ARGISNULL(4))
		call->account = text_to_cstring(PG_GETARG_TEXT_PP(4));
	return call;
}

Datum
stripe_request(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(call_run(spelled_out_call(fcinfo, "stripe_request")));
}

/* (ok, http_status, body); without an answer, body is what stripe_last_error() says. */
Datum
stripe_try_request(PG_FUNCTION_ARGS)
{
	CallAnswer	answer;
	TupleDesc	tupdesc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	call_try(spelled_out_call(fcinfo, "stripe_try_request"), &answer);
	if (!answer.ok)
		error_remember(&answer.error);
	values[0] = BoolGetDatum(answer.ok);
	values[1] = Int32GetDatum(answer.http_status);
	nulls[1] = answer.http_status == 0;
	values[2] = JsonbPGetDatum(answer.body ? answer.body : error_as_jsonb(&answer.error));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

Datum
stripe_last_error(PG_FUNCTION_ARGS)
{
	Jsonb	   *last = error_last();

	if (last == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(last);
}

/* stripe.endpoint_path(function, arg, value): for functions that are SQL. */
Datum
stripe_endpoint_path(PG_FUNCTION_ARGS)
{
	char	   *value = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(bind_path(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											   text_to_cstring(PG_GETARG_TEXT_PP(1)), value)));
}

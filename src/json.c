/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Reading and building jsonb, on the server's own functions.
 *
 * There is no parser here.  Text becomes jsonb through jsonb_in() alone, and
 * members are found by the server's own search.
 *
 * src/json.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "json.h"

/*
 * Whether an error raised by jsonb_in() speaks of its input.  Anything else,
 * such as lack of memory, is not ours to swallow.
 */
static bool
is_input_error(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_DATA_EXCEPTION ||
		category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/* What an error of jsonb_in() says of its input. */
static const char *
input_error(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
			return "it is not valid JSON";
		case ERRCODE_STATEMENT_TOO_COMPLEX:
			return "it is nested too deeply";
		default:
			return "it holds a character or a number that jsonb cannot hold";
	}
}

/*
 * jsonb_in() takes no locks, opens nothing and writes nothing, which is what
 * makes it sound to catch its errors without a subtransaction.
 */
Jsonb *
json_parse(const char *data, size_t len, const char **why)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile result = NULL;

	if (len > INT_MAX || !pg_verify_mbstr(PG_UTF8, data, (int) len, true))
	{
		*why = memchr(data, '\0', len) ? "it holds a zero byte" : "it is not valid UTF-8";
		return NULL;
	}

	PG_TRY();
	{
		char	   *text = pg_any_to_server(data, (int) len, PG_UTF8);

		if (text == data)
			text = pnstrdup(data, len); /* the input need not end with a zero */

		result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		if (!is_input_error(edata->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		*why = input_error(edata->sqlerrcode);
		FreeErrorData(edata);
		result = NULL;
	}
	PG_END_TRY();
	return result;
}

bool
json_get(JsonbContainer *c, const char *key, JsonbValue *v)
{
	if (!JsonContainerIsObject(c))
		return false;
	return getKeyJsonValueFromContainer(c, key, strlen(key), v) != NULL;
}

char *
json_get_text(JsonbContainer *c, const char *key)
{
	JsonbValue	v;

	if (!json_get(c, key, &v) || v.type != jbvString)
		return NULL;
	return pnstrdup(v.val.string.val, v.val.string.len);
}

JsonbContainer *
json_get_container(JsonbContainer *c, const char *key)
{
	JsonbValue	v;

	if (!json_get(c, key, &v) || v.type != jbvBinary)
		return NULL;
	return v.val.binary.data;
}

char *
json_get_ref(JsonbContainer *c, const char *key)
{
	JsonbContainer *inner = json_get_container(c, key);

	return inner ? json_get_text(inner, "id") : json_get_text(c, key);
}

bool
json_get_bool(JsonbContainer *c, const char *key, bool *value)
{
	JsonbValue	v;

	if (!json_get(c, key, &v) || v.type != jbvBool)
		return false;
	*value = v.val.boolean;
	return true;
}

bool
json_value_int64(const JsonbValue *v, int64 *value)
{
	char	   *text;
	char	   *end;

	if (v->type != jbvNumeric)
		return false;
	text = numeric_normalize(v->val.numeric);
	errno = 0;
	*value = strtoi64(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

bool
json_get_int64(JsonbContainer *c, const char *key, int64 *value)
{
	JsonbValue	v;

	return json_get(c, key, &v) && json_value_int64(&v, value);
}

Jsonb *
json_from_container(JsonbContainer *c)
{
	JsonbValue	v;

	v.type = jbvBinary;
	v.val.binary.data = c;
	v.val.binary.len = 0;
	return json_from_value(&v);
}

/* JsonbValueToJsonb() copies a container by its length, which we work out. */
Jsonb *
json_from_value(JsonbValue *v)
{
	if (v->type == jbvBinary)
	{
		JsonbIterator *it = JsonbIteratorInit(v->val.binary.data);
		JsonbIteratorToken tok;
		CompatJsonbState st = {0};
		JsonbValue	part;

		while ((tok = JsonbIteratorNext(&it, &part, false)) != WJB_DONE)
		{
			bool		leaf = tok == WJB_KEY || tok == WJB_VALUE || tok == WJB_ELEM;

			compat_push_jsonb(&st, tok, leaf ? &part : NULL);
		}
		return json_finish(&st);
	}
	return JsonbValueToJsonb(v);
}

void
json_begin(CompatJsonbState *st, bool array)
{
	compat_push_jsonb(st, array ? WJB_BEGIN_ARRAY : WJB_BEGIN_OBJECT, NULL);
}

void
json_key(CompatJsonbState *st, const char *key, int len)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = len;
	compat_push_jsonb(st, WJB_KEY, &v);
}

void
json_value(CompatJsonbState *st, JsonbValue *v)
{
	compat_push_jsonb(st, WJB_VALUE, v);
}

void
json_element(CompatJsonbState *st, JsonbValue *v)
{
	compat_push_jsonb(st, WJB_ELEM, v);
}

void
json_end(CompatJsonbState *st, bool array)
{
	compat_push_jsonb(st, array ? WJB_END_ARRAY : WJB_END_OBJECT, NULL);
}

Jsonb *
json_finish(CompatJsonbState *st)
{
	return JsonbValueToJsonb(st->result);
}

void
json_text_value(JsonbValue *v, const char *text)
{
	v->type = jbvString;
	v->val.string.val = unconstify(char *, text);
	v->val.string.len = strlen(text);
}

void
json_put_text(CompatJsonbState *st, const char *key, const char *value)
{
	JsonbValue	v;

	if (value == NULL)
		return;
	json_key(st, key, strlen(key));
	json_text_value(&v, value);
	json_value(st, &v);
}

void
json_put_int64(CompatJsonbState *st, const char *key, int64 value)
{
	JsonbValue	v;

	json_key(st, key, strlen(key));
	v.type = jbvNumeric;
	v.val.numeric = int64_to_numeric(value);
	json_value(st, &v);
}

void
json_put_bool(CompatJsonbState *st, const char *key, bool value)
{
	JsonbValue	v;

	json_key(st, key, strlen(key));
	v.type = jbvBool;
	v.val.boolean = value;
	json_value(st, &v);
}

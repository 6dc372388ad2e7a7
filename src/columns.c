/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  Typed values out of a Stripe object, for the mirrors' generated columns.
 *
 * Stripe moves fields between API versions, and rows of several versions
 * live side by side in one mirror table.  Each typed column therefore names
 * every place its value has ever been:
 *
 *		path        = alternative { "|" alternative }
 *		alternative = step { "." step }
 *		step        = key [ "[]" ]
 *
 * Alternatives are tried from left to right until one yields a value of the
 * column's type; a JSON null, a value of another type or a number out of
 * range is no value.  "[]" goes through the array under its key: a scalar
 * takes the first element that yields a value, an aggregate takes them all.
 * A reference is an id string, or the expanded object that carries "id".
 *
 * Rules for every function here:
 *
 * - It never raises an error on account of the document.  A generated column
 *	 that fails would refuse the whole row, and with it a payment that has
 *	 happened.  What cannot be read is NULL.
 * - It depends on its arguments alone (no settings, no clock, no catalog), as
 *	 generated columns need.
 * - It walks the binary document in place and allocates the result only.  A
 *	 row of a mirror runs some thirty of these, so they are counted in tenths
 *	 of a microsecond.
 *
 * This file must not know any table or object type: which column reads what
 * is written in the table definitions, and only there.
 *
 * src/columns.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <string.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/int.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "columns.h"
#include "compat.h"

/* No decimal of Stripe's has more characters than this: 12 places at most. */
#define COLUMN_DECIMAL_MAX 64

/* Seconds from the Unix epoch to PostgreSQL's. */
#define COLUMN_EPOCH_SHIFT \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* The key that client secrets have, in every object that has one. */
static const char secret_name[] = "client_secret";

/* What a walk has found so far. */
typedef struct ColumnMatch
{
	bool		found;			/* some value had the right type */
	bool		overflow;		/* a sum left the range of bigint */
	int64		number;			/* running value of an aggregate */
	Datum		value;			/* the result, when found */
} ColumnMatch;

/*
 * Called with each value a path leads to.  Returns true when the search is
 * over, false to be called with the next one.
 */
typedef bool (*ColumnTake) (const JsonbValue *value, ColumnMatch *match);

static bool walk_elements(const JsonbValue *array, const char *path,
						  const char *end, ColumnTake take,
						  ColumnMatch *match);

PG_FUNCTION_INFO_V1(stripe_json_has_client_secret);
PG_FUNCTION_INFO_V1(stripe_json_without_client_secret);
PG_FUNCTION_INFO_V1(stripe_keep_last_customer);

/*
 * Follow one alternative, [path, end), from a container and hand what it
 * leads to to "take".  Returns true when "take" ended the search.
 *
 * The loop goes down through objects; only "[]" recurses, so the depth is
 * bounded by the number of "[]" in the path, not by the document.
 */
static bool
walk_path(JsonbContainer *container, const char *path, const char *end,
		  ColumnTake take, ColumnMatch *match)
{
	for (;;)
	{
		const char *dot = memchr(path, '.', end - path);
		const char *key_end = dot ? dot : end;
		const char *rest = dot ? dot + 1 : NULL;
		bool		each;
		JsonbValue	value;

		each = key_end - path >= 2 && key_end[-2] == '[' && key_end[-1] == ']';
		if (each)
			key_end -= 2;

		if (!JsonContainerIsObject(container) ||
			getKeyJsonValueFromContainer(container, path, key_end - path,
										 &value) == NULL)
			return false;
		if (each)
			return walk_elements(&value, rest, end, take, match);
		if (rest == NULL)
			return take(&value, match);
		if (value.type != jbvBinary)
			return false;

		container = value.val.binary.data;
		path = rest;
	}
}

/*
 * Follow the rest of a path, or end it when there is none (path is NULL), in
 * every element of an array.  Anything but an array has no elements.
 */
static bool
walk_elements(const JsonbValue *array, const char *path, const char *end,
			  ColumnTake take, ColumnMatch *match)
{
	JsonbContainer *container;
	uint32		count;

	check_stack_depth();

	if (array->type != jbvBinary)
		return false;
	container = array->val.binary.data;
	if (!JsonContainerIsArray(container) || JsonContainerIsScalar(container))
		return false;

	count = JsonContainerSize(container);
	for (uint32 i = 0; i < count; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(container, i);
		bool		done = false;

		if (path == NULL)
			done = take(element, match);
		else if (element->type == jbvBinary)
			done = walk_path(element->val.binary.data, path, end, take, match);
		pfree(element);
		if (done)
			return true;
	}
	return false;
}

/*
 * Body of every column function: try the alternatives of the path (second
 * argument) in the document (first argument) and return what "take" made of
 * them.  Both arguments are non-null, the functions being strict.
 */
static Datum
column_value(FunctionCallInfo fcinfo, ColumnTake take)
{
	Jsonb	   *data = PG_GETARG_JSONB_P(0);
	text	   *path = PG_GETARG_TEXT_PP(1);
	const char *next = VARDATA_ANY(path);
	const char *end = next + VARSIZE_ANY_EXHDR(path);
	ColumnMatch match = {0};

	while (next != NULL && !match.found)
	{
		const char *bar = memchr(next, '|', end - next);

		walk_path(&data->root, next, bar ? bar : end, take, &match);
		next = bar ? bar + 1 : NULL;
	}

	if (!match.found || match.overflow)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(match.value);
}

/*
 * Write a JSON number out in full.  Reading the digits instead of converting
 * is what keeps 1e400 and 1.5 from being errors: every conversion the server
 * offers to all its supported versions throws.
 */
static char *
number_text(const JsonbValue *value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
}

/*
 * Read a JSON number that is whole and fits a bigint; "12.00" is whole.
 * Returns false for everything else.
 */
static bool
read_int64(const JsonbValue *value, int64 *result)
{
	char	   *digits;
	const char *p;
	int64		n = 0;
	bool		negative;
	bool		valid;

	if (value->type != jbvNumeric)
		return false;

	digits = number_text(value);
	negative = digits[0] == '-';
	p = negative ? digits + 1 : digits;

	/* Count downwards: the negative range is the wider one. */
	valid = *p >= '0' && *p <= '9';
	for (; valid && *p >= '0' && *p <= '9'; p++)
		valid = !pg_mul_s64_overflow(n, 10, &n) &&
			!pg_sub_s64_overflow(n, *p - '0', &n);
	if (valid && *p == '.')
		p += 1 + strspn(p + 1, "0");
	valid = valid && *p == '\0' && (negative || n != PG_INT64_MIN);
	pfree(digits);

	if (valid)
		*result = negative ? n : -n;
	return valid;
}

/*
 * Read Unix seconds as microseconds since PostgreSQL's epoch.  Returns false
 * for what timestamptz cannot hold.
 */
static bool
read_time(const JsonbValue *value, int64 *result)
{
	int64		seconds;

	if (!read_int64(value, &seconds) ||
		pg_sub_s64_overflow(seconds, COLUMN_EPOCH_SHIFT, &seconds) ||
		pg_mul_s64_overflow(seconds, USECS_PER_SEC, result))
		return false;
	return IS_VALID_TIMESTAMP(*result);
}

/* A string whose length is at most "limit" bytes, as text. */
static bool
take_string(const JsonbValue *value, ColumnMatch *match, int limit)
{
	if (value->type != jbvString || value->val.string.len > limit)
		return false;
	match->value = PointerGetDatum(cstring_to_text_with_len(value->val.string.val,
															value->val.string.len));
	match->found = true;
	return true;
}

static bool
take_text(const JsonbValue *value, ColumnMatch *match)
{
	return take_string(value, match, PG_INT32_MAX);
}

static bool
take_key(const JsonbValue *value, ColumnMatch *match)
{
	return take_string(value, match, COLUMN_KEY_MAX);
}

/* An id, or the id of an expanded object. */
static bool
take_ref(const JsonbValue *value, ColumnMatch *match)
{
	if (value->type == jbvBinary)
	{
		static const char id[] = "id";

		return walk_path(value->val.binary.data, id, id + 2, take_key, match);
	}
	return take_key(value, match);
}

static bool
take_boolean(const JsonbValue *value, ColumnMatch *match)
{
	if (value->type != jbvBool)
		return false;
	match->value = BoolGetDatum(value->val.boolean);
	match->found = true;
	return true;
}

static bool
take_bigint(const JsonbValue *value, ColumnMatch *match)
{
	if (!read_int64(value, &match->number))
		return false;
	match->value = Int64GetDatum(match->number);
	match->found = true;
	return true;
}

/* Make a moment the result, unless an aggregate finds a better one. */
static void
set_time(ColumnMatch *match, int64 moment)
{
	match->number = moment;
	match->value = TimestampTzGetDatum(moment);
	match->found = true;
}

static bool
take_time(const JsonbValue *value, ColumnMatch *match)
{
	int64		moment;

	if (!read_time(value, &moment))
		return false;
	set_time(match, moment);
	return true;
}

/*
 * Is this a plain decimal: an optional minus sign, digits, and optionally a
 * point and more digits?  Then numeric_in() cannot refuse it.
 */
static bool
is_decimal(const char *p)
{
	size_t		digits;

	if (strlen(p) > COLUMN_DECIMAL_MAX)
		return false;
	if (*p == '-')
		p++;
	digits = strspn(p, "0123456789");
	p += digits;
	if (digits > 0 && *p == '.')
	{
		digits = strspn(p + 1, "0123456789");
		p += 1 + digits;
	}
	return digits > 0 && *p == '\0';
}

/* A JSON number, or a decimal in a string as Stripe writes "*_decimal". */
static bool
take_numeric(const JsonbValue *value, ColumnMatch *match)
{
	char	   *decimal;

	if (value->type == jbvNumeric)
		decimal = number_text(value);
	else if (value->type == jbvString &&
			 value->val.string.len <= COLUMN_DECIMAL_MAX)
		decimal = pnstrdup(value->val.string.val, value->val.string.len);
	else
		return false;

	match->found = is_decimal(decimal);
	if (match->found)
		match->value = DirectFunctionCall3(numeric_in,
										   CStringGetDatum(decimal),
										   ObjectIdGetDatum(InvalidOid),
										   Int32GetDatum(-1));
	pfree(decimal);
	return match->found;
}

/* An object or an array, copied out of the document. */
static bool
take_part(const JsonbValue *value, ColumnMatch *match)
{
	if (value->type != jbvBinary)
		return false;
	match->value = JsonbPGetDatum(JsonbValueToJsonb(unconstify(JsonbValue *, value)));
	match->found = true;
	return true;
}

/* The aggregates ask for every value there is: they never end the search. */

static bool
take_time_min(const JsonbValue *value, ColumnMatch *match)
{
	int64		moment;

	if (read_time(value, &moment) &&
		(!match->found || moment < match->number))
		set_time(match, moment);
	return false;
}

static bool
take_time_max(const JsonbValue *value, ColumnMatch *match)
{
	int64		moment;

	if (read_time(value, &moment) &&
		(!match->found || moment > match->number))
		set_time(match, moment);
	return false;
}

/* A sum that does not fit is no value, rather than a wrong one. */
static bool
take_sum(const JsonbValue *value, ColumnMatch *match)
{
	int64		addend;

	if (read_int64(value, &addend))
	{
		if (pg_add_s64_overflow(match->number, addend, &match->number))
			match->overflow = true;
		match->value = Int64GetDatum(match->number);
		match->found = true;
	}
	return false;
}

/*
 * The SQL functions stripe.json_*(data jsonb, path text), of the type that
 * their names say.
 */
#define COLUMN_FUNCTION(name, take) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		return column_value(fcinfo, (take)); \
	} \
	extern Datum name(PG_FUNCTION_ARGS)

COLUMN_FUNCTION(stripe_json_text, take_text);
COLUMN_FUNCTION(stripe_json_key, take_key);
COLUMN_FUNCTION(stripe_json_ref, take_ref);
COLUMN_FUNCTION(stripe_json_boolean, take_boolean);
COLUMN_FUNCTION(stripe_json_bigint, take_bigint);
COLUMN_FUNCTION(stripe_json_numeric, take_numeric);
COLUMN_FUNCTION(stripe_json_time, take_time);
COLUMN_FUNCTION(stripe_json_part, take_part);
COLUMN_FUNCTION(stripe_json_time_min, take_time_min);
COLUMN_FUNCTION(stripe_json_time_max, take_time_max);
COLUMN_FUNCTION(stripe_json_sum_bigint, take_sum);

/* Is this key the one whose value is a client secret? */
static bool
is_secret_key(const JsonbValue *key)
{
	return key->val.string.len == sizeof(secret_name) - 1 &&
		memcmp(key->val.string.val, secret_name, sizeof(secret_name) - 1) == 0;
}

/*
 * Does the document hold a client secret, at any depth?  Expanded objects
 * bring theirs along, so looking at the top level only is not enough.
 *
 * Keys and strings lie unescaped in a jsonb, so that almost every document is
 * answered by one search through its bytes; only one that has the word
 * somewhere is walked, to tell a key from a description that mentions it.
 */
bool
columns_has_client_secret(Jsonb *data)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		named = false;

	if (memmem(VARDATA(data), VARSIZE(data) - VARHDRSZ,
			   secret_name, sizeof(secret_name) - 1) == NULL)
		return false;

	iterator = JsonbIteratorInit(&data->root);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		/* A null where the secret was is what other API versions send. */
		if (named && !(token == WJB_VALUE && value.type == jbvNull))
			return true;
		named = token == WJB_KEY && is_secret_key(&value);
	}
	return false;
}

/*
 * The document without its client secrets, at any depth, in the current
 * memory context.  One that has none is returned as it is, and that is nearly
 * every one.
 */
Jsonb *
columns_without_client_secret(Jsonb *data)
{
	CompatJsonbState state = {0};
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!columns_has_client_secret(data))
		return data;

	iterator = JsonbIteratorInit(&data->root);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		/* Asked for without its insides, any value is a single token. */
		if (token == WJB_KEY && is_secret_key(&value))
			(void) JsonbIteratorNext(&iterator, &value, true);
		else
			compat_push_jsonb(&state, token,
							  token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(state.result);
}

/* SQL: stripe.json_has_client_secret(data jsonb): boolean */
Datum
stripe_json_has_client_secret(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(columns_has_client_secret(PG_GETARG_JSONB_P(0)));
}

/* SQL: stripe.json_without_client_secret(data jsonb): jsonb */
Datum
stripe_json_without_client_secret(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(columns_without_client_secret(PG_GETARG_JSONB_P(0)));
}

/*
 * SQL: trigger stripe.keep_last_customer(), before update for each row.
 *
 * Detaching a payment method empties its "customer", and for good.  This
 * saves the customer the row had in the plain column "last_customer", so that
 * the history of a member's cards can still be read.
 */
Datum
stripe_keep_last_customer(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	int			from;
	int			to;
	Datum		customer;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called as a trigger before update for each row")));

	desc = RelationGetDescr(trigger->tg_relation);
	from = SPI_fnumber(desc, "customer");
	to = SPI_fnumber(desc, "last_customer");
	if (from <= 0 || to <= 0 ||
		TupleDescAttr(desc, from - 1)->atttypid != TEXTOID ||
		TupleDescAttr(desc, to - 1)->atttypid != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" needs text columns \"customer\" and \"last_customer\"",
						RelationGetRelationName(trigger->tg_relation))));

	customer = heap_getattr(trigger->tg_trigtuple, from, desc, &is_null);
	if (is_null)
		return PointerGetDatum(trigger->tg_newtuple);
	return PointerGetDatum(heap_modify_tuple_by_cols(trigger->tg_newtuple,
													 desc, 1, &to, &customer,
													 &is_null));
}

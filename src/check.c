/*-------------------------------------------------------------------------
 *
 * check.c
 *	  Checks on the parameters of a request before it is sent.
 *
 * Only what Stripe is sure to refuse is refused here, so that a rule of
 * Stripe's that loosens does not lock anyone out.  The checks see the merged
 * parameters: it makes no difference whether a value came as an argument of
 * its own or within "params".
 *
 * src/check.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "check.h"
#include "json.h"
#include "money.h"
#include "params.h"

#define METADATA_MAX_KEYS 50
#define METADATA_MAX_KEY_LENGTH 40
#define METADATA_MAX_VALUE_LENGTH 500
#define IDEMPOTENCY_KEY_MAX_LENGTH 255
#define MOST_DIGITS "idr" /* the currency with the largest amounts */

static void
refuse(const char *arg, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for argument \"%s\"", arg),
			 errdetail("%s", why),
			 hint ? errhint("%s", hint) : 0));
}

static void
check_currency(const char *arg, const JsonbValue *v, Jsonb *params)
{
	const char *why = NULL;
	char	   *currency;

	if (v->type != jbvString)
		refuse(arg, "A currency is a text of three letters.", NULL);
	currency = pnstrdup(v->val.string.val, v->val.string.len);
	if (money_check_currency(currency, &why) != MONEY_OK)
		refuse(arg, why, "Use the three-letter ISO code in lower case, such as \"aud\".");
}

/*
 * A number without a currency beside it, as in a refund, is checked only for
 * what holds in every currency.
 */
static void
check_amount(const char *arg, const JsonbValue *v, Jsonb *params)
{
	const char *why = NULL;
	char	   *currency = json_get_text(&params->root, "currency");
	char	   *text = params_scalar_text(v);
	char	   *end = NULL;
	int64		amount = 0;

	/* As it will be sent: 10.00 is no whole number to Stripe, "10" is one. */
	errno = 0;
	if (text != NULL)
		amount = strtoi64(text, &end, 10);
	if (text == NULL || errno != 0 || end == text || *end != '\0')
		refuse(arg, "An amount is a whole number of the currency's smallest unit.",
			   "Pass 2500 for 25.00 dollars, and 2500 for 2500 yen.");
	if (money_check_amount(amount, currency ? currency : MOST_DIGITS, &why) != MONEY_OK)
		refuse(arg, why, "Amounts are in the currency's smallest unit: 2500 is 25.00 dollars.");
}

static void
check_descriptor_kind(const char *arg, const JsonbValue *v, bool suffix)
{
	const char *why = NULL;
	char	   *text;

	if (v->type != jbvString)
		refuse(arg, "A statement descriptor is a text.", NULL);
	text = pnstrdup(v->val.string.val, v->val.string.len);
	if (text[0] != '\0' && money_check_descriptor(text, suffix, &why) != MONEY_OK)
		refuse(arg, why, NULL);
}

static void
check_descriptor(const char *arg, const JsonbValue *v, Jsonb *params)
{
	check_descriptor_kind(arg, v, false);
}

static void
check_descriptor_suffix(const char *arg, const JsonbValue *v, Jsonb *params)
{
	check_descriptor_kind(arg, v, true);
}

static void
check_order_type(const char *arg, const char *value)
{
	static const char *const types[] = {"membership", "event", "course", "resource", "job_posting"};

	for (int i = 0; i < (int) lengthof(types); i++)
		if (strcmp(types[i], value) == 0)
			return;
	refuse(arg, "An order is of type membership, event, course, resource or job_posting.", NULL);
}

/* One member of metadata; brackets in a key would change where it lands. */
static void
check_metadata_member(const char *arg, const JsonbValue *key, const JsonbValue *v)
{
	int			nchars = pg_mbstrlen_with_len(key->val.string.val, key->val.string.len);

	if (nchars == 0 || nchars > METADATA_MAX_KEY_LENGTH)
		refuse(arg, psprintf("A key has 1 to %d characters.", METADATA_MAX_KEY_LENGTH), NULL);
	for (int i = 0; i < key->val.string.len; i++)
		if (key->val.string.val[i] == '[' || key->val.string.val[i] == ']')
			refuse(arg, "A key holds no square brackets.", NULL);
	if (v->type == jbvBinary)
		refuse(arg, psprintf("The value of key \"%s\" is not a text, number or boolean.", pnstrdup(key->val.string.val, key->val.string.len)), NULL);
	if (v->type == jbvString &&
		pg_mbstrlen_with_len(v->val.string.val, v->val.string.len) > METADATA_MAX_VALUE_LENGTH)
		refuse(arg, psprintf("The value of key \"%s\" has more than %d characters.", pnstrdup(key->val.string.val, key->val.string.len), METADATA_MAX_VALUE_LENGTH), NULL);
}

static void
check_metadata_value(const char *arg, const JsonbValue *metadata, Jsonb *params)
{
	JsonbIterator *it;
	JsonbIteratorToken tok;
	JsonbValue	key = {0};
	JsonbValue	v;
	int			nkeys = 0;

	if (metadata->type == jbvString && metadata->val.string.len == 0)
		return;					/* unsets all keys */
	if (metadata->type != jbvBinary || !JsonContainerIsObject(metadata->val.binary.data))
		refuse(arg, "Metadata is a JSON object.", NULL);
	it = JsonbIteratorInit(metadata->val.binary.data);
	(void) JsonbIteratorNext(&it, &v, true);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
	{
		if (tok == WJB_KEY)
		{
			key = v;
			continue;
		}
		if (++nkeys > METADATA_MAX_KEYS)
			refuse(arg, psprintf("Metadata has %d keys at most.", METADATA_MAX_KEYS), NULL);
		check_metadata_member(arg, &key, &v);
		if (key.val.string.len == 10 && memcmp(key.val.string.val, "order_type", 10) == 0 &&
			v.type == jbvString && v.val.string.len > 0)
			check_order_type("order_type", pnstrdup(v.val.string.val, v.val.string.len));
	}
}

/* By top-level parameter; the currency first, since amounts depend on it. */
static const struct
{
	const char *param;
	void		(*check) (const char *arg, const JsonbValue *v, Jsonb *params);
} checks[] = {
	{"currency", check_currency},
	{"amount", check_amount},
	{"amount_to_capture", check_amount},
	{"metadata", check_metadata_value},
	{"statement_descriptor", check_descriptor},
	{"statement_descriptor_suffix", check_descriptor_suffix},
};

void
check_params(const Endpoint *endpoint, Jsonb *params)
{
	JsonbValue	v;

	for (int i = 0; i < (int) lengthof(checks); i++)
		if (json_get(&params->root, checks[i].param, &v))
			checks[i].check(endpoints_arg_name(endpoint, checks[i].param), &v, params);
}

void
check_metadata(Jsonb *params)
{
	JsonbValue	v;

	if (json_get(&params->root, "metadata", &v))
		check_metadata_value("metadata", &v, params);
}

/* The key travels in a header: printable ASCII only. */
void
check_idempotency_key(const char *key)
{
	size_t		len = strlen(key);

	if (len < 1 || len > IDEMPOTENCY_KEY_MAX_LENGTH)
		refuse("idempotency_key",
			   psprintf("An idempotency key has 1 to %d characters.", IDEMPOTENCY_KEY_MAX_LENGTH), NULL);
	for (size_t i = 0; i < len; i++)
		if (key[i] < 0x21 || key[i] > 0x7e)
			refuse("idempotency_key", "An idempotency key consists of printable ASCII characters without blanks.", NULL);
}

/* The caller's further parameters are an object. */
void
check_params_object(Jsonb *params)
{
	if (!JB_ROOT_IS_OBJECT(params))
		refuse("params", "It is not a JSON object.", NULL);
}

/*
 * A path that the caller writes may name any resource, but only a resource:
 * nothing in it may end the path or climb out of /v1/.
 */
const char *
check_path(const char *path)
{
	const char *why = NULL;

	if (strncmp(path, "/v1/", 4) != 0 || path[4] == '\0')
		why = "A path begins with \"/v1/\" and names a resource.";
	else if (strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~%/") != strlen(path))
		why = "A path holds letters, digits and - _ . ~ % / only; parameters belong in \"params\".";
	else if (strstr(path, "//") != NULL || strstr(path, "/.") != NULL)
		why = "A path has no empty parts and none that begins with a dot.";
	if (why != NULL)
		refuse("path", why, NULL);
	return path;
}

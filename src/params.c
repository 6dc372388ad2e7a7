/*-------------------------------------------------------------------------
 *
 * params.c
 *	  The parameters of a request: gathered from arguments, merged, encoded.
 *
 * Arguments of an SQL function, the account's settings and the caller's
 * "params" all land in one tree, which becomes one jsonb object.  That object
 * is what a request is: it is checked, encoded, and could be stored and sent
 * later, always giving the same bytes.
 *
 * src/params.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "form.h"
#include "json.h"
#include "params.h"

/* No object of Stripe's has nearly as many; it keeps the search below cheap. */
#define MAX_MEMBERS 1000

/* A member: a leaf with a value, or an object with members of its own. */
typedef struct Member
{
	const char *key;
	int			keylen;
	const char *origin;			/* argument that set it */
	bool		is_object;
	JsonbValue	value;			/* of a leaf */
	struct Member *first;		/* members of an object */
	struct Member *next;
} Member;

struct Params
{
	Member		root;
};

COMPAT_FUNCTION(stripe_form_encode);

Params *
params_create(void)
{
	Params	   *params = palloc0(sizeof(Params));

	params->root.is_object = true;
	params->root.key = "";
	return params;
}

/* The member of "parent" with this key, made if there is none. */
static Member *
find_member(Member *parent, const char *key, int keylen, bool make)
{
	Member	  **link = &parent->first;
	int			members = 0;

	while (*link != NULL)
	{
		members++;
		if ((*link)->keylen == keylen && memcmp((*link)->key, key, keylen) == 0)
			return *link;
		link = &(*link)->next;
	}
	if (!make)
		return NULL;
	if (members >= MAX_MEMBERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an object in the parameters has more than %d members", MAX_MEMBERS)));
	*link = palloc0(sizeof(Member));
	(*link)->key = pnstrdup(key, keylen);
	(*link)->keylen = keylen;
	return *link;
}

char *
params_scalar_text(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			return pnstrdup(v->val.string.val, v->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(v->val.numeric)));
		case jbvBool:
			return pstrdup(v->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/* Equal if the request would be the same with either. */
static bool
same_value(const JsonbValue *a, const JsonbValue *b)
{
	char	   *x = params_scalar_text(a);
	char	   *y = params_scalar_text(b);

	if (x != NULL && y != NULL)
		return strcmp(x, y) == 0;
	if (a->type == jbvBinary && b->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data, b->val.binary.data) == 0;
	return false;
}

static void
raise_conflict(const Member *node, const char *origin)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"%s\" is given twice with different values", node->key),
			 errdetail("It is set by the arguments \"%s\" and \"%s\".",
					   node->origin ? node->origin : node->key, origin),
			 errhint("Leave it out of one of them.")));
}

/* Puts a value at a node, going down into objects. */
static void
merge_value(Member *node, JsonbValue *value, const char *origin)
{
	check_stack_depth();
	if (value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data))
	{
		JsonbIterator *it = JsonbIteratorInit(value->val.binary.data);
		JsonbValue	v;
		Member	   *inner = NULL;
		JsonbIteratorToken tok;

		if (node->origin != NULL && !node->is_object)
			raise_conflict(node, origin);
		node->is_object = true;
		(void) JsonbIteratorNext(&it, &v, true);
		while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT)
		{
			if (tok == WJB_KEY)
				inner = find_member(node, v.val.string.val, v.val.string.len, true);
			else if (v.type != jbvNull)
				merge_value(inner, &v, origin);
		}
		if (node->origin == NULL)
			node->origin = origin;
		return;
	}

	if (node->is_object && node->first != NULL)
		raise_conflict(node, origin);
	if (node->origin != NULL && !same_value(&node->value, value))
		raise_conflict(node, origin);
	node->is_object = false;
	node->value = *value;
	node->origin = origin;
}

void
params_put(Params *params, const char *path, JsonbValue *value, const char *origin)
{
	Member	   *node = &params->root;
	const char *p = path;

	if (value->type == jbvNull)
		return;
	while (*p != '\0')
	{
		size_t		len = strcspn(p, "[]");

		node->is_object = true;
		node = find_member(node, p, len, true);
		p += len;
		while (*p == '[' || *p == ']')
			p++;
	}
	merge_value(node, value, origin);
}

void
params_put_text(Params *params, const char *path, const char *value, const char *origin)
{
	JsonbValue	v;

	json_text_value(&v, value);
	params_put(params, path, &v, origin);
}

bool
params_has(Params *params, const char *name)
{
	Member	   *member = find_member(&params->root, name, strlen(name), false);

	return member != NULL && (member->is_object || member->origin != NULL);
}

bool
params_get(Params *params, const char *name, JsonbValue *value)
{
	Member	   *member = find_member(&params->root, name, strlen(name), false);

	if (member == NULL || member->is_object || member->origin == NULL)
		return false;
	*value = member->value;
	return true;
}

const char *
params_get_text(Params *params, const char *name)
{
	JsonbValue	v;

	return params_get(params, name, &v) ? params_scalar_text(&v) : NULL;
}

void
params_replace(Params *params, const char *name, JsonbValue *value)
{
	Member	   *member = find_member(&params->root, name, strlen(name), true);

	member->is_object = false;
	member->first = NULL;
	member->value = *value;
	member->origin = name;
}

static void
push_member(CompatJsonbState *st, Member *node)
{
	json_begin(st, false);
	for (Member *n = node->first; n != NULL; n = n->next)
	{
		if (!n->is_object && n->origin == NULL)
			continue;			/* a member that was only null */
		json_key(st, n->key, n->keylen);
		if (n->is_object)
			push_member(st, n);
		else
			json_value(st, &n->value);
	}
	json_end(st, false);
}

Jsonb *
params_finish(Params *params)
{
	CompatJsonbState st = {0};

	push_member(&st, &params->root);
	return json_finish(&st);
}

/*
 * The same text in UTF-8, which is what goes over the wire, whatever the
 * database's encoding is.
 */
static char *
to_wire(char *text, int *len)
{
	char	   *utf8 = pg_server_to_any(text, *len, PG_UTF8);

	if (utf8 != text)
		*len = strlen(utf8);
	return utf8;
}

static void
encode_scalar(FormWriter *w, const JsonbValue *v)
{
	char	   *text;
	int			len;

	if (v->type == jbvString)
	{
		len = v->val.string.len;
		text = to_wire(v->val.string.val, &len);
	}
	else
	{
		text = params_scalar_text(v);
		len = strlen(text);
	}
	form_value(w, text, len);
}

/* Reports one container to the form writer, which bounds the recursion. */
static void
encode_container(FormWriter *w, JsonbContainer *c)
{
	JsonbIterator *it = JsonbIteratorInit(c);
	JsonbIteratorToken tok;
	JsonbValue	v;
	uint32		index = 0;
	bool		array = JsonContainerIsArray(c);

	(void) JsonbIteratorNext(&it, &v, true);
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_END_OBJECT && tok != WJB_END_ARRAY)
	{
		if (tok == WJB_KEY)
		{
			int			len = v.val.string.len;
			char	   *key = to_wire(v.val.string.val, &len);

			form_enter_key(w, key, len);
			continue;
		}
		if (array && v.type == jbvNull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("an array in the parameters holds null"),
					 errhint("Leave the element out.")));
		if (array)
			form_enter_index(w, index++);
		if (form_status(w) != FORM_OK)
			return;
		if (v.type == jbvBinary)
			encode_container(w, v.val.binary.data);
		else if (v.type != jbvNull)
			encode_scalar(w, &v);
		form_leave(w);
	}
}

char *
params_encode(Jsonb *params, size_t *len)
{
	FormWriter	w;

	form_init(&w);
	encode_container(&w, &params->root);
	if (form_status(&w) != FORM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the parameters cannot be encoded"),
				 errdetail("%s", form_reason(form_status(&w)))));
	return form_take(&w, len);
}

/*
 * stripe.form_encode(jsonb): the bytes a POST would carry, for a look at what
 * is sent.
 */
Datum
stripe_form_encode(PG_FUNCTION_ARGS)
{
	Jsonb	   *params = PG_GETARG_JSONB_P(0);
	size_t		len;
	char	   *text;

	if (!JB_ROOT_IS_OBJECT(params))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameters must be a JSON object")));
	text = params_encode(params, &len);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text, len));
}

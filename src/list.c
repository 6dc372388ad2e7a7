/*-------------------------------------------------------------------------
 *
 * list.c
 *	  Lists and searches, fetched page by page as rows are pulled.
 *
 * A page is requested when the row after the last one held is asked for, so a
 * LIMIT stops the requests too.  That works where the executor pulls row by
 * row, which is in a select list; stripe_list() and its like are SQL wrappers
 * that the planner inlines, so that FROM behaves the same.
 *
 * src/list.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "bind.h"
#include "call.h"
#include "check.h"
#include "json.h"
#include "params.h"

#define PAGE_SIZE 100

COMPAT_FUNCTION(stripe_list_rows);

typedef struct ListState
{
	Call	   *call;			/* first page's; later ones add a cursor */
	int64		left;			/* rows still to return */
	MemoryContext page_context; /* holds one page, reset for the next */
	JsonbIterator *rows;		/* within the page; NULL before the first */
	char	   *cursor;			/* where the next page begins */
	bool		more;
} ListState;

/* The parameters of the next page: the caller's, the size and the cursor. */
static Jsonb *
page_params(ListState *list, bool search)
{
	Params	   *params = params_create();
	JsonbValue	v;
	int64		asked;

	v.type = jbvBinary;
	v.val.binary.data = &list->call->params->root;
	v.val.binary.len = 0;
	params_put(params, "", &v, "params");
	if (!json_get_int64(&list->call->params->root, "limit", &asked))
		params_put_text(params, "limit", psprintf(INT64_FORMAT, Min(list->left, PAGE_SIZE)), "limit");
	if (list->cursor != NULL)
		params_put_text(params, search ? "page" : "starting_after", list->cursor, "cursor");
	return params_finish(params);
}

static void
raise_not_a_list(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not a list", path),
			 errhint("Use stripe_request() to read a single object.")));
}

/*
 * Where the page after this one begins: a search says so itself, a list goes
 * on after its last object.
 */
static void
find_cursor(ListState *list, JsonbContainer *body, JsonbContainer *data, bool search)
{
	int			n = JsonContainerSize(data);

	list->more = false;
	(void) json_get_bool(body, "has_more", &list->more);
	list->cursor = NULL;
	if (search)
		list->cursor = json_get_text(body, "next_page");
	else if (n > 0)
	{
		JsonbValue *last = getIthJsonbValueFromContainer(data, n - 1);

		if (last != NULL && last->type == jbvBinary)
			list->cursor = json_get_text(last->val.binary.data, "id");
	}
	if (list->cursor == NULL)
		list->more = false;
}

static void
fetch_page(ListState *list)
{
	bool		search;
	Call		call = *list->call;
	char	   *object;
	Jsonb	   *body;
	JsonbContainer *data;
	JsonbValue	v;
	MemoryContext old;
	char	   *path_end;

	path_end = strrchr(call.path, '/');
	search = path_end != NULL && strcmp(path_end, "/search") == 0;
	call.params = page_params(list, search);

	/* The cursor is a parameter by now, so the page that held it may go. */
	MemoryContextReset(list->page_context);
	old = MemoryContextSwitchTo(list->page_context);
	body = call_run(&call);
	object = json_get_text(&body->root, "object");
	data = json_get_container(&body->root, "data");
	if (object == NULL || data == NULL || !JsonContainerIsArray(data) ||
		(strcmp(object, "list") != 0 && strcmp(object, "search_result") != 0))
		raise_not_a_list(call.path);
	find_cursor(list, &body->root, data, search);
	list->rows = JsonbIteratorInit(data);
	(void) JsonbIteratorNext(&list->rows, &v, true);
	MemoryContextSwitchTo(old);
}

static bool
next_row(ListState *list, JsonbValue *row)
{
	while (list->left > 0)
	{
		if (list->rows != NULL &&
			JsonbIteratorNext(&list->rows, row, true) == WJB_ELEM)
		{
			list->left--;
			return true;
		}
		if (!list->more)
			return false;
		CHECK_FOR_INTERRUPTS();
		fetch_page(list);
	}
	return false;
}

/* stripe.list_rows(path, params, max_rows, account) */
static ListState *
begin_list(FunctionCallInfo fcinfo)
{
	ListState  *list = palloc0(sizeof(ListState));
	Call	   *call = palloc0(sizeof(Call));
	Params	   *params = params_create();
	JsonbValue	v;

	call->function = "stripe_list";
	call->method = "GET";
	call->level = ACCESS_BILLER;
	call->path = check_path(PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!PG_ARGISNULL(1))
	{
		check_params_object(PG_GETARG_JSONB_P(1));
		bind_value(PG_GETARG_DATUM(1), JSONBOID, &v);
		params_put(params, "", &v, "params");
	}
	call->params = params_finish(params);
	if (!PG_ARGISNULL(3))
		call->account = text_to_cstring(PG_GETARG_TEXT_PP(3));
	list->call = call;
	list->left = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2);
	if (list->left < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"max_rows\""),
				 errdetail("It is negative.")));
	list->more = true;
	list->page_context = AllocSetContextCreate(CurrentMemoryContext, "Stripe list page",
											   ALLOCSET_DEFAULT_SIZES);
	return list;
}

Datum
stripe_list_rows(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	JsonbValue	row;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		funcctx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		funcctx->user_fctx = begin_list(fcinfo);
		MemoryContextSwitchTo(old);
	}
	funcctx = SRF_PERCALL_SETUP();
	if (!next_row(funcctx->user_fctx, &row))
		SRF_RETURN_DONE(funcctx);
	SRF_RETURN_NEXT(funcctx, JsonbPGetDatum(json_from_value(&row)));
}

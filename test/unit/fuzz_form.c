/*-------------------------------------------------------------------------
 *
 * fuzz_form.c
 *	  The form writer against a slow one that is plainly right.
 *
 * The input is a program of events.  The slow writer keeps a stack of raw keys
 * and encodes whole pairs with snprintf(); both must agree on every byte and
 * on the first error.  What is left of the input goes through the JSON reader
 * that the unit tests use, to find shapes a program seldom has.
 *
 * test/unit/fuzz_form.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "form.h"
#include "fuzz.h"
#include "json_walk.h"
#include "lib/stringinfo.h"

/* All that encoded text is made of. */
static const char form_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~[]%=&";

typedef struct Level
{
	bool		is_index;
	uint32		idx;
	const char *key;
	size_t		len;
} Level;

typedef struct Slow
{
	Level		levels[FORM_MAX_DEPTH];
	int			depth;
	FormStatus	status;
	size_t		limit;
	StringInfoData out;
} Slow;

static void
slow_escape(StringInfo out, const char *s, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || (c != '\0' && strchr("-_.~[]", c)))
			appendStringInfoChar(out, (char) c);
		else
			appendStringInfo(out, "%%%02X", c);
	}
}

static void
slow_path(const Slow *slow, StringInfo out)
{
	int			i;

	for (i = 0; i < slow->depth; i++)
	{
		const Level *level = &slow->levels[i];

		if (level->is_index)
			appendStringInfo(out, "[%u]", level->idx);
		else
		{
			appendStringInfoString(out, i > 0 ? "[" : "");
			slow_escape(out, level->key, level->len);
			appendStringInfoString(out, i > 0 ? "]" : "");
		}
	}
}

static void
slow_enter(Slow *slow, Level level)
{
	StringInfoData path;

	if (slow->status != FORM_OK)
		return;
	if (level.is_index && slow->depth == 0)
		slow->status = FORM_NO_KEY;
	else if (slow->depth >= FORM_MAX_DEPTH)
		slow->status = FORM_TOO_DEEP;
	else
	{
		slow->levels[slow->depth++] = level;
		initStringInfo(&path);
		slow_path(slow, &path);
		if ((size_t) path.len > slow->limit)
			slow->status = FORM_TOO_LONG;
		pfree(path.data);
	}
}

static void
slow_value(Slow *slow, const char *s, size_t len)
{
	if (slow->status != FORM_OK)
		return;
	if (slow->depth == 0)
	{
		slow->status = FORM_NO_KEY;
		return;
	}
	if (slow->out.len > 0)
		appendStringInfoChar(&slow->out, '&');
	slow_path(slow, &slow->out);
	appendStringInfoChar(&slow->out, '=');
	slow_escape(&slow->out, s, len);
	if ((size_t) slow->out.len > slow->limit)
		slow->status = FORM_TOO_LONG;
}

/*
 * One event to both writers.  *entered counts what the caller has to leave,
 * whether or not a writer took it.
 */
static void
step(FormWriter *w, Slow *slow, FuzzInput *in, int *entered)
{
	unsigned char op = fuzz_byte(in);
	unsigned char arg = fuzz_byte(in);
	Level		level = {0};

	switch (op % 8)
	{
		case 0:
		case 1:
		case 2:
			level.key = fuzz_bytes(in, arg, &level.len);
			form_enter_key(w, level.key, level.len);
			slow_enter(slow, level);
			(*entered)++;
			break;
		case 3:
			level.is_index = true;
			level.idx = arg < 200 ? arg : UINT32_C(0x01010101) * arg;
			form_enter_index(w, level.idx);
			slow_enter(slow, level);
			(*entered)++;
			break;
		case 4:
			if (*entered > 0)
			{
				(*entered)--;
				form_leave(w);
				if (slow->status == FORM_OK)
					slow->depth--;
			}
			break;
		default:
			level.key = fuzz_bytes(in, arg, &level.len);
			form_value(w, level.key, level.len);
			slow_value(slow, level.key, level.len);
			break;
	}
	MUST(form_status(w) == slow->status);
}

/*
 * Runs a program of events, up to a zero operation and argument.
 */
static void
run_program(FuzzInput *in)
{
	FormWriter	w;
	Slow		slow;
	int			entered = 0;
	char	   *text;
	size_t		len;

	memset(&slow, 0, sizeof(slow));
	slow.limit = (size_t) fuzz_byte(in) * 16 + 1;
	initStringInfo(&slow.out);
	form_init(&w);
	form_limit(&w, slow.limit);

	while (in->left > 0 && !(in->left > 1 && in->p[0] == 0 && in->p[1] == 0))
		step(&w, &slow, in, &entered);
	while (entered-- > 0)
		form_leave(&w);

	text = form_take(&w, &len);
	MUST((text != NULL) == (slow.status == FORM_OK));
	if (text != NULL)
	{
		MUST(len == (size_t) slow.out.len && len == strlen(text));
		MUST(memcmp(text, slow.out.data, len) == 0);
		pfree(text);
	}
	pfree(slow.out.data);
}

static void
run_json(FuzzInput *in)
{
	FormWriter	w;
	char	   *text;
	size_t		len;

	form_init(&w);
	if (json_walk(&w, in->p, in->left) && (text = form_take(&w, &len)) != NULL)
	{
		MUST(len == strlen(text));
		MUST(strspn(text, form_alphabet) == len);
		pfree(text);
	}
	form_free(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzInput	in = {(const char *) data, size};

	if (size > 0 && (data[0] == '{' || data[0] == '['))
		run_json(&in);
	else
		run_program(&in);
	return 0;
}

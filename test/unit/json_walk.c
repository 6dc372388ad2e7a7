/*-------------------------------------------------------------------------
 *
 * json_walk.c
 *	  Feeds a form writer from JSON text, for tests only.
 *
 * A small recursive reader, so that the vectors of the encoder can be written
 * as JSON.  It stands in for the walk over jsonb and follows the same rules:
 * a member that is null is left out, a null array element is refused, numbers
 * are passed on as they are written.  Members keep the order of the text.
 *
 * test/unit/json_walk.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "json_walk.h"
#include "lib/stringinfo.h"

/* Deeper than the writer allows, so that its own limit is what is tested. */
#define MAX_NESTING 100

typedef struct Reader
{
	const char *p;
	const char *end;
	int			nesting;
} Reader;

static bool walk_value(Reader *r, FormWriter *w);

static void
skip_blanks(Reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p != '\0')
		r->p++;
}

/*
 * Takes one character if it comes next.
 */
static bool
accept(Reader *r, char c)
{
	skip_blanks(r);
	if (r->p < r->end && *r->p == c)
	{
		r->p++;
		return true;
	}
	return false;
}

/*
 * Takes a word that can be nothing else.
 */
static bool
accept_word(Reader *r, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return false;
	r->p += len;
	return true;
}

/*
 * Four hex digits of a \u escape; -1 if they are not.
 */
static int
read_hex4(Reader *r)
{
	int			value = 0;
	int			i;

	if (r->end - r->p < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		char		c = *r->p++;

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

static void
append_utf8(StringInfo out, int c)
{
	if (c < 0x80)
		appendStringInfoCharMacro(out, (char) c);
	else if (c < 0x800)
	{
		appendStringInfoCharMacro(out, (char) (0xC0 | (c >> 6)));
		appendStringInfoCharMacro(out, (char) (0x80 | (c & 0x3F)));
	}
	else if (c < 0x10000)
	{
		appendStringInfoCharMacro(out, (char) (0xE0 | (c >> 12)));
		appendStringInfoCharMacro(out, (char) (0x80 | ((c >> 6) & 0x3F)));
		appendStringInfoCharMacro(out, (char) (0x80 | (c & 0x3F)));
	}
	else
	{
		appendStringInfoCharMacro(out, (char) (0xF0 | (c >> 18)));
		appendStringInfoCharMacro(out, (char) (0x80 | ((c >> 12) & 0x3F)));
		appendStringInfoCharMacro(out, (char) (0x80 | ((c >> 6) & 0x3F)));
		appendStringInfoCharMacro(out, (char) (0x80 | (c & 0x3F)));
	}
}

/*
 * A \u escape, with its second half where there has to be one.
 */
static bool
read_unicode(Reader *r, StringInfo out)
{
	int			c = read_hex4(r);

	if (c >= 0xD800 && c <= 0xDBFF)
	{
		int			low;

		if (!accept_word(r, "\\u"))
			return false;
		low = read_hex4(r);
		if (low < 0xDC00 || low > 0xDFFF)
			return false;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	}
	else if (c < 0 || (c >= 0xDC00 && c <= 0xDFFF))
		return false;
	append_utf8(out, c);
	return true;
}

/*
 * A string after its opening quote, unescaped into "out".
 */
static bool
read_string(Reader *r, StringInfo out)
{
	static const char escapes[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";

	while (r->p < r->end && *r->p != '"')
	{
		const char *escape;

		if (*r->p != '\\')
		{
			appendStringInfoCharMacro(out, *r->p++);
			continue;
		}
		if (++r->p >= r->end)
			return false;
		if (*r->p == 'u')
		{
			r->p++;
			if (!read_unicode(r, out))
				return false;
			continue;
		}
		escape = *r->p != '\0' ? strchr(escapes, *r->p) : NULL;
		if (escape == NULL)
			return false;
		appendStringInfoCharMacro(out, meanings[escape - escapes]);
		r->p++;
	}
	return accept(r, '"');
}

/*
 * A member's key and value; nothing is written for null.
 */
static bool
walk_member(Reader *r, FormWriter *w)
{
	StringInfoData key;
	bool		good = false;

	initStringInfo(&key);
	if (accept(r, '"') && read_string(r, &key) && accept(r, ':'))
	{
		skip_blanks(r);
		if (accept_word(r, "null"))
			good = true;
		else
		{
			form_enter_key(w, key.data, key.len);
			good = walk_value(r, w);
			form_leave(w);
		}
	}
	pfree(key.data);
	return good;
}

static bool
walk_object(Reader *r, FormWriter *w)
{
	if (accept(r, '}'))
		return true;
	do
	{
		if (!walk_member(r, w))
			return false;
	} while (accept(r, ','));
	return accept(r, '}');
}

static bool
walk_array(Reader *r, FormWriter *w)
{
	uint32		idx = 0;

	if (accept(r, ']'))
		return true;
	do
	{
		bool		good;

		form_enter_index(w, idx++);
		good = walk_value(r, w);
		form_leave(w);
		if (!good)
			return false;
	} while (accept(r, ','));
	return accept(r, ']');
}

static bool
walk_text(Reader *r, FormWriter *w)
{
	StringInfoData text;
	bool		good;

	initStringInfo(&text);
	good = read_string(r, &text);
	if (good)
		form_value(w, text.data, text.len);
	pfree(text.data);
	return good;
}

/*
 * true, false, or a number as it stands.
 */
static bool
walk_word(Reader *r, FormWriter *w)
{
	const char *start = r->p;

	if (!accept_word(r, "true") && !accept_word(r, "false"))
	{
		while (r->p < r->end && *r->p != '\0' &&
			   strchr("+-.0123456789eE", *r->p))
			r->p++;
	}
	if (r->p == start)
		return false;
	form_value(w, start, r->p - start);
	return true;
}

static bool
walk_value(Reader *r, FormWriter *w)
{
	bool		good;

	if (++r->nesting > MAX_NESTING)
		return false;
	if (accept(r, '{'))
		good = walk_object(r, w);
	else if (accept(r, '['))
		good = walk_array(r, w);
	else if (accept(r, '"'))
		good = walk_text(r, w);
	else
		good = walk_word(r, w);
	r->nesting--;
	return good;
}

/*
 * Walks a whole text.  False if it is not JSON; what was written until then
 * remains in the writer, which may be left inside a level.
 */
bool
json_walk(FormWriter *w, const char *text, size_t len)
{
	Reader		r = {text, text + len, 0};

	if (!walk_value(&r, w))
		return false;
	skip_blanks(&r);
	return r.p == r.end;
}

/*
 * A string member of an object whose members are all strings; NULL if there
 * is none.  The result is palloc'd.
 */
char *
json_walk_string(const char *text, const char *key)
{
	Reader		r = {text, text + strlen(text), 0};

	if (!accept(&r, '{'))
		return NULL;
	do
	{
		StringInfoData name;
		StringInfoData value;
		bool		found;

		initStringInfo(&name);
		initStringInfo(&value);
		found = accept(&r, '"') && read_string(&r, &name) && accept(&r, ':') &&
			accept(&r, '"') && read_string(&r, &value) &&
			strcmp(name.data, key) == 0;
		pfree(name.data);
		if (found)
			return value.data;
		pfree(value.data);
	} while (accept(&r, ','));
	return NULL;
}

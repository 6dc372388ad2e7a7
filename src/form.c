/*-------------------------------------------------------------------------
 *
 * form.c
 *	  Stripe's form encoding, written event by event.
 *
 * The reference, byte for byte, is the encoder of Stripe's own Node library:
 * a member is parent[child], an array element parent[0], parent[1] and so on,
 * pairs are joined with "&", letters, digits and - _ . ~ stay as they are, so
 * do [ and ] in keys as well as in values, and every other byte becomes %XX
 * with upper-case digits.  An empty array or object therefore leaves no trace,
 * and an empty string leaves "key=", which is how a field is unset.
 *
 * The key of the current place is kept escaped in a buffer of its own, cut
 * back on leaving a level, so a value costs one copy of it and nothing is
 * escaped twice.  Room for the worst case is made once per call; the loop over
 * the bytes calls nothing.
 *
 * This file is pure.  It never reports an error itself and touches nothing of
 * the server but memory: the first error sticks in the writer, later events
 * are ignored, and form_take() then gives nothing.  It knows neither JSON nor
 * what null means, which is for the caller to decide.  Bodies hold personal
 * data, so buffers are overwritten before they are given back.
 *
 * src/form.c
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "form.h"

#define FIRST_OUT_SIZE 512
#define FIRST_PATH_SIZE 128

/* Which bytes stay as they are. */
#define UNRESERVED 0x01 /* everywhere */
#define BRACKET 0x02 /* in a form's keys and values */

#define U UNRESERVED
#define B BRACKET

static const uint8 byte_class[256] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, U, U, 0, /* - . */
	U, U, U, U, U, U, U, U, U, U, 0, 0, 0, 0, 0, 0, /* 0-9 */
	0, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* A-O */
	U, U, U, U, U, U, U, U, U, U, U, B, 0, B, 0, U, /* P-Z [ ] _ */
	0, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* a-o */
	U, U, U, U, U, U, U, U, U, U, U, 0, 0, 0, U, 0 /* p-z ~ */
	/* bytes from 128 up are zero: always escaped */
};

#undef U
#undef B

/*
 * Escapes into room the caller has made (three bytes for each of the input),
 * and returns the end of what was written.
 */
static inline char *
escape_bytes(char *out, const char *in, size_t len, uint8 keep)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p = (const unsigned char *) in;
	const unsigned char *end = p + len;

	while (p < end)
	{
		unsigned char c = *p++;

		if (byte_class[c] & keep)
			*out++ = (char) c;
		else
		{
			*out++ = '%';
			*out++ = digits[c >> 4];
			*out++ = digits[c & 0x0F];
		}
	}
	return out;
}

/*
 * Makes room for "more" bytes and a terminating NUL.  The old copy is wiped
 * when the buffer moves, which is why this is not repalloc().  Sizes cannot
 * overflow: every caller has held "more" against max_bytes first.
 */
static void
reserve_room(FormBuffer *buf, size_t more, size_t first_size)
{
	size_t		need = buf->len + more + 1;
	size_t		size = buf->size > 0 ? buf->size : first_size;
	char	   *data;

	if (need <= buf->size)
		return;
	while (size < need)
		size *= 2;

	data = palloc(size);
	if (buf->data != NULL)
	{
		memcpy(data, buf->data, buf->len);
		form_wipe(buf->data, buf->len);
		pfree(buf->data);
	}
	buf->data = data;
	buf->size = size;
}

static void
free_buffer(FormBuffer *buf)
{
	if (buf->data != NULL)
	{
		form_wipe(buf->data, buf->len);
		pfree(buf->data);
	}
	memset(buf, 0, sizeof(*buf));
}

/*
 * Opens a level, unless an earlier error or the depth forbids it.  The path is
 * changed by the caller afterwards.
 */
static bool
open_level(FormWriter *w)
{
	if (w->status != FORM_OK)
		return false;
	if (w->depth >= FORM_MAX_DEPTH)
	{
		w->status = FORM_TOO_DEEP;
		return false;
	}
	w->mark[w->depth++] = w->path.len;
	return true;
}

/*
 * Prepares a writer; nothing is allocated until something is written.
 */
void
form_init(FormWriter *w)
{
	memset(w, 0, sizeof(*w));
	w->max_bytes = FORM_MAX_BYTES;
}

/*
 * Sets another limit than FORM_MAX_BYTES for the encoded text.  The ceiling
 * keeps the worst case of three bytes for one far from what palloc() refuses.
 */
void
form_limit(FormWriter *w, size_t max_bytes)
{
	w->max_bytes = Min(max_bytes, FORM_CEILING_BYTES);
}

/*
 * Enters an object's member.  The key need not be NUL-terminated.
 */
void
form_enter_key(FormWriter *w, const char *key, size_t len)
{
	bool		nested = w->depth > 0;
	char	   *p;

	if (!open_level(w))
		return;
	if (len > w->max_bytes)
	{
		w->status = FORM_TOO_LONG;
		return;
	}

	reserve_room(&w->path, 3 * len + 2, FIRST_PATH_SIZE);
	p = w->path.data + w->path.len;
	if (nested)
		*p++ = '[';
	p = escape_bytes(p, key, len, UNRESERVED | BRACKET);
	if (nested)
		*p++ = ']';
	w->path.len = p - w->path.data;

	/* Keeps the path itself from growing without end when no value comes. */
	if (w->path.len > w->max_bytes)
		w->status = FORM_TOO_LONG;
}

/*
 * Enters an array's element.  The outermost level must be an object: an array
 * there has no name to be sent under.
 */
void
form_enter_index(FormWriter *w, uint32 idx)
{
	char		digits[10];
	int			n = 0;
	char	   *p;

	if (w->status == FORM_OK && w->depth == 0)
		w->status = FORM_NO_KEY;
	if (!open_level(w))
		return;

	do
	{
		digits[n++] = (char) ('0' + idx % 10);
		idx /= 10;
	} while (idx > 0);

	reserve_room(&w->path, sizeof(digits) + 2, FIRST_PATH_SIZE);
	p = w->path.data + w->path.len;
	*p++ = '[';
	while (n > 0)
		*p++ = digits[--n];
	*p++ = ']';
	w->path.len = p - w->path.data;
	if (w->path.len > w->max_bytes)
		w->status = FORM_TOO_LONG;
}

/*
 * Leaves the level entered last.
 */
void
form_leave(FormWriter *w)
{
	if (w->status != FORM_OK)
		return;
	Assert(w->depth > 0);
	if (w->depth > 0)
		w->path.len = w->mark[--w->depth];
}

/*
 * Writes the scalar that stands at the current place, in the text form it is
 * to be sent in: UTF-8, and for a number every digit and no exponent.  The
 * bytes need not be NUL-terminated.
 */
void
form_value(FormWriter *w, const char *bytes, size_t len)
{
	FormBuffer *out = &w->out;
	char	   *p;

	if (w->status != FORM_OK)
		return;
	if (w->depth == 0)
	{
		w->status = FORM_NO_KEY;
		return;
	}
	if (len > w->max_bytes)
	{
		w->status = FORM_TOO_LONG;
		return;
	}

	reserve_room(out, w->path.len + 3 * len + 2, FIRST_OUT_SIZE);
	p = out->data + out->len;
	if (out->len > 0)
		*p++ = '&';
	memcpy(p, w->path.data, w->path.len);
	p += w->path.len;
	*p++ = '=';
	p = escape_bytes(p, bytes, len, UNRESERVED | BRACKET);
	out->len = p - out->data;
	if (out->len > w->max_bytes)
		w->status = FORM_TOO_LONG;
}

/*
 * The first error met, or FORM_OK.
 */
FormStatus
form_status(const FormWriter *w)
{
	return w->status;
}

/*
 * A sentence for an error's detail; never echoes what was being encoded.
 */
const char *
form_reason(FormStatus status)
{
	switch (status)
	{
		case FORM_OK:
			return "The parameters were encoded.";
		case FORM_TOO_DEEP:
			return "The parameters are nested more than 32 levels deep.";
		case FORM_TOO_LONG:
			return "The encoded parameters exceed the size limit of a request.";
		case FORM_NO_KEY:
			return "The parameters must be a JSON object.";
	}
	return "The parameters could not be encoded.";
}

/*
 * Hands over the encoded text: NUL-terminated, allocated in the memory context
 * that was current while writing, the caller's to pfree() (and to form_wipe()).
 * After an error the result is NULL and what was written is gone.  Either way
 * the writer is empty afterwards and keeps its status, for form_reason(); call
 * form_init() to use it again.
 */
char *
form_take(FormWriter *w, size_t *len)
{
	char	   *result = NULL;

	*len = 0;
	if (w->status == FORM_OK)
	{
		Assert(w->depth == 0);
		reserve_room(&w->out, 0, 1);
		w->out.data[w->out.len] = '\0';
		result = w->out.data;
		*len = w->out.len;
		memset(&w->out, 0, sizeof(w->out));
	}
	form_free(w);
	return result;
}

/*
 * Drops what a writer holds, overwriting it first.  Harmless when repeated.
 */
void
form_free(FormWriter *w)
{
	free_buffer(&w->out);
	free_buffer(&w->path);
	w->depth = 0;
}

/*
 * Overwrites text that may hold personal data, in a way the compiler keeps.
 */
void
form_wipe(char *buf, size_t len)
{
	if (buf != NULL && len > 0)
		explicit_bzero(buf, len);
}

/*
 * Escapes one segment of a request's path, usually an id that came from a
 * user.  Everything but unreserved characters is escaped, so that "/", "?",
 * "#", "%" or a space can never turn the request into another one; what could
 * still do so as a whole segment (nothing at all, "." and "..") and control
 * characters, which no id holds, are refused with NULL.  The result is
 * NUL-terminated and the caller's to pfree().
 */
char *
form_escape_segment(const char *s, size_t len)
{
	char	   *result;
	char	   *end;
	size_t		i;

	if (len == 0 || len > FORM_MAX_SEGMENT)
		return NULL;
	if (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.')))
		return NULL;
	for (i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (c < 0x20 || c == 0x7F)
			return NULL;
	}

	result = palloc(3 * len + 1);
	end = escape_bytes(result, s, len, UNRESERVED);
	*end = '\0';
	return result;
}

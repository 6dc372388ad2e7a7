/*-------------------------------------------------------------------------
 *
 * form.h
 *	  Stripe's form encoding, written event by event.
 *
 * The caller walks whatever holds the parameters and reports what it meets:
 * entering a key or an array element, a scalar value, leaving again.  See
 * form.c for the rules of the encoding.
 *
 * src/form.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_FORM_H
#define MP_FORM_H

/* Nesting allowed in parameters; Stripe's own never exceed half of it. */
#define FORM_MAX_DEPTH 32

/* Longest encoded body or query, and the most form_limit() may raise it to. */
#define FORM_MAX_BYTES ((size_t) 1024 * 1024)
#define FORM_CEILING_BYTES ((size_t) 64 * 1024 * 1024)

/* Longest path segment before escaping; Stripe's ids have up to 255 chars. */
#define FORM_MAX_SEGMENT 1024

typedef enum FormStatus
{
	FORM_OK = 0,
	FORM_TOO_DEEP,				/* more than FORM_MAX_DEPTH levels */
	FORM_TOO_LONG,				/* the encoded text exceeds the limit */
	FORM_NO_KEY					/* a value or array outside any object member */
} FormStatus;

typedef struct FormBuffer
{
	char	   *data;
	size_t		len;
	size_t		size;
} FormBuffer;

/*
 * Meant for the caller's stack.  The fields belong to form.c.
 */
typedef struct FormWriter
{
	FormStatus	status;			/* first error; sticky */
	int			depth;			/* levels entered */
	size_t		max_bytes;
	FormBuffer	out;			/* what has been encoded */
	FormBuffer	path;			/* key of the current place, escaped */
	size_t		mark[FORM_MAX_DEPTH];	/* path length before each level */
} FormWriter;

extern void form_init(FormWriter *w);
extern void form_limit(FormWriter *w, size_t max_bytes);
extern void form_enter_key(FormWriter *w, const char *key, size_t len);
extern void form_enter_index(FormWriter *w, uint32 idx);
extern void form_leave(FormWriter *w);
extern void form_value(FormWriter *w, const char *bytes, size_t len);
extern FormStatus form_status(const FormWriter *w);
extern const char *form_reason(FormStatus status);
extern char *form_take(FormWriter *w, size_t *len);
extern void form_free(FormWriter *w);
extern void form_wipe(char *buf, size_t len);

extern char *form_escape_segment(const char *s, size_t len);

#endif /* MP_FORM_H */

/*-------------------------------------------------------------------------
 *
 * fuzz_segment.c
 *	  Path segments: safe to put in a path, and nothing lost.
 *
 * test/unit/fuzz_segment.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "form.h"
#include "fuzz.h"

static const char unreserved[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

/*
 * The rule of what is refused, said another way.
 */
static bool
is_refused(const char *s, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if ((s[i] >= 0 && s[i] < ' ') || s[i] == 0x7F)
			return true;
	}
	return len == 0 || len > FORM_MAX_SEGMENT ||
		(len == 1 && memcmp(s, ".", 1) == 0) ||
		(len == 2 && memcmp(s, "..", 2) == 0);
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	MUST(found != NULL);
	return (int) (found - digits);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *) data;
	char	   *escaped = form_escape_segment(s, size);
	const char *p = escaped;
	size_t		i;

	MUST((escaped == NULL) == is_refused(s, size));
	if (escaped == NULL)
		return 0;

	for (i = 0; i < size; i++)
	{
		if (strspn(p, unreserved) > 0)
			MUST(*p++ == s[i]);
		else
		{
			MUST(*p++ == '%');
			MUST((char) (hex_digit(p[0]) * 16 + hex_digit(p[1])) == s[i]);
			p += 2;
		}
	}
	MUST(*p == '\0');
	MUST(strcmp(escaped, ".") != 0 && strcmp(escaped, "..") != 0);
	pfree(escaped);
	return 0;
}

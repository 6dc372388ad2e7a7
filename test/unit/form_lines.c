/*-------------------------------------------------------------------------
 *
 * form_lines.c
 *	  Compares the form encoder with what the official SDK made of the same.
 *
 * Reads what sdk_form.mjs prints, lines of {"json": "...", "expected": "..."},
 * and says how many were encoded to exactly the expected bytes.
 *
 * test/unit/form_lines.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/string.h"
#include "form.h"
#include "json_walk.h"
#include "lib/stringinfo.h"

/*
 * One line; false if the encoder disagrees.
 */
static bool
check_line(const char *line)
{
	char	   *json = json_walk_string(line, "json");
	char	   *expected = json_walk_string(line, "expected");
	char	   *got = NULL;
	bool		same = false;

	if (json != NULL && expected != NULL)
	{
		FormWriter	w;
		size_t		len;
		bool		valid;

		form_init(&w);
		valid = json_walk(&w, json, strlen(json));
		if (valid)
			got = form_take(&w, &len);
		form_free(&w);
		same = got != NULL && strcmp(got, expected) == 0;
	}
	if (!same)
		printf("# json     %s\n# expected %s\n# got      %s\n",
			   json ? json : line, expected ? expected : "(none)",
			   got ? got : "(none)");
	if (json)
		pfree(json);
	if (expected)
		pfree(expected);
	if (got)
		pfree(got);
	return same;
}

int
main(void)
{
	StringInfoData line;
	int			lines = 0;
	int			different = 0;

	initStringInfo(&line);
	while (pg_get_line_buf(stdin, &line))
	{
		lines++;
		if (!check_line(line.data))
			different++;
		resetStringInfo(&line);
	}
	pfree(line.data);

	printf("%sok 1 - %d of %d inputs are encoded as by the SDK\n1..1\n",
		   different == 0 && lines > 0 ? "" : "not ", lines - different, lines);
	return different == 0 && lines > 0 ? 0 : 1;
}

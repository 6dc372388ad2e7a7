/*-------------------------------------------------------------------------
 *
 * tap.h
 *	  The few words the unit tests are written in; they print TAP.
 *
 * A test program includes this once, calls ok() and its relatives, and ends
 * with "return tap_done();", which prints the plan.  A failed check goes on
 * to the next one and makes the exit status 1.
 *
 * test/unit/tap.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_TAP_H
#define MP_TAP_H

static int	tap_count = 0;
static int	tap_failed = 0;

/*
 * One check; the name is a format.
 */
static bool __attribute__((format(printf, 2, 3)))
ok(bool pass, const char *name, ...)
{
	va_list		args;

	tap_count++;
	if (!pass)
		tap_failed++;
	printf("%sok %d - ", pass ? "" : "not ", tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf("\n");
	return pass;
}

/*
 * Two integers are equal.
 */
static inline bool
is_int(long long got, long long expected, const char *name)
{
	bool		pass = ok(got == expected, "%s", name);

	if (!pass)
		printf("#   got      %lld\n#   expected %lld\n", got, expected);
	return pass;
}

/*
 * Two strings are equal, or both NULL.
 */
static inline bool
is_str(const char *got, const char *expected, const char *name)
{
	bool		same = got == expected;

	if (got != NULL && expected != NULL)
		same = strcmp(got, expected) == 0;
	ok(same, "%s", name);
	if (!same)
		printf("#   got      %s\n#   expected %s\n",
			   got ? got : "(null)", expected ? expected : "(null)");
	return same;
}

/*
 * Prints the plan and gives main()'s result.
 */
static int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0 ? 1 : 0;
}

#endif							/* MP_TAP_H */

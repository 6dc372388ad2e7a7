/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share: taking input apart, and giving up.
 *
 * test/unit/fuzz.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_FUZZ_H
#define MP_FUZZ_H

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold is a crash, which the fuzzer keeps. */
#define MUST(condition) \
	do \
	{ \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The input, consumed from the front. */
typedef struct FuzzInput
{
	const char *p;
	size_t		left;
} FuzzInput;

/*
 * One byte; zero when there is none left.
 */
static inline unsigned char
fuzz_byte(FuzzInput *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return (unsigned char) *in->p++;
}

/*
 * Up to "wanted" bytes.
 */
static inline const char *
fuzz_bytes(FuzzInput *in, size_t wanted, size_t *got)
{
	const char *bytes = in->p;

	*got = Min(wanted, in->left);
	in->p += *got;
	in->left -= *got;
	return bytes;
}

/*
 * The rest, as a NUL-terminated palloc'd string that ends at its first NUL.
 */
static inline char *
fuzz_string(FuzzInput *in)
{
	char	   *s = palloc(in->left + 1);

	memcpy(s, in->p, in->left);
	s[in->left] = '\0';
	in->left = 0;
	return s;
}

#endif							/* MP_FUZZ_H */

/*-------------------------------------------------------------------------
 *
 * test_form.c
 *	  The form encoder and path segments.
 *
 * The expected text of every vector is what Stripe's Node library produces,
 * except where a comment says otherwise.
 *
 * test/unit/test_form.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "form.h"
#include "json_walk.h"
#include "tap.h"

typedef struct Vector
{
	const char *json;
	const char *expected;
} Vector;

static const Vector vectors[] = {
	{"{\"metadata\":{\"order_id\":\"6735\"}}", "metadata[order_id]=6735"},
	{"{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", "a[b][c][d]=1"},
	{"{\"expand\":[\"customer\",\"latest_charge.balance_transaction\"]}",
	"expand[0]=customer&expand[1]=latest_charge.balance_transaction"},
	{"{\"items\":[{\"price\":\"price_1\",\"quantity\":2},{\"price\":\"price_2\"}]}",
	"items[0][price]=price_1&items[0][quantity]=2&items[1][price]=price_2"},
	{"{\"automatic_payment_methods\":{\"enabled\":true,\"allow_redirects\":\"never\"}}",
	"automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never"},
	{"{\"description\":\"\"}", "description="},
	/* Ours: null is left out, where Node's library would unset the field. */
	{"{\"description\":null}", ""},
	{"{\"excluded_payment_method_types\":\"\"}", "excluded_payment_method_types="},
	{"{\"created\":{\"gte\":1700000000,\"lt\":1700086400}}",
	"created[gte]=1700000000&created[lt]=1700086400"},
	{"{\"description\":\"a b+c&d=e\"}", "description=a%20b%2Bc%26d%3De"},
	{"{\"email\":\"joe+test@example.com\"}", "email=joe%2Btest%40example.com"},
	{"{\"q\":\"email:'a@b.co' AND metadata['k']:'v'\"}",
	"q=email%3A%27a%40b.co%27%20AND%20metadata[%27k%27]%3A%27v%27"},
	{"{\"name\":\"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\"}", "name=%E6%97%A5%E6%9C%AC%E8%AA%9E"},
	{"{\"metadata\":{\"cl\xC3\xA9\":\"\xC3\xA9\"}}", "metadata[cl%C3%A9]=%C3%A9"},
	{"{\"s\":\"-_.~!*'()\"}", "s=-_.~%21%2A%27%28%29"},
	{"{\"s\":\"/?#:;,@$%\\\"<>\\\\^`{|}\"}",
	"s=%2F%3F%23%3A%3B%2C%40%24%25%22%3C%3E%5C%5E%60%7B%7C%7D"},
	{"{\"s\":\"[x]\"}", "s=[x]"},
	{"{\"metadata\":{\"a[b]\":\"1\"}}", "metadata[a[b]]=1"},
	{"{\"url\":\"https://x.test/ok?session_id={CHECKOUT_SESSION_ID}\"}",
	"url=https%3A%2F%2Fx.test%2Fok%3Fsession_id%3D%7BCHECKOUT_SESSION_ID%7D"},
	{"{\"s\":\"line1\\nline2\\ttab\\r\"}", "s=line1%0Aline2%09tab%0D"},
	{"{\"n\":-1,\"f\":0.1,\"big\":99999999}", "n=-1&f=0.1&big=99999999"},
	/* The writer sends a number as it is given; digits are the caller's. */
	{"{\"n\":1e+21}", "n=1e%2B21"},
	{"{\"at\":1700000000}", "at=1700000000"},
	{"{\"arr\":[{\"a\":[\"p\",\"q\"]}]}", "arr[0][a][0]=p&arr[0][a][1]=q"},
	{"{\"arr\":[\"\",\"x\"]}", "arr[0]=&arr[1]=x"},
	{"{\"list\":[],\"obj\":{},\"k\":\"\"}", "k="},

	/* Beyond the published vectors. */
	{"{}", ""},
	{"{\"a\":{\"b\":[]},\"c\":{\"d\":{}}}", ""},
	{"{\"a b&=\":\"c\"}", "a%20b%26%3D=c"},
	{"{\"a\":{\"b c/\\u00e9\":\"d\"}}", "a[b%20c%2F%C3%A9]=d"},
	{"{\"s\":\"\\ud83c\\udf89\"}", "s=%F0%9F%8E%89"},
	{"{\"s\":\"\\u0001\\u007f\"}", "s=%01%7F"},
	{"{\"n\":9007199254740993,\"m\":12345678901234567890.000000000001}",
	"n=9007199254740993&m=12345678901234567890.000000000001"},
	{"{\"a\":[[1,2],[3]],\"t\":true,\"f\":false}", "a[0][0]=1&a[0][1]=2&a[1][0]=3&t=true&f=false"},
	{"{\"a\":[0,1,2,3,4,5,6,7,8,9,10]}",
	"a[0]=0&a[1]=1&a[2]=2&a[3]=3&a[4]=4&a[5]=5&a[6]=6&a[7]=7&a[8]=8&a[9]=9&a[10]=10"},
	{"{\"a\":null,\"b\":{\"c\":null,\"d\":1}}", "b[d]=1"}
};

static void
test_vectors(void)
{
	size_t		i;

	for (i = 0; i < lengthof(vectors); i++)
	{
		FormWriter	w;
		char	   *text;
		size_t		len;

		form_init(&w);
		ok(json_walk(&w, vectors[i].json, strlen(vectors[i].json)),
		   "vector %d is read", (int) i + 1);
		text = form_take(&w, &len);
		is_str(text, vectors[i].expected, vectors[i].json);
		ok(text != NULL && len == strlen(text), "vector %d's length", (int) i + 1);
		if (text != NULL)
			pfree(text);
	}
}

/*
 * All 256 bytes, as value, as key and within a longer value: the unreserved
 * ones and the brackets stay, everything else is three characters.
 */
static void
test_bytes(void)
{
	static const char kept[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~[]";
	int			wrong = 0;
	int			c;

	for (c = 0; c < 256; c++)
	{
		FormWriter	w;
		char		in = (char) c;
		char		one[8];
		char		expected[32];
		char	   *text;
		size_t		len;

		if (c != 0 && strchr(kept, c))
			snprintf(one, sizeof(one), "%c", c);
		else
			snprintf(one, sizeof(one), "%%%02X", c);
		snprintf(expected, sizeof(expected), "%s=%s", one, one);

		form_init(&w);
		form_enter_key(&w, &in, 1);
		form_value(&w, &in, 1);
		form_leave(&w);
		text = form_take(&w, &len);
		if (text == NULL || strcmp(text, expected) != 0)
			wrong++;
		if (text != NULL)
			pfree(text);
	}
	is_int(wrong, 0, "each of 256 bytes is escaped or kept as it should");
}

/*
 * Writes one value "depth" levels down.
 */
static FormStatus
write_nested(int depth, bool arrays)
{
	FormWriter	w;
	FormStatus	status;
	int			i;

	form_init(&w);
	for (i = 0; i < depth; i++)
	{
		if (arrays && i > 0)
			form_enter_index(&w, i);
		else
			form_enter_key(&w, "k", 1);
	}
	form_value(&w, "v", 1);
	for (i = 0; i < depth; i++)
		form_leave(&w);
	status = form_status(&w);
	form_free(&w);
	return status;
}

static void
test_depth(void)
{
	is_int(write_nested(FORM_MAX_DEPTH, false), FORM_OK, "objects to the depth limit");
	is_int(write_nested(FORM_MAX_DEPTH + 1, false), FORM_TOO_DEEP, "objects beyond it");
	is_int(write_nested(FORM_MAX_DEPTH, true), FORM_OK, "arrays to the depth limit");
	is_int(write_nested(FORM_MAX_DEPTH + 1, true), FORM_TOO_DEEP, "arrays beyond it");
	is_int(write_nested(10 * FORM_MAX_DEPTH, true), FORM_TOO_DEEP, "arrays far beyond it");
}

/*
 * A value of n letters under the key "k" takes n + 2 bytes.
 */
static FormStatus
write_long(size_t limit, size_t n, char letter, size_t *len)
{
	FormWriter	w;
	FormStatus	status;
	char	   *value = palloc(n + 1);
	char	   *text;

	memset(value, letter, n);
	form_init(&w);
	if (limit > 0)
		form_limit(&w, limit);
	form_enter_key(&w, "k", 1);
	form_value(&w, value, n);
	form_leave(&w);
	pfree(value);
	status = form_status(&w);
	text = form_take(&w, len);
	ok((text != NULL) == (status == FORM_OK), "text exactly when there is no error");
	is_int(form_status(&w), status, "the status outlives the text");
	if (text != NULL)
		pfree(text);
	return status;
}

static void
test_length(void)
{
	size_t		len;

	is_int(write_long(0, FORM_MAX_BYTES - 2, 'a', &len), FORM_OK, "exactly the size limit");
	is_int(len, FORM_MAX_BYTES, "all of it is there");
	is_int(write_long(0, FORM_MAX_BYTES - 1, 'a', &len), FORM_TOO_LONG, "one byte more");
	is_int(len, 0, "no length without text");
	is_int(write_long(0, FORM_MAX_BYTES + 1, 'a', &len), FORM_TOO_LONG, "longer than the limit itself");
	is_int(write_long(0, FORM_MAX_BYTES / 2, ' ', &len), FORM_TOO_LONG, "too long once escaped");
	is_int(write_long(302, 100, ' ', &len), FORM_OK, "another limit, met");
	is_int(write_long(301, 100, ' ', &len), FORM_TOO_LONG, "another limit, exceeded");
	is_int(write_long(SIZE_MAX, 100, ' ', &len), FORM_OK, "no limit is cut to the ceiling");
}

/*
 * Keys count as well, also where no value ever comes.
 */
static void
test_long_keys(void)
{
	FormWriter	w;
	char		key[100];
	size_t		len;
	int			i;

	memset(key, 'k', sizeof(key));
	form_init(&w);
	form_limit(&w, 99);
	form_enter_key(&w, key, sizeof(key));
	is_int(form_status(&w), FORM_TOO_LONG, "a key over the limit");
	form_free(&w);

	form_init(&w);
	form_limit(&w, 250);
	for (i = 0; i < 3; i++)
		form_enter_key(&w, key, sizeof(key));
	is_int(form_status(&w), FORM_TOO_LONG, "a path over the limit");
	form_free(&w);

	form_init(&w);
	form_limit(&w, 102);
	form_enter_key(&w, key, sizeof(key));
	form_enter_index(&w, 1);
	is_int(form_status(&w), FORM_TOO_LONG, "an index over the limit");
	ok(form_take(&w, &len) == NULL, "and no text");

	form_init(&w);
	form_enter_key(&w, "a", 1);
	form_enter_index(&w, PG_UINT32_MAX);
	form_value(&w, "", 0);
	form_leave(&w);
	form_leave(&w);
	{
		char	   *text = form_take(&w, &len);

		is_str(text, "a[4294967295]=", "the largest index");
		pfree(text);
	}
}

/*
 * Buffers move while they grow, the path's as well.
 */
static void
test_growth(void)
{
	FormWriter	w;
	char		key[200];
	char	   *text;
	size_t		len;
	int			i;
	int			wrong = 0;

	memset(key, 'k', sizeof(key));
	form_init(&w);
	form_enter_key(&w, "outer", 5);
	form_enter_key(&w, key, sizeof(key));
	for (i = 0; i < 1000; i++)
	{
		form_enter_index(&w, i);
		form_value(&w, "v", 1);
		form_leave(&w);
	}
	form_leave(&w);
	form_leave(&w);
	text = form_take(&w, &len);

	/* Each pair is outer[k...k][i]=v and all but the first follow a "&". */
	is_int(len, 1000 * (5 + 202 + 2 + 2) + (10 + 90 * 2 + 900 * 3) + 999, "a thousand pairs");
	for (i = 0; text != NULL && i < 1000; i++)
	{
		char		expected[32];

		snprintf(expected, sizeof(expected), "kk][%d]=v%s", i, i < 999 ? "&outer[kk" : "");
		if (strstr(text, expected) == NULL)
			wrong++;
	}
	is_int(wrong, 0, "none damaged");
	if (text != NULL)
		pfree(text);
}

/*
 * Misuse and errors stick, and nothing is written after them.
 */
static void
test_errors(void)
{
	FormWriter	w;
	size_t		len = 99;
	char	   *text;

	form_init(&w);
	form_value(&w, "x", 1);
	is_int(form_status(&w), FORM_NO_KEY, "a scalar alone");
	form_enter_key(&w, "a", 1);
	form_value(&w, "x", 1);
	form_leave(&w);
	is_int(form_status(&w), FORM_NO_KEY, "the first error stays");
	ok(form_take(&w, &len) == NULL && len == 0, "and there is no text");

	form_init(&w);
	form_enter_index(&w, 0);
	is_int(form_status(&w), FORM_NO_KEY, "an array alone");
	form_leave(&w);
	form_free(&w);
	form_free(&w);
	ok(true, "freeing twice is harmless");

	form_init(&w);
	text = form_take(&w, &len);
	is_str(text, "", "nothing written is an empty text");
	is_int(len, 0, "of no length");
	form_wipe(text, len);
	form_wipe(NULL, 0);
	pfree(text);

	form_init(&w);
	form_enter_key(&w, "a\0b", 3);
	form_value(&w, "c\0d", 3);
	form_leave(&w);
	text = form_take(&w, &len);
	is_str(text, "a%00b=c%00d", "a NUL does not end anything");
	form_wipe(text, len);
	is_int(text[0], 0, "wiped text is gone");
	pfree(text);

	ok(strlen(form_reason(FORM_OK)) > 0 && strlen(form_reason((FormStatus) 99)) > 0,
	   "every status has a sentence");
	ok(strstr(form_reason(FORM_TOO_DEEP), "32") != NULL && FORM_MAX_DEPTH == 32,
	   "the sentence about depth is true");
	is_str(form_reason(FORM_NO_KEY), "The parameters must be a JSON object.", "reason of a missing key");
	ok(strstr(form_reason(FORM_TOO_LONG), "size limit") != NULL, "reason of a long text");
}

static void
check_segment(const char *in, size_t len, const char *expected, const char *name)
{
	char	   *got = form_escape_segment(in, len);

	is_str(got, expected, name);
	if (got != NULL)
		pfree(got);
}

static void
test_segments(void)
{
	char		longest[FORM_MAX_SEGMENT + 1];
	char	   *got;
	int			c;
	int			wrong = 0;

	check_segment("pi_3MtwBwLkdIwHu7ix28a3tqPa", 27, "pi_3MtwBwLkdIwHu7ix28a3tqPa", "an id stays as it is");
	check_segment("pi_1/../customers", 17, "pi_1%2F..%2Fcustomers", "a path inside an id");
	check_segment("pi_1?expand=x", 13, "pi_1%3Fexpand%3Dx", "a query inside an id");
	check_segment("pi_1#x", 6, "pi_1%23x", "a fragment inside an id");
	check_segment("%2e%2e", 6, "%252e%252e", "what is escaped already is escaped again");
	check_segment("..%2f", 5, "..%252f", "dots and an escaped slash");
	check_segment("a b[c]!*'()", 11, "a%20b%5Bc%5D%21%2A%27%28%29", "brackets too, in a path");
	check_segment("\\..\\", 4, "%5C..%5C", "backslashes");
	check_segment("\xC3\xA9", 2, "%C3%A9", "UTF-8");
	check_segment("...", 3, "...", "three dots are a name");
	check_segment(".a", 2, ".a", "a leading dot");
	check_segment("", 0, NULL, "an empty segment is refused");
	check_segment(".", 1, NULL, "\".\" is refused");
	check_segment("..", 2, NULL, "\"..\" is refused");
	check_segment("a\0b", 3, NULL, "a NUL is refused");
	check_segment("a\nb", 3, NULL, "a line break is refused");
	check_segment("a\r", 2, NULL, "a carriage return is refused");
	check_segment("\x7F", 1, NULL, "DEL is refused");

	for (c = 0; c < 0x20; c++)
	{
		char		control = (char) c;

		got = form_escape_segment(&control, 1);
		if (got != NULL)
		{
			wrong++;
			pfree(got);
		}
	}
	is_int(wrong, 0, "every control character is refused");

	memset(longest, '/', sizeof(longest));
	got = form_escape_segment(longest, FORM_MAX_SEGMENT);
	is_int(got != NULL ? (int) strlen(got) : -1, 3 * FORM_MAX_SEGMENT, "the longest segment");
	if (got != NULL)
		pfree(got);
	check_segment(longest, sizeof(longest), NULL, "one longer is refused");
}

int
main(void)
{
	test_vectors();
	test_bytes();
	test_depth();
	test_length();
	test_long_keys();
	test_growth();
	test_errors();
	test_segments();
	return tap_done();
}

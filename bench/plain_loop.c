/*-------------------------------------------------------------------------
 *
 * plain_loop.c
 *	  What a program without a database would do: libcurl's easy interface in
 *	  a loop, one handle, one connection kept alive.
 *
 * Usage: plain_loop BASE CA_FILE REQUEST WARM_UP CALLS
 *
 * Sends REQUEST, as the extension sent it, to BASE: its path and its header
 * lines in their order; Host and Accept-Encoding are libcurl's own to write, and come
 * out the same (canned_server.c checks that).  CA_FILE may be empty.  Prints
 * the microseconds of each call, one a line, after WARM_UP calls that are not
 * printed; with WARM_UP 0 the first line is a first call, set-up included.
 *
 * The answer's body is collected into a buffer, as any use of it would need,
 * and not looked at.
 *
 * bench/plain_loop.c
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_BODY (1024 * 1024)

static char body[MAX_BODY];
static size_t body_len;

static size_t
take_body(char *data, size_t size, size_t n, void *userp)
{
	size_t		len = size * n;

	(void) userp;
	if (len > MAX_BODY - body_len)
		return 0;
	memcpy(body + body_len, data, len);
	body_len += len;
	return len;
}

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/*
 * Reads a recorded request: "url" becomes where it went, and the header lines
 * that libcurl does not write itself are returned.
 */
static struct curl_slist *
read_request(const char *path, const char *base, char *url, size_t url_size)
{
	struct curl_slist *headers = NULL;
	char		line[4096];
	char		target[4096];
	FILE	   *file = fopen(path, "r");

	if (file == NULL)
		err(1, "%s", path);
	if (fgets(line, sizeof(line), file) == NULL || sscanf(line, "GET %4095s", target) != 1)
		errx(1, "%s does not begin with a GET", path);
	snprintf(url, url_size, "%s%s", base, target);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && strncmp(line, "Host:", 5) != 0 &&
			strncmp(line, "Accept-Encoding:", 16) != 0)
			headers = curl_slist_append(headers, line);
	}
	fclose(file);
	return headers;
}

static CURL *
set_up(const char *url, const char *ca_file, struct curl_slist *headers)
{
	CURL	   *easy;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (easy = curl_easy_init()) == NULL)
		errx(1, "could not initialize libcurl");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	if (ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	return easy;
}

static void
call(CURL *easy)
{
	CURLcode	code;
	long		status = 0;

	body_len = 0;
	code = curl_easy_perform(easy);
	if (code != CURLE_OK)
		errx(1, "the request failed: %s", curl_easy_strerror(code));
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		errx(1, "the request was answered with HTTP status %ld", status);
}

int
main(int argc, char **argv)
{
	struct curl_slist *headers;
	char		url[8192];
	CURL	   *easy;
	double	   *times;
	double		start;
	int			warm_up;
	int			calls;

	if (argc != 6 || (warm_up = atoi(argv[4])) < 0 || (calls = atoi(argv[5])) < 1)
		errx(1, "usage: plain_loop BASE CA_FILE REQUEST WARM_UP CALLS");
	headers = read_request(argv[3], argv[1], url, sizeof(url));
	times = calloc((size_t) calls, sizeof(double));
	if (times == NULL)
		err(1, "calloc");

	start = now_us();
	easy = set_up(url, argv[2], headers);
	for (int i = -warm_up; i < calls; i++)
	{
		if (i != 0 || warm_up > 0)
			start = now_us();
		call(easy);
		if (i >= 0)
			times[i] = now_us() - start;
	}
	for (int i = 0; i < calls; i++)
		printf("%.1f\n", times[i]);

	curl_easy_cleanup(easy);
	curl_slist_free_all(headers);
	free(times);
	return 0;
}

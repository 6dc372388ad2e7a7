/*-------------------------------------------------------------------------
 *
 * answer.c
 *	  What came of an attempt: the head of the answer, or why there is none.
 *
 * Beside http.c the only file that includes libcurl's header; it only reads.
 *
 * src/answer.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <errno.h>

#include "answer.h"

/* How far a request came, for the sentence about a time-out. */
static const char *
timed_out_while(CURL *easy, bool sent)
{
	static const struct
	{
		CURLINFO	info;
		const char *reason;
	} steps[] = {
		{CURLINFO_NAMELOOKUP_TIME_T, "the request timed out while resolving the host name"},
		{CURLINFO_CONNECT_TIME_T, "the request timed out while connecting"},
		{CURLINFO_APPCONNECT_TIME_T, "the request timed out during the TLS handshake"},
		{CURLINFO_STARTTRANSFER_TIME_T, "the request timed out while waiting for the answer"},
	};

	for (int i = sent ? 3 : 0; i < (int) lengthof(steps); i++)
	{
		curl_off_t	us = 0;
		long		port = 0;

		curl_easy_getinfo(easy, steps[i].info, &us);

		/* The time of connecting is noted after TLS; the port is at once. */
		if (us == 0 && steps[i].info == CURLINFO_CONNECT_TIME_T)
		{
			curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
			us = port;
		}
		if (us == 0)
			return steps[i].reason;
	}
	return "the request timed out while reading the answer";
}

/* Sorts libcurl's codes into the few kinds of failure that callers tell apart. */
static HttpFailure
classify_failure(CURL *easy, CURLcode code, bool sent, const char **reason)
{
	switch (code)
	{
		case CURLE_OK:
			return HTTP_ANSWERED;
		case CURLE_OPERATION_TIMEDOUT:
			*reason = timed_out_while(easy, sent);
			return HTTP_TIMED_OUT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
			return HTTP_CERTIFICATE;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
		case CURLE_SSL_CONNECT_ERROR:
			return HTTP_NOT_CONNECTED;
		case CURLE_PARTIAL_FILE:
			return HTTP_TRUNCATED;
		case CURLE_BAD_CONTENT_ENCODING:
			return HTTP_BAD_CONTENT;
		case CURLE_OUT_OF_MEMORY:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_URL_MALFORMAT:
		case CURLE_WRITE_ERROR:
			return HTTP_LOCAL;
		default:
			return sent ? HTTP_LOST : HTTP_NOT_CONNECTED;
	}
}

/* A header of the answer, or NULL; valid while the easy handle is. */
static const char *
answer_header(CURL *easy, const char *name)
{
	struct curl_header *h;

	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

static int
answer_flag(CURL *easy, const char *name)
{
	const char *value = answer_header(easy, name);

	if (value == NULL)
		return -1;
	return strcmp(value, "true") == 0 ? 1 : 0;
}

/* Most answers of a second have the Date of the one before. */
static int64
read_date(const char *date)
{
	static char last[64];
	static int64 last_seconds;

	if (date == NULL)
		return 0;
	if (strcmp(date, last) != 0)
	{
		last_seconds = Max((int64) curl_getdate(date, NULL), 0);
		strlcpy(last, date, sizeof(last));
	}
	return last_seconds;
}

/* Reads what the answer's head tells; an answer of HTTP_ANSWERED only. */
static void
read_head(CURL *easy, HttpResponse *res)
{
	long		status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	res->status = (int) status;
	res->request_id = answer_header(easy, "Request-Id");
	res->content_type = answer_header(easy, "Content-Type");
	res->limited_reason = answer_header(easy, "Stripe-Rate-Limited-Reason");
	res->replayed = answer_flag(easy, "Idempotent-Replayed") == 1;
	res->date = read_date(answer_header(easy, "Date"));
	res->should_retry = answer_flag(easy, "Stripe-Should-Retry");
	res->retry_after = answer_header(easy, "Retry-After");
}

static bool
was_reset(CURL *easy, CURLcode code)
{
	long		os_errno = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	return os_errno == ECONNRESET || os_errno == EPIPE || code == CURLE_GOT_NOTHING;
}

void
answer_read(void *easy, int code, bool sent, const char *error, HttpResponse *res)
{
	res->reason = error[0] != '\0' ? error : curl_easy_strerror(code);
	res->failure = classify_failure(easy, code, sent, &res->reason);
	res->should_retry = -1;
	read_head(easy, res);
	if (res->failure != HTTP_ANSWERED)
		res->reset = was_reset(easy, code);
}

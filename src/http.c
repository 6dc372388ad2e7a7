/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP requests from within a backend: all of libcurl.
 *
 * This file makes one attempt; answer.c reads what came of it, and request.c
 * decides whether to make another.
 *
 * libcurl's multi socket interface says which sockets it cares about and
 * wait.c waits for them, so a request in flight never keeps the backend from
 * serving interrupts.  One multi handle lives as long as the backend and
 * keeps connections and TLS sessions; one easy handle is used again and again
 * and thrown away after a failure, which also closes its connection.
 *
 * Rules of this file:
 * - Nothing of PostgreSQL is called inside a curl callback: an error raised
 *	 there would jump through frames of libcurl.  Callbacks note and return.
 * - libcurl's memory is malloc's, never palloc's: it outlives transactions
 *	 and its resolver thread allocates too.  What it frees is wiped first,
 *	 because headers with the secret key pass through its buffers.
 * - All signals are blocked while libcurl runs: a resolver thread inherits
 *	 the mask, and a PostgreSQL signal handler must never run in a thread.
 * - No redirects, no proxy from the environment, no .netrc, certificates and
 *	 host names always checked, TLS 1.2 at least.
 *
 * src/http.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "answer.h"
#include "http.h"
#include "seal.h"
#include "wait.h"

#define HTTP_MAX_CONNECTIONS 2 /* kept open by a backend */
#define HTTP_MAX_HEADER_BYTES (64 * 1024)
#define HTTP_BODY_KEPT (64 * 1024) /* body buffers up to this are used again */

/* State of the request under way; one at a time in a backend. */
typedef struct Transfer
{
	CURL	   *easy;
	struct curl_slist *headers;
	char	   *body;
	size_t		body_len;
	size_t		body_size;
	size_t		body_limit;
	size_t		header_bytes;
	bool		too_large;
	bool		added;			/* easy is in the multi handle */
	bool		spent;			/* easy is not to be used again */
	int			sends;			/* times libcurl sent it: a kept connection may
								 * turn out to be dead, and then it does so again */
	bool		sent;			/* bytes of this attempt left the machine */
	bool		open;			/* an attempt may have had effect, unanswered */
	char		ca_file[MAXPGPATH]; /* what easy was set to */
	char		error[CURL_ERROR_SIZE];
} Transfer;

static CURLM *multi = NULL;
static double curl_timer = -1;	/* on wait_clock()'s scale; -1: none */
static Transfer transfer;

/* Callbacks: they note and return. */

static int
note_socket(CURL *easy, curl_socket_t s, int what, void *userp, void *socketp)
{
	int			interest = WAIT_NOTHING;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		interest |= WAIT_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		interest |= WAIT_WRITEABLE;
	return wait_note_socket((int) s, interest) ? 0 : -1;
}

/* A number may come back for another socket; wait.c must hear of both ends. */
static int
note_open(void *userp, curl_socket_t s, curlsocktype purpose)
{
	wait_socket_changed();
	return CURL_SOCKOPT_OK;
}

static int
note_close(void *userp, curl_socket_t s)
{
	wait_socket_changed();
	return close(s);
}

static int
note_timer(CURLM *m, long timeout_ms, void *userp)
{
	curl_timer = timeout_ms < 0 ? -1 : wait_clock() + timeout_ms;
	return 0;
}

static size_t
take_header(char *data, size_t size, size_t n, void *userp)
{
	Transfer   *t = userp;

	t->header_bytes += size * n;
	if (t->header_bytes > HTTP_MAX_HEADER_BYTES)
	{
		t->too_large = true;
		return 0;
	}
	return size * n;
}

/* What arrives here is already decompressed, so the limit holds for that. */
static size_t
take_body(char *data, size_t size, size_t n, void *userp)
{
	Transfer   *t = userp;
	size_t		len = size * n;

	if (len > t->body_limit - t->body_len)
	{
		t->too_large = true;
		return 0;
	}
	if (t->body_len + len + 1 > t->body_size)
	{
		size_t		newsize = Max(t->body_size * 2, t->body_len + len + 1);
		char	   *newbody;

		newsize = Max(newsize, 8192);
		newbody = seal_wiping_realloc(t->body, newsize);
		if (newbody == NULL)
			return 0;
		t->body = newbody;
		t->body_size = newsize;
	}
	memcpy(t->body + t->body_len, data, len);
	t->body_len += len;
	t->body[t->body_len] = '\0';
	return len;
}

/* A connection is there, new or kept, and the request goes out on it. */
static int
note_send(void *userp, char *ip, char *own_ip, int port, int own_port)
{
	((Transfer *) userp)->sends++;
	return CURL_PREREQFUNC_OK;
}

/*
 * Every entry into libcurl that may start a thread or write to a socket runs
 * with all signals blocked.
 */
static void
enter_curl(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

static void
leave_curl(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/*
 * Opens the multi handle at the first call of a backend.  Never called in the
 * postmaster: handles must not cross a fork.
 */
static void
open_multi(void)
{
	static bool fds_reserved = false;

	if (multi != NULL)
		return;
	if (IsPostmasterEnvironment && !IsUnderPostmaster)
		elog(ERROR, "the HTTP client cannot run in the postmaster");

	if (!fds_reserved)
	{
		for (int i = 0; i < HTTP_MAX_CONNECTIONS; i++)
			if (!AcquireExternalFD())
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						 errmsg("could not reserve file descriptors for connections to Stripe"),
						 errhint("Raise \"max_files_per_process\", or use fewer foreign connections in this session.")));
		fds_reserved = true;
	}

	/* No effect, and no harm, if another extension came first. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, seal_wiping_free,
							 seal_wiping_realloc, strdup, calloc) != CURLE_OK ||
		(multi = curl_multi_init()) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize the HTTP client library")));

	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, note_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, note_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) HTTP_MAX_CONNECTIONS);
}

/*
 * Options that are the same for every request.  Set once for each easy
 * handle; libcurl copies strings.
 */
static CURL *
open_easy(void)
{
	CURL	   *easy = curl_easy_init();

	if (easy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The HTTP client library could not allocate a handle.")));

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, note_open);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, note_close);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, note_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
	return easy;
}

static void
free_headers(void)
{
	for (struct curl_slist *h = transfer.headers; h != NULL; h = h->next)
		seal_wipe(h->data, strlen(h->data));
	curl_slist_free_all(transfer.headers);
	transfer.headers = NULL;
}

static void
add_header(const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer.headers, line);

	if (longer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	transfer.headers = longer;
}

/*
 * Takes the request out of the multi handle.  With "discard" the easy handle
 * goes too, and with it a connection in an unknown state.
 */
static void
end_transfer(bool discard)
{
	sigset_t	saved;

	enter_curl(&saved);
	if (transfer.added)
		curl_multi_remove_handle(multi, transfer.easy);
	transfer.added = false;
	if (discard)
		wait_socket_changed();
	if (discard && transfer.easy != NULL)
	{
		curl_easy_cleanup(transfer.easy);
		transfer.easy = NULL;
	}
	else if (transfer.easy != NULL)
		curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, NULL);
	free_headers();
	leave_curl(&saved);
}

/*
 * The easy handle for a request.  There is no way back to the system's
 * authorities once others were set, so a change of ca_file takes a new one.
 * A handle that failed is not used again either, nor one that had to send
 * twice: it counts how often it did so in all its life, and gives up after the
 * fifth.  A connection that is sound is the multi handle's and stays.
 */
static CURL *
easy_for(const HttpRequest *req)
{
	const char *ca_file = req->ca_file ? req->ca_file : "";

	if (transfer.easy != NULL &&
		(transfer.spent || strcmp(transfer.ca_file, ca_file) != 0))
		end_transfer(true);
	if (transfer.easy == NULL)
	{
		transfer.easy = open_easy();
		transfer.spent = false;
		strlcpy(transfer.ca_file, ca_file, sizeof(transfer.ca_file));
		if (ca_file[0] != '\0')
		{
			curl_easy_setopt(transfer.easy, CURLOPT_CAINFO, ca_file);
			curl_easy_setopt(transfer.easy, CURLOPT_CAPATH, NULL);
		}
	}
	return transfer.easy;
}

/* Sets what differs from request to request, and hands the request over. */
static void
begin_transfer(const HttpRequest *req, int timeout_ms)
{
	sigset_t	saved;
	char	   *line;
	CURL	   *easy = easy_for(req);

	transfer.body_len = 0;
	transfer.body_limit = req->max_response;
	transfer.header_bytes = 0;
	transfer.too_large = false;
	transfer.sends = 0;
	transfer.error[0] = '\0';

	line = psprintf("Authorization: Bearer %s", req->bearer);
	add_header(line);
	seal_wipe(line, strlen(line));
	pfree(line);
	for (const char *const *h = req->headers; *h != NULL; h++)
		add_header(*h);
	add_header("Expect:");		/* never wait for 100 Continue */

	curl_easy_setopt(easy, CURLOPT_URL, req->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
					 (long) Min(timeout_ms, req->connect_timeout_ms));
	if (strcmp(req->method, "POST") == 0)
	{
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) req->body_len);
	}
	else
	{
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
						 strcmp(req->method, "GET") == 0 ? NULL : req->method);
	}

	enter_curl(&saved);
	transfer.added = curl_multi_add_handle(multi, easy) == CURLM_OK;
	leave_curl(&saved);
	if (!transfer.added)
		elog(ERROR, "could not start an HTTP request");
}

/* Lets libcurl act on a socket, or on its timer. */
static void
drive(curl_socket_t s, int ready)
{
	sigset_t	saved;
	int			running;
	int			mask = 0;
	long		request_bytes = 0;

	if (ready & WAIT_READABLE)
		mask |= CURL_CSELECT_IN;
	if (ready & WAIT_WRITEABLE)
		mask |= CURL_CSELECT_OUT;

	enter_curl(&saved);
	curl_multi_socket_action(multi, s, mask, &running);
	leave_curl(&saved);

	if (!transfer.sent &&
		curl_easy_getinfo(transfer.easy, CURLINFO_REQUEST_SIZE, &request_bytes) == CURLE_OK &&
		request_bytes > 0)
		transfer.sent = transfer.open = true;
}

/* Runs the transfer to its end; interrupts are raised from wait_for(). */
static CURLcode
run_transfer(void)
{
	WaitReady	ready[WAIT_MAX_SOCKETS];

	for (;;)
	{
		CURLMsg    *msg;
		int			left;
		int			n = 0;
		double		now = wait_clock();

		if (curl_timer >= 0 && curl_timer <= now)
		{
			curl_timer = -1;
			drive(CURL_SOCKET_TIMEOUT, 0);
		}
		else
		{
			n = wait_for(curl_timer < 0 ? -1 : (long) (curl_timer - now) + 1,
						 ready, lengthof(ready));
			for (int i = 0; i < n; i++)
				drive(ready[i].fd, ready[i].ready);
		}
		while ((msg = curl_multi_info_read(multi, &left)) != NULL)
			if (msg->msg == CURLMSG_DONE && msg->easy_handle == transfer.easy)
				return msg->data.result;
	}
}

/* A large answer's buffer is not kept for the life of the backend. */
static void
trim_body(void)
{
	if (transfer.body_size > HTTP_BODY_KEPT)
	{
		seal_wiping_free(transfer.body);
		transfer.body = NULL;
		transfer.body_size = 0;
	}
}

/*
 * Whatever leaves this function by an error leaves no open socket and no copy
 * of the key behind.
 */
void
http_attempt(const HttpRequest *req, int timeout_ms, HttpResponse *res)
{
	double		start = wait_clock();
	CURLcode	code = CURLE_OK;

	memset(res, 0, sizeof(*res));
	open_multi();
	if (transfer.added)
		end_transfer(true);
	trim_body();
	transfer.sent = false;
	PG_TRY();
	{
		begin_transfer(req, timeout_ms);
		code = run_transfer();
	}
	PG_CATCH();
	{
		end_transfer(true);
		PG_RE_THROW();
	}
	PG_END_TRY();

	res->sends = transfer.sends;
	res->duration_ms = wait_clock() - start;
	res->body = transfer.body_len > 0 ? transfer.body : "";
	res->body_len = transfer.body_len;
	answer_read(transfer.easy, code, transfer.sent, transfer.error, res);
	if (transfer.too_large)
	{
		res->failure = HTTP_TOO_LARGE;
		res->reason = "the answer is larger than allowed";
	}

	/* The strings in "res" are the handle's, so it stays until the next one. */
	transfer.spent = res->failure != HTTP_ANSWERED || transfer.sends > 1;
	end_transfer(false);
}

bool
http_unanswered(void)
{
	return transfer.open;
}

void
http_settle(void)
{
	transfer.open = false;
}

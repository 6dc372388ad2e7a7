/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP requests from within a backend: all of libcurl.
 *
 * src/http.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_HTTP_H
#define MP_HTTP_H

typedef struct HttpRequest
{
	const char *method;			/* GET, POST or DELETE */
	const char *url;
	const char *bearer;			/* secret key, put into Authorization */
	const char *const *headers; /* further header lines, NULL-terminated */
	const char *body;			/* NULL unless POST */
	size_t		body_len;
	const char *ca_file;		/* NULL or "": the system's authorities */
	int			timeout_ms;		/* for all attempts together; more than 0 */
	int			connect_timeout_ms;
	int			max_retries;
	size_t		max_response;	/* bytes, after decompression */
} HttpRequest;

/* Why there is no usable answer. */
typedef enum HttpFailure
{
	HTTP_ANSWERED = 0,			/* there is one, whatever its status */
	HTTP_NOT_CONNECTED,
	HTTP_CERTIFICATE,			/* the other side could not prove who it is */
	HTTP_LOST,					/* connection broke */
	HTTP_TIMED_OUT,
	HTTP_TRUNCATED,				/* the answer ended before its time */
	HTTP_TOO_LARGE,				/* answer over max_response */
	HTTP_BAD_CONTENT,			/* answer that could not be decoded */
	HTTP_LOCAL					/* memory, certificate file and the like */
} HttpFailure;

/*
 * The strings belong to http.c and last until the next attempt of the backend;
 * body is NUL-terminated.
 */
typedef struct HttpResponse
{
	HttpFailure failure;
	const char *reason;			/* of the failure, a clause without full stop */
	int			sends;			/* times it went out: again if a kept connection
								 * turned out to be dead */
	bool		reset;			/* the other side closed without an answer */
	double		duration_ms;
	int			status;			/* 0 if there was no head of an answer; so the
								 * rest */
	const char *body;
	size_t		body_len;
	const char *request_id;		/* NULL if absent; so the next three */
	const char *content_type;
	const char *limited_reason; /* Stripe-Rate-Limited-Reason */
	const char *retry_after;
	int			should_retry;	/* Stripe-Should-Retry: 1, 0, or -1 if absent */
	bool		replayed;		/* Idempotent-Replayed: true */
	int64		date;			/* Date header, seconds since 1970; 0 if absent */
} HttpResponse;

/*
 * Sends the request once, within "timeout_ms", and fills "res".  Raises only
 * what interrupts raise; every failure of the network is returned.
 */
extern void http_attempt(const HttpRequest *req, int timeout_ms, HttpResponse *res);

/*
 * Whether a request has left this machine, in part at least, whose outcome is
 * open, since http_settle() was last called.  For error context callbacks.
 */
extern bool http_unanswered(void);
extern void http_settle(void);

#endif /* MP_HTTP_H */

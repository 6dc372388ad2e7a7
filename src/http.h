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
	HTTP_LOST,					/* connection broke, or the answer was cut */
	HTTP_TIMED_OUT,
	HTTP_TOO_LARGE,				/* answer over max_response */
	HTTP_BAD_CONTENT,			/* answer that could not be decoded */
	HTTP_LOCAL					/* memory, certificate file and the like */
} HttpFailure;

/*
 * The strings belong to http.c and last until the next http_send() of the
 * backend; body is NUL-terminated.
 */
typedef struct HttpResponse
{
	HttpFailure failure;
	const char *reason;			/* of the failure, a clause without full stop */
	bool		sent;			/* an attempt sent bytes that may have had effect */
	int			attempts;
	int			status;
	const char *body;
	size_t		body_len;
	const char *request_id;		/* NULL if absent; so the next three */
	const char *content_type;
	const char *limited_reason; /* Stripe-Rate-Limited-Reason */
	bool		replayed;		/* Idempotent-Replayed: true */
	int64		date;			/* Date header, seconds since 1970; 0 if absent */
	double		duration_ms;	/* of the last attempt */
} HttpResponse;

/*
 * Sends the request, again where the retry policy says so, and fills "res".
 * Raises only what interrupts raise; every failure of the network is returned.
 */
extern void http_send(const HttpRequest *req, HttpResponse *res);

/*
 * Whether the request under way, or the last one, has left this machine in
 * part at least and has not been answered.  For error context callbacks.
 */
extern bool http_unanswered(void);

/* Name and version of the HTTP and TLS libraries in use. */
extern const char *http_library(void);

#endif							/* MP_HTTP_H */

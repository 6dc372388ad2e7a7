/*-------------------------------------------------------------------------
 *
 * request.h
 *	  A request, sent until it is answered or must not be sent again.
 *
 * src/request.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_REQUEST_H
#define MP_REQUEST_H

#include "http.h"

typedef struct RequestResult
{
	HttpResponse last;			/* of the last attempt */
	int			attempts;
	bool		open;			/* what the request did is not known */
} RequestResult;

/*
 * Sends the request, again where the retry policy says so, with the same
 * bytes, within its timeout.
 */
extern void request_send(const HttpRequest *req, RequestResult *result);

#endif							/* MP_REQUEST_H */

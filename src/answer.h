/*-------------------------------------------------------------------------
 *
 * answer.h
 *	  What came of an attempt: the head of the answer, or why there is none.
 *
 * src/answer.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ANSWER_H
#define MP_ANSWER_H

#include "http.h"

/*
 * Fills all but the body and the times of "res".  "easy" and "code" are
 * libcurl's handle and result, "sent" whether bytes left this machine, and
 * "error" libcurl's own words, which must live as long as "res".
 */
extern void answer_read(void *easy, int code, bool sent, const char *error, HttpResponse *res);

#endif							/* MP_ANSWER_H */

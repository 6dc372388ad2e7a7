/*-------------------------------------------------------------------------
 *
 * fallback.h
 *	  What a request says where the caller did not.
 *
 * src/fallback.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_FALLBACK_H
#define MP_FALLBACK_H

#include "account.h"
#include "params.h"

/* The account's currency, statement descriptor and payment methods. */
extern void fallback_for_payment(Params *params, const Account *account);

/*
 * Asks for "member" to be expanded.  False, and nothing changed, if the caller
 * asks for that already.
 */
extern bool fallback_expand(Params *params, const char *member);

#endif /* MP_FALLBACK_H */

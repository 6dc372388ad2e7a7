/*-------------------------------------------------------------------------
 *
 * endpoints.h
 *	  The catalogue of endpoints: which SQL function asks what of Stripe.
 *
 * src/endpoints.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_ENDPOINTS_H
#define MP_ENDPOINTS_H

#define ENDPOINT_MAX_ARGS 4

/*
 * How an argument becomes a parameter.  "param" is the parameter's path;
 * "prefixes" the beginnings an id may have, separated by blanks.  An argument
 * with several rows takes the first whose prefix fits.
 */
typedef struct EndpointArg
{
	const char *arg;
	const char *param;			/* NULL: the argument's own name */
	const char *prefixes;		/* NULL: any value */
} EndpointArg;

typedef enum EndpointFlag
{
	ENDPOINT_PAYMENT = 1,		/* the account's settings for payments apply */
	ENDPOINT_CHARGE = 2,		/* asks for latest_charge, to mirror it too */
	ENDPOINT_ADMIN = 4			/* administrators only; others: billers */
} EndpointFlag;

typedef struct Endpoint
{
	const char *function;		/* SQL function */
	const char *method;
	const char *path;			/* {name} stands for the argument "name" */
	int			flags;
	EndpointArg args[ENDPOINT_MAX_ARGS];	/* where common_args does not say */
} Endpoint;

extern const Endpoint *endpoints_find(const char *function);

/*
 * The row for argument "arg" with this value (NULL if it is no string): the
 * endpoint's own, else the common one, else NULL.  *prefixes is set only if
 * the argument has rows and none fits the value: to what would have fitted.
 */
extern const EndpointArg *endpoints_arg(const Endpoint *endpoint, const char *arg,
										const char *value, const char **prefixes);

/* The argument that sets the top-level parameter "param", for messages. */
extern const char *endpoints_arg_name(const Endpoint *endpoint, const char *param);

#endif /* MP_ENDPOINTS_H */

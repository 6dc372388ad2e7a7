/*-------------------------------------------------------------------------
 *
 * stuck_resolver.c
 *	  A resolver that does not answer, to be preloaded into a server.
 *
 * getaddrinfo() sleeps ten seconds for the host "stuck.test" and finds nothing
 * for "missing.test", at once.  Other names go to the C library, so that no
 * test depends on the machine's name servers.
 *
 * test/tap/src/stuck_resolver.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

typedef int (*Resolver) (const char *node, const char *service,
						 const struct addrinfo *hints, struct addrinfo **res);

int
getaddrinfo(const char *node, const char *service,
			const struct addrinfo *hints, struct addrinfo **res)
{
	Resolver	next = (Resolver) dlsym(RTLD_NEXT, "getaddrinfo");

	if (node != NULL && strcmp(node, "stuck.test") == 0)
	{
		struct timespec left = {10, 0};

		/* An interrupted sleep goes on: a signal must not look like an answer. */
		while (nanosleep(&left, &left) != 0)
			;
		return EAI_AGAIN;
	}
	if (node != NULL && strcmp(node, "missing.test") == 0)
		return EAI_NONAME;
	return next(node, service, hints, res);
}

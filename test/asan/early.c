/*-------------------------------------------------------------------------
 *
 * early.c
 *	  Initialises AddressSanitizer before any other library is.
 *
 * Preloaded into a server that was not built with it, AddressSanitizer sets
 * itself up at the first malloc.  Here that call would come from within
 * bindtextdomain, in the constructor of a library the server uses: glibc then
 * holds a lock that AddressSanitizer's own call of dlerror takes and gives
 * back once too often, and the server's first message waits for it forever.
 *
 * This library is linked with -z initfirst, so its constructor is the first.
 * It must do nothing else.
 *
 * test/asan/early.c
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

static void initialise(void) __attribute__((constructor));

static void
initialise(void)
{
	void	   *volatile first = malloc(1);

	free(first);
}

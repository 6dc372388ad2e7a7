/*-------------------------------------------------------------------------
 *
 * keyfile.c
 *	  Files that only the server may read.
 *
 * What is checked is the open file, not its name, so it cannot be exchanged in
 * between.  Messages name the file's purpose, never its content.
 *
 * src/keyfile.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "error.h"
#include "keyfile.h"

void
keyfile_refuse(const char *what, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_STRIPE_NOT_CONFIGURED),
			 errmsg("the %s is not usable", what),
			 errdetail("%s", why),
			 errhint("%s", hint)));
}

/* Without O_NONBLOCK, opening a pipe would wait for a writer. */
size_t
keyfile_read(const char *what, const char *setting, const char *path,
			 char *buf, size_t size)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	ssize_t		n;

	if (fd < 0)
		keyfile_refuse(what, psprintf("The file could not be opened: %s.", strerror(errno)),
					   psprintf("Check \"memberpulse_stripe.%s\" and that the server's user may read the file.", setting));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		keyfile_refuse(what, "It is not a regular file.", "Name a plain file.");
	if (st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		keyfile_refuse(what, "Others than the server's user may read or change it.",
					   "Make the server's user its owner, with mode 0600 or less.");
	n = read(fd, buf, size);
	CloseTransientFile(fd);
	if (n < 0)
		keyfile_refuse(what, "The file could not be read.", "Check the file system.");
	if ((size_t) n >= size)
		keyfile_refuse(what, psprintf("It is larger than %zu bytes.", size - 1),
					   "Keep only what belongs there in it.");
	buf[n] = '\0';
	return (size_t) n;
}

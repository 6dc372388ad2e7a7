/*-------------------------------------------------------------------------
 *
 * keyfile.h
 *	  Files that only the server may read.
 *
 * src/keyfile.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_KEYFILE_H
#define MP_KEYFILE_H

/*
 * Reads a file of at most "size" - 1 bytes and ends it with a zero.  Returns
 * its length.  Raises ST010, naming "what" the file is, unless it is a regular
 * file that belongs to the server's user and that nobody else can touch.
 * The caller wipes "buf", also after an error.
 */
extern size_t keyfile_read(const char *what, const char *setting, const char *path,
						   char *buf, size_t size);

/* Raises ST010 about such a file. */
extern void keyfile_refuse(const char *what, const char *why, const char *hint);

#endif /* MP_KEYFILE_H */

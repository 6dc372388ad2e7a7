/*-------------------------------------------------------------------------
 *
 * home.h
 *	  Whether this database is the original or a copy.
 *
 * src/home.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_HOME_H
#define MP_HOME_H

/* True in a database that was restored or copied and not adopted since. */
extern bool home_is_copy(void);

/* Raises ST010 in a copy; for what would act on a live account. */
extern void home_require_original(const char *account);

/* Makes this database the one that acts. */
extern void home_adopt(void);

#endif /* MP_HOME_H */

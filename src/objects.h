/*-------------------------------------------------------------------------
 *
 * objects.h
 *	  The types of Stripe object that are mirrored.
 *
 * src/objects.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_OBJECTS_H
#define MP_OBJECTS_H

#define OBJECT_MAX_RANKS 6

/* How late in an object's life a status is; what is not listed has rank 1. */
typedef struct StatusRank
{
	const char *status;
	int			rank;
} StatusRank;

#define RANK_FIRST 0			/* never returned to */
#define RANK_MIDDLE 1
#define RANK_FINAL 9			/* never left */

typedef struct StripeObjectType
{
	const char *name;			/* value of "object" */
	const char *table;			/* in schema "stripe" */
	const char *path;			/* the object's own address, less "/" and id;
								 * NULL if it has none that works by itself */
	const char *list;			/* member that holds a list Stripe cuts short */
	bool		deletable;		/* "*.deleted" means gone, not a status */
	StatusRank	ranks[OBJECT_MAX_RANKS];
} StripeObjectType;

/* All of them, and how many. */
extern const StripeObjectType object_types[];
extern const int object_ntypes;

/* The type with this name, or NULL if it is not mirrored. */
extern const StripeObjectType *objects_find(const char *name);

/* Rank of a status (may be NULL) in the life of an object of this type. */
extern int	objects_rank(const StripeObjectType *type, const char *status);

#endif							/* MP_OBJECTS_H */

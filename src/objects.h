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

#define OBJECT_MAX_FINAL 4

typedef struct StripeObjectType
{
	const char *name;			/* value of "object" */
	const char *table;			/* in schema "stripe" */
	const char *final[OBJECT_MAX_FINAL];	/* statuses that are never left */
} StripeObjectType;

/* All of them, and how many. */
extern const StripeObjectType object_types[];
extern const int object_ntypes;

/* The type with this name, or NULL if it is not mirrored. */
extern const StripeObjectType *objects_find(const char *name);

/* Whether an object of this type never leaves "status" (may be NULL). */
extern bool objects_is_final(const StripeObjectType *type, const char *status);

#endif							/* MP_OBJECTS_H */

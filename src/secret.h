/*-------------------------------------------------------------------------
 *
 * secret.h
 *	  Keys kept in memory, and what a key must look like.
 *
 * src/secret.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_SECRET_H
#define MP_SECRET_H

#define SECRET_MAX_LENGTH 255

/* A key, masked; empty if len is 0.  All zeroes is a valid empty one. */
typedef struct Secret
{
	uint16		len;
	uint8		masked[SECRET_MAX_LENGTH + 1];
} Secret;

/* A key in the clear: on the stack, for as long as it is used, then wiped. */
typedef struct ClearSecret
{
	char		text[SECRET_MAX_LENGTH + 1];
} ClearSecret;

typedef enum KeyKind
{
	KEY_SECRET,
	KEY_PUBLISHABLE,
	KEY_WEBHOOK
} KeyKind;

#define NUM_KEY_KINDS 3

/* Keeps a copy of "text", cut at SECRET_MAX_LENGTH + 1 bytes. */
extern void secret_set(Secret *secret, const char *text);
extern void secret_clear(Secret *secret);
extern void secret_reveal(const Secret *secret, ClearSecret *clear);
extern void secret_wipe(ClearSecret *clear);

/*
 * Whether "text" can be a key of this kind; if not, *why is a clause that
 * follows "the value".  *livemode is 1, 0, or -1 if such a key has no mode.
 */
extern bool secret_check(KeyKind kind, const char *text, int *livemode, const char **why);

#endif /* MP_SECRET_H */

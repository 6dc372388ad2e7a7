/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Keys kept in memory, and what a key must look like.
 *
 * A key that is kept is masked with random bytes of this process, so that no
 * copy of memory that is searched or printed shows it.  That is no protection
 * against someone who can run code here; it keeps keys out of core files,
 * swap and accidents.
 *
 * src/secret.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "seal.h"
#include "secret.h"

/* Every prefix a key of Stripe's can have, and where it belongs. */
static const struct
{
	const char *prefix;
	KeyKind		kind;
	int			livemode;
	const char *is_a;
} prefixes[] = {
	{"sk_test_", KEY_SECRET, 0, "is a secret key"},
	{"sk_live_", KEY_SECRET, 1, "is a secret key"},
	{"rk_test_", KEY_SECRET, 0, "is a restricted key"},
	{"rk_live_", KEY_SECRET, 1, "is a restricted key"},
	{"pk_test_", KEY_PUBLISHABLE, 0, "is a publishable key"},
	{"pk_live_", KEY_PUBLISHABLE, 1, "is a publishable key"},
	{"whsec_", KEY_WEBHOOK, -1, "is a webhook secret"},
};

static const char *const expected[NUM_KEY_KINDS] = {
	[KEY_SECRET] = "does not begin with \"sk_test_\", \"sk_live_\", \"rk_test_\" or \"rk_live_\"",
	[KEY_PUBLISHABLE] = "does not begin with \"pk_test_\" or \"pk_live_\"",
	[KEY_WEBHOOK] = "does not begin with \"whsec_\""};

#define MIN_LENGTH_AFTER_PREFIX 8

static const uint8 *
process_mask(void)
{
	static uint8 mask[SECRET_MAX_LENGTH + 1];
	static bool made = false;

	if (!made)
	{
		seal_random(mask, sizeof(mask));
		made = true;
	}
	return mask;
}

void
secret_set(Secret *secret, const char *text)
{
	const uint8 *mask = process_mask();
	size_t		len = strnlen(text, SECRET_MAX_LENGTH + 1);

	secret->len = len;
	for (size_t i = 0; i < len; i++)
		secret->masked[i] = (uint8) text[i] ^ mask[i];
}

void
secret_clear(Secret *secret)
{
	seal_wipe(secret, sizeof(*secret));
}

void
secret_reveal(const Secret *secret, ClearSecret *clear)
{
	const uint8 *mask = process_mask();
	int			len = Min(secret->len, SECRET_MAX_LENGTH);

	for (int i = 0; i < len; i++)
		clear->text[i] = (char) (secret->masked[i] ^ mask[i]);
	clear->text[len] = '\0';
}

void
secret_wipe(ClearSecret *clear)
{
	seal_wipe(clear, sizeof(*clear));
}

bool
secret_check(KeyKind kind, const char *text, int *livemode, const char **why)
{
	size_t		len = strlen(text);

	*livemode = -1;
	*why = NULL;
	if (len == 0)
		*why = "is empty";
	else if (strpbrk(text, " \t\r\n\v\f") != NULL)
		*why = "contains a space or a line break";
	else if (len > SECRET_MAX_LENGTH)
		*why = "is too long to be a key";
	for (size_t i = 0; i < len && *why == NULL; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			*why = "contains a character that no key has";
	if (*why != NULL)
		return false;

	for (int i = 0; i < (int) lengthof(prefixes); i++)
	{
		if (strncmp(text, prefixes[i].prefix, strlen(prefixes[i].prefix)) != 0)
			continue;
		if (prefixes[i].kind != kind)
			*why = prefixes[i].is_a;
		else if (len < strlen(prefixes[i].prefix) + MIN_LENGTH_AFTER_PREFIX)
			*why = "is too short to be a key";
		*livemode = prefixes[i].livemode;
		return *why == NULL;
	}
	*why = expected[kind];
	return false;
}

/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The memberpulse_stripe.* settings, as the rest of the extension reads
 *	  them.  Units: milliseconds and bytes, whatever unit SHOW prints.
 *
 * src/settings.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_SETTINGS_H
#define MP_SETTINGS_H

#define MP_VERSION "0.1.0"

/* The newest API version this code was written against; see doc/design.md. */
#define MP_API_VERSION "2026-10-28.endive"

extern char *settings_api_base;
extern char *settings_api_version;
extern char *settings_account;
extern char *settings_ca_file;
extern char *settings_credentials_file;
extern char *settings_master_key_file;
extern char *settings_old_master_key_file;
extern int	settings_timeout;
extern int	settings_connect_timeout;
extern int	settings_max_retries;
extern int	settings_max_response_kb;
extern int	settings_webhook_tolerance; /* seconds */

extern void settings_define(void);

#endif /* MP_SETTINGS_H */

/*-------------------------------------------------------------------------
 *
 * json_walk.h
 *	  Feeds a form writer from JSON text, for tests only.
 *
 * test/unit/json_walk.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef MP_JSON_WALK_H
#define MP_JSON_WALK_H

#include "form.h"

extern bool json_walk(FormWriter *w, const char *text, size_t len);
extern char *json_walk_string(const char *text, const char *key);

#endif							/* MP_JSON_WALK_H */

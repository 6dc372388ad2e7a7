/*-------------------------------------------------------------------------
 *
 * json.h
 *	  Reading and building jsonb, on the server's own functions.
 *
 * src/json.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_JSON_H
#define MP_JSON_H

#include "compat.h"

/*
 * Parses UTF-8 bytes.  NULL, with a reason, if they are not one JSON value
 * that jsonb can hold; nothing about the content is raised.
 */
extern Jsonb *json_parse(const char *data, size_t len, const char **why);

/* Member "key" of an object; false if it has none or "c" is no object. */
extern bool json_get(JsonbContainer *c, const char *key, JsonbValue *v);

/* The same where the member is a string (palloc'd copy) or else NULL. */
extern char *json_get_text(JsonbContainer *c, const char *key);

/* The same where the member is an object or array, or else NULL. */
extern JsonbContainer *json_get_container(JsonbContainer *c, const char *key);

/* The member as an id: a string, or the "id" of an expanded object. */
extern char *json_get_ref(JsonbContainer *c, const char *key);

/* True and *value set if the member is a boolean. */
extern bool json_get_bool(JsonbContainer *c, const char *key, bool *value);

/* True and *value set if the member is a whole number that fits. */
extern bool json_get_int64(JsonbContainer *c, const char *key, int64 *value);

/* The same of a value at hand. */
extern bool json_value_int64(const JsonbValue *v, int64 *value);

/* A container within a value, as a jsonb of its own. */
extern Jsonb *json_from_container(JsonbContainer *c);

/* Any value as jsonb. */
extern Jsonb *json_from_value(JsonbValue *v);

/* Writing an object or array, members in any order. */
extern void json_begin(CompatJsonbState *st, bool array);
extern void json_key(CompatJsonbState *st, const char *key, int len);
extern void json_value(CompatJsonbState *st, JsonbValue *v);
extern void json_element(CompatJsonbState *st, JsonbValue *v);
extern void json_end(CompatJsonbState *st, bool array);
extern Jsonb *json_finish(CompatJsonbState *st);

/* Key and string value; nothing if the value is NULL. */
extern void json_put_text(CompatJsonbState *st, const char *key, const char *value);
extern void json_put_int64(CompatJsonbState *st, const char *key, int64 value);
extern void json_put_bool(CompatJsonbState *st, const char *key, bool value);

/* Fills "v" without copying. */
extern void json_text_value(JsonbValue *v, const char *text);

#endif /* MP_JSON_H */

--
-- Functions behind the typed columns of the mirror tables.
--
-- They read a Stripe object at a path and never fail on account of what they
-- find there: what cannot be read is NULL.  Stripe moves fields between API
-- versions, so a path names every place a value has ever been, as in
-- 'current_period_end|items.data[].current_period_end'.
--

CREATE FUNCTION stripe.json_text(data jsonb, path text)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_json_text'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_text(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_text(jsonb, text) IS
	'The first string at a path.  Alternatives are divided by "|", steps by ".", and "[]" goes through an array.  NULL if there is none.';

CREATE FUNCTION stripe.json_key(data jsonb, path text)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_json_key'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_key(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_key(jsonb, text) IS
	'As stripe.json_text, but NULL for more than 512 bytes, so that the value always fits an index.';

CREATE FUNCTION stripe.json_ref(data jsonb, path text)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_json_ref'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_ref(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_ref(jsonb, text) IS
	'The id of the object that the first reference at a path points to, expanded or not.';

CREATE FUNCTION stripe.json_boolean(data jsonb, path text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_json_boolean'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_boolean(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_boolean(jsonb, text) IS
	'The first boolean at a path.';

CREATE FUNCTION stripe.json_bigint(data jsonb, path text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'stripe_json_bigint'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_bigint(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_bigint(jsonb, text) IS
	'The first whole number at a path that fits a bigint.';

CREATE FUNCTION stripe.json_numeric(data jsonb, path text)
RETURNS numeric
AS 'MODULE_PATHNAME', 'stripe_json_numeric'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_numeric(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_numeric(jsonb, text) IS
	'The first decimal at a path, written as a number or as a string, of at most 64 characters.';

CREATE FUNCTION stripe.json_time(data jsonb, path text)
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'stripe_json_time'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_time(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_time(jsonb, text) IS
	'The first moment at a path, given in Unix seconds.';

CREATE FUNCTION stripe.json_part(data jsonb, path text)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_json_part'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_part(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_part(jsonb, text) IS
	'The first object or array at a path.';

CREATE FUNCTION stripe.json_time_min(data jsonb, path text)
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'stripe_json_time_min'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_time_min(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_time_min(jsonb, text) IS
	'The earliest of all moments at a path; alternatives are tried in order.';

CREATE FUNCTION stripe.json_time_max(data jsonb, path text)
RETURNS timestamptz
AS 'MODULE_PATHNAME', 'stripe_json_time_max'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_time_max(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_time_max(jsonb, text) IS
	'The latest of all moments at a path; alternatives are tried in order.';

CREATE FUNCTION stripe.json_sum_bigint(data jsonb, path text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'stripe_json_sum_bigint'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_sum_bigint(jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_sum_bigint(jsonb, text) IS
	'The sum of all whole numbers at a path; alternatives are tried in order.  NULL if it does not fit.';

CREATE FUNCTION stripe.json_has_client_secret(data jsonb)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_json_has_client_secret'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_has_client_secret(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_has_client_secret(jsonb) IS
	'Whether an object, or one expanded within it, has a "client_secret" that is not null.';

CREATE FUNCTION stripe.json_without_client_secret(data jsonb)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_json_without_client_secret'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.json_without_client_secret(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION stripe.json_without_client_secret(jsonb) IS
	'An object without its "client_secret" and those of the objects expanded within it.';

CREATE FUNCTION stripe.keep_last_customer()
RETURNS trigger
AS 'MODULE_PATHNAME', 'stripe_keep_last_customer'
LANGUAGE C VOLATILE COST 1;
REVOKE ALL ON FUNCTION stripe.keep_last_customer() FROM PUBLIC;
COMMENT ON FUNCTION stripe.keep_last_customer() IS
	'Saves the customer of a row about to be updated in its column "last_customer".';

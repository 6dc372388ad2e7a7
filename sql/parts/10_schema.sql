\echo Use "CREATE EXTENSION memberpulse_stripe" to load this file. \quit

--
-- Tables, views and helpers live in schema "stripe".  The functions meant for
-- applications go to the schema chosen at CREATE EXTENSION, which may be the
-- same one.
--

DO $$
BEGIN
	IF '@extschema@' OPERATOR(pg_catalog.<>) 'stripe' THEN
		CREATE SCHEMA stripe;
	END IF;
END
$$;
COMMENT ON SCHEMA stripe IS
	'What memberpulse_stripe knows of Stripe: mirrors of its objects, payments, and helpers.';

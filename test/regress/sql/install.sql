--
-- CREATE EXTENSION in any schema; DROP EXTENSION leaves nothing behind.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS memberpulse_stripe;
SET client_min_messages = notice;

-- Rows of every catalog, but for statistics, which come and go by themselves.
CREATE TEMP TABLE catalogs (at text, name text, n bigint);
CREATE FUNCTION pg_temp.remember(at text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO catalogs
	SELECT at, relname, (xpath('//n/text()', query_to_xml(format('SELECT count(*) AS n FROM pg_catalog.%I', relname), false, true, '')))[1]::text::bigint
	  FROM pg_class
	 WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared AND relname !~ '^pg_statistic'
$$;
CREATE FUNCTION pg_temp.left_behind() RETURNS TABLE (catalog text, before bigint, after bigint) LANGUAGE sql AS $$
	SELECT name, min(n) FILTER (WHERE at = 'before'), min(n) FILTER (WHERE at = 'after')
	  FROM catalogs GROUP BY name HAVING count(DISTINCT n) > 1 ORDER BY name COLLATE "C"
$$;
SELECT pg_temp.remember('before');
-- The comparison sees what there is to see.
CREATE SCHEMA stray;
SELECT pg_temp.remember('after');
SELECT catalog FROM pg_temp.left_behind();
DROP SCHEMA stray;

--
-- In the default schema
--
DELETE FROM catalogs WHERE at = 'after';
CREATE EXTENSION memberpulse_stripe;
SELECT extname, extrelocatable, n.nspname, extversion = default_version AS newest
  FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace JOIN pg_available_extensions ON name = extname
 WHERE extname = 'memberpulse_stripe';
SELECT nspname, count(*) > 10 AS functions
  FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'memberpulse_stripe'
 GROUP BY 1 ORDER BY 1;
ALTER EXTENSION memberpulse_stripe SET SCHEMA pg_temp;
-- What is in use is not dropped unless told so.
CREATE VIEW uses AS SELECT id FROM stripe.customers;
DROP EXTENSION memberpulse_stripe;
DROP VIEW uses;
-- Rows of its own do not keep it.
INSERT INTO stripe.customers (account, livemode, id, data, as_of) VALUES ('default', false, 'cus_1', '{"id": "cus_1"}', now());
DROP EXTENSION memberpulse_stripe;
SELECT pg_temp.remember('after');
SELECT * FROM pg_temp.left_behind();
SELECT 1 FROM pg_namespace WHERE nspname = 'stripe';

--
-- In a schema of its own
--
DELETE FROM catalogs WHERE at = 'after';
CREATE EXTENSION memberpulse_stripe SCHEMA elsewhere;
CREATE SCHEMA elsewhere;
CREATE EXTENSION memberpulse_stripe SCHEMA elsewhere;
SELECT stripe_last_error();
SELECT elsewhere.stripe_last_error();
SELECT elsewhere.stripe_create_intent(0, 'aud');
SELECT elsewhere.stripe_ensure_customer('m-1', account => 'nobody');
SELECT elsewhere.stripe_list('/v1/customers', account => 'nobody');
SELECT count(*) FROM elsewhere.stripe_list('/v1/customers', max_rows => 0);
SELECT elsewhere.stripe_refund('pi_1', 1, account => 'nobody');
SELECT elsewhere.stripe_list_payment_methods('cus_1', account => 'nobody');
DROP EXTENSION memberpulse_stripe;
DROP SCHEMA elsewhere;
SELECT pg_temp.remember('after');
SELECT * FROM pg_temp.left_behind();

-- A schema whose name needs quotes.
DELETE FROM catalogs WHERE at = 'after';
CREATE SCHEMA "Odd schema";
CREATE EXTENSION memberpulse_stripe SCHEMA "Odd schema";
SELECT "Odd schema".stripe_get_payment('cus_1');
SELECT count(*) FROM "Odd schema".stripe_search('customers', 'x:1', max_rows => 0);
DROP EXTENSION memberpulse_stripe;
DROP SCHEMA "Odd schema";
SELECT pg_temp.remember('after');
SELECT * FROM pg_temp.left_behind();

--
-- In schema stripe: functions beside the tables
--
DELETE FROM catalogs WHERE at = 'after';
CREATE SCHEMA stripe;
CREATE EXTENSION memberpulse_stripe SCHEMA stripe;
SELECT stripe.stripe_create_intent(0, 'aud');
SELECT count(*) FROM stripe.customers;
SELECT count(*) FROM stripe.stripe_list('/v1/customers', max_rows => 0);
DROP EXTENSION memberpulse_stripe;
-- A schema that was there before is not ours to drop.
SELECT nspname FROM pg_namespace WHERE nspname = 'stripe';
-- Nor to take over.
CREATE EXTENSION memberpulse_stripe;
DROP SCHEMA stripe;
SELECT pg_temp.remember('after');
SELECT * FROM pg_temp.left_behind();

--
-- A library without its extension does nothing by itself, and the calls of a
-- session that saw it come and go keep working.
--
CREATE EXTENSION memberpulse_stripe;
SELECT stripe_create_intent(0, 'aud');
INSERT INTO stripe.customers (account, livemode, id, data, as_of) VALUES ('default', false, 'cus_1', '{"id": "cus_1"}', now());
DROP EXTENSION memberpulse_stripe;
CREATE EXTENSION memberpulse_stripe;
SELECT stripe_create_intent(0, 'aud');
SELECT count(*) FROM stripe.customers;

-- Only by those who may, and nothing runs with more rights than its caller's.
CREATE ROLE regress_mp_ordinary;
SET ROLE regress_mp_ordinary;
SELECT stripe_last_error();
SELECT count(*) FROM stripe.customers;
RESET ROLE;
DROP ROLE regress_mp_ordinary;

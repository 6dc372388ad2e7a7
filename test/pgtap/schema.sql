--
-- What the extension installs: described, private, and built alike.  Run in a
-- database with pgtap and the extension.
--
\set ON_ERROR_STOP 1
BEGIN;

CREATE TEMP VIEW members AS
SELECT d.classid, d.objid, d.objsubid, pg_describe_object(d.classid, d.objid, 0) AS name
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'memberpulse_stripe';

CREATE TEMP VIEW functions AS
SELECT p.*, n.nspname, l.lanname, p.oid::regprocedure::text AS signature
  FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang;

CREATE TEMP VIEW relations AS
SELECT c.*, c.oid::regclass::text AS name
  FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid;

-- A mirror is what has an object of Stripe's in it.
CREATE TEMP VIEW mirrors AS
SELECT r.* FROM relations r
 WHERE relkind IN ('r', 'p')
   AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = r.oid AND attname IN ('livemode', 'id', 'data', 'as_of', 'deleted')) = 5;

SELECT plan(26);

SELECT cmp_ok((SELECT count(*) FROM functions), '>=', 40::bigint, 'functions are found');
SELECT cmp_ok((SELECT count(*) FROM mirrors), '>=', 21::bigint, 'mirrors are found');

--
-- Described
--
-- Rows of tables and arrays of them have types, and identity columns have
-- sequences, which the tables' comments cover.
SELECT is_empty(
  $$SELECT m.name FROM members m
     WHERE obj_description(m.objid, m.classid::regclass::name) IS NULL
       AND NOT (m.classid = 'pg_type'::regclass AND EXISTS
         (SELECT FROM pg_type t WHERE t.oid = m.objid AND (t.typrelid <> 0 OR t.typelem <> 0)))
       AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = m.classid AND i.objid = m.objid AND i.deptype = 'i')$$,
  'every object of the extension has a comment');
SELECT is_empty(
  $$SELECT i.indexrelid::regclass FROM pg_index i JOIN relations r ON r.oid = i.indrelid
     WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
       AND obj_description(i.indexrelid, 'pg_class') IS NULL$$,
  'so has every index that is not a constraint''s');
SELECT is_empty(
  $$SELECT signature, obj_description(oid, 'pg_proc') FROM functions WHERE obj_description(oid, 'pg_proc') !~ '^[A-Z"].*[.\w]$'$$,
  'comments of functions are sentences');

--
-- Private
--
SELECT is_empty(
  $$SELECT signature FROM functions WHERE proacl IS NULL
    UNION ALL SELECT signature FROM functions, aclexplode(proacl) a WHERE a.grantee = 0$$,
  'no function is PUBLIC''s');
SELECT is_empty(
  $$SELECT name FROM relations, aclexplode(coalesce(relacl, acldefault('r', relowner))) a WHERE a.grantee = 0
    UNION ALL SELECT attrelid::regclass::text FROM pg_attribute JOIN relations r ON r.oid = attrelid, aclexplode(attacl) a WHERE a.grantee = 0$$,
  'no table, view or sequence is PUBLIC''s');
SELECT is_empty(
  $$SELECT nspname FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'stripe' AND a.grantee = 0$$,
  'nor is the schema');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE prosecdef
       AND NOT coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)$$,
  'functions that run as their owner pin search_path');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE lanname NOT IN ('c', 'sql', 'plpgsql')$$,
  'no other languages are needed');
SELECT is_empty(
  $$SELECT name FROM relations r WHERE relkind IN ('r', 'p') AND NOT relrowsecurity
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND attname = 'account' AND NOT attisdropped)$$,
  'every table with an account has row security');
SELECT is_empty(
  $$SELECT name FROM relations r WHERE relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = r.oid)$$,
  'and a policy');
SELECT is_empty(
  $$SELECT name FROM relations WHERE relkind = 'v' AND NOT coalesce(reloptions::text[] && '{security_invoker=true,security_invoker=on}', false)$$,
  'views show their reader''s rows only');

--
-- Functions
--
SELECT is_empty(
  $$SELECT signature FROM functions WHERE nspname <> 'stripe' AND proname !~ '^stripe_[a-z_]+$'$$,
  'functions for applications are named alike');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE pronargs > 0 AND proname ~ '^stripe_' AND
      (proargnames IS NULL OR '' = ANY (proargnames))$$,
  'and all their arguments have names');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE prosrc IN ('stripe_call', 'stripe_refund', 'stripe_ensure_customer', 'stripe_request')
       AND (prorettype <> 'jsonb'::regtype OR proretset)$$,
  'calls return one jsonb, so that expanding it calls once');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE prosrc IN ('stripe_call', 'stripe_refund', 'stripe_ensure_customer', 'stripe_request', 'stripe_try_request')
       AND (provolatile <> 'v' OR proparallel <> 'u' OR procost < 1000)$$,
  'calls are volatile, not parallel, and dear');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE prosrc IN ('stripe_call', 'stripe_refund', 'stripe_ensure_customer')
       AND (proargnames[pronargs] <> 'account' OR NOT 'params' = ANY (proargnames))$$,
  'calls take params, and the account last');
SELECT is_empty(
  $$SELECT signature FROM functions WHERE 'bigint'::regtype <> ALL (proargtypes) AND 'amount' = ANY (proargnames) AND proname <> 'stripe_order_status'$$,
  'amounts are bigint');

--
-- Tables
--
SELECT is_empty(
  $$SELECT name FROM mirrors m WHERE NOT EXISTS
      (SELECT FROM pg_constraint c WHERE c.conrelid = m.oid AND contype = 'p'
          AND (SELECT array_agg(attname ORDER BY ord) FROM unnest(conkey) WITH ORDINALITY k (num, ord)
                 JOIN pg_attribute a ON a.attrelid = m.oid AND a.attnum = num) = '{account,livemode,id}'::name[])$$,
  'a mirror''s key is account, mode and id');
-- An account is in one mode at a time: its own row is the exception.
SELECT is_empty(
  $$SELECT name FROM relations r WHERE relkind IN ('r', 'p') AND name <> 'stripe.accounts'
       AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND attname = 'livemode' AND attnotnull AND NOT attisdropped)
       AND EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = r.oid AND contype IN ('p', 'u')
          AND NOT conkey @> (SELECT array_agg(attnum) FROM pg_attribute a WHERE a.attrelid = r.oid AND attname IN ('account', 'livemode')))$$,
  'account and mode are part of every key of every table that has them');
SELECT is_empty(
  $$SELECT name FROM mirrors m WHERE NOT EXISTS
      (SELECT FROM pg_constraint c WHERE c.conrelid = m.oid AND conname = 'no_client_secret' AND convalidated)$$,
  'no mirror takes a client secret');
SELECT is_empty(
  $$SELECT conname, conrelid::regclass FROM pg_constraint JOIN relations r ON r.oid = conrelid WHERE contype = 'f'$$,
  'there are no foreign keys, since objects come in any order');
SELECT is_empty(
  $$SELECT attrelid::regclass, attname FROM pg_attribute a JOIN relations r ON r.oid = attrelid JOIN pg_type t ON t.oid = atttypid
     WHERE t.typtype = 'e' AND attnum > 0$$,
  'nor enums, since Stripe adds values');
-- What Stripe says of an object, every table reads from the object itself.
SELECT is_empty(
  $$SELECT m.name, count(*) FROM mirrors m LEFT JOIN pg_attribute a ON a.attrelid = m.oid AND attgenerated = 's'
      GROUP BY 1 HAVING count(*) < 3 OR NOT '{created,metadata}' <@ array_agg(attname::text)$$,
  'the typed columns of mirrors are generated');

SELECT is_empty(
  $$SELECT name FROM relations r WHERE relkind IN ('r', 'p') AND NOT EXISTS
      (SELECT FROM pg_extension e WHERE e.extname = 'memberpulse_stripe' AND r.oid = ANY (e.extconfig))$$,
  'the rows of every table are dumped');

SELECT * FROM finish();
ROLLBACK;

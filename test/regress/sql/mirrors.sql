--
-- Mirror tables: every typed column, in the shape of every era of Stripe's
-- API; then everything a column must survive.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Nothing stays behind for other tests.
BEGIN;

\getenv srcdir PG_ABS_SRCDIR
\set path :srcdir '/../fixtures/2022-08-01.json'
\set before `cat :'path'`
\set path :srcdir '/../fixtures/2024-12-18.acacia.json'
\set acacia `cat :'path'`
\set path :srcdir '/../fixtures/2025-06-30.basil.json'
\set basil `cat :'path'`
\set path :srcdir '/../fixtures/2026-09-30.endive.json'
\set endive `cat :'path'`

-- One row an example object; "tab" is the mirror of its type.
CREATE TEMP TABLE examples AS
SELECT era, o.value AS data, format('stripe.%s',
         CASE o.key
           WHEN 'checkout.session' THEN 'checkout_sessions'
           WHEN 'entitlements.active_entitlement' THEN 'active_entitlements'
           ELSE o.key || 's'
         END)::regclass AS tab
  FROM (VALUES ('before', :'before'::jsonb), ('acacia', :'acacia'),
               ('basil', :'basil'), ('endive', :'endive')) AS f (era, content),
       jsonb_each(content) AS o;

CREATE FUNCTION pg_temp.store(tab regclass, account text, id text, data jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %s (account, livemode, id, data, as_of)
                  VALUES ($1, false, $2, $3, ''2026-10-01'')', tab)
    USING account, id, data;
END $$;

CREATE VIEW pg_temp.typed_columns AS
SELECT attrelid::regclass AS tab, attname AS name, attnum AS pos,
       atttypid::regtype AS type
  FROM pg_attribute
 WHERE attrelid IN (SELECT tab FROM examples) AND attgenerated = 's';

-- A mirror table turned on its side: columns down, eras across.
CREATE FUNCTION pg_temp.eras(mirror regclass)
RETURNS TABLE (name name, before text, acacia text, basil text, endive text)
LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format($q$
    SELECT c.name, min(v) FILTER (WHERE t.account = 'before'),
           min(v) FILTER (WHERE t.account = 'acacia'),
           min(v) FILTER (WHERE t.account = 'basil'),
           min(v) FILTER (WHERE t.account = 'endive')
      FROM pg_temp.typed_columns c CROSS JOIN %1$s t,
           LATERAL (SELECT to_jsonb(t) ->> c.name::text) AS x (v)
     WHERE c.tab = %1$L::regclass
     GROUP BY c.name, c.pos ORDER BY c.pos$q$, mirror);
END $$;

SELECT count(pg_temp.store(tab, era, data->>'id', data)) AS stored FROM examples;

--
-- Each table, eras side by side
--
\pset format unaligned
\pset null -
SELECT * FROM pg_temp.eras('stripe.payment_intents');
SELECT * FROM pg_temp.eras('stripe.charges');
SELECT * FROM pg_temp.eras('stripe.subscriptions');
SELECT * FROM pg_temp.eras('stripe.subscription_items');
SELECT * FROM pg_temp.eras('stripe.invoices');
SELECT * FROM pg_temp.eras('stripe.invoice_payments');
SELECT * FROM pg_temp.eras('stripe.credit_notes');
SELECT * FROM pg_temp.eras('stripe.promotion_codes');

-- Types whose columns read the same in every era
SELECT tab, e.name, e.endive
  FROM (SELECT tab FROM examples GROUP BY tab HAVING count(*) = 1) AS single,
       LATERAL pg_temp.eras(tab) AS e
 ORDER BY tab::text, (SELECT pos FROM pg_temp.typed_columns c
                       WHERE c.tab = single.tab AND c.name = e.name);

-- Columns that no example fills, as these types have no such field
SELECT tab, c.name
  FROM pg_temp.typed_columns c
 WHERE NOT EXISTS (SELECT FROM pg_temp.eras(c.tab) AS e
                    WHERE e.name = c.name
                      AND num_nonnulls(before, acacia, basil, endive) > 0)
 ORDER BY tab::text, c.pos;

--
-- Odd content.  Each value of each example is replaced by junk: first the
-- innermost ones, then the outermost ones.  Storing it must not fail, and no
-- column may show what is not of its type.
--
CREATE FUNCTION pg_temp.spoil(data jsonb, junk jsonb) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT CASE jsonb_typeof(data)
    WHEN 'object' THEN (SELECT jsonb_object_agg(key, pg_temp.spoil(value, junk))
                          FROM jsonb_each(data))
    WHEN 'array' THEN (SELECT jsonb_agg(pg_temp.spoil(value, junk))
                         FROM jsonb_array_elements(data))
    ELSE junk END
$$;

CREATE TEMP TABLE junk (name text, value jsonb);
INSERT INTO junk VALUES
  ('null', 'null'), ('true', 'true'), ('empty string', '""'),
  ('word', '"word"'), ('date', '"2026-01-01"'), ('decimal', '"-0.125"'),
  ('exponent', '"1e3"'), ('NaN', '"NaN"'), ('blank', '" 1"'),
  ('long string', to_jsonb(repeat('x', 10000))),
  ('long digits', to_jsonb(repeat('9', 65))),
  ('zero', '0'), ('fraction', '1.5'), ('whole fraction', '2.00'),
  ('negative', '-1'), ('2^63 - 1', '9223372036854775807'),
  ('2^63', '9223372036854775808'), ('-2^63', '-9223372036854775808'),
  ('-2^63 - 1', '-9223372036854775809'), ('1e400', '1e400'),
  ('-1e400', '-1e400'), ('1e-400', '1e-400'),
  ('empty array', '[]'), ('array', '[[1], "x"]'), ('empty object', '{}'),
  ('object', '{"id": 5}'), ('id of id', '{"id": {"id": "x"}}');

SELECT count(pg_temp.store(tab, 'inner ' || name, era, pg_temp.spoil(data, value)))
       AS inner_stored
  FROM examples, junk;
SELECT count(pg_temp.store(tab, 'outer ' || name, era,
                           (SELECT jsonb_object_agg(key, value)
                              FROM jsonb_object_keys(data) AS key)))
       AS outer_stored
  FROM examples, junk;

-- Which types of column hold a value then, but for what was not replaced.
CREATE FUNCTION pg_temp.filled(account text, OUT types text)
LANGUAGE plpgsql AS $$
DECLARE
  mirror regclass;
  filled text[] := '{}';
BEGIN
  FOR mirror IN SELECT DISTINCT tab FROM examples LOOP
    EXECUTE format($q$
      SELECT $1 || coalesce(array_agg(DISTINCT c.type::text), '{}')
        FROM pg_temp.typed_columns c, %1$s t
       WHERE c.tab = %1$L::regclass AND t.account = $2
         AND to_jsonb(t) -> c.name::text <> 'null'$q$, mirror)
      INTO filled USING filled, account;
  END LOOP;
  SELECT string_agg(DISTINCT f, ', ' ORDER BY f) INTO types
    FROM unnest(filled) AS f;
END $$;

SELECT name, pg_temp.filled('outer ' || name) AS outermost,
       pg_temp.filled('inner ' || name) AS innermost
  FROM junk;

-- Documents that are no object at all
SELECT count(pg_temp.store(tab, 'scalar', value::text, value)) AS scalars_stored
  FROM (SELECT DISTINCT tab FROM examples) AS t,
       (VALUES (jsonb '[]'), ('"x"'), ('1'), ('null'), ('[{"id": "x"}]'), ('{}')) AS v (value);
SELECT pg_temp.filled('scalar');

-- Keys too long for an index are left out of it; the document keeps them.
SELECT count(pg_temp.store(tab, 'long', 'long', doc)) AS long_stored
  FROM (SELECT DISTINCT tab FROM examples) AS t,
       (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) AS i) AS r (noise),
       LATERAL (SELECT jsonb_object_agg(name, noise) || jsonb_build_object('metadata',
                         jsonb_build_object('order_type', noise, 'order_id', noise,
                                            'member_id', noise, 'membership_id', noise)) AS doc
                  FROM pg_temp.typed_columns) AS d;
SELECT email, length(name) AS name, member_id FROM stripe.customers WHERE account = 'long';

--
-- The path language
--
CREATE TEMP TABLE paths (doc jsonb);
INSERT INTO paths VALUES ('{
  "a": {"b": {"c": "deep"}}, "s": "text", "n": 7, "x": null, "ref": {"id": "cus_1"},
  "list": [{"v": "wrong"}, {"v": 5, "at": 20}, 3, {"v": 9, "at": 10, "in": [{"w": 1}, {"w": 2}]}],
  "big": [9223372036854775807, 1], "empty": [], "ids": [null, {"id": "first"}, "second"]}');

SELECT stripe.json_text(doc, 'a.b.c') AS deep,
       stripe.json_text(doc, 'none|a.b|x|s|a.b.c') AS first_of_type,
       stripe.json_text(doc, 's.c') AS through_scalar,
       stripe.json_text(doc, 'list.v') AS through_array,
       stripe.json_text(doc, 'a[].b') AS object_as_array
  FROM paths;
SELECT stripe.json_bigint(doc, 'list[].v') AS first_number,
       stripe.json_bigint(doc, 'list[].in[].w') AS nested,
       stripe.json_ref(doc, 'ids[]') AS first_id,
       stripe.json_ref(doc, 'a|ref') AS expanded
  FROM paths;
SELECT stripe.json_sum_bigint(doc, 'list[].v') AS sum,
       stripe.json_sum_bigint(doc, 'empty[]|n') AS next_alternative,
       stripe.json_sum_bigint(doc, 'empty[]') AS sum_of_none,
       stripe.json_sum_bigint(doc, 'big[]') AS overflow,
       stripe.json_time_min(doc, 'list[].at') AS earliest,
       stripe.json_time_max(doc, 'list[].at') AS latest
  FROM paths;
-- Paths that name nothing
SELECT path, stripe.json_text(doc, path), stripe.json_part(doc, path)
  FROM paths, unnest('{"",.,|,[],a.,.a,a..b,[]a,a.[],s[],s|}'::text[]) AS path;
SELECT stripe.json_text(NULL, 's'), stripe.json_text(doc, NULL) FROM paths;

-- What timestamptz can hold, to the second
SELECT seconds, stripe.json_time(jsonb_build_object('t', seconds), 't')
  FROM (VALUES (0), (-1), (-210866803200), (-210866803201),
               (9224318015999), (9224318016000)) AS v (seconds);
-- Decimals keep the digits they came with
SELECT stripe.json_numeric(jsonb_build_object('d', d), 'd')
  FROM (VALUES (jsonb '"0.000000000001"'), ('"-12.50"'), ('12.50'), ('"1."'), ('"."'), ('"-"'), ('".5"'), ('"+1"')) AS v (d);

-- A toasted document reads the same.
CREATE TEMP TABLE toasted (doc jsonb);
INSERT INTO toasted
SELECT jsonb_build_object('pad', string_agg(md5(i::text), ''), 'id', 'here')
  FROM generate_series(1, 1000) AS i;
SELECT stripe.json_text(doc, 'id') FROM toasted;

--
-- No client secret is stored, however deep; the word alone is no secret.
--
SELECT doc, stripe.json_has_client_secret(doc) AS secret,
       nullif(stripe.json_without_client_secret(doc), doc) AS without
  FROM (VALUES (jsonb '{"client_secret": "s"}'), ('{"client_secret": null}'),
               ('{"a": [{"b": {"client_secret": "s"}}]}'),
               ('{"client_secret": {}}'), ('{"client_secret": []}'),
               ('{"description": "client_secret"}'), ('["client_secret", "s"]'),
               ('{"client_secrets": "s", "my_client_secret": "s"}'),
               ('{"z": {"client_secret": null}, "zz": {"client_secret": 1}}'),
               ('{"client_secret": {"client_secret": [{"a": 1}]}, "a": [1, [], {"b": [{"client_secret": "s", "c": 2}]}]}'),
               ('[[{"client_secret": "s"}], 1]'), ('"client_secret"'), ('{}')) AS v (doc);
SAVEPOINT secret;
SELECT pg_temp.store('stripe.invoices', 'secret', 'in_1',
                     '{"confirmation_secret": {"client_secret": "pi_1_secret_2"}}');
ROLLBACK TO secret;

--
-- Detaching a payment method keeps whose it was.
--
SELECT pg_temp.store('stripe.payment_methods', 'kept', 'pm_1', '{"customer": "cus_1"}');
UPDATE stripe.payment_methods SET data = '{"customer": null}' WHERE account = 'kept';
SELECT customer, last_customer FROM stripe.payment_methods WHERE account = 'kept';
UPDATE stripe.payment_methods SET data = '{"type": "card"}' WHERE account = 'kept';
SELECT customer, last_customer, type FROM stripe.payment_methods WHERE account = 'kept';
-- The trigger function is for that only.
CREATE TEMP TABLE other (customer text);
CREATE TRIGGER keep BEFORE UPDATE ON other FOR EACH ROW EXECUTE FUNCTION stripe.keep_last_customer();
INSERT INTO other VALUES ('cus_1');
SAVEPOINT wrong;
UPDATE other SET customer = NULL;
ROLLBACK TO wrong;
CREATE TRIGGER keep_after AFTER UPDATE ON stripe.payment_methods
  FOR EACH ROW EXECUTE FUNCTION stripe.keep_last_customer();
UPDATE stripe.payment_methods SET data = '{}' WHERE account = 'kept';
ROLLBACK TO wrong;

--
-- Typed columns cannot be written.
--
UPDATE stripe.payment_methods SET customer = 'cus_2';

ROLLBACK;

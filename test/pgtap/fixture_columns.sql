--
-- Each typed column of each mirror table against a second reading of the same
-- object: jsonpath here, the extension's own functions there.
--
-- Reads the project's fixtures, and the example objects that Stripe publishes
-- beside its API description where a folder of them is given:
--
--   psql -X -v fixtures=DIR [-v official=DIR] -f fixture_columns.sql
--
-- Without "fixtures" that is test/fixtures, seen from the current directory.
--
\set ON_ERROR_STOP 1
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\pset pager off
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;

--
-- The objects
--
CREATE TEMP TABLE files (name text, official boolean, content jsonb);
\if :{?fixtures} \else \set fixtures test/fixtures \endif
\set path :fixtures '/2022-08-01.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('2022-08-01', false, :'content');
\set path :fixtures '/2024-12-18.acacia.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('2024-12-18.acacia', false, :'content');
\set path :fixtures '/2025-06-30.basil.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('2025-06-30.basil', false, :'content');
\set path :fixtures '/2026-09-30.endive.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('2026-09-30.endive', false, :'content');
\if :{?official}
\set path :official '/2022-09-28.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('official 2022-09-28', true, :'content');
\set path :official '/2025-02-14.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('official 2025-02-14', true, :'content');
\set path :official '/2025-07-22.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('official 2025-07-22', true, :'content');
\set path :official '/2026-07-29.json'
\set content `cat :'path'`
INSERT INTO files VALUES ('official 2026-07-29', true, :'content');
\endif

CREATE TEMP TABLE mirrors (object text PRIMARY KEY, tab regclass);
INSERT INTO mirrors
SELECT o, ('stripe.' || o || 's')::regclass
  FROM unnest('{product,price,customer,payment_method,payment_intent,setup_intent,mandate,
                charge,refund,dispute,subscription,subscription_item,subscription_schedule,
                invoice,invoice_payment,credit_note,coupon,promotion_code,tax_rate}'::text[]) AS o
UNION ALL VALUES
  ('checkout.session', 'stripe.checkout_sessions'::regclass),
  ('entitlements.active_entitlement', 'stripe.active_entitlements');

-- What the extension does on the way in.
CREATE FUNCTION pg_temp.without_secrets(doc jsonb) RETURNS jsonb
LANGUAGE sql AS $$
  SELECT CASE jsonb_typeof(doc)
    WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(key, pg_temp.without_secrets(value)), '{}')
                          FROM jsonb_each(doc) WHERE key <> 'client_secret')
    WHEN 'array' THEN (SELECT coalesce(jsonb_agg(pg_temp.without_secrets(value) ORDER BY n), '[]')
                         FROM jsonb_array_elements(doc) WITH ORDINALITY AS e (value, n))
    ELSE doc END
$$;

-- A stub of a deleted object goes where the object was; a subscription's
-- items have a table of their own.
CREATE TEMP TABLE objects AS
SELECT f.name AS file, f.official, m.tab, o.key, pg_temp.without_secrets(o.value) AS data
  FROM files f, jsonb_each(f.content) AS o
  JOIN mirrors m ON m.object = regexp_replace(o.key, '^deleted_', '')
UNION ALL
SELECT f.name, f.official, 'stripe.subscription_items', 'item ' || n, pg_temp.without_secrets(i.value)
  FROM files f, jsonb_array_elements(f.content #> '{subscription,items,data}') WITH ORDINALITY AS i (value, n);

DO $$
DECLARE
  o objects;
BEGIN
  FOR o IN SELECT * FROM objects LOOP
    EXECUTE format('INSERT INTO %s (account, livemode, id, data, as_of)
                    VALUES ($1, false, $2, $3, pg_catalog.now())', o.tab)
      USING 'fixture: ' || o.file || ', ' || o.key, o.data ->> 'id', o.data;
  END LOOP;
END $$;

--
-- The second reading.  A column is expected under its own name, unless it is
-- listed here with every place its value has been.
--
CREATE TEMP TABLE elsewhere (tab regclass, col name, how text, paths jsonpath[]);
INSERT INTO elsewhere VALUES
  ('stripe.prices', 'interval', 'first', '{$.recurring.interval}'),
  ('stripe.prices', 'interval_count', 'first', '{$.recurring.interval_count}'),
  ('stripe.prices', 'usage_type', 'first', '{$.recurring.usage_type}'),
  ('stripe.prices', 'meter', 'first', '{$.recurring.meter}'),
  ('stripe.customers', 'default_payment_method', 'first', '{$.invoice_settings.default_payment_method}'),
  ('stripe.customers', 'member_id', 'first', '{$.metadata.member_id}'),
  ('stripe.payment_methods', 'brand', 'first', '{$.card.brand}'),
  ('stripe.payment_methods', 'last4', 'first', '{$.card.last4}'),
  ('stripe.payment_methods', 'exp_month', 'first', '{$.card.exp_month}'),
  ('stripe.payment_methods', 'exp_year', 'first', '{$.card.exp_year}'),
  ('stripe.payment_methods', 'fingerprint', 'first', '{$.card.fingerprint}'),
  ('stripe.payment_methods', 'funding', 'first', '{$.card.funding}'),
  ('stripe.payment_methods', 'billing_email', 'first', '{$.billing_details.email}'),
  ('stripe.payment_intents', 'latest_charge', 'first', '{$.latest_charge,"$.charges.data[0]"}'),
  ('stripe.payment_intents', 'last_error_code', 'first', '{$.last_payment_error.code}'),
  ('stripe.payment_intents', 'next_action_type', 'first', '{$.next_action.type}'),
  ('stripe.payment_intents', 'order_type', 'first', '{$.metadata.order_type}'),
  ('stripe.payment_intents', 'order_id', 'first', '{$.metadata.order_id}'),
  ('stripe.setup_intents', 'last_error_code', 'first', '{$.last_setup_error.code}'),
  ('stripe.mandates', 'payment_method_type', 'first', '{$.payment_method_details.type}'),
  ('stripe.charges', 'pm_type', 'first', '{$.payment_method_details.type}'),
  ('stripe.disputes', 'due_by', 'first', '{$.evidence_details.due_by}'),
  ('stripe.subscriptions', 'status_reason', 'first', '{$.status_details.paused.subscription.type}'),
  ('stripe.subscriptions', 'current_period_start', 'max',
   '{$.current_period_start,"$.items.data[*].current_period_start"}'),
  ('stripe.subscriptions', 'current_period_end', 'min',
   '{$.current_period_end,"$.items.data[*].current_period_end"}'),
  ('stripe.subscriptions', 'cancel_reason', 'first', '{$.cancellation_details.reason}'),
  ('stripe.subscriptions', 'cancel_feedback', 'first', '{$.cancellation_details.feedback}'),
  ('stripe.subscriptions', 'cancel_comment', 'first', '{$.cancellation_details.comment}'),
  ('stripe.subscriptions', 'pending_update_expires', 'first', '{$.pending_update.expires_at}'),
  ('stripe.subscriptions', 'pause_behavior', 'first', '{$.pause_collection.behavior}'),
  ('stripe.subscriptions', 'pause_resumes_at', 'first', '{$.pause_collection.resumes_at}'),
  ('stripe.subscriptions', 'billing_mode', 'first', '{$.billing_mode.type}'),
  ('stripe.subscriptions', 'discounts', 'first', '{$.discounts,$.discount}'),
  ('stripe.subscriptions', 'membership_id', 'first', '{$.metadata.membership_id}'),
  ('stripe.subscription_items', 'product', 'first', '{$.price.product,$.plan.product}'),
  ('stripe.subscription_items', 'trial_offer', 'first', '{$.current_trial.trial_offer}'),
  ('stripe.subscription_schedules', 'current_phase_start', 'first', '{$.current_phase.start_date}'),
  ('stripe.subscription_schedules', 'current_phase_end', 'first', '{$.current_phase.end_date}'),
  ('stripe.invoices', 'subscription', 'first', '{$.subscription,$.parent.subscription_details.subscription}'),
  ('stripe.invoices', 'tax', 'sum',
   '{$.tax,"$.total_taxes[*].amount","$.total_tax_amounts[*].amount"}'),
  ('stripe.invoices', 'finalized_at', 'first', '{$.status_transitions.finalized_at}'),
  ('stripe.invoices', 'paid_at', 'first', '{$.status_transitions.paid_at}'),
  ('stripe.invoices', 'voided_at', 'first', '{$.status_transitions.voided_at}'),
  ('stripe.invoices', 'marked_uncollectible_at', 'first', '{$.status_transitions.marked_uncollectible_at}'),
  ('stripe.invoices', 'payment_intent', 'first',
   '{$.payment_intent,"$.payments.data[*].payment.payment_intent"}'),
  ('stripe.invoices', 'automatic_tax_status', 'first', '{$.automatic_tax.status}'),
  ('stripe.invoice_payments', 'payment_type', 'first', '{$.payment.type}'),
  ('stripe.invoice_payments', 'payment_intent', 'first', '{$.payment.payment_intent}'),
  ('stripe.invoice_payments', 'charge', 'first', '{$.payment.charge}'),
  ('stripe.invoice_payments', 'payment_record', 'first', '{$.payment.payment_record}'),
  ('stripe.invoice_payments', 'paid_at', 'first', '{$.status_transitions.paid_at}'),
  ('stripe.promotion_codes', 'coupon', 'first', '{$.promotion.coupon,$.coupon}');

CREATE TEMP TABLE columns AS
SELECT m.tab, a.attname AS col, a.attnum AS pos, a.atttypid::regtype::text AS type,
       coalesce(e.how, 'first') AS how,
       coalesce(e.paths, ARRAY[('$."' || a.attname || '"')::jsonpath]) AS paths
  FROM mirrors m
  JOIN pg_attribute a ON a.attrelid = m.tab AND a.attgenerated = 's'
  LEFT JOIN elsewhere e ON e.tab = m.tab AND e.col = a.attname;

-- One value as a column of the type would show it; NULL if it is of no use.
CREATE FUNCTION pg_temp.shown(v jsonb, type text) RETURNS text
LANGUAGE sql AS $$
  SELECT CASE type || ' from ' || jsonb_typeof(v)
    WHEN 'text from string' THEN v #>> '{}'
    WHEN 'text from object' THEN v ->> 'id'
    WHEN 'boolean from boolean' THEN v::text
    WHEN 'bigint from number' THEN v::text
    WHEN 'numeric from number' THEN v::text
    WHEN 'numeric from string' THEN v #>> '{}'
    WHEN 'timestamp with time zone from number' THEN to_timestamp(v::float8)::text
    WHEN 'jsonb from object' THEN v::text
    WHEN 'jsonb from array' THEN v::text
  END
$$;

CREATE FUNCTION pg_temp.expected(doc jsonb, c columns) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  path jsonpath;
  result text;
BEGIN
  FOREACH path IN ARRAY c.paths LOOP
    SELECT CASE c.how
             WHEN 'first' THEN (array_agg(s ORDER BY n))[1]
             WHEN 'min' THEN min(s::timestamptz)::text
             WHEN 'max' THEN max(s::timestamptz)::text
             WHEN 'sum' THEN sum(s::bigint)::text
           END
      INTO result
      FROM jsonb_path_query(doc, path, silent => true) WITH ORDINALITY AS q (v, n),
           pg_temp.shown(v, c.type) AS s
     WHERE s IS NOT NULL;
    EXIT WHEN result IS NOT NULL;
  END LOOP;
  RETURN result;
END $$;

-- Where the two readings of a column differ, and how many rows fill it.
CREATE FUNCTION pg_temp.compare(c columns, OUT differences text, OUT filled bigint)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($q$
    SELECT string_agg(format('%%s: expected %%s, got %%s', account,
                             coalesce(e, 'NULL'), coalesce(v, 'NULL')), E'\n' ORDER BY account)
             FILTER (WHERE v IS DISTINCT FROM e),
           count(v)
      FROM %s AS t, LATERAL (SELECT t.%I::text, pg_temp.expected(t.data, $1)) AS x (v, e)
     WHERE account LIKE 'fixture: %%'$q$, c.tab, c.col)
    INTO differences, filled USING c;
END $$;

SELECT plan(3 + 2 * count(*)::int + 4) FROM columns;

SELECT is_empty(
  $$SELECT tab, col FROM elsewhere EXCEPT SELECT tab, col FROM columns$$,
  'every column listed is there');
SELECT set_eq(
  $$SELECT tab::text FROM mirrors$$,
  $$SELECT DISTINCT attrelid::regclass::text FROM pg_attribute
     WHERE attgenerated = 's' AND attname = 'metadata'
       AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'stripe'::regnamespace
                           AND relkind = 'r')$$,
  'every mirror table is covered');
SELECT is_empty(
  $$SELECT object FROM mirrors
     WHERE NOT EXISTS (SELECT FROM objects o WHERE o.tab = mirrors.tab AND NOT o.official)$$,
  'every mirror table has an example of the project''s own');

SELECT is(d.differences, NULL, format('%s.%s agrees', c.tab, c.col))
  FROM columns c, pg_temp.compare(c) AS d ORDER BY c.tab::text, c.pos;

-- Without a row that fills it, agreeing would mean nothing.  These types have
-- no creation time, or no metadata.
SELECT CASE WHEN (c.tab::text, c.col) IN (VALUES ('stripe.mandates', name 'created'),
                                         ('stripe.mandates', 'metadata'),
                                         ('stripe.invoice_payments', 'metadata'),
                                         ('stripe.active_entitlements', 'created'),
                                         ('stripe.active_entitlements', 'metadata'))
         THEN is(d.filled, 0::bigint, format('%s.%s is always empty', c.tab, c.col))
         ELSE cmp_ok(d.filled, '>', 0::bigint, format('%s.%s is filled', c.tab, c.col)) END
  FROM columns c, pg_temp.compare(c) AS d ORDER BY c.tab::text, c.pos;

\if :{?official}
SELECT cmp_ok(count(o.*), '>=', 20::bigint, format('%s: objects of %s types', f.name, count(DISTINCT o.tab)))
  FROM files f LEFT JOIN objects o ON o.file = f.name
 WHERE f.official GROUP BY f.name ORDER BY f.name;
\else
SELECT skip('no folder of official examples given: set the psql variable "official"', 4);
\endif

SELECT * FROM finish();
ROLLBACK;

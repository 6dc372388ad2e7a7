--
-- Memberships follow what Stripe says of their subscriptions: a year of one,
-- several for one membership, links, plans, and what people decide.
--
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

-- Nothing stays behind for other tests.
BEGIN;
SELECT stripe_configure(account => 'mb', grace_days => 5) ->> 'account' AS account;
SET LOCAL memberpulse_stripe.account = 'mb';

-- Moments are told in days from now, so that the states are today's.
CREATE FUNCTION pg_temp.day(d numeric) RETURNS bigint LANGUAGE sql AS
	$$ SELECT floor(extract(epoch FROM now()))::bigint + (d * 86400)::bigint $$;
CREATE FUNCTION pg_temp.sub(status text, begins numeric, ends numeric, more jsonb DEFAULT '{}', id text DEFAULT 'sub_1')
RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'object', 'subscription', 'livemode', false, 'created', pg_temp.day(-400), 'start_date', pg_temp.day(-400),
		'status', status, 'customer', 'cus_1', 'collection_method', 'charge_automatically', 'currency', 'aud', 'metadata', jsonb_build_object('membership_id', 'm-1'),
		'items', jsonb_build_object('object', 'list', 'has_more', false, 'data', jsonb_build_array(jsonb_build_object('id', 'si_' || id, 'object', 'subscription_item',
			'subscription', id, 'quantity', 2, 'current_period_start', pg_temp.day(begins), 'current_period_end', pg_temp.day(ends),
			'price', jsonb_build_object('id', 'price_g', 'object', 'price', 'product', 'prod_g', 'unit_amount', 6000, 'currency', 'aud'))))) || more
$$;
CREATE FUNCTION pg_temp.inv(id text, status text, finalized numeric, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'object', 'invoice', 'livemode', false, 'created', pg_temp.day(finalized), 'status', status, 'billing_reason', 'subscription_cycle',
		'collection_method', 'charge_automatically', 'customer', 'cus_1', 'parent', jsonb_build_object('subscription_details', jsonb_build_object('subscription', 'sub_1')),
		'status_transitions', jsonb_build_object('finalized_at', pg_temp.day(finalized))) || more
$$;
CREATE SEQUENCE pg_temp.n;
CREATE FUNCTION pg_temp.tell(type text, at numeric, object jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', state, membership_id, error) FROM stripe_ingest_events(ARRAY[jsonb_build_object('id', 'evt_' || nextval('pg_temp.n'), 'object', 'event', 'type', type,
		'created', pg_temp.day(at), 'livemode', false, 'data', jsonb_build_object('object', object))])
$$;
-- Days from now.
CREATE FUNCTION pg_temp.days(t timestamptz) RETURNS numeric LANGUAGE sql AS
	$$ SELECT round(extract(epoch FROM t - now()) / 86400, 2) $$;
CREATE VIEW pg_temp.now AS
SELECT membership_id AS id, m.status, stripe_membership_active(membership_id) AS active, pg_temp.days(access_from) AS "from", pg_temp.days(access_until) AS until,
	   pg_temp.days(grace_until) AS grace, pg_temp.days(cancel_at) AS cancel, subscription, plan, linked_by, cause
  FROM stripe.memberships m WHERE account = 'mb' ORDER BY 1;

SELECT stripe_membership_active('m-1') AS unknown, stripe_membership_active(NULL) AS nothing, stripe_membership('m-1') AS none;

-- It begins.
SELECT pg_temp.tell('customer.subscription.created', -400, pg_temp.sub('incomplete', -400, -35));
SELECT * FROM pg_temp.now;
SELECT pg_temp.tell('customer.subscription.updated', -399.9, pg_temp.sub('active', -400, -35));
SELECT * FROM pg_temp.now;
-- Renewal: the period goes on before the invoice is paid.
SELECT pg_temp.tell('customer.subscription.updated', -35, pg_temp.sub('active', -35, 330, '{"latest_invoice": "in_2"}'));
SELECT pg_temp.tell('invoice.created', -35, pg_temp.inv('in_2', 'draft', -35));
SELECT * FROM pg_temp.now;
-- It fails three days ago; the subscription does not say so yet.
SELECT pg_temp.tell('invoice.payment_failed', -3, pg_temp.inv('in_2', 'open', -35));
SELECT * FROM pg_temp.now;
-- A later failure does not prolong grace, and an earlier one that comes late ends it sooner.
SELECT pg_temp.tell('invoice.payment_failed', -1, pg_temp.inv('in_2', 'open', -35, '{"attempt_count": 2}'));
SELECT pg_temp.tell('customer.subscription.updated', -3, pg_temp.sub('past_due', -35, 330, '{"latest_invoice": "in_2"}'));
SELECT * FROM pg_temp.now;
SELECT pg_temp.tell('invoice.payment_failed', -4, pg_temp.inv('in_2', 'open', -35));
SELECT * FROM pg_temp.now;
-- The plan's grace goes before the account's.
INSERT INTO stripe.plans (account, livemode, name, price, currency, cycle, grace_days, stripe_product, stripe_price) VALUES ('mb', false, 'Gold', 12000, 'aud', 'annual', 10, 'prod_g', 'price_new');
SELECT pg_temp.tell('invoice.payment_failed', -0.5, pg_temp.inv('in_2', 'open', -35, '{"attempt_count": 3}'));
SELECT * FROM pg_temp.now;
-- Paid: the invoice says so first.
SELECT pg_temp.tell('invoice.paid', -0.25, pg_temp.inv('in_2', 'paid', -35));
SELECT * FROM pg_temp.now;
SELECT pg_temp.tell('customer.subscription.updated', -0.25, pg_temp.sub('active', -35, 330, '{"latest_invoice": "in_2"}'));
SELECT * FROM pg_temp.now;
-- Of another invoice nothing depends.
SELECT pg_temp.tell('invoice.payment_failed', -0.2, pg_temp.inv('in_other', 'open', -0.2));
SELECT * FROM pg_temp.now;
SELECT pg_temp.days(renews_at) AS renews, amount, currency, plan FROM stripe.renewals_due WHERE account = 'mb';
SELECT membership_id, status FROM stripe.active_members WHERE account = 'mb';
-- Set to end, and ended.
SELECT pg_temp.tell('customer.subscription.updated', -0.15, pg_temp.sub('active', -35, 330, jsonb_build_object('latest_invoice', 'in_2', 'cancel_at', pg_temp.day(330))));
SELECT * FROM pg_temp.now;
SELECT count(*) FROM stripe.renewals_due WHERE account = 'mb';
SELECT pg_temp.tell('customer.subscription.deleted', -0.1, pg_temp.sub('canceled', -35, 330, jsonb_build_object('ended_at', pg_temp.day(-0.1))));
SELECT * FROM pg_temp.now;
SELECT serial - min(serial) OVER () AS n, status, pg_temp.days(access_until) AS until, pg_temp.days(grace_until) AS grace, cause FROM stripe.membership_history WHERE account = 'mb' ORDER BY serial;
-- Nothing new: nothing is written.
SELECT pg_temp.tell('customer.subscription.updated', -0.05, pg_temp.sub('canceled', -35, 330, jsonb_build_object('ended_at', pg_temp.day(-0.1))));
SELECT count(*) AS same FROM stripe.membership_history WHERE account = 'mb';

-- Past due without its invoice: grace from the renewal on, and the invoice is asked for.
SELECT pg_temp.tell('customer.subscription.updated', -1, pg_temp.sub('past_due', -2, 330, '{"latest_invoice": "in_9", "metadata": {"membership_id": "m-2"}}', 'sub_2'));
SELECT * FROM pg_temp.now WHERE id = 'm-2';
SELECT object_type, id, reason FROM stripe.refetches WHERE account = 'mb';
-- An invoice that was sent is late from its due date on.
SELECT pg_temp.tell('invoice.overdue', -0.5, pg_temp.inv('in_9', 'open', -30, jsonb_build_object('collection_method', 'send_invoice', 'due_date', pg_temp.day(-0.5), 'parent', null, 'subscription', 'sub_2')));
SELECT * FROM pg_temp.now WHERE id = 'm-2';

-- Several: the best counts, and the others are reported.
SELECT pg_temp.tell('customer.subscription.created', -1, pg_temp.sub('active', -1, 29, '{}', 'sub_3'));
SELECT pg_temp.tell('customer.subscription.created', -1, pg_temp.sub('active', -1, 364, '{}', 'sub_4'));
SELECT pg_temp.tell('customer.subscription.created', -1, pg_temp.sub('paused', -1, 364, '{}', 'sub_5'));
SELECT * FROM pg_temp.now WHERE id = 'm-1';
SELECT membership_id, counted, not_counted, linked_by, status FROM stripe.membership_conflicts WHERE account = 'mb' ORDER BY not_counted;
SELECT pg_temp.tell('customer.subscription.deleted', -0.5, pg_temp.sub('canceled', -1, 364, jsonb_build_object('ended_at', pg_temp.day(-0.5)), 'sub_4'));
SELECT * FROM pg_temp.now WHERE id = 'm-1';
-- It moves to another membership.
SELECT pg_temp.tell('customer.subscription.updated', -0.5, pg_temp.sub('active', -1, 29, '{"metadata": {"membership_id": "m-3", "plan": "Silver"}}', 'sub_3'));
SELECT * FROM pg_temp.now WHERE id IN ('m-1', 'm-3');

-- By the customer, before or after its subscription.
SELECT pg_temp.tell('customer.subscription.created', -1, pg_temp.sub('trialing', -1, 29, jsonb_build_object('trial_end', pg_temp.day(13), 'customer', 'cus_5', 'metadata', '{}'::jsonb), 'sub_6'));
SELECT count(*) FROM pg_temp.now WHERE subscription = 'sub_6';
SELECT pg_temp.tell('customer.updated', -0.9, '{"id": "cus_5", "object": "customer", "metadata": {"membership_id": "m-5"}}');
SELECT * FROM pg_temp.now WHERE subscription = 'sub_6';
SELECT pg_temp.tell('customer.updated', -0.8, '{"id": "cus_5", "object": "customer", "metadata": {"membership_id": "m-6"}}');
SELECT * FROM pg_temp.now WHERE id IN ('m-5', 'm-6');
-- A link to the subscription goes before the customer's metadata, a link to the customer after it.
SELECT stripe_link_membership('m-7', subscription => 'sub_6') ->> 'status' AS linked;
SELECT stripe_link_membership('m-8', customer => 'cus_5') ->> 'status' AS linked;
SELECT * FROM pg_temp.now WHERE id IN ('m-6', 'm-7', 'm-8');
SELECT stripe_link_membership(NULL, subscription => 'sub_6') AS unlinked;
SELECT * FROM pg_temp.now WHERE id IN ('m-6', 'm-7', 'm-8');
SELECT pg_temp.tell('customer.updated', -0.7, '{"id": "cus_5", "object": "customer", "metadata": {}}');
SELECT * FROM pg_temp.now WHERE id IN ('m-6', 'm-7', 'm-8');
-- The view says the same as the rows.
SELECT membership_id, subscription, linked_by FROM stripe.membership_subscriptions WHERE account = 'mb' ORDER BY 1, 2;
SELECT stripe_link_membership('m-7');
SELECT stripe_link_membership('m-7', 'sub_6', 'cus_5');
SELECT stripe_link_membership('m-7', 'cus_5');
SELECT stripe_link_membership('', 'sub_6');
SELECT stripe_link_membership(repeat('m', 513), 'sub_6');

-- By hand.
SELECT stripe_override_membership('m-1', now() + interval '30 days', 'paid by cheque') ->> 'status' AS status;
SELECT * FROM pg_temp.now WHERE id = 'm-1';
SELECT stripe_override_membership('m-new', 'infinity', 'honorary member') ->> 'active' AS active;
SELECT stripe_membership_active('m-new', '9999-01-01') AS always, stripe_membership_active('m-new', now() - interval '1 second') AS before;
SELECT stripe_override_membership('m-new', NULL, 'moved away') ->> 'status' AS status;
SELECT membership_id, status, override_until IS NOT NULL AS override, override_reason, cause FROM stripe.membership_history WHERE account = 'mb' AND cause = 'stripe_override_membership' ORDER BY serial;
SELECT action, detail - 'until' AS detail FROM stripe.access_audit WHERE account = 'mb' AND action = 'override_membership' ORDER BY id;
SELECT stripe_override_membership('m-1', now(), 'too late');
SELECT stripe_override_membership('m-1', now() + interval '1 day', NULL);
SELECT stripe_override_membership('m-1', now() + interval '1 day', '  ');
SELECT stripe_override_membership(NULL, now() + interval '1 day', 'who?');
SELECT jsonb_pretty(stripe_membership('m-1') - '{updated,access_from,access_until,override_until,override_by}'::text[]);

-- Right to the second.
SELECT stripe_membership_active('m-3', access_until) AS at_end, stripe_membership_active('m-3', access_until - interval '1 second') AS just_before,
	   stripe_membership_active('m-3', access_from) AS at_start, stripe_membership_active('m-3', access_from - interval '1 microsecond') AS too_early
  FROM stripe.memberships WHERE account = 'mb' AND membership_id = 'm-3';
SELECT stripe_membership_active('m-3', account => 'no such account');

-- Plans: the rules that a table can hold.
CREATE FUNCTION pg_temp.plan(columns text, vals text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE c text;
BEGIN
	EXECUTE format('INSERT INTO stripe.plans (account, livemode, name, price, currency, cycle %s) VALUES (%s)', columns, vals);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS c = CONSTRAINT_NAME;
	RETURN c;
END $$;
SELECT what, pg_temp.plan(columns, vals) FROM (VALUES
	('free', '', $$'mb', false, 'Free', 0, 'aud', 'monthly'$$),
	('same name', '', $$'mb', false, 'Free', 5, 'aud', 'annual'$$),
	('same name, other mode', '', $$'mb', true, 'Free', 5, 'aud', 'annual'$$),
	('no name', '', $$'mb', false, '', 5, 'aud', 'annual'$$),
	('negative', '', $$'mb', false, 'a', -1, 'aud', 'annual'$$),
	('currency', '', $$'mb', false, 'a', 1, 'AUD', 'annual'$$),
	('cycle', '', $$'mb', false, 'a', 1, 'aud', 'weekly'$$),
	('discount above price', ', discount_price', $$'mb', false, 'a', 1, 'aud', 'annual', 2$$),
	('grace', ', grace_days', $$'mb', false, 'a', 1, 'aud', 'annual', 31$$),
	('status', ', status', $$'mb', false, 'a', 1, 'aud', 'annual', 'gone'$$),
	('benefits', ', benefits', $$'mb', false, 'a', 1, 'aud', 'annual', '[]'$$),
	('free with a price at Stripe', ', stripe_price', $$'mb', false, 'a', 0, 'aud', 'annual', 'price_x'$$),
	('price of another plan', ', stripe_price', $$'mb', false, 'a', 1, 'aud', 'annual', 'price_new'$$),
	('all', ', discount_price, grace_days, proration, auto_renewal, status, benefits, tax_inclusive', $$'mb', false, 'a', 100, 'aud', 'annual', 0, 0, true, false, 'archived', '{"free_tickets": 3}', false$$)) v (what, columns, vals);
SELECT name, grace_days, proration, auto_renewal, status, tax_inclusive FROM stripe.plans WHERE account = 'mb' AND NOT livemode ORDER BY name;
ROLLBACK;

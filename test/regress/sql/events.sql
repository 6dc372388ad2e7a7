--
-- Taking events in: the ledger, the order rule, deletion, lists within
-- objects, and whatever else an event can hold.
--
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Nothing stays behind for other tests.
BEGIN;
SELECT stripe_configure(account => 'ev') ->> 'account' AS account;
SET LOCAL memberpulse_stripe.account = 'ev';

CREATE FUNCTION pg_temp.event(id text, type text, created bigint, object jsonb, previous jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'object', 'event', 'type', type, 'created', created, 'livemode', false,
		'api_version', '2026-10-28.endive', 'pending_webhooks', 1, 'request', jsonb_build_object('id', 'req_1'),
		'data', jsonb_build_object('object', object)
			|| CASE WHEN previous IS NULL THEN '{}' ELSE jsonb_build_object('previous_attributes', previous) END)
$$;
CREATE FUNCTION pg_temp.ingest(VARIADIC events jsonb[])
RETURNS TABLE (event text, state text, object text, membership text, error text) LANGUAGE sql AS $$
	SELECT event_id, state, object_id, membership_id, error FROM stripe_ingest_events(events)
$$;
CREATE FUNCTION pg_temp.customer(more jsonb DEFAULT '{}', id text DEFAULT 'cus_1')
RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'object', 'customer', 'created', 1000, 'livemode', false, 'metadata', '{}'::jsonb) || more
$$;
CREATE VIEW pg_temp.held AS
SELECT id, data ->> 'name' AS name, extract(epoch FROM as_of)::bigint AS as_of, deleted, last_event FROM stripe.customers WHERE account = 'ev';

--
-- Once, and in order
--
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_1', 'customer.created', 2000, pg_temp.customer('{"name": "a"}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_1', 'customer.created', 2000, pg_temp.customer('{"name": "another, by the same id"}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_3', 'customer.updated', 2020, pg_temp.customer('{"name": "c"}'), '{"name": "b"}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_2', 'customer.updated', 2010, pg_temp.customer('{"name": "b"}'), '{"name": "a"}'));
SELECT * FROM pg_temp.held;
SELECT id, type, extract(epoch FROM created) AS created, api_version, object_type, object_id, state, error, attempts, request_id FROM stripe.events WHERE account = 'ev' ORDER BY id;

-- The same again later: nothing is written, and what comes in between is stale all the same.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_5', 'customer.updated', 2040, pg_temp.customer('{"name": "c"}'), '{"name": "d"}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_4', 'customer.updated', 2030, pg_temp.customer('{"name": "d"}'), '{"name": "c"}'));
SELECT * FROM pg_temp.held;

--
-- One second
--
-- Every order of four events of one second ends alike: made, then a, b, c.
CREATE FUNCTION pg_temp.second(wanted text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	i int;
	name text;
	doubts bigint;
	events jsonb[] := ARRAY[
		pg_temp.event('evt_s1', 'customer.created', 3000, pg_temp.customer('{"name": "made"}', 'cus_s')),
		pg_temp.event('evt_s2', 'customer.updated', 3000, pg_temp.customer('{"name": "a", "phone": "1", "address": {"city": "x", "line1": "y"}}', 'cus_s'), '{"name": "made", "phone": null, "address": null}'),
		pg_temp.event('evt_s3', 'customer.updated', 3000, pg_temp.customer('{"name": "b", "phone": "1", "address": {"city": "z", "line1": "y"}}', 'cus_s'), '{"name": "a", "address": {"city": "x"}}'),
		pg_temp.event('evt_s4', 'customer.updated', 3000, pg_temp.customer('{"name": "a", "phone": "1", "address": {"city": "z", "line1": "y"}, "metadata": {"k": "v"}}', 'cus_s'), '{"name": "b", "metadata": {"k": null}}')];
BEGIN
	BEGIN
		FOREACH i IN ARRAY wanted LOOP
			PERFORM stripe_ingest_events(ARRAY[events[i]]);
		END LOOP;
		SELECT last_event INTO name FROM stripe.customers WHERE id = 'cus_s' AND account = 'ev';
		SELECT count(*) INTO doubts FROM stripe.refetches WHERE account = 'ev';
		RAISE EXCEPTION USING ERRCODE = 'RRRRR';
	EXCEPTION WHEN SQLSTATE 'RRRRR' THEN
		RETURN name || ', in doubt: ' || doubts;
	END;
END $$;
SELECT pg_temp.second(ARRAY[a, b, c, d]::text[]) AS ends, count(*)
  FROM generate_series(1, 4) a, generate_series(1, 4) b, generate_series(1, 4) c, generate_series(1, 4) d
 WHERE (SELECT count(DISTINCT x) FROM unnest(ARRAY[a, b, c, d]) x) = 4
 GROUP BY 1;
-- So does any batch.
SELECT * FROM pg_temp.ingest(
	pg_temp.event('evt_s3', 'customer.updated', 3000, pg_temp.customer('{"name": "b", "phone": "1"}', 'cus_s'), '{"name": "a"}'),
	pg_temp.event('evt_s1', 'customer.created', 3000, pg_temp.customer('{"name": "made"}', 'cus_s')),
	pg_temp.event('evt_s2', 'customer.updated', 3000, pg_temp.customer('{"name": "a", "phone": "1"}', 'cus_s'), '{"name": "made", "phone": null}'),
	pg_temp.event('evt_s3', 'customer.updated', 3000, pg_temp.customer('{"name": "twice"}', 'cus_s')));
SELECT * FROM pg_temp.held WHERE id = 'cus_s';
-- A status that is never left wins.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_t1', 'payment_intent.succeeded', 3000, '{"id": "pi_t", "object": "payment_intent", "status": "succeeded", "amount": 5, "amount_received": 5}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_t2', 'payment_intent.requires_action', 3000, '{"id": "pi_t", "object": "payment_intent", "status": "requires_action", "amount": 5}'));
SELECT id, status FROM stripe.payment_intents WHERE account = 'ev';
-- What nothing tells apart is the same whichever comes first, and is put down to be fetched.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_w1', 'customer.updated', 3000, pg_temp.customer('{"name": "there"}', 'cus_w'), '{"name": "back"}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_w2', 'customer.updated', 3000, pg_temp.customer('{"name": "back"}', 'cus_w'), '{"name": "there"}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_v2', 'customer.updated', 3000, pg_temp.customer('{"name": "back"}', 'cus_v'), '{"name": "there"}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_v1', 'customer.updated', 3000, pg_temp.customer('{"name": "there"}', 'cus_v'), '{"name": "back"}'));
SELECT id, name FROM pg_temp.held WHERE id IN ('cus_v', 'cus_w') ORDER BY id;
SELECT object_type, id, reason, attempts FROM stripe.refetches WHERE account = 'ev' ORDER BY id;

--
-- Deletion
--
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_d1', 'customer.deleted', 2050, pg_temp.customer('{"name": "c"}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_d2', 'customer.updated', 2060, pg_temp.customer('{"name": "e"}')));
SELECT * FROM pg_temp.held WHERE id = 'cus_1';
-- A stub keeps what there was; and what there was may come after it.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_d3', 'coupon.deleted', 2050, '{"id": "c1", "object": "coupon", "deleted": true}'));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_d4', 'coupon.created', 2040, '{"id": "c1", "object": "coupon", "created": 2040, "name": "Ten"}'));
SELECT id, name, deleted FROM stripe.coupons WHERE account = 'ev';
-- The end of a subscription is a status.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_d5', 'customer.subscription.deleted', 2050, '{"id": "sub_d", "object": "subscription", "status": "canceled", "created": 1000, "ended_at": 2050}'));
SELECT id, status, deleted FROM stripe.subscriptions WHERE account = 'ev';

--
-- Lists within objects
--
CREATE FUNCTION pg_temp.subscription(items int[], more boolean DEFAULT false) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', 'sub_l', 'object', 'subscription', 'created', 1000, 'status', 'active', 'items', jsonb_build_object(
		'object', 'list', 'has_more', more, 'url', '/v1/subscription_items?subscription=sub_l', 'data', COALESCE((
		SELECT jsonb_agg(jsonb_build_object('id', 'si_' || i, 'object', 'subscription_item', 'created', 1000, 'quantity', i, 'subscription', 'sub_l',
			'current_period_end', 4000 + i, 'price', jsonb_build_object('id', 'price_' || i, 'object', 'price', 'product', 'prod_' || i, 'unit_amount', i * 100)))
		FROM unnest(items) i), '[]')))
$$;
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_l1', 'customer.subscription.created', 4000, pg_temp.subscription('{1,2}')));
SELECT i.id, i.quantity, i.price, i.product, p.unit_amount FROM stripe.subscription_items i JOIN stripe.prices p ON p.id = i.price AND p.account = i.account WHERE i.account = 'ev' ORDER BY 1;
SELECT id, current_period_end FROM stripe.subscriptions WHERE account = 'ev' AND id = 'sub_l';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_l2', 'customer.subscription.updated', 4010, pg_temp.subscription('{2,3}')));
SELECT i.id FROM stripe.subscription_items i WHERE i.account = 'ev' ORDER BY 1;
-- A list that was cut short takes nothing away, and is put down to be read on.
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_l3', 'customer.subscription.updated', 4020, pg_temp.subscription('{3}', true)));
SELECT i.id FROM stripe.subscription_items i WHERE i.account = 'ev' ORDER BY 1;
SELECT object_type, id, reason FROM stripe.refetches WHERE account = 'ev' AND reason = 'nested list';
-- Entitlements: the whole set.
CREATE FUNCTION pg_temp.summary(features text[], more boolean DEFAULT false) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('object', 'entitlements.active_entitlement_summary', 'customer', 'cus_1', 'livemode', false, 'entitlements', jsonb_build_object(
		'object', 'list', 'has_more', more, 'data', COALESCE((
		SELECT jsonb_agg(jsonb_build_object('id', 'ent_' || f, 'object', 'entitlements.active_entitlement', 'livemode', false, 'feature', 'feat_' || f, 'lookup_key', f)) FROM unnest(features) f), '[]')))
$$;
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_e1', 'entitlements.active_entitlement_summary.updated', 5000, pg_temp.summary('{library,pool}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_e3', 'entitlements.active_entitlement_summary.updated', 5020, pg_temp.summary('{}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_e2', 'entitlements.active_entitlement_summary.updated', 5010, pg_temp.summary('{pool}')));
SELECT id, customer, feature, lookup_key FROM stripe.active_entitlements WHERE account = 'ev';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_e4', 'entitlements.active_entitlement_summary.updated', 5030, pg_temp.summary('{pool,sauna}')));
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_e5', 'entitlements.active_entitlement_summary.updated', 5040, pg_temp.summary('{gym}', true)));
SELECT id, customer, feature, lookup_key FROM stripe.active_entitlements WHERE account = 'ev' ORDER BY id;

--
-- What is refused: it could not be kept for this account
--
SELECT * FROM pg_temp.ingest(
	'{}', '[]', '7', 'null', NULL,
	'{"id": "evt_thin", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered", "created": "2026-11-23T00:00:00Z", "livemode": false}',
	pg_temp.event('evt_x', 'a', 1, '{}') - 'id',
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"id": 7}',
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"id": ""}',
	pg_temp.event(repeat('e', 256), 'a', 1, '{}'),
	pg_temp.event('evt_x', 'a', 1, '{}') - 'type',
	pg_temp.event('evt_x', repeat('t', 256), 1, '{}'),
	pg_temp.event('evt_x', 'a', 1, '{}') - 'created',
	pg_temp.event('evt_x', 'a', -1, '{}'),
	pg_temp.event('evt_x', 'a', 9223372036854775807, '{}'),
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"created": 1e400}',
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"created": 1.5}',
	pg_temp.event('evt_x', 'a', 1, '{}') - 'livemode',
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"livemode": true}',
	pg_temp.event('evt_x', 'a', 1, '{}') || '{"account": "acct_2"}');
SELECT count(*) FROM stripe.events WHERE account = 'ev' AND id = 'evt_x';
-- A connected account's events name it.
SELECT stripe_configure(account => 'ev', connected_account => 'acct_1') ->> 'connected_account' AS connected;
SELECT * FROM pg_temp.ingest(
	pg_temp.event('evt_c1', 'customer.created', 6000, pg_temp.customer('{}', 'cus_c')),
	pg_temp.event('evt_c2', 'customer.created', 6000, pg_temp.customer('{}', 'cus_c')) || '{"account": "acct_2"}',
	pg_temp.event('evt_c3', 'customer.created', 6000, pg_temp.customer('{}', 'cus_c')) || '{"account": "acct_1"}');
SELECT stripe_configure(account => 'ev', connected_account => '') ->> 'connected_account' AS connected;

--
-- What is kept: nothing in it keeps it, or another, from being taken in
--
SELECT event, state, object, left(error, 120) AS error FROM pg_temp.ingest(
	pg_temp.event('evt_k01', 'invoice.upcoming', 7000, '{"object": "invoice", "customer": "cus_1"}'),
	pg_temp.event('evt_k02', 'of.the.future', 7000, '{"object": "future", "id": "fu_1"}'),
	pg_temp.event('evt_k03', 'customer.updated', 7000, pg_temp.customer('{"id": 7}')),
	pg_temp.event('evt_k04', 'customer.updated', 7000, pg_temp.customer('{}', repeat('c', 256))),
	pg_temp.event('evt_k05', 'customer.updated', 7000, pg_temp.customer('{}', '')),
	pg_temp.event('evt_k06', 'customer.updated', 7000, '{"id": "cus_2"}'),
	pg_temp.event('evt_k07', 'customer.updated', 7000, '[1, 2]'),
	pg_temp.event('evt_k08', 'customer.updated', 7000, 'null'),
	pg_temp.event('evt_k09', 'customer.updated', 7000, '{}') - 'data',
	pg_temp.event('evt_k10', 'customer.updated', 7000, pg_temp.customer('{}', 'cus_p'), '"previous"'),
	pg_temp.event('evt_k11', 'customer.updated', 7000, pg_temp.customer('{"livemode": true}', 'cus_q')),
	pg_temp.event('evt_k12', 'charge.succeeded', 7000, '{"id": "ch_n", "object": "charge", "amount": 99999999999999999999, "created": 1e999, "payment_intent": 5}'),
	pg_temp.event('evt_k13', 'customer.updated', 7000, pg_temp.customer(jsonb_build_object('metadata', jsonb_build_object('big', repeat('m', 1000000))), 'cus_m')),
	pg_temp.event('evt_k14', 'customer.subscription.updated', 7000, jsonb_build_object('id', 'sub_m', 'object', 'subscription', 'status', 'active', 'metadata', jsonb_build_object('membership_id', repeat('m', 513)))),
	pg_temp.event('evt_k15', 'customer.subscription.updated', 7000, '{"id": "sub_n", "object": "subscription", "status": 5, "items": {"data": [null, 7, {"id": 8}, {"id": "si_n"}]}, "metadata": {"membership_id": ""}}'),
	pg_temp.event('evt_k16', 'customer.subscription.updated', 7000, '{"id": "sub_o", "object": "subscription", "items": "none", "customer": {"deleted": true}, "metadata": {"membership_id": "m-odd"}}'),
	pg_temp.event('evt_k17', 'customer.updated', 7000, pg_temp.customer(jsonb_build_object('x', (repeat('{"a":', 3000) || '1' || repeat('}', 3000))::jsonb), 'cus_deep')),
	pg_temp.event('evt_k18', 'payment_intent.succeeded', 7000, '{"id": "pi_k", "object": "payment_intent", "status": "succeeded", "amount": 5, "amount_received": 5, "client_secret": "pi_k_secret_abc", "metadata": {"order_type": "event", "order_id": "T-1"}}'),
	pg_temp.event('evt_k19', 'entitlements.active_entitlement_summary.updated', 7000, '{"object": "entitlements.active_entitlement_summary", "customer": "cus_1"}')) ORDER BY event;
SELECT id, attempts, next_attempt > now() AS again, applied_at IS NULL AS unapplied FROM stripe.events WHERE account = 'ev' AND state = 'failed' ORDER BY id;
SELECT count(*) AS secrets FROM stripe.events WHERE payload::text LIKE '%secret_abc%';
SELECT membership_id, status FROM stripe.memberships WHERE account = 'ev';

--
-- Again
--
SELECT event_id, state FROM stripe_replay_event('evt_3');
SELECT event_id, state FROM stripe_replay_event('evt_k03');
SELECT attempts, next_attempt - now() AS backoff FROM stripe.events WHERE account = 'ev' AND id = 'evt_k03';
SELECT * FROM stripe_replay_event('evt_none');
SELECT * FROM stripe_replay_event(NULL);
SELECT count(*) FROM stripe_retry_events();
-- Once the cause is gone, it applies.
UPDATE stripe.events SET payload = jsonb_set(payload, '{data,object,id}', '"cus_fixed"'), next_attempt = now() WHERE account = 'ev' AND id = 'evt_k03';
SELECT event_id, state, object_id, error FROM stripe_retry_events(max => 5);
SELECT state, error, attempts, next_attempt, applied_at = now() AS applied FROM stripe.events WHERE account = 'ev' AND id = 'evt_k03';
SELECT * FROM stripe_retry_events(max => -1);
-- In the end it is left for a person.
UPDATE stripe.events SET attempts = 20, next_attempt = now() WHERE account = 'ev' AND id = 'evt_k04';
SELECT event_id, state FROM stripe_retry_events();
SELECT attempts, next_attempt FROM stripe.events WHERE account = 'ev' AND id = 'evt_k04';

--
-- Payments follow
--
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_p1', 'payment_intent.failed', 8000, '{"id": "pi_f", "object": "payment_intent", "status": "requires_payment_method", "amount": 700, "last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds."}, "metadata": {"order_type": "course", "order_id": "C-1"}}'));
SELECT status, failure_code, decline_code, order_type, order_id FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT payment_intent, failure_code, decline_code, message FROM stripe.failed_payments WHERE account = 'ev';
SELECT * FROM pg_temp.ingest(
	pg_temp.event('evt_p2', 'charge.succeeded', 8010, '{"id": "ch_f", "object": "charge", "status": "succeeded", "paid": true, "captured": true, "amount": 700, "amount_captured": 700, "amount_refunded": 0, "currency": "aud", "created": 8010, "payment_intent": "pi_f"}'),
	pg_temp.event('evt_p3', 'payment_intent.succeeded', 8010, '{"id": "pi_f", "object": "payment_intent", "status": "succeeded", "amount": 700, "amount_received": 700, "latest_charge": "ch_f", "metadata": {"order_type": "course", "order_id": "C-1"}}'));
SELECT status, failure_code FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_p4', 'charge.dispute.created', 8020, '{"id": "du_f", "object": "dispute", "status": "needs_response", "amount": 700, "currency": "aud", "created": 8020, "charge": "ch_f"}'));
SELECT status FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_p5', 'charge.dispute.closed', 8030, '{"id": "du_f", "object": "dispute", "status": "won", "amount": 700, "currency": "aud", "created": 8020, "charge": "ch_f"}', '{"status": "under_review"}'));
SELECT status FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_p6', 'refund.created', 8040, '{"id": "re_f", "object": "refund", "status": "pending", "amount": 700, "currency": "aud", "created": 8040, "charge": "ch_f", "payment_intent": "pi_f"}'));
SELECT status, amount_refunded FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT * FROM pg_temp.ingest(pg_temp.event('evt_p7', 'refund.failed', 8050, '{"id": "re_f", "object": "refund", "status": "failed", "amount": 700, "currency": "aud", "created": 8040, "charge": "ch_f", "payment_intent": "pi_f"}', '{"status": "pending"}'));
SELECT status, amount_refunded FROM stripe.payments WHERE account = 'ev' AND payment_intent = 'pi_f';
SELECT month, currency, payments, received, refunded, disputed, net FROM stripe.revenue_monthly WHERE account = 'ev';

--
-- Health, and retention
--
SELECT events, failed, given_up, refetches, last_error, 'charge.refunded' = ANY (types_not_seen) AS missed FROM stripe.webhook_health WHERE account = 'ev';
SELECT stripe_prune('30 days');
SELECT stripe_prune(NULL);
SELECT stripe_prune('40 days', max => 0);
SELECT stripe_prune('40 days');
UPDATE stripe.events SET received_at = now() - interval '41 days' WHERE account = 'ev';
SELECT stripe_prune('40 days', max => 5);
SELECT stripe_prune('40 days') > 40 AS rest;
SELECT DISTINCT state FROM stripe.events WHERE account = 'ev';
ROLLBACK;

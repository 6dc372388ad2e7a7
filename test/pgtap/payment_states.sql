--
-- The state of a payment, as a table: what the mirrors hold, and what
-- stripe.payment_states makes of it.
--
\set ON_ERROR_STOP 1
BEGIN;

-- One case a row: the intent's status and error, its charge's figures (of
-- 2500), refunds and disputes by status, and what is expected.
CREATE TEMP TABLE cases (
	what text, status text, error text, received bigint, captured bigint, refunded bigint,
	refunds text[], refund_amounts bigint[], disputes text[],
	expected text, expected_refunded bigint);
INSERT INTO cases VALUES
	('just created', 'requires_payment_method', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'pending', 0),
	('to be confirmed', 'requires_confirmation', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'pending', 0),
	('a status no one knows yet', 'requires_patience', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'pending', 0),
	('declined', 'requires_payment_method', 'card_declined', 0, NULL, NULL, '{}', '{}', '{}', 'failed', 0),
	('declined, then another method chosen', 'requires_confirmation', 'card_declined', 0, NULL, NULL, '{}', '{}', '{}', 'pending', 0),
	('waits for the customer', 'requires_action', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'requires_action', 0),
	('a bank takes its time', 'processing', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'processing', 0),
	('authorized', 'requires_capture', NULL, 0, 0, 0, '{}', '{}', '{}', 'processing', 0),
	('canceled', 'canceled', NULL, 0, NULL, NULL, '{}', '{}', '{}', 'canceled', 0),
	('canceled after authorization', 'canceled', NULL, 0, 0, 2500, '{}', '{}', '{}', 'canceled', 0),
	('paid', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{}', 'completed', 0),
	('paid, charge not known', 'succeeded', NULL, 2500, NULL, NULL, '{}', '{}', '{}', 'completed', 0),
	('captured in part', 'succeeded', NULL, 2000, 2000, 500, '{}', '{}', '{}', 'completed', 0),
	('refunded in part, by the charge', 'succeeded', NULL, 2500, 2500, 700, '{}', '{}', '{}', 'partially_refunded', 700),
	('refunded in part, by the refund', 'succeeded', NULL, 2500, NULL, NULL, '{succeeded}', '{700}', '{}', 'partially_refunded', 700),
	('refunded, by both', 'succeeded', NULL, 2500, 2500, 2500, '{succeeded,succeeded}', '{700,1800}', '{}', 'refunded', 2500),
	('refunded, by the charge', 'succeeded', NULL, 2500, 2500, 2500, '{}', '{}', '{}', 'refunded', 2500),
	('one refund known of several', 'succeeded', NULL, 2500, 2500, 1000, '{succeeded}', '{700}', '{}', 'partially_refunded', 1000),
	('the charge not heard of since', 'succeeded', NULL, 2500, 2500, 0, '{succeeded}', '{700}', '{}', 'partially_refunded', 700),
	('a refund under way', 'succeeded', NULL, 2500, NULL, NULL, '{pending}', '{2500}', '{}', 'refunded', 2500),
	('a refund waiting for the customer', 'succeeded', NULL, 2500, NULL, NULL, '{requires_action}', '{700}', '{}', 'partially_refunded', 700),
	('a refund of a status no one knows yet', 'succeeded', NULL, 2500, NULL, NULL, '{reconsidered}', '{700}', '{}', 'partially_refunded', 700),
	('a refund that failed', 'succeeded', NULL, 2500, NULL, NULL, '{failed}', '{700}', '{}', 'completed', 0),
	('a refund that was canceled', 'succeeded', NULL, 2500, NULL, NULL, '{canceled}', '{2500}', '{}', 'completed', 0),
	('one failed, one did not', 'succeeded', NULL, 2500, NULL, NULL, '{failed,succeeded}', '{700,300}', '{}', 'partially_refunded', 300),
	('all that was captured is refunded', 'succeeded', NULL, 2000, 2000, 2500, '{succeeded}', '{2000}', '{}', 'refunded', 2000),
	('disputed', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{needs_response}', 'charged_back', 0),
	('disputed, under review', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{under_review}', 'charged_back', 0),
	('dispute lost', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{lost}', 'charged_back', 0),
	('dispute won', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{won}', 'completed', 0),
	('dispute prevented', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{prevented}', 'completed', 0),
	('an inquiry', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{warning_needs_response}', 'completed', 0),
	('an inquiry under review', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{warning_under_review}', 'completed', 0),
	('an inquiry closed', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{warning_closed}', 'completed', 0),
	('won one, lost another', 'succeeded', NULL, 2500, 2500, 0, '{}', '{}', '{won,lost}', 'charged_back', 0),
	('refunded in part, then disputed', 'succeeded', NULL, 2500, 2500, 700, '{}', '{}', '{needs_response}', 'charged_back', 700);
ALTER TABLE cases ADD n serial;

INSERT INTO stripe.payment_intents (account, livemode, id, data, as_of)
SELECT 'case', false, 'pi_' || n, jsonb_build_object('id', 'pi_' || n, 'object', 'payment_intent', 'status', status, 'amount', 2500,
		'amount_received', received, 'currency', 'aud', 'latest_charge', CASE WHEN captured IS NOT NULL OR disputes <> '{}' THEN 'ch_' || n END,
		'last_payment_error', CASE WHEN error IS NOT NULL THEN jsonb_build_object('code', error) END), now()
  FROM cases;
INSERT INTO stripe.charges (account, livemode, id, data, as_of)
SELECT 'case', false, 'ch_' || n, jsonb_build_object('id', 'ch_' || n, 'object', 'charge', 'payment_intent', 'pi_' || n, 'amount', 2500,
		'amount_captured', captured, 'captured', captured > 0, 'amount_refunded', refunded), now()
  FROM cases WHERE captured IS NOT NULL;
INSERT INTO stripe.refunds (account, livemode, id, data, as_of)
SELECT 'case', false, 're_' || n || '_' || i, jsonb_build_object('id', 're_' || n || '_' || i, 'object', 'refund', 'payment_intent', 'pi_' || n,
		'charge', 'ch_' || n, 'amount', refund_amounts[i], 'status', refunds[i]), now()
  FROM cases, generate_subscripts(refunds, 1) i;
INSERT INTO stripe.disputes (account, livemode, id, data, as_of)
SELECT 'case', false, 'du_' || n || '_' || i, jsonb_build_object('id', 'du_' || n || '_' || i, 'object', 'dispute', 'payment_intent', 'pi_' || n,
		'charge', 'ch_' || n, 'amount', 2500, 'status', disputes[i]), now()
  FROM cases, generate_subscripts(disputes, 1) i;
-- The same ids in the other mode and of another account must not count.
INSERT INTO stripe.refunds (account, livemode, id, data, as_of)
SELECT x.account, x.livemode, 're_x' || n, jsonb_build_object('id', 're_x' || n, 'object', 'refund', 'payment_intent', 'pi_' || n,
		'charge', 'ch_' || n, 'amount', 2500, 'status', 'succeeded'), now()
  FROM cases, (VALUES ('case', true), ('other', false)) x (account, livemode);
INSERT INTO stripe.disputes (account, livemode, id, data, as_of)
SELECT x.account, x.livemode, 'du_x' || n, jsonb_build_object('id', 'du_x' || n, 'object', 'dispute', 'charge', 'ch_' || n, 'status', 'lost'), now()
  FROM cases, (VALUES ('case', true), ('other', false)) x (account, livemode);

SELECT plan(2 + 2 * count(*)::int) FROM cases;

SELECT is(s.status, c.expected, c.what) FROM cases c
  JOIN stripe.payment_states s ON s.account = 'case' AND NOT s.livemode AND s.payment_intent = 'pi_' || n ORDER BY n;
SELECT is(s.amount_refunded, c.expected_refunded, c.what || ': refunded') FROM cases c
  JOIN stripe.payment_states s ON s.account = 'case' AND NOT s.livemode AND s.payment_intent = 'pi_' || n ORDER BY n;

-- Every state of the platform comes up, and no other can be stored.
SELECT set_eq(
  'SELECT DISTINCT expected FROM cases',
  '{pending,processing,requires_action,completed,failed,canceled,partially_refunded,refunded,charged_back}'::text[],
  'all nine states are covered');
SELECT throws_ok(
  $$INSERT INTO stripe.payments (account, livemode, payment_intent, status, receipt_number) VALUES ('case', false, 'pi_0', 'paid', 'R')$$,
  '23514', NULL, 'a state that does not exist cannot be stored');

SELECT * FROM finish();
ROLLBACK;

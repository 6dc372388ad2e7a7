--
-- What one session does under valgrind: calls that succeed, and calls that
-- fail in each of the ways that leave something to clean up.
--
-- $FAULT is the program test/asan/fault, which makes the fake Stripe misbehave
-- once, or as often as is said.  Errors are expected.  That the calls do what they should is tested
-- elsewhere; the last line shows that the session came this far, and in what
-- state.
--
\set VERBOSITY terse
SET memberpulse_stripe.timeout = '60s';
SET memberpulse_stripe.connect_timeout = '30s';

-- Success, twice and more, so that every cache is filled and used.
SELECT stripe_create_customer(name => 'Ada', email => 'ada@example.org', metadata => '{"a": "1", "b": "2"}')->>'id' AS customer \gset
SELECT stripe_create_setup_intent(customer => :'customer', payment_method => 'pm_card_visa', confirm => true,
	return_url => 'https://example.org')->>'status';
SELECT stripe_create_intent(amount => 2500, currency => 'aud', customer => :'customer', payment_method => 'pm_card_visa',
	confirm => true, return_url => 'https://example.org', order_type => 'event', order_id => 'T-17')->>'id' AS intent \gset
SELECT stripe_get_payment(:'intent')->>'status' FROM generate_series(1, 5);
SELECT stripe_refund(:'intent', amount => 500)->>'status';
SELECT count(*) FROM (SELECT stripe_list('/v1/customers') LIMIT 1) AS one;
SELECT http_status FROM stripe_try_request('GET', '/v1/customers/cus_none');

-- Refused before sending, and by Stripe.
SELECT stripe_create_intent(amount => -1);
SELECT stripe_create_intent(amount => 2500, currency => 'aud', params => '[1]');
SELECT stripe_get_payment('pi_1/../customers');
SELECT stripe_get_payment('pi_none');
SELECT stripe_create_intent(amount => 2500, currency => 'aud', payment_method => 'pm_card_chargeDeclined',
	confirm => true, return_url => 'https://example.org');
SELECT stripe_refund(:'intent', amount => 99999);
SELECT stripe_last_error()->>'code';

-- Answers that cannot be used.
\! $FAULT garbage
SELECT stripe_get_payment(:'intent');
\! $FAULT truncated 9
SELECT stripe_get_payment(:'intent');
\! $FAULT deep
SELECT stripe_get_payment(:'intent');
\! $FAULT invalid_utf8
SELECT stripe_get_payment(:'intent');
SET memberpulse_stripe.max_response_size = '64kB';
\! $FAULT huge 9
SELECT stripe_get_payment(:'intent');
RESET memberpulse_stripe.max_response_size;

-- Retried, and in vain.
\! $FAULT server_error
SELECT stripe_get_payment(:'intent')->>'status';
SET memberpulse_stripe.max_retries = 0;
\! $FAULT reset 9
SELECT stripe_refund(:'intent', amount => 100);
\! $FAULT lost_answer 9
SELECT stripe_refund(:'intent', amount => 100);
\! $FAULT reset_mid_body 9
SELECT stripe_get_payment(:'intent');
RESET memberpulse_stripe.max_retries;
\! $FAULT server_error 0
SELECT stripe_get_payment(:'intent')->>'status';

-- Cancelled while it waits, inside a function that catches, and rolled back.
SET statement_timeout = '2s';
\! $FAULT hang_headers
SELECT stripe_get_payment(:'intent');
\! $FAULT hang_body
SELECT stripe_get_payment(:'intent');
RESET statement_timeout;
DO $$
BEGIN
	PERFORM stripe_get_payment('pi_none');
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE 'caught';
END
$$;
BEGIN;
SELECT stripe_create_customer(name => 'Grace') IS NOT NULL;
ROLLBACK;

SELECT 'session ends with ' || count(*) || ' customer' FROM stripe.customers;

--
-- demo.sql
--	  What script/demo shows.  Variables: "stripe", who answers; "run", a number
--	  that no other run has.
--
-- It stops at the first error, apart from those it shows on purpose.
--
\set ON_ERROR_STOP on
\set ECHO none
\pset null '-'
\set member m- :run
\set QUIET on
SET client_min_messages = warning;

\echo 'Calls are answered by' :stripe
\echo 'Each statement is shown before its result.'
\echo
\echo '== 1. Install ================================================================'
\echo
\set ECHO queries
CREATE EXTENSION memberpulse_stripe;

\set ECHO none
\echo
\echo '== 2. A customer for a member ================================================'
\echo
\echo '-- Called again, this returns the same customer: a migration or a sign-up form'
\echo '-- may call it as often as it likes.'
\echo
\set ECHO queries
SELECT stripe_ensure_customer(member_id => :'member',
                              email => 'ada@example.org',
                              name => 'Ada Lovelace') ->> 'id' AS customer \gset
SELECT id, name, email, member_id FROM stripe.customers;

\set ECHO none
\echo '== 3. Save a card ============================================================'
\echo
\echo '-- In production the browser hands the card to Stripe, and you get its id.'
\echo '-- Stripe''s test card stands in for that here.'
\echo
\set ECHO queries
SELECT stripe_create_setup_intent(customer => :'customer',
                                  payment_method => 'pm_card_visa',
                                  confirm => true,
                                  return_url => 'https://example.org/saved')
       ->> 'payment_method' AS card \gset
SELECT stripe_set_default_payment_method(customer => :'customer', payment_method => :'card')
       #>> '{invoice_settings,default_payment_method}' = :'card' AS card_is_default;
SELECT m ->> 'id' AS id, m ->> 'type' AS type, m -> 'card' ->> 'brand' AS brand, m -> 'card' ->> 'last4' AS last4
  FROM stripe_list_payment_methods(:'customer') m;

\set ECHO none
\echo '== 4. Take a payment for an order ============================================'
\echo
\echo '-- 25.00 dollars for ticket T-17.  Amounts are in cents; the currency is the'
\echo '-- account''s unless given.'
\echo
\set ECHO queries
SELECT stripe_create_intent(amount => 2500,
                            customer => :'customer',
                            payment_method => :'card',
                            confirm => true,
                            off_session => true,
                            order_type => 'event',
                            order_id => 'T-17',
                            idempotency_key => 'order-T-17-' || :'run') ->> 'id' AS payment \gset
SELECT * FROM stripe_order_status('event', 'T-17') \gx

\set ECHO none
\echo '-- The application lost its connection and does not know whether that worked?'
\echo '-- It repeats the call with the same idempotency key.  No second payment:'
\echo
\set ECHO queries
SELECT stripe_create_intent(amount => 2500,
                            customer => :'customer',
                            payment_method => :'card',
                            confirm => true,
                            off_session => true,
                            order_type => 'event',
                            order_id => 'T-17',
                            idempotency_key => 'order-T-17-' || :'run') ->> 'id' = :'payment' AS same_payment;

\set ECHO none
\echo '== 5. A card that is declined ================================================'
\echo
\echo '-- The next statement is meant to fail.'
\echo
\set ON_ERROR_STOP off
\set ECHO queries
SELECT stripe_create_intent(amount => 4900,
                            customer => :'customer',
                            payment_method => 'pm_card_visa_chargeDeclinedInsufficientFunds',
                            confirm => true,
                            return_url => 'https://example.org/paid',
                            order_type => 'course',
                            order_id => 'C-3');

\set ECHO none
\set ON_ERROR_STOP on
\echo
\echo '-- A person reads the lines above.  A program reads this, also after a rollback:'
\echo
\set ECHO queries
SELECT e ->> 'sqlstate' AS sqlstate, e ->> 'code' AS code, e ->> 'decline_code' AS decline_code,
       e ->> 'payment_intent' IS NOT NULL AS names_the_payment
  FROM stripe_last_error() e;

\set ECHO none
\echo '-- The payment intent was made all the same.  Read it again, and its order says so:'
\echo
\set ECHO queries
SELECT stripe_get_payment(stripe_last_error() ->> 'payment_intent') ->> 'status' AS status;
SELECT status, amount, failure_code FROM stripe_order_status('course', 'C-3');

\set ECHO none
\echo '== 6. Refund a part =========================================================='
\echo
\set ECHO queries
SELECT r ->> 'status' AS status, r ->> 'amount' AS amount
  FROM stripe_refund(payment => :'payment', amount => 1000, reason => 'requested_by_customer') r;

\set ECHO none
\echo '-- Of 25.00 dollars, 15.00 are left.  More than that is refused:'
\echo
\set ON_ERROR_STOP off
\set ECHO queries
SELECT stripe_refund(payment => :'payment', amount => 2000);

\set ECHO none
\set ON_ERROR_STOP on
\echo
\echo '== 7. All of it is in tables ================================================='
\echo
\set ECHO queries
SELECT receipt_number, order_type, order_id, status, amount, amount_refunded, currency
  FROM stripe.payments ORDER BY receipt_number;

SELECT c.name, c.member_id, m.brand, m.last4, p.order_id, p.status
  FROM stripe.customers c
  JOIN stripe.payment_methods m USING (account, livemode)
  JOIN stripe.payments p USING (account, livemode)
 WHERE m.customer = c.id AND p.customer = c.id AND p.status <> 'failed';

\set ECHO none
\echo '-- Receipt 0002 is missing above: the declined call had taken it and was rolled back.'
\echo '-- Numbers are unique and never make payments wait for each other; they may have gaps.'
\echo

\echo '-- What has no function of its own is one request away:'
\echo
\set ECHO queries
SELECT o ->> 'type' AS event, o -> 'data' -> 'object' ->> 'id' IS NOT NULL AS has_object
  FROM stripe_list('/v1/events') o LIMIT 3;

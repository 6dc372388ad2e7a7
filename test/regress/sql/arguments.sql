--
-- Arguments: checked before anything is sent, with a message that names the
-- argument.  No call here gets as far as a request, because the account has no
-- key: that error is what a call ends with in which nothing else is wrong.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SELECT stripe_configure(account => 'keyless') ->> 'account';
SET memberpulse_stripe.account = 'keyless';

--
-- Amounts
--
SELECT stripe_create_intent(0, 'aud');
SELECT stripe_create_intent(-1, 'aud');
SELECT stripe_create_intent(100000000, 'aud');
SELECT stripe_create_intent(99999999, 'aud');
SELECT stripe_create_intent(9223372036854775807, 'aud');
SELECT stripe_create_intent((-9223372036854775808)::bigint, 'aud');
-- More digits for some currencies
SELECT stripe_create_intent(999999999999, 'idr');
SELECT stripe_create_intent(1000000000000, 'idr');
SELECT stripe_create_intent(999999999, 'inr');
SELECT stripe_create_intent(1000000000, 'inr');
-- No decimals: any amount; three: the last digit is zero; two that are always zero
SELECT stripe_create_intent(1, 'jpy');
SELECT stripe_create_intent(2505, 'kwd');
SELECT stripe_create_intent(2500, 'kwd');
SELECT stripe_create_intent(2510, 'bhd');
SELECT stripe_create_intent(2501, 'tnd');
SELECT stripe_create_intent(150, 'isk');
SELECT stripe_create_intent(200, 'isk');
SELECT stripe_create_intent(101, 'ugx');
-- Wherever an amount is given
SELECT stripe_update_intent('pi_1', amount => 0);
SELECT stripe_update_intent('pi_1', amount => 5, currency => 'kwd');
SELECT stripe_capture_intent('pi_1', 0);
SELECT stripe_capture_intent('pi_1', -5);
SELECT stripe_refund('pi_1', 0);
SELECT stripe_refund('pi_1', -100);
SELECT stripe_refund('pi_1', 1000000000000);
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": 100}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": 0}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": 10.5}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": 10.00}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": "ten"}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": true}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": {"value": 1}}');
SELECT stripe_create_intent(NULL, 'aud', params => '{"amount": 1e30}');
SELECT stripe_capture_intent('pi_1', params => '{"amount_to_capture": 0}');

--
-- Currencies
--
SELECT stripe_create_intent(100, 'AUD');
SELECT stripe_create_intent(100, 'au');
SELECT stripe_create_intent(100, 'audx');
SELECT stripe_create_intent(100, '');
SELECT stripe_create_intent(100, 'a1d');
SELECT stripe_create_intent(100, U&'\00e4ud');
SELECT stripe_create_intent(100, 'zzz');
SELECT stripe_create_intent(100, params => '{"currency": 36}');
SELECT stripe_create_intent(100, params => '{"currency": "Euro"}');

--
-- Ids begin as ids of their kind
--
SELECT stripe_get_payment('cus_1');
SELECT stripe_get_payment('pi_');
SELECT stripe_get_payment('PI_1');
SELECT stripe_get_payment(' pi_1');
SELECT stripe_get_payment('');
SELECT stripe_update_intent('ch_1');
SELECT stripe_confirm_intent('seti_1');
SELECT stripe_capture_intent('1');
SELECT stripe_cancel_intent('in_1');
SELECT stripe_refund('re_1');
SELECT stripe_refund('in_1', 100);
SELECT stripe_cancel_refund('pi_1');
SELECT stripe_create_intent(100, 'aud', customer => 'pi_1');
SELECT stripe_create_intent(100, 'aud', payment_method => 'cus_1');
SELECT stripe_confirm_intent('pi_1', payment_method => 'tok_visa');
SELECT stripe_update_customer('sub_1');
SELECT stripe_delete_customer('ada@example.com');
SELECT stripe_create_customer(payment_method => 'visa');
SELECT stripe_create_setup_intent('pm_1');
SELECT stripe_attach_payment_method('cus_1', 'pm_1');
SELECT stripe_attach_payment_method('pm_1', 'pm_1');
SELECT stripe_detach_payment_method('cus_1');
SELECT stripe_set_default_payment_method('cus_1', 'cus_1');
SELECT stripe_set_default_payment_method('pm_1', 'pm_1');
SELECT stripe_list_payment_methods('pm_1');
-- Of all the kinds an argument takes
SELECT stripe_refund('ch_1');
SELECT stripe_refund('py_1');
SELECT stripe_cancel_refund('pyr_1');
SELECT stripe_detach_payment_method('card_1');
SELECT stripe_detach_payment_method('src_1');
SELECT stripe_detach_payment_method('ba_1');
-- Control characters are part of no id.
SELECT stripe_get_payment(E'pi_1\r\nHost: evil.example');

--
-- Arguments that must be given
--
SELECT stripe_get_payment(NULL);
SELECT stripe_update_intent(NULL);
SELECT stripe_confirm_intent(NULL);
SELECT stripe_capture_intent(NULL);
SELECT stripe_cancel_intent(NULL);
SELECT stripe_refund(NULL);
SELECT stripe_cancel_refund(NULL);
SELECT stripe_update_customer(NULL);
SELECT stripe_delete_customer(NULL);
SELECT stripe_ensure_customer(NULL);
SELECT stripe_ensure_customer('');
SELECT stripe_create_intent(NULL, 'aud');
SELECT stripe_attach_payment_method(NULL, 'cus_1');
SELECT stripe_attach_payment_method('pm_1', NULL);
SELECT stripe_detach_payment_method(NULL);
SELECT stripe_set_default_payment_method(NULL, 'pm_1');
SELECT stripe_set_default_payment_method('cus_1', NULL);
SELECT stripe_list_payment_methods(NULL);
SELECT stripe_request(NULL, '/v1/customers');
SELECT stripe_request('GET', NULL);
SELECT * FROM stripe_try_request(NULL, '/v1/customers');
SELECT * FROM stripe_try_request('GET', NULL);
SELECT stripe_list(NULL);

--
-- Metadata: 50 keys of 40 characters, values of 500
--
SELECT stripe_create_customer(metadata => (SELECT jsonb_object_agg('k' || i, 'v') FROM generate_series(1, 50) i));
SELECT stripe_create_customer(metadata => (SELECT jsonb_object_agg('k' || i, 'v') FROM generate_series(1, 51) i));
-- Arguments that become metadata count.
SELECT stripe_create_customer(member_id => 'm-1', metadata => (SELECT jsonb_object_agg('k' || i, 'v') FROM generate_series(1, 50) i));
SELECT stripe_create_customer(metadata => jsonb_build_object(repeat('k', 40), 'v'));
SELECT stripe_create_customer(metadata => jsonb_build_object(repeat('k', 41), 'v'));
-- Characters, not bytes.
SELECT stripe_create_customer(metadata => jsonb_build_object(repeat(U&'\00e9', 40), repeat(U&'\65e5', 500)));
SELECT stripe_create_customer(metadata => jsonb_build_object('k', repeat('v', 500)));
SELECT stripe_create_customer(metadata => jsonb_build_object('k', repeat('v', 501)));
SELECT stripe_create_customer(metadata => '{"": "v"}');
SELECT stripe_create_customer(metadata => '{"a[b": "v"}');
SELECT stripe_create_customer(metadata => '{"a]b": "v"}');
SELECT stripe_create_customer(metadata => '{"a": {"b": "c"}}');
SELECT stripe_create_customer(metadata => '{"a": ["b"]}');
SELECT stripe_create_customer(metadata => '["a"]');
SELECT stripe_create_customer(metadata => '"text"');
SELECT stripe_create_customer(metadata => '7');
SELECT stripe_create_customer(metadata => '{"n": 1, "b": true, "gone": null, "unset": ""}');
SELECT stripe_update_customer('cus_1', metadata => '""');
SELECT stripe_create_customer(params => '{"metadata": {"a[b]": "v"}}');
SELECT stripe_request('POST', '/v1/customers', '{"metadata": {"a[b]": "v"}}');
SELECT stripe_create_customer(member_id => repeat('m', 501));
SELECT stripe_create_intent(100, 'aud', order_type => 'event', order_id => repeat('o', 501));

--
-- Orders
--
SELECT stripe_create_intent(100, 'aud', order_type => 'ticket', order_id => 'T-1');
SELECT stripe_create_intent(100, 'aud', order_type => 'Event', order_id => 'T-1');
SELECT stripe_update_intent('pi_1', order_type => 'events');
SELECT stripe_create_intent(100, 'aud', metadata => '{"order_type": "ticket"}');
SELECT t, stripe_create_intent(100, 'aud', order_type => t) FROM unnest('{membership,event,course,resource,job_posting}'::text[]) t;

--
-- Statement descriptors
--
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUBS');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB OF THE NORTHERN SEAS');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => '12345678');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB <NORTH>');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB''S');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB "N"');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB\NORTH');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => 'CLUB* NORTH');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => E'CLUB\nNORTH');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => U&'\65e5\672c\8a9e\65e5\672c');
SELECT stripe_create_intent(100, 'aud', statement_descriptor => U&'Caf\00e9 Z\00fcrich');
SELECT stripe_create_intent(100, 'aud', statement_descriptor_suffix => 'T');
SELECT stripe_create_intent(100, 'aud', statement_descriptor_suffix => '17');
SELECT stripe_create_intent(100, 'aud', statement_descriptor_suffix => 'TICKETS FOR THE OPENING');
SELECT stripe_create_intent(100, 'aud', statement_descriptor_suffix => 'T*1');
SELECT stripe_update_intent('pi_1', statement_descriptor => 'X');
SELECT stripe_update_intent('pi_1', statement_descriptor => '');
SELECT stripe_create_intent(100, 'aud', params => '{"statement_descriptor": 12345}');

--
-- Idempotency keys: 1 to 255 printable characters
--
SELECT stripe_create_customer(idempotency_key => '');
SELECT stripe_create_customer(idempotency_key => 'k');
SELECT stripe_create_customer(idempotency_key => repeat('k', 255));
SELECT stripe_create_customer(idempotency_key => repeat('k', 256));
SELECT stripe_create_customer(idempotency_key => 'two words');
SELECT stripe_create_customer(idempotency_key => E'a\r\nStripe-Account: acct_1');
SELECT stripe_create_customer(idempotency_key => U&'cl\00e9');
SELECT stripe_request('POST', '/v1/customers', idempotency_key => '');
SELECT * FROM stripe_try_request('POST', '/v1/customers', idempotency_key => repeat('k', 256));
SELECT stripe_refund('pi_1', idempotency_key => '');
SELECT stripe_ensure_customer('m-1', idempotency_key => '');

--
-- params is an object, and nothing is given twice with different values
--
SELECT stripe_create_customer(params => '[]');
SELECT stripe_create_customer(params => '"x"');
SELECT stripe_create_customer(params => 'null');
SELECT stripe_get_payment('pi_1', params => '1');
SELECT stripe_request('POST', '/v1/customers', '[]');
SELECT stripe_list('/v1/customers', '[]');
SELECT stripe_create_intent(100, 'aud', params => '{"amount": 200}');
SELECT stripe_create_intent(100, 'aud', params => '{"currency": "nzd"}');
SELECT stripe_create_intent(100, 'aud', order_id => 'T-1', params => '{"metadata": {"order_id": "T-2"}}');
SELECT stripe_create_intent(100, 'aud', order_id => 'T-1', metadata => '{"order_id": "T-2"}');
SELECT stripe_capture_intent('pi_1', 100, params => '{"amount_to_capture": 200}');
SELECT stripe_cancel_intent('pi_1', 'duplicate', params => '{"cancellation_reason": "abandoned"}');
SELECT stripe_set_default_payment_method('cus_1', 'pm_1', params => '{"invoice_settings": {"default_payment_method": "pm_2"}}');
SELECT stripe_create_customer(address => '{"line1": "1 High St"}', params => '{"address": "none"}');
SELECT stripe_create_customer(address => '{"line1": "1 High St"}', params => '{"address": {"line1": "2 High St"}}');
SELECT stripe_create_customer(params => '{"metadata": "x"}', metadata => '{"a": "b"}');
-- Twice with the same value, or beside each other, is fine.
SELECT stripe_create_intent(100, 'aud', params => '{"amount": 100, "currency": "aud"}');
SELECT stripe_create_intent(100, 'aud', params => '{"amount": "100"}');
SELECT stripe_create_intent(100, 'aud', order_id => 'T-1', metadata => '{"seat": "1", "order_id": "T-1"}', params => '{"metadata": {"row": "B"}}');
SELECT stripe_create_customer(address => '{"line1": "1 High St"}', params => '{"address": {"city": "Hobart"}}');
SELECT stripe_create_intent(100, 'aud', params => '{"amount": null, "customer": null}');

-- A request that has no end, or no place for what is in it.
SELECT stripe_create_customer(params => (repeat('{"a":', 40) || '1' || repeat('}', 40))::jsonb);
SELECT stripe_create_customer(params => (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 1001) i));
SELECT stripe_create_customer(params => '{"preferred_locales": ["en", null]}');

--
-- Methods, paths, rows
--
SELECT stripe_request('PUT', '/v1/customers');
SELECT stripe_request('PATCH', '/v1/customers');
SELECT stripe_request('', '/v1/customers');
SELECT stripe_request('GET ', '/v1/customers');
SELECT stripe_request('get', '/v1/customers');
SELECT stripe_request('GET', '/v2/core/events');
SELECT stripe_request('GET', 'customers');
SELECT stripe_request('GET', '/v1/');
SELECT stripe_request('GET', '/v1/customers?limit=1');
SELECT stripe_request('GET', '/v1/customers/../charges');
SELECT stripe_request('GET', '/v1//customers');
SELECT stripe_request('GET', 'https://evil.example/v1/customers');
SELECT stripe_list('/v1/customers', max_rows => -1);
SELECT stripe_search('customers/../charges', 'x');
SELECT count(*) FROM stripe_list('/v1/customers', max_rows => 0);

--
-- Accounts
--
SELECT stripe_create_customer(account => 'nobody');
SELECT stripe_create_customer(account => '');
SELECT stripe_get_payment('pi_1', account => 'DEFAULT');
SELECT stripe_list('/v1/customers', account => 'nobody');
SELECT stripe_refund('pi_1', account => 'nobody');
SELECT stripe_ensure_customer('m-1', account => 'nobody');

-- Calls that take Stripe's parameters end alike, but for the one that only reads.
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'memberpulse_stripe'
 WHERE proname LIKE 'stripe\_%' AND prosrc = 'stripe_call'
   AND proargnames[pronargs - 2 : pronargs] <> '{params,idempotency_key,account}'
 ORDER BY proname COLLATE "C";

DELETE FROM stripe.accounts WHERE account = 'keyless';

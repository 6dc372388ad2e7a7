--
-- What a request carries: form encoding of parameters, and paths.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;

-- Vectors of the official library's encoder.  Ours sends members in jsonb's
-- order, shorter keys first, and leaves out null members (7), which that
-- library would unset.
CREATE TEMP TABLE vectors (n int, input jsonb, expected text);
INSERT INTO vectors VALUES
(1, '{"metadata":{"order_id":"6735"}}', 'metadata[order_id]=6735'),
(2, '{"a":{"b":{"c":{"d":1}}}}', 'a[b][c][d]=1'),
(3, '{"expand":["customer","latest_charge.balance_transaction"]}', 'expand[0]=customer&expand[1]=latest_charge.balance_transaction'),
(4, '{"items":[{"price":"price_1","quantity":2},{"price":"price_2"}]}', 'items[0][price]=price_1&items[0][quantity]=2&items[1][price]=price_2'),
(5, '{"automatic_payment_methods":{"enabled":true,"allow_redirects":"never"}}', 'automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never'),
(6, '{"description":""}', 'description='),
(7, '{"description":null}', ''),
(8, '{"excluded_payment_method_types":""}', 'excluded_payment_method_types='),
(9, '{"created":{"gte":1700000000,"lt":1700086400}}', 'created[lt]=1700086400&created[gte]=1700000000'),
(10, '{"description":"a b+c&d=e"}', 'description=a%20b%2Bc%26d%3De'),
(11, '{"email":"joe+test@example.com"}', 'email=joe%2Btest%40example.com'),
(12, '{"q":"email:''a@b.co'' AND metadata[''k'']:''v''"}', 'q=email%3A%27a%40b.co%27%20AND%20metadata[%27k%27]%3A%27v%27'),
(13, '{"name":"\u65e5\u672c\u8a9e"}', 'name=%E6%97%A5%E6%9C%AC%E8%AA%9E'),
(14, '{"metadata":{"cl\u00e9":"\u00e9"}}', 'metadata[cl%C3%A9]=%C3%A9'),
(15, '{"s":"-_.~!*''()"}', 's=-_.~%21%2A%27%28%29'),
(16, '{"s":"/?#:;,@$%\"<>\\^`{|}"}', 's=%2F%3F%23%3A%3B%2C%40%24%25%22%3C%3E%5C%5E%60%7B%7C%7D'),
(17, '{"s":"[x]"}', 's=[x]'),
(18, '{"metadata":{"a[b]":"1"}}', 'metadata[a[b]]=1'),
(19, '{"url":"https://x.test/ok?session_id={CHECKOUT_SESSION_ID}"}', 'url=https%3A%2F%2Fx.test%2Fok%3Fsession_id%3D%7BCHECKOUT_SESSION_ID%7D'),
(20, '{"s":"line1\nline2\ttab\r"}', 's=line1%0Aline2%09tab%0D'),
(21, '{"n":-1,"f":0.1,"big":99999999}', 'f=0.1&n=-1&big=99999999'),
(22, '{"n":1e+21}', 'n=1000000000000000000000'),
(23, '{"at":1700000000}', 'at=1700000000'),
(24, '{"arr":[{"a":["p","q"]}]}', 'arr[0][a][0]=p&arr[0][a][1]=q'),
(26, '{"list":[],"obj":{},"k":""}', 'k=');
SELECT n, input, expected, stripe.form_encode(input) AS got
  FROM vectors WHERE stripe.form_encode(input) IS DISTINCT FROM expected;
SELECT count(*) FROM vectors WHERE stripe.form_encode(input) = expected;

-- A null element cannot be left out without moving the others (25).
SELECT stripe.form_encode('{"arr":[null,"x"]}');

-- Numbers keep every digit and have no exponent.
SELECT stripe.form_encode('{"a": 12345678901234567890123456789.012345678901234567890, "b": 1e-12, "c": -0.50, "d": 1.5e3, "e": 100000000000000000000000}');
SELECT stripe.form_encode('{"t": true, "f": false}');
-- Null members are left out at any depth; nothing is left of empty ones.
SELECT stripe.form_encode('{"a": {"b": null, "c": {"d": null}}, "e": [{"f": null}, {"f": 1}], "g": {}}');
SELECT stripe.form_encode('{}') = '' AS empty;
SELECT stripe.form_encode(NULL);
-- Astral characters, controls, and more than ten elements.
SELECT stripe.form_encode('{"s": "\ud83c\udf89\u0001\u007f\u0080"}');
SELECT stripe.form_encode(jsonb_build_object('n', (SELECT jsonb_agg(i) FROM generate_series(0, 11) i)));
-- Not an object, too deep, too long.
SELECT stripe.form_encode('[1]');
SELECT stripe.form_encode('1');
SELECT stripe.form_encode('null');
SELECT stripe.form_encode((repeat('{"a":', 32) || '1' || repeat('}', 32))::jsonb) = 'a' || repeat('[a]', 31) || '=1' AS deepest;
SELECT stripe.form_encode((repeat('{"a":', 33) || '1' || repeat('}', 33))::jsonb);
SELECT length(stripe.form_encode(jsonb_build_object('a', repeat('x', 1024 * 1024 - 2))));
SELECT stripe.form_encode(jsonb_build_object('a', repeat('x', 1024 * 1024 - 1)));
SELECT stripe.form_encode(jsonb_build_object('a', repeat('&', 400000)));

--
-- Paths: nothing in an id can change where a request goes.
--
SELECT id, stripe.endpoint_path('stripe_get_payment', 'id', id) FROM (VALUES
	('pi_1'), ('pi_1/../customers'), ('pi_1?x=1'), ('pi_1#x'), ('pi_%2e%2e'), ('pi_1 2'), ('pi_1&a=b'), ('pi_1;a'), ('pi_1\..\x'),
	('pi_http://evil.example'), ('pi_@evil.example'), ('pi_[1]'), ('pi_..'), (U&'pi_\00e9'), ('pi_~-_.')) AS i (id);
SELECT stripe.endpoint_path('stripe_confirm_intent', 'id', 'pi_1/cancel?');
SELECT stripe.endpoint_path('stripe_list_payment_methods', 'customer', 'cus_1/..');
SELECT stripe.endpoint_path('stripe_get_payment', 'id', '..');
SELECT stripe.endpoint_path('stripe_get_payment', 'id', '');
SELECT stripe.endpoint_path('stripe_get_payment', 'id', NULL);
SELECT stripe.endpoint_path('stripe_get_payment', 'id', E'pi_1\nHost: evil.example');
SELECT stripe.endpoint_path('stripe_get_payment', 'id', E'pi_1\x7f');
SELECT stripe.endpoint_path('stripe_get_payment', 'id', 'pi_' || repeat('c', 1022));
SELECT length(stripe.endpoint_path('stripe_get_payment', 'id', 'pi_' || repeat('c', 1021)));

--
-- Both are fit for parallel plans and are folded at planning.
--
SELECT proname, provolatile, proparallel FROM pg_proc
 WHERE oid IN ('stripe.form_encode'::regproc, 'stripe.endpoint_path'::regproc) ORDER BY proname;

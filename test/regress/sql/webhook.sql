--
-- Checking where a webhook comes from: Stripe's own test vectors, and every
-- reason for which a signature is refused.
--
\set VERBOSITY default
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SET timezone = 'UTC';
SET datestyle = 'ISO';

CREATE TEMP TABLE vectors (name text, body bytea, secret text, header text, at bigint);
\set S1 whsec_test_secret_1
\set S2 whsec_test_secret_2
\set P1 '{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}'
\set H1 80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951
\set H2 64a88a82e1111d4900578ec8c3bc1e837d59d2b89cfd10be90efdf1bc36a6d82
INSERT INTO vectors
SELECT v.name, v.body, v.secret, replace(replace(v.header, 'H1', :'H1'), 'H2', :'H2'), v.at
  FROM (VALUES
	('W1 as signed', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1700000000),
	('W2 beyond ASCII', convert_to('{"id":"evt_2","object":"event","data":{"object":{"name":"José 日本語 🎉"}}}', 'UTF8'), :'S1',
		't=1700000000,v1=9cef6d65f9ed75b205c6a383c4ee83d724a54f38a79ef162f943016e3dfd3966', 1700000000),
	('W3 line feeds', convert_to(E'{\n  "id": "evt_3",\n  "object": "event"\n}', 'UTF8'), :'S1',
		't=1700000000,v1=d5d08378ac8236972f7864b2caf947bbe616805061a09f9a4e82eb6a02c1fa24', 1700000000),
	('W4 an empty object', '{}', :'S1', 't=1700000000,v1=3cc6d220bd6d001d0f1931d315cb1765435a39bb810cde4e05e23a2b6d71a945', 1700000000),
	('W5 a secret being rolled, the old', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H2,v1=H1,v0=' || repeat('0', 64), 1700000000),
	('W5 a secret being rolled, the new', convert_to(:'P1', 'UTF8'), :'S2', 't=1700000000,v1=H2,v1=H1,v0=' || repeat('0', 64), 1700000000),
	('W6 just in time', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1700000300),
	('W6 a second late', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1700000301),
	('W7 a clock just ahead', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1699999700),
	('W7 a clock too far ahead', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1699996400),
	('W8 the scheme for tests', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v0=H1', 1700000000),
	('W9 another secret', convert_to(:'P1', 'UTF8'), :'S2', 't=1700000000,v1=H1', 1700000000),
	('W10 one more space', convert_to(:'P1' || ' ', 'UTF8'), :'S1', 't=1700000000,v1=H1', 1700000000),
	('W11 no timestamp', convert_to(:'P1', 'UTF8'), :'S1', 'v1=H1', 1700000000),
	('W12 in capitals', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=' || upper(:'H1'), 1700000000),
	('W13 a space in the header', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000, v1=H1', 1700000000),
	('W14 the other way round', convert_to(:'P1', 'UTF8'), :'S1', 'v1=H1,t=1700000000', 1700000000),
	('W15 no number', convert_to(:'P1', 'UTF8'), :'S1', 't=abc,v1=H1', 1700000000),
	('W15 nothing', convert_to(:'P1', 'UTF8'), :'S1', '', 1700000000),
	('W15 not even that', convert_to(:'P1', 'UTF8'), :'S1', NULL, 1700000000),
	('W16 no secret', convert_to(:'P1', 'UTF8'), '', 't=1700000000,v1=H1', 1700000000),
	('W16 a line break in the secret', convert_to(:'P1', 'UTF8'), :'S1' || E'\n', 't=1700000000,v1=H1', 1700000000),
	('W17 bytes that are no text', '\x7bff7d', :'S1', 't=1700000000,v1=9fe00e94ecbc9721341034daee2200e23ae8746de813cde6569910cfc549f269', 1700000000),
	('a header too long', convert_to(:'P1', 'UTF8'), :'S1', 't=1700000000,v1=H1,x=' || repeat('x', 9000), 1700000000)
  ) AS v (name, body, secret, header, at);

-- What is said of each: bytes, and text where it can be text.
CREATE FUNCTION pg_temp.verdict(body bytea, header text, secret text, at bigint, as_text boolean)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
	why text;
BEGIN
	IF as_text THEN
		answer := stripe_verify_webhook(convert_from(body, 'UTF8'), header, secret => secret, at => to_timestamp(at));
	ELSE
		answer := stripe_verify_webhook(body, header, secret => secret, at => to_timestamp(at));
	END IF;
	RETURN 'good';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || why;
END $$;
SELECT name, pg_temp.verdict(body, header, secret, at, false) AS verdict FROM vectors ORDER BY length(split_part(name, ' ', 1)), name;
SELECT name, pg_temp.verdict(body, header, secret, at, true) AS verdict
  FROM vectors
 WHERE name NOT LIKE 'W17%'
   AND pg_temp.verdict(body, header, secret, at, true) IS DISTINCT FROM pg_temp.verdict(body, header, secret, at, false);

-- The yes-or-no form agrees, and does not look inside.
SELECT name FROM vectors
 WHERE stripe_webhook_is_valid(body, header, secret => secret, at => to_timestamp(at))
	   IS DISTINCT FROM (pg_temp.verdict(body, header, secret, at, false) IN ('good', '22021 The signature is valid, but of the content: it is not valid UTF-8.'));
SELECT stripe_webhook_is_valid(NULL::bytea, 't=1,v1=x', secret => :'S1');

-- Age does not count at tolerance 0.
SET memberpulse_stripe.webhook_tolerance = 0;
SELECT name, pg_temp.verdict(body, header, secret, at, false) AS verdict FROM vectors WHERE name LIKE 'W6%' OR name LIKE 'W7%' ORDER BY name;
RESET memberpulse_stripe.webhook_tolerance;
SET memberpulse_stripe.webhook_tolerance = -1;
SET memberpulse_stripe.webhook_tolerance = '2d';

-- Arguments.
SELECT stripe_verify_webhook(NULL::text, 't=1,v1=x', secret => :'S1');
SELECT stripe_verify_webhook(:'P1'::text, 't=1,v1=x', secret => :'S1', at => 'infinity');
SELECT stripe_verify_webhook(:'P1'::text, 't=1700000000,v1=' || :'H1', secret => :'S1', at => to_timestamp(1700000000)) ->> 'id' AS id;

-- The error says what to do, and shows no secret.
SELECT stripe_verify_webhook(:'P1'::text, 't=1700000000,v1=' || :'H1', secret => 'whsec_not_this_one', at => to_timestamp(1700000000));

-- Nobody may without being granted it.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
 WHERE p.proname ~ 'webhook|event|refetch|prune|membership' AND has_function_privilege('public', p.oid, 'execute');

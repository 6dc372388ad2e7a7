--
-- Signatures of webhooks, with the secret and the moment given: no account, no
-- key and no clock is needed.  W1 to W17 are vectors that were computed with
-- Stripe's own Node.js package.
--
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SET timezone = 'UTC';
SET datestyle = 'ISO';
RESET client_min_messages;

-- Nothing stays behind for other tests.
BEGIN;

\set S1 whsec_test_secret_1
\set S2 whsec_test_secret_2
\set T 1700000000
\set P1 '{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}'
\set P2 '{"id":"evt_2","object":"event","data":{"object":{"name":"José 日本語 🎉"}}}'
\set P3 '{\n  "id": "evt_3",\n  "object": "event"\n}'
\set H1 80d01916fbe31e77c6de3b50cac218fe70e1f2c5367cf7e3590c0901b7f67951
\set H2 64a88a82e1111d4900578ec8c3bc1e837d59d2b89cfd10be90efdf1bc36a6d82

CREATE TEMP TABLE vectors (
	vector text,
	body text,
	secret text,
	header text,
	at bigint DEFAULT :T,
	tolerance integer DEFAULT 300
);

INSERT INTO vectors (vector, body, secret, header) VALUES
	('W1', :'P1', :'S1', 't=1700000000,v1=' || :'H1'),
	('W2', :'P2', :'S1', 't=1700000000,v1=9cef6d65f9ed75b205c6a383c4ee83d724a54f38a79ef162f943016e3dfd3966'),
	('W3', :'P3', :'S1', 't=1700000000,v1=d5d08378ac8236972f7864b2caf947bbe616805061a09f9a4e82eb6a02c1fa24'),
	('W4', '{}', :'S1', 't=1700000000,v1=3cc6d220bd6d001d0f1931d315cb1765435a39bb810cde4e05e23a2b6d71a945'),
	('W5 first secret', :'P1', :'S1', 't=1700000000,v1=' || :'H2' || ',v1=' || :'H1' || ',v0=' || repeat('0', 64)),
	('W5 second secret', :'P1', :'S2', 't=1700000000,v1=' || :'H2' || ',v1=' || :'H1' || ',v0=' || repeat('0', 64)),
	('W8 only v0', :'P1', :'S1', 't=1700000000,v0=' || :'H1'),
	('W9 another secret', :'P1', :'S2', 't=1700000000,v1=' || :'H1'),
	('W10 a space more', :'P1' || ' ', :'S1', 't=1700000000,v1=' || :'H1'),
	('W11 no t', :'P1', :'S1', 'v1=' || :'H1'),
	('W12 upper case', :'P1', :'S1', 't=1700000000,v1=' || upper(:'H1')),
	('W13 a space', :'P1', :'S1', 't=1700000000, v1=' || :'H1'),
	('W14 other order', :'P1', :'S1', 'v1=' || :'H1' || ',t=1700000000'),
	('W15 t is no number', :'P1', :'S1', 't=abc,v1=' || :'H1'),
	('W15 empty header', :'P1', :'S1', ''),
	('W15 no header', :'P1', :'S1', NULL),
	('W16 empty secret', :'P1', '', 't=1700000000,v1=' || :'H1'),
	('W16 blank secret', :'P1', E' \t', 't=1700000000,v1=' || :'H1'),
	('W16 line break', :'P1', :'S1' || E'\n', 't=1700000000,v1=' || :'H1'),
	-- and what is no vector of the package
	('only t', :'P1', :'S1', 't=1700000000'),
	('t in another form', :'P1', :'S1', 't=01700000000,v1=' || :'H1'),
	('t with a sign', :'P1', :'S1', 't=+1700000000,v1=' || :'H1'),
	('t twice, last good', :'P1', :'S1', 't=1,t=1700000000,v1=' || :'H1'),
	('t twice, last bad', :'P1', :'S1', 't=1700000000,t=1,v1=' || :'H1'),
	('half a v1', :'P1', :'S1', 't=1700000000,v1=' || left(:'H1', 32)),
	('v1 of 65 digits', :'P1', :'S1', 't=1700000000,v1=' || :'H1' || '0'),
	('empty v1', :'P1', :'S1', 't=1700000000,v1='),
	('many v1', :'P1', :'S1', 't=1700000000' || repeat(',v1=' || repeat('0', 64), 5) || ',v1=' || :'H1'),
	('commas', :'P1', :'S1', ',,t=1700000000,,v1=' || :'H1' || ','),
	('unknown names', :'P1', :'S1', 'x=1,t=1700000000,v2=' || :'H1' || ',v1=' || :'H1'),
	('too long', :'P1', :'S1', 't=1700000000,v1=' || :'H1' || repeat(',x=y', 100000));

INSERT INTO vectors VALUES
	('W6 300 s old', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T + 300, 300),
	('W6 301 s old', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T + 301, 300),
	('W6 no tolerance', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T + 999999, 0),
	-- the package lets these pass, as it looks at the past only
	('W7 an hour ahead', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T - 3600, 300),
	('300 s ahead', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T - 300, 300),
	('301 s ahead', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T - 301, 300),
	('ahead, no tolerance', :'P1', :'S1', 't=1700000000,v1=' || :'H1', :T - 999999, 0),
	-- a mismatch is told before the age
	('old and wrong', :'P1', :'S2', 't=1700000000,v1=' || :'H1', :T + 301, 300);

-- The error as a row: its code and reason, or the id in the payload.
CREATE FUNCTION pg_temp.outcome(v vectors, kind regtype) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text;
	reason text;
	found jsonb;
BEGIN
	IF kind = 'bytea'::regtype THEN
		found := stripe_verify_webhook(convert_to(v.body, 'UTF8'), v.header, secret => v.secret, at => to_timestamp(v.at));
	ELSE
		found := stripe_verify_webhook(v.body, v.header, secret => v.secret, at => to_timestamp(v.at));
	END IF;
	RETURN COALESCE(found ->> 'id', found::text);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, reason = PG_EXCEPTION_DETAIL;
	RETURN state || ' ' || reason;
END $$;

CREATE FUNCTION pg_temp.judge(v vectors)
RETURNS TABLE (vector text, text_valid boolean, bytea_valid boolean, text_outcome text, bytea_same boolean)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('memberpulse_stripe.webhook_tolerance', v.tolerance::text, true);
	RETURN QUERY SELECT v.vector,
		stripe_webhook_is_valid(v.body, v.header, secret => v.secret, at => to_timestamp(v.at)),
		stripe_webhook_is_valid(convert_to(v.body, 'UTF8'), v.header, secret => v.secret, at => to_timestamp(v.at)),
		pg_temp.outcome(v, 'text'),
		pg_temp.outcome(v, 'text') = pg_temp.outcome(v, 'bytea');
END $$;

SELECT j.* FROM vectors v, pg_temp.judge(v) j;
RESET memberpulse_stripe.webhook_tolerance;

-- W17: what is signed is bytes.  They need not be text to be signed well, but
-- to be read.
SELECT stripe_webhook_is_valid('\x7bff7d'::bytea,
	't=1700000000,v1=9fe00e94ecbc9721341034daee2200e23ae8746de813cde6569910cfc549f269', secret => :'S1', at => to_timestamp(:T));
SAVEPOINT w17;
SELECT stripe_verify_webhook('\x7bff7d'::bytea,
	't=1700000000,v1=9fe00e94ecbc9721341034daee2200e23ae8746de813cde6569910cfc549f269', secret => :'S1', at => to_timestamp(:T));
ROLLBACK TO w17;

-- Each reason is another.
SELECT count(DISTINCT o), count(DISTINCT o) FILTER (WHERE o LIKE 'ST009 %') AS refusals
  FROM vectors v, pg_temp.outcome(v, 'text') o;

-- The errors as they are shown.
SELECT stripe_verify_webhook(:'P1', '', secret => :'S1', at => to_timestamp(:T));
ROLLBACK TO w17;
SELECT stripe_verify_webhook(:'P1', 't=1700000000,v1=' || :'H1', secret => :'S2', at => to_timestamp(:T));
ROLLBACK TO w17;
SELECT stripe_verify_webhook(:'P1', 't=1700000000,v1=' || :'H1', secret => :'S1', at => to_timestamp(:T + 301));
ROLLBACK TO w17;
SELECT stripe_verify_webhook(:'P1', 't=1700000000,v1=' || :'H1', secret => :'S1', at => 'infinity');
ROLLBACK TO w17;
SELECT stripe_verify_webhook(NULL::text, 't=1700000000,v1=' || :'H1', secret => :'S1');
ROLLBACK TO w17;
SELECT stripe_webhook_is_valid(NULL::text, 't=1700000000,v1=' || :'H1', secret => :'S1');
SELECT stripe_webhook_is_valid('', 't=1700000000,v1=' || repeat('0', 64), secret => :'S1', at => to_timestamp(:T));

-- Nothing is stored, and nobody else may ask.
SELECT count(*) FROM stripe.events;
CREATE ROLE regress_signature_nobody;
SET ROLE regress_signature_nobody;
SELECT stripe_webhook_is_valid('{}', 't=1', secret => 'x');
ROLLBACK;

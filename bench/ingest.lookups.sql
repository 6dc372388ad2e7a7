--
-- What it costs to ask for a membership, and to check a signature, each in a
-- loop in PL/pgSQL.  Prints "name microseconds".  Variable n: memberships.
--
\set ON_ERROR_STOP on
SET jit = off;

INSERT INTO stripe.memberships (account, livemode, membership_id, status, access_from, access_until)
SELECT 'default', false, 'member_' || i, 'active', now() - interval '1 day', now() + i % 50 * interval '1 day'
  FROM generate_series(1, :n) i;
VACUUM (ANALYZE) stripe.memberships;

-- One turn of a statement, in microseconds: the best of five loops.
CREATE FUNCTION time_of(statement text, turns int, n int) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
	best numeric;
	took numeric;
BEGIN
	EXECUTE pg_catalog.format($f$
		CREATE OR REPLACE FUNCTION pg_temp.looped() RETURNS numeric
		LANGUAGE plpgsql AS $l$
		DECLARE
			began timestamptz := clock_timestamp();
			id text;
			yes boolean;
			t timestamptz := now();
			payload text := repeat('{"id": "evt_1", "object": "event"}', 60);
			secret text := 'whsec_benchmarkSecretForWebhooks001';
			stamp text := extract(epoch FROM now())::bigint::text;
			v1 text := encode(hmac(convert_to(stamp || '.' || payload, 'UTF8'), convert_to(secret, 'UTF8'), 'sha256'), 'hex');
			header text := 't=' || stamp || ',v1=' || v1;
		BEGIN
			FOR i IN 1 .. %s LOOP
				id := 'member_' || (i::bigint * 7919 %% %s + 1);
				%s
			END LOOP;
			IF yes IS NOT TRUE AND yes IS NOT FALSE THEN
				RAISE 'the loop asked nothing';
			END IF;
			RETURN extract(epoch FROM clock_timestamp() - began) * 1e6;
		END $l$ $f$, turns, n, statement);
	FOR round IN 1 .. 5 LOOP
		took := pg_temp.looped() / turns;
		best := LEAST(best, took);
	END LOOP;
	RETURN round(best, 3);
END $$;

SELECT 'active-ours ' || time_of('yes := stripe_membership_active(id);', 100000, :n);
SELECT 'active-bare ' || time_of($$
	SELECT access_from <= t AND t < access_until INTO yes FROM stripe.memberships
	 WHERE account = 'default' AND livemode = false AND membership_id = id;$$, 100000, :n);
SELECT 'verify-ours ' || time_of('yes := stripe_webhook_is_valid(payload, header, secret => secret);', 20000, :n);
SELECT 'verify-pgcrypto ' || time_of($$
	yes := encode(hmac(convert_to(stamp || '.' || payload, 'UTF8'), convert_to(secret, 'UTF8'), 'sha256'), 'hex') = v1;$$, 20000, :n);

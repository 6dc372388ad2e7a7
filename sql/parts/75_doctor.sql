--
-- The doctor: what is wrong, and what to do about it.
--

CREATE FUNCTION stripe.key_state(account text)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_key_state'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION stripe.key_state(text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.key_state(text) IS
	'Which keys an account has in its mode: "secret", "webhook", both or none.  Raises ST010 if what is configured is not usable.';

CREATE FUNCTION stripe.is_copy()
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_is_copy'
LANGUAGE C STABLE PARALLEL SAFE;
REVOKE ALL ON FUNCTION stripe.is_copy() FROM PUBLIC;
COMMENT ON FUNCTION stripe.is_copy() IS
	'Whether this database was restored or copied from another one and not adopted since.';

CREATE FUNCTION @extschema@.stripe_doctor(
	account text DEFAULT NULL,
	deep boolean DEFAULT false,
	OUT name text,
	OUT status text,
	OUT seen text,
	OUT advice text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose text := COALESCE(stripe_doctor.account, current_setting('memberpulse_stripe.account', true), 'default');
	live boolean;
	keys text;
	trouble text;
	failed bigint;
	waiting bigint;
	result record;
BEGIN
	name := 'keys';
	BEGIN
		live := stripe.livemode(whose);
		keys := stripe.key_state(whose);
		IF keys LIKE '%secret%' AND keys LIKE '%webhook%' THEN
			status := 'ok';
			seen := format('Account "%s" has a secret key and a webhook secret of the %s mode.',
						   whose, CASE WHEN live THEN 'live' ELSE 'test' END);
			advice := NULL;
		ELSE
			status := CASE WHEN keys LIKE '%secret%' THEN 'warning' ELSE 'problem' END;
			seen := format('Account "%s" has no %s of the %s mode.', whose,
						   CASE WHEN keys LIKE '%secret%' THEN 'webhook secret' ELSE 'secret key' END,
						   CASE WHEN live THEN 'live' ELSE 'test' END);
			advice := 'Set it with stripe_set_credentials().';
		END IF;
	EXCEPTION
		WHEN SQLSTATE 'ST010' THEN
			GET STACKED DIAGNOSTICS trouble = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
			status := 'problem';
			seen := trouble;
	END;
	RETURN NEXT;

	name := 'original';
	IF stripe.is_copy() THEN
		status := 'problem';
		seen := 'This database is a copy and does not act for live accounts.';
		advice := 'Once the database it came from is out of use, run stripe_adopt().';
	ELSE
		status := 'ok';
		seen := 'This database is not a copy.';
		advice := NULL;
	END IF;
	RETURN NEXT;

	name := 'preload';
	IF current_setting('shared_preload_libraries') ~ '(^|[,"/ ])memberpulse_stripe' THEN
		status := 'ok';
		seen := 'The library is in shared_preload_libraries.';
		advice := NULL;
	ELSE
		status := 'warning';
		seen := 'The library is not in shared_preload_libraries.';
		advice := 'Add it, so that keys are scrubbed from every line of the server log.';
	END IF;
	RETURN NEXT;

	name := 'events';
	SELECT count(*) FILTER (WHERE e.state = 'failed'), count(*) FILTER (WHERE e.state = 'received')
	  INTO failed, waiting
	  FROM stripe.events e
	 WHERE e.account = whose AND e.livemode = COALESCE(live, false) AND e.state IN ('failed', 'received');
	IF failed + waiting > 0 THEN
		status := 'problem';
		seen := format('%s events failed to apply, and %s wait.', failed, waiting);
		advice := 'See the column "error" of stripe.events; stripe_retry_events() tries again.';
	ELSE
		status := 'ok';
		seen := 'No event failed to apply.';
		advice := NULL;
	END IF;
	RETURN NEXT;

	IF deep THEN
		name := 'connection';
		FOR result IN SELECT * FROM @extschema@.stripe_test_connection(whose)
		LOOP
			status := CASE WHEN result.ok THEN 'ok' ELSE 'problem' END;
			seen := result.seen;
			advice := result.advice;
			RETURN NEXT;
		END LOOP;
	END IF;
END
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_doctor(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_doctor(text, boolean) IS
	'A row for each check: "status" is ok, warning or problem, "seen" says what was found and "advice" what to do.  With "deep", Stripe is asked too.  For administrators of the account.';

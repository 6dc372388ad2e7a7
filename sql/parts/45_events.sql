--
-- The ledger of events, and what is to be fetched again.
--
-- Indexes here begin with the column that tells rows apart.  One that began
-- with the account, as the primary keys do, could be mistaken for them: before
-- the first ANALYZE the planner takes an account for a key as good as any.
--

CREATE TABLE stripe.events (
	account text NOT NULL,
	livemode boolean NOT NULL,
	id text NOT NULL,
	type text NOT NULL,
	created timestamptz NOT NULL,
	api_version text,
	object_type text,
	object_id text,
	membership_id text,
	state text NOT NULL,
	error text,
	attempts integer NOT NULL DEFAULT 1,
	next_attempt timestamptz,
	received_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	applied_at timestamptz,
	request_id text,
	payload jsonb NOT NULL,
	PRIMARY KEY (account, livemode, id),
	CONSTRAINT known_state CHECK (state OPERATOR(pg_catalog.=) ANY
		('{received,applied,stale,ignored,failed}')),
	CONSTRAINT no_client_secret CHECK (NOT stripe.json_has_client_secret(payload))
) WITH (fillfactor = 100);
REVOKE ALL ON TABLE stripe.events FROM PUBLIC;
CREATE INDEX events_object_idx ON stripe.events (object_id, account, livemode, created)
	WHERE object_id IS NOT NULL;
CREATE INDEX events_retry_idx ON stripe.events (next_attempt, account, livemode)
	WHERE state OPERATOR(pg_catalog.=) ANY ('{received,failed}');
CREATE INDEX events_received_at_idx ON stripe.events USING brin (received_at);
COMMENT ON TABLE stripe.events IS
	'Every event of Stripe''s that was accepted, once, with what became of it.';
COMMENT ON COLUMN stripe.events.created IS
	'When it happened, by Stripe''s clock, in whole seconds.';
COMMENT ON COLUMN stripe.events.api_version IS
	'The version of Stripe''s API in which the payload is written.';
COMMENT ON COLUMN stripe.events.object_id IS
	'The object it is about; for a summary of entitlements, the customer.  NULL if the object has no id.';
COMMENT ON COLUMN stripe.events.membership_id IS
	'The membership it concerns, as far as was known when it was applied.';
COMMENT ON COLUMN stripe.events.state IS
	'received: kept, not looked at yet; applied: the mirror says what it says; stale: what was known was newer; ignored: there is no mirror for its object; failed: see "error".';
COMMENT ON COLUMN stripe.events.attempts IS
	'Times it was tried to apply it.';
COMMENT ON COLUMN stripe.events.next_attempt IS
	'When a failed event is due again; NULL: it is left for stripe_replay_event().';
COMMENT ON COLUMN stripe.events.request_id IS
	'The request that caused it; NULL if Stripe acted by itself.';
COMMENT ON COLUMN stripe.events.payload IS
	'The event as it came, without client secrets.';
COMMENT ON INDEX stripe.events_object_idx IS
	'Finds what happened to an object, and which event of it came last.';
COMMENT ON INDEX stripe.events_retry_idx IS
	'Finds failed events that are due again.';
COMMENT ON INDEX stripe.events_received_at_idx IS
	'Finds old events to prune.';
SELECT pg_catalog.pg_extension_config_dump('stripe.events', '');

CREATE TABLE stripe.refetches (
	account text NOT NULL,
	livemode boolean NOT NULL,
	object_type text NOT NULL,
	id text NOT NULL,
	reason text NOT NULL,
	queued_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	attempts integer NOT NULL DEFAULT 0,
	next_attempt timestamptz NOT NULL DEFAULT pg_catalog.now(),
	last_error text,
	PRIMARY KEY (account, livemode, object_type, id)
);
REVOKE ALL ON TABLE stripe.refetches FROM PUBLIC;
CREATE INDEX refetches_next_attempt_idx ON stripe.refetches (next_attempt);
COMMENT ON TABLE stripe.refetches IS
	'Objects whose row may be wrong or incomplete until Stripe is asked again, which stripe_refetch() does.';
COMMENT ON COLUMN stripe.refetches.reason IS
	'same second: events of one second could not be put in order; nested list: a list in it was cut short; missing: another object refers to it.';
COMMENT ON INDEX stripe.refetches_next_attempt_idx IS
	'Finds what is due.';
SELECT pg_catalog.pg_extension_config_dump('stripe.refetches', '');

-- Content is written with every event.  Compressed, it fits its row, so it is
-- kept there instead of in a table beside; and lz4 takes a fraction of the time
-- that the default does, where the server was built with it.
DO $$
DECLARE
	t record;
	lz4 boolean := true;
BEGIN
	FOR t IN
		SELECT a.attrelid::regclass AS name, a.attname
		  FROM pg_catalog.pg_attribute a
		  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
		 WHERE c.relnamespace OPERATOR(pg_catalog.=) 'stripe'::regnamespace
		   AND c.relkind OPERATOR(pg_catalog.=) 'r'
		   AND a.atttypid OPERATOR(pg_catalog.=) 'jsonb'::regtype
		   AND a.attname OPERATOR(pg_catalog.=) ANY ('{data,payload}')
	LOOP
		EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE MAIN', t.name, t.attname);
		BEGIN
			IF lz4 THEN
				EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', t.name, t.attname);
			END IF;
		EXCEPTION
			WHEN feature_not_supported THEN
				lz4 := false;
		END;
	END LOOP;
END
$$;

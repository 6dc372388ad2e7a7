--
-- Webhooks: checking them, taking events in, and trying again.
--

CREATE FUNCTION @extschema@.stripe_verify_webhook(
	payload text,
	signature text,
	account text DEFAULT NULL,
	secret text DEFAULT NULL,
	at timestamptz DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_verify_webhook_text'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION @extschema@.stripe_verify_webhook(text, text, text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_verify_webhook(text, text, text, text, timestamptz) IS
	'The payload of a webhook as jsonb, if "signature", the value of its Stripe-Signature header, is good: made with one of the account''s webhook secrets, or with "secret", within memberpulse_stripe.webhook_tolerance of now, or of "at".  Raises ST009 with the reason if not.  Stores nothing.  See https://docs.stripe.com/webhooks#verify-events';

CREATE FUNCTION @extschema@.stripe_webhook_is_valid(
	payload text,
	signature text,
	account text DEFAULT NULL,
	secret text DEFAULT NULL,
	at timestamptz DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_webhook_is_valid_text'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION @extschema@.stripe_webhook_is_valid(text, text, text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_webhook_is_valid(text, text, text, text, timestamptz) IS
	'Whether stripe_verify_webhook() would find the signature good.  Says nothing of the payload''s content.';

CREATE FUNCTION @extschema@.stripe_ingest_webhook(
	payload text,
	signature text,
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text)
AS 'MODULE_PATHNAME', 'stripe_ingest_webhook_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
REVOKE ALL ON FUNCTION @extschema@.stripe_ingest_webhook(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ingest_webhook(text, text, text) IS
	'Checks a webhook as stripe_verify_webhook() does and takes its event in: ledger, mirror, membership and payment, in this transaction.  Commit before answering Stripe.  "state" is what stripe.events says.  An event that cannot be applied is kept as failed and tried again; one that is known already is answered from the ledger.  Raises ST009 for a signature that is not good, ST012 for an event of another mode or account, 22023 for what is no event.';

CREATE FUNCTION @extschema@.stripe_ingest_webhooks(
	payloads text[],
	signatures text[],
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text,
	OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'stripe_ingest_webhooks'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100;
REVOKE ALL ON FUNCTION @extschema@.stripe_ingest_webhooks(text[], text[], text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ingest_webhooks(text[], text[], text) IS
	'As stripe_ingest_webhook() for many, in one go: a row for each, in their order.  What that would raise for one is its "error" here, with no state, and does not spoil the others.';

CREATE FUNCTION @extschema@.stripe_verify_webhook(
	payload bytea,
	signature text,
	account text DEFAULT NULL,
	secret text DEFAULT NULL,
	at timestamptz DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_verify_webhook_bytea'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION @extschema@.stripe_verify_webhook(bytea, text, text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_verify_webhook(bytea, text, text, text, timestamptz) IS
	'The payload of a webhook as jsonb, if "signature", the value of its Stripe-Signature header, is good: made with one of the account''s webhook secrets, or with "secret", within memberpulse_stripe.webhook_tolerance of now, or of "at".  Raises ST009 with the reason if not.  Stores nothing.  See https://docs.stripe.com/webhooks#verify-events';

CREATE FUNCTION @extschema@.stripe_webhook_is_valid(
	payload bytea,
	signature text,
	account text DEFAULT NULL,
	secret text DEFAULT NULL,
	at timestamptz DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_webhook_is_valid_bytea'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION @extschema@.stripe_webhook_is_valid(bytea, text, text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_webhook_is_valid(bytea, text, text, text, timestamptz) IS
	'Whether stripe_verify_webhook() would find the signature good.  Says nothing of the payload''s content.';

CREATE FUNCTION @extschema@.stripe_ingest_webhook(
	payload bytea,
	signature text,
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text)
AS 'MODULE_PATHNAME', 'stripe_ingest_webhook_bytea'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
REVOKE ALL ON FUNCTION @extschema@.stripe_ingest_webhook(bytea, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ingest_webhook(bytea, text, text) IS
	'Checks a webhook as stripe_verify_webhook() does and takes its event in: ledger, mirror, membership and payment, in this transaction.  Commit before answering Stripe.  "state" is what stripe.events says.  An event that cannot be applied is kept as failed and tried again; one that is known already is answered from the ledger.  Raises ST009 for a signature that is not good, ST012 for an event of another mode or account, 22023 for what is no event.';

CREATE FUNCTION @extschema@.stripe_ingest_webhooks(
	payloads bytea[],
	signatures text[],
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text,
	OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'stripe_ingest_webhooks'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100;
REVOKE ALL ON FUNCTION @extschema@.stripe_ingest_webhooks(bytea[], text[], text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ingest_webhooks(bytea[], text[], text) IS
	'As stripe_ingest_webhook() for many, in one go: a row for each, in their order.  What that would raise for one is its "error" here, with no state, and does not spoil the others.';

CREATE FUNCTION @extschema@.stripe_ingest_events(
	events jsonb[],
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text,
	OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'stripe_ingest_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100;
REVOKE ALL ON FUNCTION @extschema@.stripe_ingest_events(jsonb[], text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ingest_events(jsonb[], text) IS
	'Takes in events that were fetched from Stripe by its own API, and so need no signature.  For administrators: it believes what it is given.';

CREATE FUNCTION @extschema@.stripe_replay_event(
	id text,
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text)
AS 'MODULE_PATHNAME', 'stripe_replay_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
REVOKE ALL ON FUNCTION @extschema@.stripe_replay_event(text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_replay_event(text, text) IS
	'Applies an event of the ledger again, whatever its state.  The order rule holds: it cannot bring an old state back.  Raises P0002 if it is not there.';

CREATE FUNCTION @extschema@.stripe_retry_events(
	max integer DEFAULT 100,
	account text DEFAULT NULL,
	OUT event_id text,
	OUT event_type text,
	OUT state text,
	OUT object_id text,
	OUT membership_id text,
	OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'stripe_retry_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10;
REVOKE ALL ON FUNCTION @extschema@.stripe_retry_events(integer, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_retry_events(integer, text) IS
	'Applies failed events that are due again, at most "max" of them.';

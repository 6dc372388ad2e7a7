--
-- Setting up accounts, credentials and rights.
--

CREATE FUNCTION @extschema@.stripe_configure(
	account text DEFAULT NULL,
	mode text DEFAULT NULL,
	currency text DEFAULT NULL,
	tax_behavior text DEFAULT NULL,
	statement_descriptor text DEFAULT NULL,
	payment_methods text[] DEFAULT NULL,
	grace_days integer DEFAULT NULL,
	renewal_slack interval DEFAULT NULL,
	connected_account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_configure'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_configure(text, text, text, text, text, text[], integer, interval, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_configure(text, text, text, text, text, text[], integer, interval, text) IS
	'Creates an account or changes its settings; NULL leaves a setting alone, an empty text or array unsets it.  "mode" is test or live: from then on calls use that mode''s keys and functions see its rows.  "grace_days" is 0 to 30, "renewal_slack" at most 30 days.  Returns the settings.  For administrators of the account.  Raises 22023 for a value that cannot be.';

CREATE FUNCTION @extschema@.stripe_set_credentials(
	account text DEFAULT NULL,
	mode text DEFAULT NULL,
	publishable_key text DEFAULT NULL,
	secret_key text DEFAULT NULL,
	webhook_secret text DEFAULT NULL,
	webhook_overlap interval DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_set_credentials'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_set_credentials(text, text, text, text, text, interval) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_set_credentials(text, text, text, text, text, interval) IS
	'Seals keys of an account and mode under the master key; NULL leaves a key alone.  A replaced webhook secret is still accepted for "webhook_overlap", 24 hours unless given.  Returns the last four characters of what was set, all that can ever be read again.  For administrators of the account.  Raises ST010 for what is no key, ST012 for a key of the other mode.  Pass keys as parameters of the statement, not within its text.';

CREATE FUNCTION @extschema@.stripe_reseal()
RETURNS integer
AS 'MODULE_PATHNAME', 'stripe_reseal'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_reseal() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_reseal() IS
	'Seals every credential under the key in master_key_file, opening those still sealed under the one in old_master_key_file.  Returns how many moved.  Calls go on meanwhile.  For superusers and the extension''s owner.';

CREATE FUNCTION @extschema@.stripe_grant(
	role name,
	level text,
	account text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'stripe_grant'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_grant(name, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_grant(name, text, text) IS
	'Lets a role use an account as reader (see its rows), biller (take payments, manage subscriptions) or admin (configure, refund, and all else).  The account "*" stands for all.  Replaces an earlier grant.  For administrators of the account.';

CREATE FUNCTION @extschema@.stripe_revoke(
	role name,
	account text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_revoke'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_revoke(name, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_revoke(name, text) IS
	'Takes back what stripe_grant() gave.  Returns whether there was a grant.  For administrators of the account.';

CREATE FUNCTION @extschema@.stripe_adopt()
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_adopt'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_adopt() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_adopt() IS
	'Makes a restored or copied database act for live accounts.  Run it once the database it came from is out of use.  Returns whether this one was a copy.  For superusers and the extension''s owner.';

CREATE FUNCTION @extschema@.stripe_test_connection(
	account text DEFAULT NULL,
	OUT ok boolean,
	OUT problem text,
	OUT seen text,
	OUT advice text,
	OUT stripe_account text,
	OUT mode text,
	OUT clock_skew_s bigint)
AS 'MODULE_PATHNAME', 'stripe_test_connection'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_test_connection(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_test_connection(text) IS
	'Asks Stripe whether the account''s key works.  "problem" is NULL or one of no_key, wrong_mode, bad_key, restricted_key, certificate, unreachable, timeout, clock_skew and stripe; "seen" and "advice" are sentences; "clock_skew_s" is how many seconds this server''s clock is ahead.  For administrators of the account.';

CREATE VIEW stripe.credential_status WITH (security_invoker = true) AS
SELECT c.account,
	   CASE WHEN c.livemode THEN 'live' ELSE 'test' END AS mode,
	   c.purpose,
	   c.last_four,
	   c.set_at,
	   c.set_by,
	   c.expires_at,
	   (SELECT pg_catalog.max(x.at)
		  FROM stripe.access_audit x
		 WHERE x.account OPERATOR(pg_catalog.=) c.account
		   AND x.livemode OPERATOR(pg_catalog.=) c.livemode
		   AND x.action OPERATOR(pg_catalog.=) ANY ('{call,read,refund}')
		   AND c.purpose OPERATOR(pg_catalog.=) 'secret_key') AS last_used
  FROM stripe.credentials c;
REVOKE ALL ON TABLE stripe.credential_status FROM PUBLIC;
COMMENT ON VIEW stripe.credential_status IS
	'What can be read of the credentials: the last four characters, when and by whom they were set, and when the secret key was last used, as far as the audit trail reaches.';

CREATE FUNCTION @extschema@.stripe_prune_audit(keep interval)
RETURNS bigint
LANGUAGE SQL VOLATILE PARALLEL UNSAFE
AS $$
	WITH gone AS (
		DELETE FROM stripe.access_audit a
		 WHERE a.at OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) keep)
		RETURNING 1)
	SELECT pg_catalog.count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_prune_audit(interval) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_prune_audit(interval) IS
	'Deletes what is older than "keep" from the audit trail, and returns how many rows.  For superusers.';

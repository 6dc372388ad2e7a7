--
-- Accounts, their sealed credentials, who may use them, and who did.
--

CREATE TABLE stripe.accounts (
	account text PRIMARY KEY,
	livemode boolean NOT NULL DEFAULT false,
	currency text NOT NULL DEFAULT 'aud',
	tax_behavior text,
	statement_descriptor text,
	payment_methods text[],
	grace_days integer NOT NULL DEFAULT 7,
	renewal_slack interval NOT NULL DEFAULT '3 days',
	connected_account text,
	created timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT account_name CHECK (pg_catalog.octet_length(account) OPERATOR(pg_catalog.>=) 1
		AND pg_catalog.octet_length(account) OPERATOR(pg_catalog.<=) 63),
	CONSTRAINT currency_code CHECK (currency OPERATOR(pg_catalog.~) '^[a-z]{3}$'),
	CONSTRAINT tax_behavior_known CHECK (tax_behavior OPERATOR(pg_catalog.=) ANY ('{inclusive,exclusive}')),
	CONSTRAINT payment_methods_known CHECK (payment_methods OPERATOR(pg_catalog.<@)
		'{card,apple_pay,google_pay,bank_transfer,debit}'::text[]
		AND pg_catalog.cardinality(payment_methods) OPERATOR(pg_catalog.>) 0),
	CONSTRAINT grace_days_range CHECK (grace_days OPERATOR(pg_catalog.>=) 0
		AND grace_days OPERATOR(pg_catalog.<=) 30),
	CONSTRAINT renewal_slack_range CHECK (renewal_slack OPERATOR(pg_catalog.>=) '0'::interval
		AND renewal_slack OPERATOR(pg_catalog.<=) '30 days'::interval),
	CONSTRAINT connected_account_id CHECK (connected_account OPERATOR(pg_catalog.~) '^acct_[A-Za-z0-9]{1,250}$')
);
REVOKE ALL ON TABLE stripe.accounts FROM PUBLIC;
COMMENT ON TABLE stripe.accounts IS
	'One row an organization: which mode it is in and what calls fall back to.  Changed by stripe_configure().  The account "default" works without a row.';
COMMENT ON COLUMN stripe.accounts.livemode IS
	'True: calls use the live keys, and functions see live rows.';
COMMENT ON COLUMN stripe.accounts.currency IS
	'For calls that name no currency.';
COMMENT ON COLUMN stripe.accounts.tax_behavior IS
	'Whether prices include tax: inclusive or exclusive; NULL leaves it to Stripe.';
COMMENT ON COLUMN stripe.accounts.statement_descriptor IS
	'Shown on card statements after the account''s prefix.';
COMMENT ON COLUMN stripe.accounts.payment_methods IS
	'What payments may use: card, apple_pay, google_pay, bank_transfer, debit; NULL leaves it to Stripe''s settings.';
COMMENT ON COLUMN stripe.accounts.grace_days IS
	'Days of access after a renewal failed, where the plan does not say.';
COMMENT ON COLUMN stripe.accounts.renewal_slack IS
	'How long access goes on when news of a renewal is overdue.';
COMMENT ON COLUMN stripe.accounts.connected_account IS
	'The connected account (acct_...) that calls act on, with the platform''s key.';
SELECT pg_catalog.pg_extension_config_dump('stripe.accounts', '');

CREATE TABLE stripe.credentials (
	account text NOT NULL,
	livemode boolean NOT NULL,
	purpose text NOT NULL,
	serial integer NOT NULL DEFAULT 0,
	last_four text NOT NULL,
	set_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	set_by text NOT NULL,
	expires_at timestamptz,
	key_id text NOT NULL,
	sealed bytea NOT NULL,
	PRIMARY KEY (account, livemode, purpose, serial),
	CONSTRAINT purpose_known CHECK (purpose OPERATOR(pg_catalog.=) ANY
		('{secret_key,publishable_key,webhook_secret}'))
);
REVOKE ALL ON TABLE stripe.credentials FROM PUBLIC;
COMMENT ON TABLE stripe.credentials IS
	'Keys, sealed with AES-256-GCM under the master key and bound to account, mode and purpose: a row that is copied or changed does not open.  Set by stripe_set_credentials().';
COMMENT ON COLUMN stripe.credentials.serial IS
	'Tells secrets apart that are valid at once: 0 is the current one.';
COMMENT ON COLUMN stripe.credentials.last_four IS
	'The last four characters of the key, all of it that anyone can read.';
COMMENT ON COLUMN stripe.credentials.expires_at IS
	'Until when a replaced webhook secret is still accepted.';
COMMENT ON COLUMN stripe.credentials.key_id IS
	'Which master key sealed it.';
SELECT pg_catalog.pg_extension_config_dump('stripe.credentials', '');

CREATE TABLE stripe.grants (
	role regrole NOT NULL,
	account text NOT NULL,
	level text NOT NULL,
	granted_by text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (role, account),
	CONSTRAINT level_known CHECK (level OPERATOR(pg_catalog.=) ANY ('{reader,biller,admin}'))
);
REVOKE ALL ON TABLE stripe.grants FROM PUBLIC;
COMMENT ON TABLE stripe.grants IS
	'What roles may do with which account.  Changed by stripe_grant() and stripe_revoke().';
SELECT pg_catalog.pg_extension_config_dump('stripe.grants', '');

CREATE TABLE stripe.access_audit (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	account text NOT NULL,
	livemode boolean,
	action text NOT NULL,
	session_role text NOT NULL,
	acting_role text NOT NULL,
	client_address inet,
	application_name text,
	detail jsonb
);
REVOKE ALL ON TABLE stripe.access_audit FROM PUBLIC;
CREATE INDEX access_audit_account_idx ON stripe.access_audit (account, at);
COMMENT ON TABLE stripe.access_audit IS
	'Who did what to which account: changes of settings, credentials and grants, refunds, overrides, and use of keys.  Only superusers can change it; stripe_prune_audit() shortens it.';
COMMENT ON COLUMN stripe.access_audit.livemode IS
	'The mode concerned; NULL where both are.';
COMMENT ON COLUMN stripe.access_audit.session_role IS
	'The role that connected.';
COMMENT ON COLUMN stripe.access_audit.acting_role IS
	'The role whose rights were used.';
COMMENT ON INDEX stripe.access_audit_account_idx IS
	'Finds what happened to an account, and what is old.';
SELECT pg_catalog.pg_extension_config_dump('stripe.access_audit', '');
SELECT pg_catalog.pg_extension_config_dump('stripe.access_audit_id_seq', '');

CREATE TABLE stripe.homes (
	system_identifier text NOT NULL,
	database oid NOT NULL,
	adopted boolean NOT NULL,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (system_identifier, database)
);
REVOKE ALL ON TABLE stripe.homes FROM PUBLIC;
COMMENT ON TABLE stripe.homes IS
	'The databases this data has lived in.  A row of another database means that this one is a copy, which must not act for live accounts until stripe_adopt() says so.';
SELECT pg_catalog.pg_extension_config_dump('stripe.homes', '');

-- A dump brings its own rows, and turns row_security off before this script
-- runs.

INSERT INTO stripe.homes (system_identifier, database, adopted)
SELECT c.system_identifier::text, d.oid, false
  FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
   AND pg_catalog.current_setting('row_security')::boolean;

-- Backends keep what these tables say; a change tells them to read it again.

CREATE FUNCTION stripe.forget_cached()
RETURNS trigger
AS 'MODULE_PATHNAME', 'stripe_forget_cached'
LANGUAGE C;
REVOKE ALL ON FUNCTION stripe.forget_cached() FROM PUBLIC;
COMMENT ON FUNCTION stripe.forget_cached() IS
	'Makes every backend read the table again, once the change is committed.';

CREATE TRIGGER forget_cached AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stripe.accounts
	FOR EACH STATEMENT EXECUTE FUNCTION stripe.forget_cached();
CREATE TRIGGER forget_cached AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stripe.credentials
	FOR EACH STATEMENT EXECUTE FUNCTION stripe.forget_cached();
CREATE TRIGGER forget_cached AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stripe.grants
	FOR EACH STATEMENT EXECUTE FUNCTION stripe.forget_cached();
CREATE TRIGGER forget_cached AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON stripe.homes
	FOR EACH STATEMENT EXECUTE FUNCTION stripe.forget_cached();
ALTER TABLE stripe.accounts ENABLE ALWAYS TRIGGER forget_cached;
ALTER TABLE stripe.credentials ENABLE ALWAYS TRIGGER forget_cached;
ALTER TABLE stripe.grants ENABLE ALWAYS TRIGGER forget_cached;
ALTER TABLE stripe.homes ENABLE ALWAYS TRIGGER forget_cached;

-- Used by row security and by the functions.

CREATE FUNCTION stripe.may_read(account text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_may_read'
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.may_read(text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.may_read(text) IS
	'Whether the current user may see the rows of an account: a superuser, or granted any level on it.';

CREATE FUNCTION stripe.livemode(account text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_livemode'
LANGUAGE C STABLE PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.livemode(text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.livemode(text) IS
	'The mode that an account is in; of the session''s account if NULL.  Raises 42501 if the current user may not see it.';

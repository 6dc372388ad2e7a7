--
-- Asking of memberships, and deciding on them.
--

CREATE FUNCTION @extschema@.stripe_membership_active(
	membership_id text,
	at timestamptz DEFAULT pg_catalog.now(),
	account text DEFAULT NULL)
RETURNS boolean
AS 'MODULE_PATHNAME', 'stripe_membership_active'
LANGUAGE C STABLE PARALLEL SAFE COST 10;
REVOKE ALL ON FUNCTION @extschema@.stripe_membership_active(text, timestamptz, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_membership_active(text, timestamptz, text) IS
	'Whether a membership gives access at a moment, now unless given: one look into an index, without asking Stripe, right to the second.  Trial, grace and a scheduled end count as access until they are over.  False for a membership that is not known.  Works on a standby and in parallel queries.';

CREATE FUNCTION stripe.membership_state(
	status text,
	start_date timestamptz DEFAULT NULL,
	period_start timestamptz DEFAULT NULL,
	period_end timestamptz DEFAULT NULL,
	trial_end timestamptz DEFAULT NULL,
	cancel_at timestamptz DEFAULT NULL,
	cancel_at_period_end boolean DEFAULT NULL,
	ended_at timestamptz DEFAULT NULL,
	invoice_status text DEFAULT NULL,
	invoice_renews boolean DEFAULT NULL,
	failed_at timestamptz DEFAULT NULL,
	grace_days integer DEFAULT 7,
	renewal_slack interval DEFAULT '3 days',
	override_from timestamptz DEFAULT NULL,
	override_until timestamptz DEFAULT NULL,
	at timestamptz DEFAULT pg_catalog.now(),
	OUT state text,
	OUT access_from timestamptz,
	OUT access_until timestamptz,
	OUT grace_until timestamptz)
AS 'MODULE_PATHNAME', 'stripe_membership_state'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
REVOKE ALL ON FUNCTION stripe.membership_state(text, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz, boolean, timestamptz, text, boolean, timestamptz, integer, interval, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION stripe.membership_state(text, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz, boolean, timestamptz, text, boolean, timestamptz, integer, interval, timestamptz, timestamptz, timestamptz) IS
	'What a subscription gives: its state at a moment, and the interval of access.  The rule behind stripe.memberships, for looking at what would be; see doc/memberships.md.';

CREATE FUNCTION stripe.membership_status(
	status text,
	access_until timestamptz,
	cancel_at timestamptz,
	at timestamptz)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_membership_status'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1;
REVOKE ALL ON FUNCTION stripe.membership_status(text, timestamptz, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION stripe.membership_status(text, timestamptz, timestamptz, timestamptz) IS
	'A state as time passed: what gave access until then has lapsed or ended since.';

CREATE FUNCTION stripe.membership_json(
	m stripe.memberships,
	at timestamptz)
RETURNS jsonb
LANGUAGE SQL STABLE PARALLEL SAFE
AS $$
	SELECT pg_catalog.jsonb_build_object(
		'membership_id', m.membership_id,
		'account', m.account,
		'livemode', m.livemode,
		'customer', m.customer,
		'subscription', m.subscription,
		'linked_by', m.linked_by,
		'plan', m.plan,
		'status', stripe.membership_status(m.status, m.access_until, m.cancel_at, at),
		'active', COALESCE(m.access_from OPERATOR(pg_catalog.<=) at AND at OPERATOR(pg_catalog.<) m.access_until, false),
		'access_from', m.access_from,
		'access_until', m.access_until,
		'grace_until', m.grace_until,
		'cancel_at', m.cancel_at,
		'override_until', m.override_until,
		'override_reason', m.override_reason,
		'override_by', m.override_by,
		'cause', m.cause,
		'updated', m.updated)
$$;
REVOKE ALL ON FUNCTION stripe.membership_json(stripe.memberships, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION stripe.membership_json(stripe.memberships, timestamptz) IS
	'A row of stripe.memberships as stripe_membership() shows it.';

CREATE FUNCTION @extschema@.stripe_membership(
	membership_id text,
	account text DEFAULT NULL)
RETURNS jsonb
LANGUAGE SQL STABLE PARALLEL SAFE
AS $$
	SELECT stripe.membership_json(m, pg_catalog.now())
	  FROM stripe.memberships m
	 WHERE m.account OPERATOR(pg_catalog.=) COALESCE(stripe_membership.account,
			pg_catalog.current_setting('memberpulse_stripe.account', true), 'default')
	   AND m.livemode OPERATOR(pg_catalog.=) stripe.livemode(stripe_membership.account)
	   AND m.membership_id OPERATOR(pg_catalog.=) stripe_membership.membership_id
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_membership(text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_membership(text, text) IS
	'All that is known of a membership, with its state as of now: none, pending, trialing, active, canceling, grace, paused, lapsed or ended.  NULL if it is not known.';

CREATE FUNCTION @extschema@.stripe_link_membership(
	membership_id text,
	subscription text DEFAULT NULL,
	customer text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_link_membership'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_link_membership(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_link_membership(text, text, text, text) IS
	'Says to which membership a subscription, or every subscription of a customer, belongs, where their metadata does not.  It may be said before Stripe''s first word of them.  A "membership_id" of NULL takes the link away.  Returns what stripe_membership() says then.  Changes nothing at Stripe.';

CREATE FUNCTION @extschema@.stripe_override_membership(
	membership_id text,
	until timestamptz,
	reason text,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_override_membership'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION @extschema@.stripe_override_membership(text, timestamptz, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_override_membership(text, timestamptz, text, text) IS
	'Gives a membership access until a moment, whatever Stripe says; infinity is possible, and NULL ends it.  It only adds: access that Stripe gives stays.  "reason" goes to the audit trail.  Returns what stripe_membership() says then.  For administrators.';

CREATE FUNCTION @extschema@.stripe_refetch(
	max integer DEFAULT 100,
	account text DEFAULT NULL,
	OUT object_type text,
	OUT object_id text,
	OUT reason text,
	OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'stripe_refetch'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 10;
REVOKE ALL ON FUNCTION @extschema@.stripe_refetch(integer, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_refetch(integer, text) IS
	'Asks Stripe now for up to "max" objects of stripe.refetches, and reads lists that were cut short to their end.  A row for each, with the error of one that failed, which stays in the table and is due again later.';

CREATE FUNCTION @extschema@.stripe_prune(
	keep interval,
	max integer DEFAULT 10000,
	account text DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'stripe_prune'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_prune(interval, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_prune(interval, integer, text) IS
	'Deletes events that were dealt with, and history of memberships, older than "keep", at most "max" rows; returns how many.  Call it, and commit, until it returns less than "max".  Events that failed and the newest history of each membership stay.  At least 31 days are kept.  For superusers and the extension''s owner.';

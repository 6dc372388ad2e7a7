--
-- Memberships: who may come in, and until when.  Of the order of columns in
-- indexes, see the events.
--

CREATE TABLE stripe.memberships (
	account text NOT NULL,
	livemode boolean NOT NULL,
	membership_id text NOT NULL,
	customer text,
	subscription text,
	linked_by text,
	plan text,
	status text NOT NULL,
	access_from timestamptz,
	access_until timestamptz,
	grace_until timestamptz,
	cancel_at timestamptz,
	override_from timestamptz,
	override_until timestamptz,
	override_reason text,
	override_by text,
	cause text,
	created timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (account, livemode, membership_id) INCLUDE (access_from, access_until),
	CONSTRAINT known_status CHECK (status OPERATOR(pg_catalog.=) ANY
		('{none,pending,trialing,active,canceling,grace,paused,lapsed,ended}')),
	CONSTRAINT access_interval CHECK ((access_from IS NULL) OPERATOR(pg_catalog.=) (access_until IS NULL)
		AND (access_from IS NULL OR access_from OPERATOR(pg_catalog.<) access_until)),
	CONSTRAINT membership_id_length CHECK (pg_catalog.octet_length(membership_id) OPERATOR(pg_catalog.>=) 1
		AND pg_catalog.octet_length(membership_id) OPERATOR(pg_catalog.<=) 512)
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.memberships FROM PUBLIC;
CREATE INDEX memberships_subscription_idx ON stripe.memberships (subscription, account, livemode)
	WHERE subscription IS NOT NULL;
CREATE INDEX memberships_customer_idx ON stripe.memberships (customer, account, livemode)
	WHERE customer IS NOT NULL;
CREATE INDEX memberships_access_until_idx ON stripe.memberships (access_until, account, livemode)
	WHERE access_until IS NOT NULL;
COMMENT ON TABLE stripe.memberships IS
	'One row a membership: its state when last heard of, and the interval in which it gives access.  There is access at t if and only if access_from <= t < access_until; stripe_membership_active() asks that.';
COMMENT ON COLUMN stripe.memberships.subscription IS
	'The subscription that counts: the best of those linked to the membership.';
COMMENT ON COLUMN stripe.memberships.linked_by IS
	'How that subscription is linked: subscription or customer, by the metadata key membership_id of either, or link, by stripe_link_membership().';
COMMENT ON COLUMN stripe.memberships.plan IS
	'Name of the plan: the metadata key "plan" of the subscription, or the plan that its first price or product belongs to.';
COMMENT ON COLUMN stripe.memberships.status IS
	'none, pending, trialing, active, canceling, grace, paused, lapsed or ended, as of "updated"; stripe_membership() tells it as of now.';
COMMENT ON COLUMN stripe.memberships.access_until IS
	'With the slack for late news of a renewal, and with grace and override.';
COMMENT ON COLUMN stripe.memberships.grace_until IS
	'End of grace after a failed payment; NULL if there was none.';
COMMENT ON COLUMN stripe.memberships.cancel_at IS
	'When the subscription is set to end.';
COMMENT ON COLUMN stripe.memberships.override_until IS
	'Until when access was given by hand.';
COMMENT ON COLUMN stripe.memberships.cause IS
	'What brought this state: an event''s id, "api" for an answer of Stripe''s, or the function that was called.';
COMMENT ON INDEX stripe.memberships_subscription_idx IS
	'Finds the membership of a subscription.';
COMMENT ON INDEX stripe.memberships_customer_idx IS
	'Finds the memberships of a customer.';
COMMENT ON INDEX stripe.memberships_access_until_idx IS
	'Finds what ends next, and who has access.';
SELECT pg_catalog.pg_extension_config_dump('stripe.memberships', '');

CREATE TABLE stripe.membership_history (
	account text NOT NULL,
	livemode boolean NOT NULL,
	membership_id text NOT NULL,
	serial bigint GENERATED ALWAYS AS IDENTITY,
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	cause text,
	subscription text,
	plan text,
	status text NOT NULL,
	access_from timestamptz,
	access_until timestamptz,
	grace_until timestamptz,
	cancel_at timestamptz,
	override_until timestamptz,
	override_reason text,
	override_by text,
	PRIMARY KEY (account, livemode, membership_id, serial)
);
REVOKE ALL ON TABLE stripe.membership_history FROM PUBLIC;
CREATE INDEX membership_history_changed_at_idx ON stripe.membership_history USING brin (changed_at);
COMMENT ON TABLE stripe.membership_history IS
	'Every state a membership was in, with what caused it.  Events applied in one transaction make one change.';
COMMENT ON COLUMN stripe.membership_history.cause IS
	'As in stripe.memberships.';
COMMENT ON INDEX stripe.membership_history_changed_at_idx IS
	'Finds old rows to prune.';
SELECT pg_catalog.pg_extension_config_dump('stripe.membership_history', '');
SELECT pg_catalog.pg_extension_config_dump('stripe.membership_history_serial_seq', '');

CREATE TABLE stripe.membership_links (
	account text NOT NULL,
	livemode boolean NOT NULL,
	object_id text NOT NULL,
	membership_id text NOT NULL,
	linked_by text NOT NULL DEFAULT session_user,
	linked_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (account, livemode, object_id),
	CONSTRAINT object_id_kind CHECK (object_id OPERATOR(pg_catalog.~) '^(sub|cus)_')
);
REVOKE ALL ON TABLE stripe.membership_links FROM PUBLIC;
CREATE INDEX membership_links_membership_id_idx ON stripe.membership_links (membership_id, account, livemode);
COMMENT ON TABLE stripe.membership_links IS
	'Subscriptions and customers linked to a membership by stripe_link_membership(), for those whose metadata does not say it.';
COMMENT ON INDEX stripe.membership_links_membership_id_idx IS
	'Finds what is linked to a membership.';
SELECT pg_catalog.pg_extension_config_dump('stripe.membership_links', '');

CREATE INDEX customers_membership_id_idx ON stripe.customers
	(stripe.json_key(data, 'metadata.membership_id'), account, livemode)
	WHERE stripe.json_key(data, 'metadata.membership_id') IS NOT NULL;
COMMENT ON INDEX stripe.customers_membership_id_idx IS
	'Finds the customer of a membership.';

CREATE VIEW stripe.membership_subscriptions WITH (security_invoker = true) AS
SELECT s.account, s.livemode, s.membership_id, s.id AS subscription, s.customer, 'subscription' AS linked_by
  FROM stripe.subscriptions s
 WHERE s.membership_id IS NOT NULL
 UNION ALL
SELECT s.account, s.livemode, l.membership_id, s.id, s.customer, 'link'
  FROM stripe.membership_links l
  JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) l.account
   AND s.livemode OPERATOR(pg_catalog.=) l.livemode
   AND s.id OPERATOR(pg_catalog.=) l.object_id
 WHERE s.membership_id IS NULL
 UNION ALL
SELECT s.account, s.livemode, stripe.json_key(c.data, 'metadata.membership_id'), s.id, s.customer, 'customer'
  FROM stripe.customers c
  JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) c.account
   AND s.livemode OPERATOR(pg_catalog.=) c.livemode
   AND s.customer OPERATOR(pg_catalog.=) c.id
 WHERE s.membership_id IS NULL
   AND stripe.json_key(c.data, 'metadata.membership_id') IS NOT NULL
   AND NOT EXISTS (
	SELECT 1 FROM stripe.membership_links l
	 WHERE l.account OPERATOR(pg_catalog.=) s.account
	   AND l.livemode OPERATOR(pg_catalog.=) s.livemode
	   AND l.object_id OPERATOR(pg_catalog.=) s.id)
 UNION ALL
SELECT s.account, s.livemode, l.membership_id, s.id, s.customer, 'link'
  FROM stripe.membership_links l
  JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) l.account
   AND s.livemode OPERATOR(pg_catalog.=) l.livemode
   AND s.customer OPERATOR(pg_catalog.=) l.object_id
 WHERE s.membership_id IS NULL
   AND NOT EXISTS (
	SELECT 1 FROM stripe.membership_links o
	 WHERE o.account OPERATOR(pg_catalog.=) s.account
	   AND o.livemode OPERATOR(pg_catalog.=) s.livemode
	   AND o.object_id OPERATOR(pg_catalog.=) s.id)
   AND NOT EXISTS (
	SELECT 1 FROM stripe.customers c
	 WHERE c.account OPERATOR(pg_catalog.=) s.account
	   AND c.livemode OPERATOR(pg_catalog.=) s.livemode
	   AND c.id OPERATOR(pg_catalog.=) s.customer
	   AND stripe.json_key(c.data, 'metadata.membership_id') IS NOT NULL);
REVOKE ALL ON TABLE stripe.membership_subscriptions FROM PUBLIC;
COMMENT ON VIEW stripe.membership_subscriptions IS
	'Which subscriptions belong to which membership: by metadata of the subscription, or else by a link to it, or else by metadata of its customer, or else by a link to that.';

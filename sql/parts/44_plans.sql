--
-- Plans: what memberships are sold as.
--

CREATE TABLE stripe.plans (
	account text NOT NULL,
	livemode boolean NOT NULL,
	name text NOT NULL,
	price bigint NOT NULL,
	currency text NOT NULL,
	cycle text NOT NULL,
	tax_inclusive boolean NOT NULL DEFAULT true,
	discount_price bigint,
	grace_days integer NOT NULL DEFAULT 7,
	proration boolean NOT NULL DEFAULT false,
	auto_renewal boolean NOT NULL DEFAULT true,
	status text NOT NULL DEFAULT 'active',
	benefits jsonb NOT NULL DEFAULT '{}',
	stripe_product text,
	stripe_price text,
	created timestamptz NOT NULL DEFAULT pg_catalog.now(),
	updated timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (account, livemode, name),
	CONSTRAINT name_length CHECK (pg_catalog.length(name) OPERATOR(pg_catalog.>) 0
		AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 500),
	CONSTRAINT price_not_negative CHECK (price OPERATOR(pg_catalog.>=) 0),
	CONSTRAINT currency_code CHECK (currency OPERATOR(pg_catalog.~) '^[a-z]{3}$'),
	CONSTRAINT known_cycle CHECK (cycle OPERATOR(pg_catalog.=) ANY ('{monthly,annual}')),
	CONSTRAINT discount_lowers_price CHECK (discount_price OPERATOR(pg_catalog.>=) 0
		AND discount_price OPERATOR(pg_catalog.<=) price),
	CONSTRAINT grace_days_range CHECK (grace_days OPERATOR(pg_catalog.>=) 0
		AND grace_days OPERATOR(pg_catalog.<=) 30),
	CONSTRAINT known_status CHECK (status OPERATOR(pg_catalog.=) ANY ('{active,inactive,archived}')),
	CONSTRAINT benefits_object CHECK (pg_catalog.jsonb_typeof(benefits) OPERATOR(pg_catalog.=) 'object'),
	CONSTRAINT free_plan_has_no_price CHECK (price OPERATOR(pg_catalog.>) 0 OR stripe_price IS NULL)
);
REVOKE ALL ON TABLE stripe.plans FROM PUBLIC;
CREATE UNIQUE INDEX plans_stripe_price_idx ON stripe.plans (stripe_price, account, livemode)
	WHERE stripe_price IS NOT NULL;
CREATE INDEX plans_stripe_product_idx ON stripe.plans (stripe_product, account, livemode)
	WHERE stripe_product IS NOT NULL;
COMMENT ON TABLE stripe.plans IS
	'Membership plans of an account: what they cost, how they renew and what they give.';
COMMENT ON COLUMN stripe.plans.name IS
	'Unique within the account and mode; the value of the metadata key "plan" at Stripe.';
COMMENT ON COLUMN stripe.plans.price IS
	'In the currency''s smallest unit; 0 is a free plan, which needs no subscription at Stripe.';
COMMENT ON COLUMN stripe.plans.cycle IS
	'monthly or annual.';
COMMENT ON COLUMN stripe.plans.tax_inclusive IS
	'Whether the price includes tax.';
COMMENT ON COLUMN stripe.plans.discount_price IS
	'A lower price for those who qualify; NULL if there is none.';
COMMENT ON COLUMN stripe.plans.grace_days IS
	'Days of access after a renewal failed.';
COMMENT ON COLUMN stripe.plans.proration IS
	'Whether a change of plan in mid-period is charged or credited by the day.';
COMMENT ON COLUMN stripe.plans.auto_renewal IS
	'Whether the membership goes on after the period unless it is cancelled.';
COMMENT ON COLUMN stripe.plans.status IS
	'active: can be sold; inactive: cannot, for now; archived: never again.  Those who have it keep it.';
COMMENT ON COLUMN stripe.plans.benefits IS
	'What the plan gives: free tickets a year, access to resources and courses, directory listing, or anything else.';
COMMENT ON COLUMN stripe.plans.stripe_price IS
	'The price that new members get.  Prices at Stripe cannot change: earlier members may be on another price of the product.';
COMMENT ON INDEX stripe.plans_stripe_price_idx IS
	'Finds the plan of a price.';
COMMENT ON INDEX stripe.plans_stripe_product_idx IS
	'Finds the plan of an earlier price.';
SELECT pg_catalog.pg_extension_config_dump('stripe.plans', '');

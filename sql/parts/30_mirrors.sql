--
-- Mirror tables: one for each type of Stripe object, all alike.
--
-- Every object is there as Stripe sent it, in "data", and its fields of use as
-- typed columns.  The columns are generated, so they cannot disagree with the
-- object; each shows its path, and several paths where versions of Stripe's
-- API differ (see stripe.json_text).
--
-- There are no foreign keys, because objects arrive in any order, and no enums
-- or checks on Stripe's values, because Stripe adds values.  Columns that an
-- index is built on are read by stripe.json_key or stripe.json_ref, which
-- never yield a value too long for an index.
--
-- Indexes beside the primary key begin with what they are there to find.  If
-- they began with the account too, a plan made before the tables were analyzed
-- could take one of them for a look-up by id, and read all of the account.
--
-- Tables whose rows are updated often leave a tenth of each page free, so that
-- an update which touches no indexed column stays on its page and writes no
-- index entry.
--

--
-- What all of them have.  Copied into each table, dropped at the end.
--
CREATE TABLE stripe.mirror (
	account text NOT NULL,
	livemode boolean NOT NULL,
	id text NOT NULL,
	data jsonb NOT NULL,
	as_of timestamptz NOT NULL,
	deleted boolean NOT NULL DEFAULT false,
	last_event text,
	synced_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'created|date')) STORED,
	metadata jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'metadata')) STORED,
	PRIMARY KEY (account, livemode, id),
	CONSTRAINT no_client_secret CHECK (NOT stripe.json_has_client_secret(data))
);
REVOKE ALL ON TABLE stripe.mirror FROM PUBLIC;
COMMENT ON COLUMN stripe.mirror.account IS
	'The account of this database that the object belongs to.';
COMMENT ON COLUMN stripe.mirror.livemode IS
	'True for live data, false for test data.';
COMMENT ON COLUMN stripe.mirror.id IS
	'Stripe''s id of the object.';
COMMENT ON COLUMN stripe.mirror.data IS
	'The object as Stripe sent it, without client secrets.';
COMMENT ON COLUMN stripe.mirror.as_of IS
	'The moment at which the content was true, by Stripe''s clock, in whole seconds.';
COMMENT ON COLUMN stripe.mirror.deleted IS
	'Whether the object was deleted at Stripe.  A deleted object stays deleted.';
COMMENT ON COLUMN stripe.mirror.last_event IS
	'The event that brought this state; NULL if an answer of the API did.';
COMMENT ON COLUMN stripe.mirror.synced_at IS
	'When the row was last written, by this server''s clock.';
COMMENT ON COLUMN stripe.mirror.created IS
	'When the object was made.  Old invoices call it "date".';
COMMENT ON COLUMN stripe.mirror.metadata IS
	'The keys and values that callers attached to the object.';
COMMENT ON CONSTRAINT no_client_secret ON stripe.mirror IS
	'A client secret lets its holder finish a payment; none is ever stored.';

CREATE TABLE stripe.products (
	LIKE stripe.mirror INCLUDING ALL,
	name text GENERATED ALWAYS AS (stripe.json_text(data, 'name')) STORED,
	active boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'active')) STORED,
	default_price text GENERATED ALWAYS AS (stripe.json_ref(data, 'default_price')) STORED,
	description text GENERATED ALWAYS AS (stripe.json_text(data, 'description')) STORED,
	tax_code text GENERATED ALWAYS AS (stripe.json_ref(data, 'tax_code')) STORED,
	type text GENERATED ALWAYS AS (stripe.json_text(data, 'type')) STORED,
	unit_label text GENERATED ALWAYS AS (stripe.json_text(data, 'unit_label')) STORED,
	updated timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'updated')) STORED
);
REVOKE ALL ON TABLE stripe.products FROM PUBLIC;
COMMENT ON TABLE stripe.products IS
	'What is sold.';
SELECT pg_catalog.pg_extension_config_dump('stripe.products', '');

CREATE TABLE stripe.prices (
	LIKE stripe.mirror INCLUDING ALL,
	product text GENERATED ALWAYS AS (stripe.json_ref(data, 'product')) STORED,
	active boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'active')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	unit_amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'unit_amount')) STORED,
	unit_amount_decimal numeric GENERATED ALWAYS AS (stripe.json_numeric(data, 'unit_amount_decimal')) STORED,
	billing_scheme text GENERATED ALWAYS AS (stripe.json_text(data, 'billing_scheme')) STORED,
	type text GENERATED ALWAYS AS (stripe.json_text(data, 'type')) STORED,
	interval text GENERATED ALWAYS AS (stripe.json_text(data, 'recurring.interval')) STORED,
	interval_count bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'recurring.interval_count')) STORED,
	usage_type text GENERATED ALWAYS AS (stripe.json_text(data, 'recurring.usage_type')) STORED,
	meter text GENERATED ALWAYS AS (stripe.json_ref(data, 'recurring.meter')) STORED,
	lookup_key text GENERATED ALWAYS AS (stripe.json_key(data, 'lookup_key')) STORED,
	nickname text GENERATED ALWAYS AS (stripe.json_text(data, 'nickname')) STORED,
	tax_behavior text GENERATED ALWAYS AS (stripe.json_text(data, 'tax_behavior')) STORED,
	tiers_mode text GENERATED ALWAYS AS (stripe.json_text(data, 'tiers_mode')) STORED,
	tiers jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'tiers')) STORED,
	currency_options jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'currency_options')) STORED
);
REVOKE ALL ON TABLE stripe.prices FROM PUBLIC;
COMMENT ON TABLE stripe.prices IS
	'What a product costs: amount, currency and cycle.';
SELECT pg_catalog.pg_extension_config_dump('stripe.prices', '');
CREATE INDEX prices_lookup_key_idx ON stripe.prices (lookup_key, account, livemode)
	WHERE lookup_key IS NOT NULL;
COMMENT ON INDEX stripe.prices_lookup_key_idx IS
	'Finds a price by its lookup key.  Not unique: while a key moves from one price to another, the two updates may arrive in either order.';
CREATE INDEX prices_product_idx ON stripe.prices (product, account, livemode);
COMMENT ON INDEX stripe.prices_product_idx IS
	'Finds the prices of a product.';

CREATE TABLE stripe.customers (
	LIKE stripe.mirror INCLUDING ALL,
	email text GENERATED ALWAYS AS (stripe.json_key(data, 'email')) STORED,
	name text GENERATED ALWAYS AS (stripe.json_text(data, 'name')) STORED,
	phone text GENERATED ALWAYS AS (stripe.json_text(data, 'phone')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	balance bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'balance')) STORED,
	delinquent boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'delinquent')) STORED,
	default_payment_method text GENERATED ALWAYS AS
		(stripe.json_ref(data, 'invoice_settings.default_payment_method')) STORED,
	default_source text GENERATED ALWAYS AS (stripe.json_ref(data, 'default_source')) STORED,
	customer_account text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer_account')) STORED,
	tax_exempt text GENERATED ALWAYS AS (stripe.json_text(data, 'tax_exempt')) STORED,
	test_clock text GENERATED ALWAYS AS (stripe.json_ref(data, 'test_clock')) STORED,
	member_id text GENERATED ALWAYS AS (stripe.json_key(data, 'metadata.member_id')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.customers FROM PUBLIC;
COMMENT ON TABLE stripe.customers IS
	'Who pays.';
SELECT pg_catalog.pg_extension_config_dump('stripe.customers', '');
CREATE INDEX customers_email_idx ON stripe.customers (pg_catalog.lower(email), account, livemode)
	WHERE email IS NOT NULL;
COMMENT ON INDEX stripe.customers_email_idx IS
	'Finds customers by email address, in any case.';
CREATE INDEX customers_member_id_idx ON stripe.customers (member_id, account, livemode)
	WHERE member_id IS NOT NULL;
COMMENT ON INDEX stripe.customers_member_id_idx IS
	'Finds the customer of a member.';

CREATE TABLE stripe.payment_methods (
	LIKE stripe.mirror INCLUDING ALL,
	last_customer text,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	type text GENERATED ALWAYS AS (stripe.json_text(data, 'type')) STORED,
	brand text GENERATED ALWAYS AS (stripe.json_text(data, 'card.brand')) STORED,
	last4 text GENERATED ALWAYS AS (stripe.json_text(data, 'card.last4')) STORED,
	exp_month bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'card.exp_month')) STORED,
	exp_year bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'card.exp_year')) STORED,
	fingerprint text GENERATED ALWAYS AS (stripe.json_text(data, 'card.fingerprint')) STORED,
	funding text GENERATED ALWAYS AS (stripe.json_text(data, 'card.funding')) STORED,
	billing_email text GENERATED ALWAYS AS (stripe.json_text(data, 'billing_details.email')) STORED,
	allow_redisplay text GENERATED ALWAYS AS (stripe.json_text(data, 'allow_redisplay')) STORED
);
REVOKE ALL ON TABLE stripe.payment_methods FROM PUBLIC;
COMMENT ON TABLE stripe.payment_methods IS
	'Saved ways to pay.  Card numbers never leave Stripe; the last four digits do.';
COMMENT ON COLUMN stripe.payment_methods.last_customer IS
	'The customer of the row''s previous state that had one: whose payment method this was before it was detached.  Kept by a trigger.';
SELECT pg_catalog.pg_extension_config_dump('stripe.payment_methods', '');
CREATE INDEX payment_methods_customer_idx ON stripe.payment_methods (customer, account, livemode)
	WHERE customer IS NOT NULL;
COMMENT ON INDEX stripe.payment_methods_customer_idx IS
	'Finds the payment methods of a customer.';
CREATE TRIGGER keep_last_customer
	BEFORE UPDATE ON stripe.payment_methods
	FOR EACH ROW WHEN (OLD.customer IS NOT NULL)
	EXECUTE FUNCTION stripe.keep_last_customer();
COMMENT ON TRIGGER keep_last_customer ON stripe.payment_methods IS
	'Remembers whose payment method it was when it is detached.';

-- "invoice" is filled by API versions before 2025-03-31 only; later ones link
-- the two through stripe.invoice_payments.  Inline charges, before 2022-11-15,
-- came newest first.
CREATE TABLE stripe.payment_intents (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount')) STORED,
	amount_received bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_received')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	payment_method text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_method')) STORED,
	latest_charge text GENERATED ALWAYS AS (stripe.json_ref(data, 'latest_charge|charges.data[]')) STORED,
	invoice text GENERATED ALWAYS AS (stripe.json_ref(data, 'invoice')) STORED,
	last_error_code text GENERATED ALWAYS AS (stripe.json_text(data, 'last_payment_error.code')) STORED,
	next_action_type text GENERATED ALWAYS AS (stripe.json_text(data, 'next_action.type')) STORED,
	cancellation_reason text GENERATED ALWAYS AS (stripe.json_text(data, 'cancellation_reason')) STORED,
	canceled_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'canceled_at')) STORED,
	order_type text GENERATED ALWAYS AS (stripe.json_key(data, 'metadata.order_type')) STORED,
	order_id text GENERATED ALWAYS AS (stripe.json_key(data, 'metadata.order_id')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.payment_intents FROM PUBLIC;
COMMENT ON TABLE stripe.payment_intents IS
	'One attempt to collect one amount.';
SELECT pg_catalog.pg_extension_config_dump('stripe.payment_intents', '');
CREATE INDEX payment_intents_order_idx ON stripe.payment_intents (order_id, account, livemode, order_type)
	WHERE order_id IS NOT NULL;
COMMENT ON INDEX stripe.payment_intents_order_idx IS
	'Finds the payments of an order.';

CREATE TABLE stripe.setup_intents (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	payment_method text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_method')) STORED,
	usage text GENERATED ALWAYS AS (stripe.json_text(data, 'usage')) STORED,
	mandate text GENERATED ALWAYS AS (stripe.json_ref(data, 'mandate')) STORED,
	last_error_code text GENERATED ALWAYS AS (stripe.json_text(data, 'last_setup_error.code')) STORED
);
REVOKE ALL ON TABLE stripe.setup_intents FROM PUBLIC;
COMMENT ON TABLE stripe.setup_intents IS
	'One attempt to save a payment method.';
SELECT pg_catalog.pg_extension_config_dump('stripe.setup_intents', '');

CREATE TABLE stripe.mandates (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	type text GENERATED ALWAYS AS (stripe.json_text(data, 'type')) STORED,
	payment_method text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_method')) STORED,
	payment_method_type text GENERATED ALWAYS AS (stripe.json_text(data, 'payment_method_details.type')) STORED
);
REVOKE ALL ON TABLE stripe.mandates FROM PUBLIC;
COMMENT ON TABLE stripe.mandates IS
	'Permission to debit an account.  Stripe gives them no creation time.';
SELECT pg_catalog.pg_extension_config_dump('stripe.mandates', '');

CREATE TABLE stripe.charges (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount')) STORED,
	amount_captured bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_captured')) STORED,
	amount_refunded bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_refunded')) STORED,
	refunded boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'refunded')) STORED,
	disputed boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'disputed')) STORED,
	paid boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'paid')) STORED,
	captured boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'captured')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	payment_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_intent')) STORED,
	payment_method text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_method')) STORED,
	balance_transaction text GENERATED ALWAYS AS (stripe.json_ref(data, 'balance_transaction')) STORED,
	failure_code text GENERATED ALWAYS AS (stripe.json_text(data, 'failure_code')) STORED,
	receipt_url text GENERATED ALWAYS AS (stripe.json_text(data, 'receipt_url')) STORED,
	pm_type text GENERATED ALWAYS AS (stripe.json_text(data, 'payment_method_details.type')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.charges FROM PUBLIC;
COMMENT ON TABLE stripe.charges IS
	'Money taken, or refused.';
SELECT pg_catalog.pg_extension_config_dump('stripe.charges', '');
CREATE INDEX charges_payment_intent_idx ON stripe.charges (payment_intent, account, livemode)
	WHERE payment_intent IS NOT NULL;
COMMENT ON INDEX stripe.charges_payment_intent_idx IS
	'Finds the charges of a payment intent.';

CREATE TABLE stripe.refunds (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	charge text GENERATED ALWAYS AS (stripe.json_ref(data, 'charge')) STORED,
	payment_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_intent')) STORED,
	reason text GENERATED ALWAYS AS (stripe.json_text(data, 'reason')) STORED,
	failure_reason text GENERATED ALWAYS AS (stripe.json_text(data, 'failure_reason')) STORED,
	balance_transaction text GENERATED ALWAYS AS (stripe.json_ref(data, 'balance_transaction')) STORED
);
REVOKE ALL ON TABLE stripe.refunds FROM PUBLIC;
COMMENT ON TABLE stripe.refunds IS
	'Money given back.  A refund that succeeded can still fail later.';
SELECT pg_catalog.pg_extension_config_dump('stripe.refunds', '');
CREATE INDEX refunds_charge_idx ON stripe.refunds (charge, account, livemode)
	WHERE charge IS NOT NULL;
COMMENT ON INDEX stripe.refunds_charge_idx IS
	'Finds the refunds of a charge.';
CREATE INDEX refunds_payment_intent_idx ON stripe.refunds (payment_intent, account, livemode)
	WHERE payment_intent IS NOT NULL;
COMMENT ON INDEX stripe.refunds_payment_intent_idx IS
	'Finds the refunds of a payment intent.';

CREATE TABLE stripe.disputes (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	reason text GENERATED ALWAYS AS (stripe.json_text(data, 'reason')) STORED,
	amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	charge text GENERATED ALWAYS AS (stripe.json_ref(data, 'charge')) STORED,
	payment_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_intent')) STORED,
	is_charge_refundable boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'is_charge_refundable')) STORED,
	due_by timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'evidence_details.due_by')) STORED
);
REVOKE ALL ON TABLE stripe.disputes FROM PUBLIC;
COMMENT ON TABLE stripe.disputes IS
	'Charges that a card holder contests.';
SELECT pg_catalog.pg_extension_config_dump('stripe.disputes', '');
CREATE INDEX disputes_charge_idx ON stripe.disputes (charge, account, livemode)
	WHERE charge IS NOT NULL;
COMMENT ON INDEX stripe.disputes_charge_idx IS
	'Finds the disputes of a charge.';

-- The period moved from the subscription to its items on 2025-03-31.  Items may
-- differ: the period all of them share is the latest start and the earliest end.
-- "canceled_at" is when somebody asked; "ended_at" is when it was over.
-- "discounts" is an array, or the one object of the versions before there were several.
CREATE TABLE stripe.subscriptions (
	LIKE stripe.mirror INCLUDING ALL,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	customer_account text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer_account')) STORED,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	status_reason text GENERATED ALWAYS AS
		(stripe.json_text(data, 'status_details.paused.subscription.type')) STORED,
	collection_method text GENERATED ALWAYS AS (stripe.json_text(data, 'collection_method')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	start_date timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'start_date')) STORED,
	current_period_start timestamptz GENERATED ALWAYS AS
		(stripe.json_time_max(data, 'current_period_start|items.data[].current_period_start')) STORED,
	current_period_end timestamptz GENERATED ALWAYS AS
		(stripe.json_time_min(data, 'current_period_end|items.data[].current_period_end')) STORED,
	billing_cycle_anchor timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'billing_cycle_anchor')) STORED,
	trial_start timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'trial_start')) STORED,
	trial_end timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'trial_end')) STORED,
	cancel_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'cancel_at')) STORED,
	cancel_at_period_end boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'cancel_at_period_end')) STORED,
	canceled_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'canceled_at')) STORED,
	ended_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'ended_at')) STORED,
	cancel_reason text GENERATED ALWAYS AS (stripe.json_text(data, 'cancellation_details.reason')) STORED,
	cancel_feedback text GENERATED ALWAYS AS (stripe.json_text(data, 'cancellation_details.feedback')) STORED,
	cancel_comment text GENERATED ALWAYS AS (stripe.json_text(data, 'cancellation_details.comment')) STORED,
	latest_invoice text GENERATED ALWAYS AS (stripe.json_ref(data, 'latest_invoice')) STORED,
	default_payment_method text GENERATED ALWAYS AS (stripe.json_ref(data, 'default_payment_method')) STORED,
	schedule text GENERATED ALWAYS AS (stripe.json_ref(data, 'schedule')) STORED,
	pending_setup_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'pending_setup_intent')) STORED,
	pending_update jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'pending_update')) STORED,
	pending_update_expires timestamptz GENERATED ALWAYS AS
		(stripe.json_time(data, 'pending_update.expires_at')) STORED,
	pause_behavior text GENERATED ALWAYS AS (stripe.json_text(data, 'pause_collection.behavior')) STORED,
	pause_resumes_at timestamptz GENERATED ALWAYS AS
		(stripe.json_time(data, 'pause_collection.resumes_at')) STORED,
	billing_mode text GENERATED ALWAYS AS (stripe.json_text(data, 'billing_mode.type')) STORED,
	days_until_due bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'days_until_due')) STORED,
	discounts jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'discounts|discount')) STORED,
	test_clock text GENERATED ALWAYS AS (stripe.json_ref(data, 'test_clock')) STORED,
	membership_id text GENERATED ALWAYS AS (stripe.json_key(data, 'metadata.membership_id')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.subscriptions FROM PUBLIC;
COMMENT ON TABLE stripe.subscriptions IS
	'What a customer has agreed to pay again and again.';
SELECT pg_catalog.pg_extension_config_dump('stripe.subscriptions', '');
CREATE INDEX subscriptions_customer_status_idx ON stripe.subscriptions (customer, account, livemode, status);
COMMENT ON INDEX stripe.subscriptions_customer_status_idx IS
	'Finds the subscriptions of a customer.';
CREATE INDEX subscriptions_status_period_end_idx ON stripe.subscriptions (status, account, livemode, current_period_end);
COMMENT ON INDEX stripe.subscriptions_status_period_end_idx IS
	'Finds what renews or lapses next.';
CREATE INDEX subscriptions_cancel_at_idx ON stripe.subscriptions (account, livemode, cancel_at)
	WHERE cancel_at IS NOT NULL;
COMMENT ON INDEX stripe.subscriptions_cancel_at_idx IS
	'Finds subscriptions that are set to end.';
CREATE INDEX subscriptions_membership_id_idx ON stripe.subscriptions (membership_id, account, livemode)
	WHERE membership_id IS NOT NULL;
COMMENT ON INDEX stripe.subscriptions_membership_id_idx IS
	'Finds the subscriptions of a membership.';

CREATE TABLE stripe.subscription_items (
	LIKE stripe.mirror INCLUDING ALL,
	subscription text GENERATED ALWAYS AS (stripe.json_ref(data, 'subscription')) STORED,
	price text GENERATED ALWAYS AS (stripe.json_ref(data, 'price|plan')) STORED,
	product text GENERATED ALWAYS AS (stripe.json_ref(data, 'price.product|plan.product')) STORED,
	quantity bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'quantity')) STORED,
	current_period_start timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'current_period_start')) STORED,
	current_period_end timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'current_period_end')) STORED,
	trial_offer text GENERATED ALWAYS AS (stripe.json_ref(data, 'current_trial.trial_offer')) STORED,
	discounts jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'discounts')) STORED,
	tax_rates jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'tax_rates')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.subscription_items FROM PUBLIC;
COMMENT ON TABLE stripe.subscription_items IS
	'The prices of a subscription, each with its quantity.';
SELECT pg_catalog.pg_extension_config_dump('stripe.subscription_items', '');
CREATE INDEX subscription_items_subscription_idx ON stripe.subscription_items (subscription, account, livemode);
COMMENT ON INDEX stripe.subscription_items_subscription_idx IS
	'Finds the items of a subscription.';
CREATE INDEX subscription_items_price_idx ON stripe.subscription_items (price, account, livemode);
COMMENT ON INDEX stripe.subscription_items_price_idx IS
	'Finds the subscriptions to a price.';
CREATE INDEX subscription_items_product_idx ON stripe.subscription_items (product, account, livemode);
COMMENT ON INDEX stripe.subscription_items_product_idx IS
	'Finds the subscriptions to a product.';

CREATE TABLE stripe.subscription_schedules (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	subscription text GENERATED ALWAYS AS (stripe.json_ref(data, 'subscription')) STORED,
	released_subscription text GENERATED ALWAYS AS (stripe.json_ref(data, 'released_subscription')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	end_behavior text GENERATED ALWAYS AS (stripe.json_text(data, 'end_behavior')) STORED,
	current_phase_start timestamptz GENERATED ALWAYS AS
		(stripe.json_time(data, 'current_phase.start_date')) STORED,
	current_phase_end timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'current_phase.end_date')) STORED,
	phases jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'phases')) STORED,
	canceled_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'canceled_at')) STORED,
	completed_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'completed_at')) STORED,
	released_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'released_at')) STORED
);
REVOKE ALL ON TABLE stripe.subscription_schedules FROM PUBLIC;
COMMENT ON TABLE stripe.subscription_schedules IS
	'Changes planned for a subscription.';
SELECT pg_catalog.pg_extension_config_dump('stripe.subscription_schedules', '');

-- "period_start" and "period_end" are not the period that is paid for; that is
-- on the invoice's lines.  From 2025-03-31 on "payment_intent" is known when
-- "payments" was expanded; stripe.invoice_payments always knows.  No tax is NULL.
CREATE TABLE stripe.invoices (
	LIKE stripe.mirror INCLUDING ALL,
	number text GENERATED ALWAYS AS (stripe.json_text(data, 'number')) STORED,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	subscription text GENERATED ALWAYS AS
		(stripe.json_ref(data, 'subscription|parent.subscription_details.subscription')) STORED,
	billing_reason text GENERATED ALWAYS AS (stripe.json_text(data, 'billing_reason')) STORED,
	collection_method text GENERATED ALWAYS AS (stripe.json_text(data, 'collection_method')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	total bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'total')) STORED,
	subtotal bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'subtotal')) STORED,
	amount_due bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_due')) STORED,
	amount_paid bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_paid')) STORED,
	amount_remaining bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_remaining')) STORED,
	amount_overpaid bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_overpaid')) STORED,
	tax bigint GENERATED ALWAYS AS
		(stripe.json_sum_bigint(data, 'tax|total_taxes[].amount|total_tax_amounts[].amount')) STORED,
	attempt_count bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'attempt_count')) STORED,
	attempted boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'attempted')) STORED,
	auto_advance boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'auto_advance')) STORED,
	next_payment_attempt timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'next_payment_attempt')) STORED,
	due_date timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'due_date')) STORED,
	finalized_at timestamptz GENERATED ALWAYS AS
		(stripe.json_time(data, 'status_transitions.finalized_at')) STORED,
	paid_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'status_transitions.paid_at')) STORED,
	voided_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'status_transitions.voided_at')) STORED,
	marked_uncollectible_at timestamptz GENERATED ALWAYS AS
		(stripe.json_time(data, 'status_transitions.marked_uncollectible_at')) STORED,
	hosted_invoice_url text GENERATED ALWAYS AS (stripe.json_text(data, 'hosted_invoice_url')) STORED,
	invoice_pdf text GENERATED ALWAYS AS (stripe.json_text(data, 'invoice_pdf')) STORED,
	payment_intent text GENERATED ALWAYS AS
		(stripe.json_ref(data, 'payment_intent|payments.data[].payment.payment_intent')) STORED,
	last_finalization_error jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'last_finalization_error')) STORED,
	automatic_tax_status text GENERATED ALWAYS AS (stripe.json_text(data, 'automatic_tax.status')) STORED,
	period_start timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'period_start')) STORED,
	period_end timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'period_end')) STORED
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.invoices FROM PUBLIC;
COMMENT ON TABLE stripe.invoices IS
	'What a customer owes, or owed.';
SELECT pg_catalog.pg_extension_config_dump('stripe.invoices', '');
CREATE INDEX invoices_subscription_idx ON stripe.invoices (subscription, account, livemode, created DESC)
	WHERE subscription IS NOT NULL;
COMMENT ON INDEX stripe.invoices_subscription_idx IS
	'Finds the invoices of a subscription, newest first.';
CREATE INDEX invoices_customer_status_idx ON stripe.invoices (customer, account, livemode, status);
COMMENT ON INDEX stripe.invoices_customer_status_idx IS
	'Finds the invoices of a customer.';
CREATE INDEX invoices_open_idx ON stripe.invoices (account, livemode, due_date)
	WHERE status OPERATOR(pg_catalog.=) 'open';
COMMENT ON INDEX stripe.invoices_open_idx IS
	'Finds what is still to be paid.';

CREATE TABLE stripe.invoice_payments (
	LIKE stripe.mirror INCLUDING ALL,
	invoice text GENERATED ALWAYS AS (stripe.json_ref(data, 'invoice')) STORED,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	is_default boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'is_default')) STORED,
	payment_type text GENERATED ALWAYS AS (stripe.json_text(data, 'payment.type')) STORED,
	payment_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment.payment_intent')) STORED,
	charge text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment.charge')) STORED,
	payment_record text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment.payment_record')) STORED,
	amount_requested bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_requested')) STORED,
	amount_paid bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_paid')) STORED,
	paid_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'status_transitions.paid_at')) STORED
);
REVOKE ALL ON TABLE stripe.invoice_payments FROM PUBLIC;
COMMENT ON TABLE stripe.invoice_payments IS
	'Which payment paid how much of which invoice.';
SELECT pg_catalog.pg_extension_config_dump('stripe.invoice_payments', '');
CREATE INDEX invoice_payments_invoice_idx ON stripe.invoice_payments (invoice, account, livemode);
COMMENT ON INDEX stripe.invoice_payments_invoice_idx IS
	'Finds the payments of an invoice.';
CREATE INDEX invoice_payments_payment_intent_idx ON stripe.invoice_payments (payment_intent, account, livemode)
	WHERE payment_intent IS NOT NULL;
COMMENT ON INDEX stripe.invoice_payments_payment_intent_idx IS
	'Finds the invoice that a payment intent paid.';

CREATE TABLE stripe.credit_notes (
	LIKE stripe.mirror INCLUDING ALL,
	invoice text GENERATED ALWAYS AS (stripe.json_ref(data, 'invoice')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	type text GENERATED ALWAYS AS (stripe.json_text(data, 'type')) STORED,
	reason text GENERATED ALWAYS AS (stripe.json_text(data, 'reason')) STORED,
	amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount')) STORED,
	pre_payment_amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'pre_payment_amount')) STORED,
	post_payment_amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'post_payment_amount')) STORED,
	out_of_band_amount bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'out_of_band_amount')) STORED,
	number text GENERATED ALWAYS AS (stripe.json_text(data, 'number')) STORED,
	voided_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'voided_at')) STORED
);
REVOKE ALL ON TABLE stripe.credit_notes FROM PUBLIC;
COMMENT ON TABLE stripe.credit_notes IS
	'What was taken off an invoice after it was issued.';
SELECT pg_catalog.pg_extension_config_dump('stripe.credit_notes', '');

CREATE TABLE stripe.coupons (
	LIKE stripe.mirror INCLUDING ALL,
	name text GENERATED ALWAYS AS (stripe.json_text(data, 'name')) STORED,
	percent_off numeric GENERATED ALWAYS AS (stripe.json_numeric(data, 'percent_off')) STORED,
	amount_off bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_off')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	duration text GENERATED ALWAYS AS (stripe.json_text(data, 'duration')) STORED,
	duration_in_months bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'duration_in_months')) STORED,
	redeem_by timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'redeem_by')) STORED,
	max_redemptions bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'max_redemptions')) STORED,
	times_redeemed bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'times_redeemed')) STORED,
	valid boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'valid')) STORED
);
REVOKE ALL ON TABLE stripe.coupons FROM PUBLIC;
COMMENT ON TABLE stripe.coupons IS
	'Discounts that can be given.';
SELECT pg_catalog.pg_extension_config_dump('stripe.coupons', '');

CREATE TABLE stripe.promotion_codes (
	LIKE stripe.mirror INCLUDING ALL,
	code text GENERATED ALWAYS AS (stripe.json_key(data, 'code')) STORED,
	coupon text GENERATED ALWAYS AS (stripe.json_ref(data, 'promotion.coupon|coupon')) STORED,
	active boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'active')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	expires_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'expires_at')) STORED,
	max_redemptions bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'max_redemptions')) STORED,
	times_redeemed bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'times_redeemed')) STORED,
	restrictions jsonb GENERATED ALWAYS AS (stripe.json_part(data, 'restrictions')) STORED
);
REVOKE ALL ON TABLE stripe.promotion_codes FROM PUBLIC;
COMMENT ON TABLE stripe.promotion_codes IS
	'Codes that customers enter to get a coupon.';
SELECT pg_catalog.pg_extension_config_dump('stripe.promotion_codes', '');
CREATE INDEX promotion_codes_code_idx ON stripe.promotion_codes (pg_catalog.lower(code), account, livemode);
COMMENT ON INDEX stripe.promotion_codes_code_idx IS
	'Finds a promotion code as a customer types it, in any case.';

CREATE TABLE stripe.checkout_sessions (
	LIKE stripe.mirror INCLUDING ALL,
	status text GENERATED ALWAYS AS (stripe.json_key(data, 'status')) STORED,
	payment_status text GENERATED ALWAYS AS (stripe.json_text(data, 'payment_status')) STORED,
	mode text GENERATED ALWAYS AS (stripe.json_text(data, 'mode')) STORED,
	customer text GENERATED ALWAYS AS (stripe.json_ref(data, 'customer')) STORED,
	subscription text GENERATED ALWAYS AS (stripe.json_ref(data, 'subscription')) STORED,
	invoice text GENERATED ALWAYS AS (stripe.json_ref(data, 'invoice')) STORED,
	payment_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'payment_intent')) STORED,
	setup_intent text GENERATED ALWAYS AS (stripe.json_ref(data, 'setup_intent')) STORED,
	client_reference_id text GENERATED ALWAYS AS (stripe.json_key(data, 'client_reference_id')) STORED,
	amount_total bigint GENERATED ALWAYS AS (stripe.json_bigint(data, 'amount_total')) STORED,
	currency text GENERATED ALWAYS AS (stripe.json_text(data, 'currency')) STORED,
	expires_at timestamptz GENERATED ALWAYS AS (stripe.json_time(data, 'expires_at')) STORED,
	url text GENERATED ALWAYS AS (stripe.json_text(data, 'url')) STORED
);
REVOKE ALL ON TABLE stripe.checkout_sessions FROM PUBLIC;
COMMENT ON TABLE stripe.checkout_sessions IS
	'Visits to Stripe''s payment page.';
SELECT pg_catalog.pg_extension_config_dump('stripe.checkout_sessions', '');
CREATE INDEX checkout_sessions_client_reference_id_idx ON stripe.checkout_sessions (client_reference_id, account, livemode)
	WHERE client_reference_id IS NOT NULL;
COMMENT ON INDEX stripe.checkout_sessions_client_reference_id_idx IS
	'Finds the session that was opened for a reference of the caller''s.';
CREATE INDEX checkout_sessions_subscription_idx ON stripe.checkout_sessions (subscription, account, livemode)
	WHERE subscription IS NOT NULL;
COMMENT ON INDEX stripe.checkout_sessions_subscription_idx IS
	'Finds the session that made a subscription.';

CREATE TABLE stripe.tax_rates (
	LIKE stripe.mirror INCLUDING ALL,
	display_name text GENERATED ALWAYS AS (stripe.json_text(data, 'display_name')) STORED,
	percentage numeric GENERATED ALWAYS AS (stripe.json_numeric(data, 'percentage')) STORED,
	inclusive boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'inclusive')) STORED,
	active boolean GENERATED ALWAYS AS (stripe.json_boolean(data, 'active')) STORED,
	country text GENERATED ALWAYS AS (stripe.json_text(data, 'country')) STORED,
	jurisdiction text GENERATED ALWAYS AS (stripe.json_text(data, 'jurisdiction')) STORED,
	tax_type text GENERATED ALWAYS AS (stripe.json_text(data, 'tax_type')) STORED
);
REVOKE ALL ON TABLE stripe.tax_rates FROM PUBLIC;
COMMENT ON TABLE stripe.tax_rates IS
	'Tax rates that were defined by hand.';
SELECT pg_catalog.pg_extension_config_dump('stripe.tax_rates', '');

CREATE TABLE stripe.active_entitlements (
	LIKE stripe.mirror INCLUDING ALL,
	customer text,
	feature text GENERATED ALWAYS AS (stripe.json_ref(data, 'feature')) STORED,
	lookup_key text GENERATED ALWAYS AS (stripe.json_key(data, 'lookup_key')) STORED
);
REVOKE ALL ON TABLE stripe.active_entitlements FROM PUBLIC;
COMMENT ON TABLE stripe.active_entitlements IS
	'Features a customer may use now.  Rows that Stripe no longer lists are deleted.';
COMMENT ON COLUMN stripe.active_entitlements.customer IS
	'Whose entitlement it is.  The object does not say; the summary or the request it came with does.';
SELECT pg_catalog.pg_extension_config_dump('stripe.active_entitlements', '');
CREATE INDEX active_entitlements_customer_idx ON stripe.active_entitlements (customer, account, livemode, lookup_key);
COMMENT ON INDEX stripe.active_entitlements_customer_idx IS
	'Finds what a customer may use.';

DROP TABLE stripe.mirror;

--
-- Functions that ask Stripe.
--
-- Their arguments are parameters of Stripe's, by the same name unless the
-- catalogue of endpoints in the library says otherwise.  NULL means not given.
-- All return what Stripe answered and update its mirror in the same
-- transaction; none is undone at Stripe when the transaction rolls back.
--

CREATE FUNCTION @extschema@.stripe_create_intent(
	amount bigint,
	currency text DEFAULT NULL,
	customer text DEFAULT NULL,
	payment_method text DEFAULT NULL,
	confirm boolean DEFAULT NULL,
	off_session boolean DEFAULT NULL,
	capture_method text DEFAULT NULL,
	setup_future_usage text DEFAULT NULL,
	return_url text DEFAULT NULL,
	receipt_email text DEFAULT NULL,
	description text DEFAULT NULL,
	statement_descriptor text DEFAULT NULL,
	statement_descriptor_suffix text DEFAULT NULL,
	order_type text DEFAULT NULL,
	order_id text DEFAULT NULL,
	membership_id text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_create_intent(bigint, text, text, text, boolean, boolean, text, text, text, text, text, text, text, text, text, text, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_create_intent(bigint, text, text, text, boolean, boolean, text, text, text, text, text, text, text, text, text, text, jsonb, jsonb, text, text) IS
	'Creates a payment intent: one attempt to collect "amount", in the currency''s smallest unit.  Without a currency the account''s is used.  With "confirm" the payment is made at once; bank debits and transfers then stay in status processing or requires_action for days.  "order_type" and "order_id" tie the payment to an order in stripe.payments.  Returns the payment intent.  Raises ST001 if declined and ST002 if the bank asks for authentication.  See https://docs.stripe.com/api/payment_intents/create';

CREATE FUNCTION @extschema@.stripe_update_intent(
	id text,
	amount bigint DEFAULT NULL,
	currency text DEFAULT NULL,
	customer text DEFAULT NULL,
	payment_method text DEFAULT NULL,
	setup_future_usage text DEFAULT NULL,
	receipt_email text DEFAULT NULL,
	description text DEFAULT NULL,
	statement_descriptor text DEFAULT NULL,
	statement_descriptor_suffix text DEFAULT NULL,
	order_type text DEFAULT NULL,
	order_id text DEFAULT NULL,
	membership_id text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_update_intent(text, bigint, text, text, text, text, text, text, text, text, text, text, text, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_update_intent(text, bigint, text, text, text, text, text, text, text, text, text, text, text, jsonb, jsonb, text, text) IS
	'Changes a payment intent that is not confirmed yet.  An empty string unsets a field.  Returns the payment intent.  See https://docs.stripe.com/api/payment_intents/update';

CREATE FUNCTION @extschema@.stripe_confirm_intent(
	id text,
	payment_method text DEFAULT NULL,
	off_session boolean DEFAULT NULL,
	setup_future_usage text DEFAULT NULL,
	return_url text DEFAULT NULL,
	receipt_email text DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_confirm_intent(text, text, boolean, text, text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_confirm_intent(text, text, boolean, text, text, text, jsonb, text, text) IS
	'Confirms a payment intent, which makes the payment.  Returns the payment intent; its status says whether it succeeded, is processing, or requires an action of the customer.  Raises ST001 if declined: confirm the same intent with another payment method then.  See https://docs.stripe.com/api/payment_intents/confirm';

CREATE FUNCTION @extschema@.stripe_capture_intent(
	id text,
	amount bigint DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_capture_intent(text, bigint, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_capture_intent(text, bigint, jsonb, text, text) IS
	'Captures a payment that was authorized with capture_method manual: "amount" of it, or all; the rest is released.  Returns the payment intent.  See https://docs.stripe.com/api/payment_intents/capture';

CREATE FUNCTION @extschema@.stripe_cancel_intent(
	id text,
	reason text DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_cancel_intent(text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_cancel_intent(text, text, jsonb, text, text) IS
	'Cancels a payment intent that has not succeeded; an authorized amount is released.  "reason" is duplicate, fraudulent, requested_by_customer or abandoned.  Returns the payment intent.  See https://docs.stripe.com/api/payment_intents/cancel';

CREATE FUNCTION @extschema@.stripe_get_payment(
	id text,
	params jsonb DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_get_payment(text, jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_get_payment(text, jsonb, text) IS
	'Reads a payment intent from Stripe and brings its mirror up to date.  Returns the payment intent.  Works in read-only transactions and on a standby, where the mirror is left alone.  See https://docs.stripe.com/api/payment_intents/retrieve';

CREATE FUNCTION @extschema@.stripe_refund(
	payment text,
	amount bigint DEFAULT NULL,
	reason text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_refund'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_refund(text, bigint, text, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_refund(text, bigint, text, jsonb, jsonb, text, text) IS
	'Refunds a payment, named by its pi_ or ch_ id: "amount" of it in the currency''s smallest unit, or all that is left.  "reason" is duplicate, fraudulent (which also blocks the card and email) or requested_by_customer.  Returns the refund, whose status may change later.  Raises ST003 if more is asked for than is left.  See https://docs.stripe.com/api/refunds/create';

CREATE FUNCTION @extschema@.stripe_cancel_refund(
	id text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_cancel_refund(text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_cancel_refund(text, jsonb, text, text) IS
	'Cancels a refund in status requires_action.  Returns the refund.  See https://docs.stripe.com/api/refunds/cancel';

CREATE FUNCTION @extschema@.stripe_create_customer(
	email text DEFAULT NULL,
	name text DEFAULT NULL,
	phone text DEFAULT NULL,
	description text DEFAULT NULL,
	payment_method text DEFAULT NULL,
	member_id text DEFAULT NULL,
	address jsonb DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_create_customer(text, text, text, text, text, text, jsonb, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_create_customer(text, text, text, text, text, text, jsonb, jsonb, jsonb, text, text) IS
	'Creates a customer.  Returns the customer.  To have one customer for each member, use stripe_ensure_customer().  See https://docs.stripe.com/api/customers/create';

CREATE FUNCTION @extschema@.stripe_ensure_customer(
	member_id text,
	email text DEFAULT NULL,
	name text DEFAULT NULL,
	phone text DEFAULT NULL,
	description text DEFAULT NULL,
	address jsonb DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_ensure_customer'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_ensure_customer(text, text, text, text, text, jsonb, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_ensure_customer(text, text, text, text, text, jsonb, jsonb, jsonb, text, text) IS
	'Returns the customer of a member, after making it if there is none and changing it where an argument differs.  May be called again and from several sessions: one customer results.  The member''s id is kept in the customer''s metadata.  See https://docs.stripe.com/api/customers/create';

CREATE FUNCTION @extschema@.stripe_update_customer(
	customer text,
	email text DEFAULT NULL,
	name text DEFAULT NULL,
	phone text DEFAULT NULL,
	description text DEFAULT NULL,
	member_id text DEFAULT NULL,
	address jsonb DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_update_customer(text, text, text, text, text, text, jsonb, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_update_customer(text, text, text, text, text, text, jsonb, jsonb, jsonb, text, text) IS
	'Changes a customer.  An empty string unsets a field.  Returns the customer.  See https://docs.stripe.com/api/customers/update';

CREATE FUNCTION @extschema@.stripe_delete_customer(
	customer text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_delete_customer(text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_delete_customer(text, jsonb, text, text) IS
	'Deletes a customer for good and cancels its subscriptions.  Returns a stub with deleted set to true; the mirror row stays, marked deleted.  See https://docs.stripe.com/api/customers/delete';

CREATE FUNCTION @extschema@.stripe_create_setup_intent(
	customer text DEFAULT NULL,
	payment_method text DEFAULT NULL,
	confirm boolean DEFAULT NULL,
	usage text DEFAULT NULL,
	return_url text DEFAULT NULL,
	description text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_create_setup_intent(text, text, boolean, text, text, text, jsonb, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_create_setup_intent(text, text, boolean, text, text, text, jsonb, jsonb, text, text) IS
	'Creates a setup intent, with which a payment method is saved for later.  "usage" is off_session (the default) or on_session.  Returns the setup intent.  See https://docs.stripe.com/api/setup_intents/create';

CREATE FUNCTION @extschema@.stripe_attach_payment_method(
	payment_method text,
	customer text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_attach_payment_method(text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_attach_payment_method(text, text, jsonb, text, text) IS
	'Attaches a payment method to a customer.  Returns the payment method.  See https://docs.stripe.com/api/payment_methods/attach';

CREATE FUNCTION @extschema@.stripe_detach_payment_method(
	payment_method text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_detach_payment_method(text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_detach_payment_method(text, jsonb, text, text) IS
	'Detaches a payment method from its customer, for good.  Returns the payment method.  See https://docs.stripe.com/api/payment_methods/detach';

CREATE FUNCTION @extschema@.stripe_set_default_payment_method(
	customer text,
	payment_method text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_call'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_set_default_payment_method(text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_set_default_payment_method(text, text, jsonb, text, text) IS
	'Makes a payment method the default for a customer''s invoices and subscriptions.  An empty string unsets it.  Returns the customer.  See https://docs.stripe.com/api/customers/update';

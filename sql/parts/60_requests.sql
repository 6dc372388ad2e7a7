--
-- Any other request, lists, and what went wrong last.
--

CREATE FUNCTION @extschema@.stripe_request(
	method text,
	path text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_request'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_request(text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_request(text, text, jsonb, text, text) IS
	'Sends any request of Stripe''s v1 API: "method" is GET, POST or DELETE, "path" begins with /v1/, and "params" are its parameters.  Returns the answer and mirrors the objects in it.  Raises what the answer''s status calls for.  GET works in read-only transactions and on a standby.';

CREATE FUNCTION @extschema@.stripe_try_request(
	method text,
	path text,
	params jsonb DEFAULT NULL,
	idempotency_key text DEFAULT NULL,
	account text DEFAULT NULL,
	OUT ok boolean,
	OUT http_status integer,
	OUT body jsonb)
AS 'MODULE_PATHNAME', 'stripe_try_request'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
REVOKE ALL ON FUNCTION @extschema@.stripe_try_request(text, text, jsonb, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_try_request(text, text, jsonb, text, text) IS
	'As stripe_request(), but a failure is reported instead of raised: "ok" is false then and "body" is Stripe''s error, or, with "http_status" NULL, what stripe_last_error() says.  Select it as a row (SELECT * FROM stripe_try_request(...)), which calls it once.  A cancelled call and a wrong argument still raise.';

CREATE FUNCTION stripe.list_rows(
	path text,
	params jsonb,
	max_rows bigint,
	account text)
RETURNS SETOF jsonb
AS 'MODULE_PATHNAME', 'stripe_list_rows'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100;
REVOKE ALL ON FUNCTION stripe.list_rows(text, jsonb, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.list_rows(text, jsonb, bigint, text) IS
	'What stripe_list() and its like are made of: rows of a list, a page requested when its first row is pulled.';

-- Labelled STABLE so that the planner inlines them in FROM, where a LIMIT then
-- stops the requests; see src/list.c.

CREATE FUNCTION @extschema@.stripe_list(
	path text,
	params jsonb DEFAULT NULL,
	max_rows bigint DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE SQL STABLE PARALLEL UNSAFE COST 10000 ROWS 100
AS 'SELECT stripe.list_rows(path, params, max_rows, account)';
REVOKE ALL ON FUNCTION @extschema@.stripe_list(text, jsonb, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_list(text, jsonb, bigint, text) IS
	'The objects of a list of Stripe''s, such as stripe_list(''/v1/customers''), newest first, one a row.  Pages of up to 100 are requested as rows are pulled, so a LIMIT or "max_rows" saves requests.  "params" filters.  See https://docs.stripe.com/api/pagination';

CREATE FUNCTION @extschema@.stripe_search(
	objects text,
	query text,
	max_rows bigint DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE SQL STABLE PARALLEL UNSAFE COST 10000 ROWS 100
AS $$
	SELECT stripe.list_rows('/v1/' OPERATOR(pg_catalog.||) objects OPERATOR(pg_catalog.||) '/search',
							pg_catalog.jsonb_build_object('query', query), max_rows, account)
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_search(text, text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_search(text, text, bigint, text) IS
	'The objects that Stripe''s search finds: "objects" is charges, customers, invoices, payment_intents, prices, products or subscriptions, "query" is in Stripe''s query language.  Search lags behind by a minute or more: never use it to learn whether something exists that was just made.  See https://docs.stripe.com/search';

CREATE FUNCTION @extschema@.stripe_list_payment_methods(
	customer text,
	type text DEFAULT NULL,
	max_rows bigint DEFAULT NULL,
	account text DEFAULT NULL)
RETURNS SETOF jsonb
LANGUAGE SQL STABLE PARALLEL UNSAFE COST 10000 ROWS 10
AS $$
	SELECT stripe.list_rows(stripe.endpoint_path('stripe_list_payment_methods', 'customer', customer),
							pg_catalog.jsonb_build_object('type', type), max_rows, account)
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_list_payment_methods(text, text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_list_payment_methods(text, text, bigint, text) IS
	'The payment methods saved for a customer, one a row, all or those of a "type" such as card.  See https://docs.stripe.com/api/payment_methods/customer_list';

CREATE FUNCTION stripe.endpoint_path(function text, argument text, value text)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_endpoint_path'
LANGUAGE C IMMUTABLE PARALLEL SAFE;
REVOKE ALL ON FUNCTION stripe.endpoint_path(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION stripe.endpoint_path(text, text, text) IS
	'The path that a function of the catalogue asks for, with the value of its argument checked and escaped, so that an id cannot change where a request goes.';

CREATE FUNCTION stripe.form_encode(params jsonb)
RETURNS text
AS 'MODULE_PATHNAME', 'stripe_form_encode'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
REVOKE ALL ON FUNCTION stripe.form_encode(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION stripe.form_encode(jsonb) IS
	'The body that a request with these parameters would have, in Stripe''s form encoding.';

CREATE FUNCTION @extschema@.stripe_last_error()
RETURNS jsonb
AS 'MODULE_PATHNAME', 'stripe_last_error'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION @extschema@.stripe_last_error() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_last_error() IS
	'The last failure of a call to Stripe in this session, kept through a rollback: sqlstate, message, type, code, decline_code, param, request_id, payment_intent, http_status, outcome_unknown and the idempotency_key with which to repeat the call.  NULL if there was none.';

CREATE FUNCTION @extschema@.stripe_order_status(
	order_type text,
	order_id text,
	account text DEFAULT NULL,
	OUT status text,
	OUT amount bigint,
	OUT amount_refunded bigint,
	OUT currency text,
	OUT payment_intent text,
	OUT receipt_number text,
	OUT failure_code text)
LANGUAGE SQL STABLE PARALLEL SAFE
AS $$
	SELECT p.status, p.amount, p.amount_refunded, p.currency, p.payment_intent,
		   p.receipt_number, p.failure_code
	  FROM stripe.payments p
	 WHERE p.order_type OPERATOR(pg_catalog.=) stripe_order_status.order_type
	   AND p.order_id OPERATOR(pg_catalog.=) stripe_order_status.order_id
	   AND p.account OPERATOR(pg_catalog.=) COALESCE(stripe_order_status.account,
			pg_catalog.current_setting('memberpulse_stripe.account', true), 'default')
	   AND p.livemode OPERATOR(pg_catalog.=) stripe.livemode(stripe_order_status.account)
	 ORDER BY pg_catalog.array_position(
			'{completed,partially_refunded,charged_back,refunded,processing,requires_action,pending,failed,canceled}'::pg_catalog.text[],
			p.status), p.created DESC, p.payment_intent
	 LIMIT 1
$$;
REVOKE ALL ON FUNCTION @extschema@.stripe_order_status(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.stripe_order_status(text, text, text) IS
	'The state of an order''s payment, from stripe.payments, without asking Stripe.  Of several payments the one that came furthest counts.  No row values (all NULL) if there is none.';

--
-- Payments: what was taken for which order, derived from the mirrors.
--

CREATE SEQUENCE stripe.receipt_number AS bigint;
REVOKE ALL ON SEQUENCE stripe.receipt_number FROM PUBLIC;
COMMENT ON SEQUENCE stripe.receipt_number IS
	'Numbers of receipts.  A sequence, so that no payment waits for another; a payment that is rolled back leaves a gap.';
SELECT pg_catalog.pg_extension_config_dump('stripe.receipt_number', '');

CREATE TABLE stripe.payments (
	account text NOT NULL,
	livemode boolean NOT NULL,
	payment_intent text NOT NULL,
	order_type text,
	order_id text,
	customer text,
	status text NOT NULL,
	amount bigint,
	amount_received bigint NOT NULL DEFAULT 0,
	amount_refunded bigint NOT NULL DEFAULT 0,
	currency text,
	tax bigint,
	payment_method_type text,
	failure_code text,
	decline_code text,
	receipt_number text NOT NULL,
	receipt_url text,
	created timestamptz,
	updated timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (account, livemode, payment_intent),
	UNIQUE (receipt_number, account, livemode),
	CONSTRAINT known_status CHECK (status OPERATOR(pg_catalog.=) ANY
		('{pending,processing,requires_action,completed,failed,canceled,partially_refunded,refunded,charged_back}'))
) WITH (fillfactor = 90);
REVOKE ALL ON TABLE stripe.payments FROM PUBLIC;
CREATE INDEX payments_order_idx ON stripe.payments (order_id, account, livemode, order_type)
	WHERE order_id IS NOT NULL;
COMMENT ON TABLE stripe.payments IS
	'One row a payment intent: the order it pays for, its state in the words of the platform, and its receipt number.';
COMMENT ON INDEX stripe.payments_order_idx IS
	'Finds the payments of an order.';
COMMENT ON COLUMN stripe.payments.order_type IS
	'membership, event, course, resource or job_posting; from the metadata of the payment intent.';
COMMENT ON COLUMN stripe.payments.status IS
	'pending, processing, requires_action, completed, failed, canceled, partially_refunded, refunded or charged_back.';
COMMENT ON COLUMN stripe.payments.amount IS
	'In the currency''s smallest unit, as all amounts.';
COMMENT ON COLUMN stripe.payments.amount_refunded IS
	'Refunds that succeeded or are under way.';
COMMENT ON COLUMN stripe.payments.tax IS
	'Part of the amount that is tax, where the payment intent says so.';
COMMENT ON COLUMN stripe.payments.receipt_number IS
	'INV-, the day (UTC) on which the payment was created, and a number; unique within the account.';
SELECT pg_catalog.pg_extension_config_dump('stripe.payments', '');

CREATE VIEW stripe.payment_states WITH (security_invoker = true) AS
SELECT p.account,
	   p.livemode,
	   p.id AS payment_intent,
	   p.order_type,
	   p.order_id,
	   p.customer,
	   CASE
		   WHEN p.status OPERATOR(pg_catalog.=) 'succeeded' AND d.charged_back THEN 'charged_back'
		   WHEN p.status OPERATOR(pg_catalog.=) 'succeeded' AND r.refunded OPERATOR(pg_catalog.>) 0
				AND r.refunded OPERATOR(pg_catalog.>=) p.amount_received THEN 'refunded'
		   WHEN p.status OPERATOR(pg_catalog.=) 'succeeded' AND r.refunded OPERATOR(pg_catalog.>) 0 THEN 'partially_refunded'
		   WHEN p.status OPERATOR(pg_catalog.=) 'succeeded' THEN 'completed'
		   WHEN p.status OPERATOR(pg_catalog.=) ANY ('{processing,requires_capture}') THEN 'processing'
		   WHEN p.status OPERATOR(pg_catalog.=) ANY ('{requires_action,canceled}') THEN p.status
		   WHEN p.status OPERATOR(pg_catalog.=) 'requires_payment_method' AND p.last_error_code IS NOT NULL THEN 'failed'
		   ELSE 'pending'
	   END AS status,
	   p.amount,
	   COALESCE(p.amount_received, 0) AS amount_received,
	   r.refunded AS amount_refunded,
	   p.currency,
	   stripe.json_bigint(p.data, 'amount_details.tax.total_tax_amount') AS tax,
	   COALESCE(c.pm_type, stripe.json_text(p.data, 'last_payment_error.payment_method.type')) AS payment_method_type,
	   p.last_error_code AS failure_code,
	   stripe.json_text(p.data, 'last_payment_error.decline_code') AS decline_code,
	   c.receipt_url,
	   p.created
  FROM stripe.payment_intents p
  LEFT JOIN stripe.charges c
	ON c.account OPERATOR(pg_catalog.=) p.account
   AND c.livemode OPERATOR(pg_catalog.=) p.livemode
   AND c.id OPERATOR(pg_catalog.=) p.latest_charge
 CROSS JOIN LATERAL (
	SELECT CASE
			   WHEN c.captured AND c.amount_captured OPERATOR(pg_catalog.<) c.amount
			   THEN c.amount OPERATOR(pg_catalog.-) c.amount_captured
			   WHEN c.captured IS FALSE THEN c.amount_refunded
			   ELSE 0
		   END AS amount) released
 CROSS JOIN LATERAL (
	SELECT COALESCE(pg_catalog.sum(f.amount) FILTER (WHERE f.live), 0)::bigint AS sum_live,
		   COALESCE(pg_catalog.bool_or(NOT f.live AND f.as_of OPERATOR(pg_catalog.>=) c.as_of), false) AS failed_since
	  FROM (SELECT x.amount,
				   x.as_of,
				   (x.status OPERATOR(pg_catalog.<>) ALL ('{failed,canceled}')) IS NOT FALSE AS live
			  FROM stripe.refunds x
			 WHERE x.account OPERATOR(pg_catalog.=) p.account
			   AND x.livemode OPERATOR(pg_catalog.=) p.livemode
			   AND x.payment_intent OPERATOR(pg_catalog.=) p.id
			   AND NOT (released.amount OPERATOR(pg_catalog.>) 0
						AND x.amount OPERATOR(pg_catalog.=) released.amount
						AND x.status OPERATOR(pg_catalog.=) 'succeeded'
						AND x.balance_transaction IS NULL)) f) s
 CROSS JOIN LATERAL (
	SELECT CASE
			   WHEN s.failed_since THEN s.sum_live
			   ELSE GREATEST(s.sum_live, COALESCE(c.amount_refunded OPERATOR(pg_catalog.-) released.amount, 0))
		   END AS refunded) r
 CROSS JOIN LATERAL (
	SELECT EXISTS (
		SELECT 1
		  FROM stripe.disputes x
		 WHERE x.account OPERATOR(pg_catalog.=) p.account
		   AND x.livemode OPERATOR(pg_catalog.=) p.livemode
		   AND x.charge OPERATOR(pg_catalog.=) p.latest_charge
		   AND x.status OPERATOR(pg_catalog.<>) ALL
			   ('{won,prevented,warning_needs_response,warning_under_review,warning_closed}')) AS charged_back) d;
REVOKE ALL ON TABLE stripe.payment_states FROM PUBLIC;
COMMENT ON VIEW stripe.payment_states IS
	'What the mirrors say of each payment; stripe.payments follows it.  A charge knows its refunded total and refunds are known one by one: the larger counts, except where a refund failed after the charge was last heard of.  What a partial capture releases is in the charge''s total and perhaps among the refunds, there without a balance transaction, but was never paid.  A dispute counts as charged back unless it is an inquiry, prevented or won.';

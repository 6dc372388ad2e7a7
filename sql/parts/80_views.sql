--
-- Views that answer questions.  They show what the reader may see: row
-- security of the tables below them holds for whoever asks.
--

CREATE VIEW stripe.active_members WITH (security_invoker = true) AS
SELECT m.account,
	   m.livemode,
	   m.membership_id,
	   m.customer,
	   c.email,
	   c.name,
	   m.subscription,
	   m.plan,
	   stripe.membership_status(m.status, m.access_until, m.cancel_at, pg_catalog.now()) AS status,
	   m.access_from,
	   m.access_until,
	   m.grace_until,
	   m.cancel_at
  FROM stripe.memberships m
  LEFT JOIN stripe.customers c
	ON c.account OPERATOR(pg_catalog.=) m.account
   AND c.livemode OPERATOR(pg_catalog.=) m.livemode
   AND c.id OPERATOR(pg_catalog.=) m.customer
 WHERE m.access_from OPERATOR(pg_catalog.<=) pg_catalog.now()
   AND m.access_until OPERATOR(pg_catalog.>) pg_catalog.now();
REVOKE ALL ON TABLE stripe.active_members FROM PUBLIC;
COMMENT ON VIEW stripe.active_members IS
	'Memberships that give access now, as stripe_membership_active() says, with the state they are in.';

CREATE VIEW stripe.renewals_due WITH (security_invoker = true) AS
SELECT m.account,
	   m.livemode,
	   m.membership_id,
	   m.customer,
	   c.email,
	   m.subscription,
	   m.plan,
	   COALESCE(CASE WHEN s.status OPERATOR(pg_catalog.=) 'trialing' THEN s.trial_end END, s.current_period_end) AS renews_at,
	   COALESCE(CASE WHEN s.status OPERATOR(pg_catalog.=) 'trialing' THEN s.trial_end END, s.current_period_end)
		   OPERATOR(pg_catalog.-) pg_catalog.now() AS due_in,
	   s.collection_method,
	   COALESCE(s.default_payment_method, c.default_payment_method, c.default_source) AS payment_method,
	   s.currency,
	   i.amount
  FROM stripe.memberships m
  JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) m.account
   AND s.livemode OPERATOR(pg_catalog.=) m.livemode
   AND s.id OPERATOR(pg_catalog.=) m.subscription
  LEFT JOIN stripe.customers c
	ON c.account OPERATOR(pg_catalog.=) m.account
   AND c.livemode OPERATOR(pg_catalog.=) m.livemode
   AND c.id OPERATOR(pg_catalog.=) m.customer
 CROSS JOIN LATERAL (
	SELECT pg_catalog.sum(p.unit_amount OPERATOR(pg_catalog.*) COALESCE(x.quantity, 1))::bigint AS amount
	  FROM stripe.subscription_items x
	  JOIN stripe.prices p
		ON p.account OPERATOR(pg_catalog.=) x.account
	   AND p.livemode OPERATOR(pg_catalog.=) x.livemode
	   AND p.id OPERATOR(pg_catalog.=) x.price
	 WHERE x.account OPERATOR(pg_catalog.=) s.account
	   AND x.livemode OPERATOR(pg_catalog.=) s.livemode
	   AND x.subscription OPERATOR(pg_catalog.=) s.id) i
 WHERE s.status OPERATOR(pg_catalog.=) ANY ('{active,trialing}')
   AND NOT s.deleted
   AND s.cancel_at IS NULL
   AND s.cancel_at_period_end IS NOT TRUE
   AND COALESCE(CASE WHEN s.status OPERATOR(pg_catalog.=) 'trialing' THEN s.trial_end END, s.current_period_end)
	   OPERATOR(pg_catalog.>) pg_catalog.now();
REVOKE ALL ON TABLE stripe.renewals_due FROM PUBLIC;
COMMENT ON VIEW stripe.renewals_due IS
	'Memberships that renew, and when: WHERE due_in <= interval ''7 days'' finds who is to be reminded.  "amount" is what the prices say, before discounts and tax; "payment_method" is what will be charged, NULL if there is none.';

CREATE VIEW stripe.failed_payments WITH (security_invoker = true) AS
SELECT p.account,
	   p.livemode,
	   p.id AS payment_intent,
	   COALESCE(n.invoice, p.invoice) AS invoice,
	   i.subscription,
	   COALESCE(s.membership_id, m.membership_id) AS membership_id,
	   p.customer,
	   c.email,
	   p.order_type,
	   p.order_id,
	   p.amount,
	   p.currency,
	   p.last_error_code AS failure_code,
	   stripe.json_text(p.data, 'last_payment_error.decline_code') AS decline_code,
	   stripe.json_text(p.data, 'last_payment_error.message') AS message,
	   i.attempt_count,
	   i.next_payment_attempt,
	   p.as_of AS failed_at
  FROM stripe.payment_intents p
  LEFT JOIN stripe.customers c
	ON c.account OPERATOR(pg_catalog.=) p.account
   AND c.livemode OPERATOR(pg_catalog.=) p.livemode
   AND c.id OPERATOR(pg_catalog.=) p.customer
  LEFT JOIN LATERAL (
	SELECT x.invoice
	  FROM stripe.invoice_payments x
	 WHERE x.account OPERATOR(pg_catalog.=) p.account
	   AND x.livemode OPERATOR(pg_catalog.=) p.livemode
	   AND x.payment_intent OPERATOR(pg_catalog.=) p.id
	 ORDER BY x.id
	 LIMIT 1) n ON true
  LEFT JOIN stripe.invoices i
	ON i.account OPERATOR(pg_catalog.=) p.account
   AND i.livemode OPERATOR(pg_catalog.=) p.livemode
   AND i.id OPERATOR(pg_catalog.=) COALESCE(n.invoice, p.invoice)
  LEFT JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) i.account
   AND s.livemode OPERATOR(pg_catalog.=) i.livemode
   AND s.id OPERATOR(pg_catalog.=) i.subscription
  LEFT JOIN stripe.memberships m
	ON m.account OPERATOR(pg_catalog.=) i.account
   AND m.livemode OPERATOR(pg_catalog.=) i.livemode
   AND m.subscription OPERATOR(pg_catalog.=) i.subscription
 WHERE p.status OPERATOR(pg_catalog.=) 'requires_payment_method'
   AND p.last_error_code IS NOT NULL;
REVOKE ALL ON TABLE stripe.failed_payments FROM PUBLIC;
COMMENT ON VIEW stripe.failed_payments IS
	'Payments that were refused and not made good since: why, for which order or membership, and when Stripe tries again.';

CREATE VIEW stripe.revenue_monthly WITH (security_invoker = true) AS
SELECT r.account,
	   r.livemode,
	   r.month,
	   r.currency,
	   pg_catalog.count(*) FILTER (WHERE r.received OPERATOR(pg_catalog.>) 0) AS payments,
	   pg_catalog.sum(r.received)::bigint AS received,
	   pg_catalog.sum(r.refunded)::bigint AS refunded,
	   pg_catalog.sum(r.disputed)::bigint AS disputed,
	   pg_catalog.sum(r.received OPERATOR(pg_catalog.-) r.refunded OPERATOR(pg_catalog.-) r.disputed)::bigint AS net
  FROM (
	SELECT c.account, c.livemode, c.currency,
		   pg_catalog.date_trunc('month', c.created AT TIME ZONE 'UTC')::date AS month,
		   c.amount_captured AS received, 0::bigint AS refunded, 0::bigint AS disputed
	  FROM stripe.charges c
	 WHERE c.status OPERATOR(pg_catalog.=) 'succeeded'
	   AND c.captured
	 UNION ALL
	SELECT f.account, f.livemode, f.currency,
		   pg_catalog.date_trunc('month', f.created AT TIME ZONE 'UTC')::date,
		   0, f.amount, 0
	  FROM stripe.refunds f
	 WHERE f.status OPERATOR(pg_catalog.=) 'succeeded'
	 UNION ALL
	SELECT d.account, d.livemode, d.currency,
		   pg_catalog.date_trunc('month', d.created AT TIME ZONE 'UTC')::date,
		   0, 0, d.amount
	  FROM stripe.disputes d
	 WHERE d.status OPERATOR(pg_catalog.<>) ALL
		   ('{won,prevented,warning_needs_response,warning_under_review,warning_closed}')) r
 GROUP BY r.account, r.livemode, r.month, r.currency;
REVOKE ALL ON TABLE stripe.revenue_monthly FROM PUBLIC;
COMMENT ON VIEW stripe.revenue_monthly IS
	'Money by month (UTC) and currency, in the currency''s smallest unit: received in charges, given back in refunds, each in the month it happened, and taken back by disputes that were not won.  Money received outside of Stripe is not in it.';

CREATE VIEW stripe.membership_conflicts WITH (security_invoker = true) AS
SELECT m.account,
	   m.livemode,
	   m.membership_id,
	   m.subscription AS counted,
	   v.subscription AS not_counted,
	   v.linked_by,
	   s.status,
	   s.current_period_end
  FROM stripe.memberships m
  JOIN stripe.membership_subscriptions v
	ON v.account OPERATOR(pg_catalog.=) m.account
   AND v.livemode OPERATOR(pg_catalog.=) m.livemode
   AND v.membership_id OPERATOR(pg_catalog.=) m.membership_id
  JOIN stripe.subscriptions s
	ON s.account OPERATOR(pg_catalog.=) v.account
   AND s.livemode OPERATOR(pg_catalog.=) v.livemode
   AND s.id OPERATOR(pg_catalog.=) v.subscription
 WHERE v.subscription IS DISTINCT FROM m.subscription
   AND NOT s.deleted
   AND s.status OPERATOR(pg_catalog.<>) ALL ('{canceled,incomplete_expired}');
REVOKE ALL ON TABLE stripe.membership_conflicts FROM PUBLIC;
COMMENT ON VIEW stripe.membership_conflicts IS
	'Memberships with more than one subscription that is not over: the one that counts, and each that does not and perhaps is paid in vain.';

CREATE VIEW stripe.webhook_health WITH (security_invoker = true) AS
SELECT e.account,
	   e.livemode,
	   pg_catalog.count(*) AS events,
	   pg_catalog.count(*) FILTER (WHERE e.received_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) '1 day'::interval)) AS last_day,
	   pg_catalog.max(e.received_at) AS last_received,
	   pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.max(e.received_at) AS silent_for,
	   pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY e.received_at OPERATOR(pg_catalog.-) e.created)
		   FILTER (WHERE e.received_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) '1 day'::interval)) AS lag,
	   pg_catalog.count(*) FILTER (WHERE e.state OPERATOR(pg_catalog.=) 'failed') AS failed,
	   pg_catalog.count(*) FILTER (WHERE e.state OPERATOR(pg_catalog.=) 'failed' AND e.next_attempt IS NULL) AS given_up,
	   (SELECT f.error
		  FROM stripe.events f
		 WHERE f.account OPERATOR(pg_catalog.=) e.account
		   AND f.livemode OPERATOR(pg_catalog.=) e.livemode
		   AND f.state OPERATOR(pg_catalog.=) 'failed'
		 ORDER BY f.received_at DESC, f.id DESC
		 LIMIT 1) AS last_error,
	   (SELECT pg_catalog.count(*)
		  FROM stripe.refetches q
		 WHERE q.account OPERATOR(pg_catalog.=) e.account
		   AND q.livemode OPERATOR(pg_catalog.=) e.livemode) AS refetches,
	   ARRAY(
		SELECT t.name
		  FROM pg_catalog.unnest('{payment_intent.succeeded,payment_intent.payment_failed,invoice.paid,invoice.payment_failed,customer.subscription.created,customer.subscription.updated,customer.subscription.deleted,charge.refunded,charge.dispute.created}'::text[]) t(name)
		 WHERE t.name OPERATOR(pg_catalog.<>) ALL (pg_catalog.array_agg(DISTINCT e.type))) AS types_not_seen
  FROM stripe.events e
 GROUP BY e.account, e.livemode;
REVOKE ALL ON TABLE stripe.webhook_health FROM PUBLIC;
COMMENT ON VIEW stripe.webhook_health IS
	'How events arrive: when the last one came, the median time from when it happened, what failed, what is to be fetched again, and types the tables depend on of which none has come, perhaps because the endpoint does not send them.  A delivery whose signature is refused raises an error and leaves no row; the server''s log has it.';

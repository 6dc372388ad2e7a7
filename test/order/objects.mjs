// objects.mjs: Stripe's objects, in the newest shape, with what matters here.
//
// Members that begin with "_" are the model's own; shapes.mjs takes them out.
// Ids are given by the caller.

export const DAY = 86400;

export function price(id, { created, amount, product = 'prod_mpBasic', interval = 'month' }) {
  return {
    id, object: 'price', active: true, billing_scheme: 'per_unit', created, currency: 'aud',
    custom_unit_amount: null, livemode: false, lookup_key: null, metadata: {}, nickname: null, product,
    recurring: { interval, interval_count: 1, meter: null, trial_period_days: null, usage_type: 'licensed' },
    tax_behavior: 'inclusive', tiers_mode: null, transform_quantity: null, type: 'recurring',
    unit_amount: amount, unit_amount_decimal: String(amount),
  };
}

export function item(id, subscription, { created, start, end, price: itsPrice }) {
  return {
    id, object: 'subscription_item', billing_thresholds: null, created, current_period_start: start,
    current_period_end: end, discounts: [], metadata: {}, price: itsPrice, quantity: 1, subscription, tax_rates: [],
  };
}

export function subscription(id, fields, items) {
  return {
    id, object: 'subscription', application: null, automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: fields.created, billing_mode: { type: 'flexible', flexible: { proration_discounts: 'included' } },
    cancel_at: null, cancel_at_period_end: false, canceled_at: null,
    cancellation_details: { comment: null, feedback: null, reason: null },
    collection_method: 'charge_automatically', currency: 'aud', customer_account: null, days_until_due: null,
    default_payment_method: null, default_source: null, default_tax_rates: [], description: null, discounts: [],
    ended_at: null,
    items: { object: 'list', data: items, has_more: false, total_count: items.length, url: `/v1/subscription_items?subscription=${id}` },
    latest_invoice: null, livemode: false, metadata: {}, next_pending_invoice_item_invoice: null, pause_collection: null,
    payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: 'off' },
    pending_setup_intent: null, pending_update: null, schedule: null, start_date: fields.created, status: 'active',
    test_clock: null, trial_end: null,
    trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } }, trial_start: null, ...fields,
  };
}

export function line(id, invoice, { amount, period, price: itsPrice, subscription: sub, item: itsItem, proration = false }) {
  return {
    id, object: 'line_item', amount, currency: 'aud', description: null, discount_amounts: [], discountable: !proration,
    discounts: [], invoice, livemode: false, metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: { invoice_item: null, proration, proration_details: { credited_items: null }, subscription: sub, subscription_item: itsItem },
      type: 'subscription_item_details',
    },
    period, pretax_credit_amounts: [],
    pricing: { price_details: { price: itsPrice.id, product: itsPrice.product }, type: 'price_details', unit_amount_decimal: String(amount) },
    quantity: 1, taxes: [], _price: itsPrice,
  };
}

export function invoice(id, fields, lines) {
  const total = lines.reduce((sum, entry) => sum + entry.amount, 0);
  return {
    id, object: 'invoice', account_country: 'AU', account_name: 'Club', amount_due: total, amount_overpaid: 0, amount_paid: 0,
    amount_remaining: total, amount_shipping: 0, attempt_count: 0, attempted: false, auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null, billing_reason: 'subscription_cycle', collection_method: 'charge_automatically',
    currency: 'aud', customer_email: 'member@example.com', customer_tax_exempt: 'none', default_payment_method: null,
    description: null, discounts: [], due_date: null, effective_at: null, ending_balance: null, footer: null,
    hosted_invoice_url: null, invoice_pdf: null, last_finalization_error: null,
    lines: { object: 'list', data: lines, has_more: false, total_count: lines.length, url: `/v1/invoices/${id}/lines` },
    livemode: false, metadata: {}, next_payment_attempt: null, number: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: fields._metadata ?? {}, subscription: fields._subscription ?? null },
      type: 'subscription_details',
    },
    period_end: fields.created, period_start: fields.created, receipt_number: null, starting_balance: 0,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: total, subtotal_excluding_tax: total, total, total_discount_amounts: [], total_excluding_tax: total,
    total_taxes: [], webhooks_delivered_at: null, ...fields,
  };
}

export function paymentIntent(id, fields) {
  return {
    id, object: 'payment_intent', amount_capturable: 0, amount_details: { tip: {} }, amount_received: 0,
    automatic_payment_methods: null, canceled_at: null, cancellation_reason: null, capture_method: 'automatic',
    client_secret: `${id}_secret_mpTest`, confirmation_method: 'automatic', currency: 'aud', description: null,
    last_payment_error: null, latest_charge: null, livemode: false, metadata: {}, next_action: null, payment_method: null,
    processing: null, receipt_email: null, setup_future_usage: 'off_session', shipping: null,
    status: 'requires_payment_method', transfer_group: null, ...fields,
  };
}

export function charge(id, fields) {
  return {
    id, object: 'charge', amount_captured: 0, amount_refunded: 0, balance_transaction: null,
    billing_details: { address: null, email: 'member@example.com', name: 'A Member', phone: null, tax_id: null },
    captured: false, currency: 'aud', description: null, disputed: false, failure_code: null, failure_message: null,
    fraud_details: {}, livemode: false, metadata: {}, outcome: { network_status: 'approved_by_network', type: 'authorized' },
    paid: false, payment_method: null,
    payment_method_details: { card: { brand: 'visa', exp_month: 8, exp_year: 2034, last4: '4242', network: 'visa' }, type: 'card' },
    receipt_url: `https://pay.stripe.com/receipts/${id}`, refunded: false, status: 'succeeded', ...fields,
  };
}

export function refund(id, fields) {
  return {
    id, object: 'refund', balance_transaction: null, currency: 'aud', destination_details: { card: { type: 'refund' }, type: 'card' },
    metadata: {}, reason: 'requested_by_customer', receipt_number: null, status: 'pending', ...fields,
  };
}

export function dispute(id, fields) {
  return {
    id, object: 'dispute', balance_transactions: [], currency: 'aud', evidence: { uncategorized_text: null },
    evidence_details: { due_by: fields.created + 9 * DAY, has_evidence: false, past_due: false, submission_count: 0 },
    is_charge_refundable: false, livemode: false, metadata: {}, reason: 'fraudulent', status: 'needs_response', ...fields,
  };
}

export function invoicePayment(id, fields) {
  return {
    id, object: 'invoice_payment', amount_paid: null, currency: 'aud', is_default: true, livemode: false, status: 'open',
    status_transitions: { canceled_at: null, paid_at: null }, ...fields,
  };
}

export function customer(id, fields) {
  return {
    id, object: 'customer', address: null, balance: 0, currency: 'aud', default_source: null, delinquent: false,
    description: null, email: 'member@example.com', invoice_prefix: 'MPTEST',
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false, metadata: {}, name: 'A Member', next_invoice_sequence: 1, phone: null, preferred_locales: [],
    shipping: null, tax_exempt: 'none', test_clock: null, ...fields,
  };
}

export function paymentMethod(id, fields) {
  return {
    id, object: 'payment_method', allow_redisplay: 'unspecified', billing_details: { email: 'member@example.com', name: null },
    card: { brand: 'visa', exp_month: 8, exp_year: 2034, fingerprint: 'mpFingerprint01', funding: 'credit', last4: '4242' },
    customer: null, livemode: false, metadata: {}, type: 'card', ...fields,
  };
}

export function schedule(id, fields) {
  return {
    id, object: 'subscription_schedule', application: null, billing_mode: { type: 'flexible' }, canceled_at: null,
    completed_at: null, end_behavior: 'release', livemode: false, metadata: {}, released_at: null,
    released_subscription: null, status: 'active', test_clock: null, ...fields,
  };
}

export function checkoutSession(id, fields) {
  return {
    id, object: 'checkout.session', amount_subtotal: 2500, amount_total: 2500, cancel_url: null, client_reference_id: null,
    currency: 'aud', invoice: null, livemode: false, metadata: {}, mode: 'subscription', payment_intent: null,
    payment_status: 'unpaid', status: 'open', subscription: null, success_url: 'https://club.example/thanks', url: null,
    ...fields,
  };
}

export function invoiceItem(id, fields) {
  return {
    id, object: 'invoiceitem', currency: 'aud', description: null, discountable: false, invoice: null, livemode: false,
    metadata: {}, proration: true, quantity: 1, ...fields,
  };
}

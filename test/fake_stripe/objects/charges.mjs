// Charges: what a payment intent's attempts leave behind. Read, list, search,
// update; made and settled only through payment intents.

import { list, search, sublist } from '../lists.mjs';
import { ADDRESS, LIST, SEARCH } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata, token } from '../world.mjs';
import { feeOf, record } from './balance_transactions.mjs';
import { must, shipping } from './lookup.mjs';
import { behaviour } from './payment_methods.mjs';

register('charge', {
  balance_transaction: 'balance_transaction', customer: 'customer', payment_intent: 'payment_intent',
  failure_balance_transaction: 'balance_transaction', 'payment_method_details.card.mandate': 'mandate',
}, {
  refunds: (ctx, c) => sublist(ctx, 'refund', `/v1/charges/${c.id}/refunds`, (r) => r.charge === c.id),
});

const HOLD = 7 * 86400;

function cardDetails(ctx, intent, method, spec, { authenticated, captured, amount }) {
  const { card } = method;
  const checks = {
    address_line1_check: method.billing_details.address.line1 ? 'pass' : null,
    address_postal_code_check: method.billing_details.address.postal_code ? 'pass' : null,
    cvc_check: card.checks.cvc_check ? 'pass' : null,
    ...spec.checks,
  };
  const approved = !spec.decline;
  return {
    amount_authorized: approved ? amount : null,
    authorization_code: approved ? token(6).toUpperCase() : null,
    brand: card.brand,
    ...(captured ? {} : { capture_before: ctx.now + HOLD }),
    checks,
    country: card.country,
    electronic_commerce_indicator: authenticated ? '05' : null,
    exp_month: card.exp_month,
    exp_year: card.exp_year,
    extended_authorization: { status: 'disabled' },
    fingerprint: card.fingerprint,
    funding: card.funding,
    incremental_authorization: { status: 'unavailable' },
    installments: null,
    last4: card.last4,
    mandate: null,
    multicapture: { status: 'unavailable' },
    network: card.brand,
    network_token: { used: false },
    network_transaction_id: approved ? token(15).toUpperCase() : null,
    overcapture: { maximum_amount_capturable: amount, status: 'unavailable' },
    regulated_status: 'unregulated',
    three_d_secure: authenticated ? {
      authentication_flow: 'challenge', electronic_commerce_indicator: '05', exemption_indicator: null,
      result: 'authenticated', result_reason: null, transaction_id: '00000000-0000-4000-8000-000000000000', version: '2.2.0',
    } : null,
    transaction_link_id: null,
    wallet: card.wallet,
  };
}

const otherDetails = {
  us_bank_account: (m, mandate) => ({
    account_holder_type: m.account_holder_type, account_type: m.account_type, bank_name: m.bank_name, fingerprint: m.fingerprint,
    last4: m.last4, ...(mandate && { mandate }), payment_reference: null, routing_number: m.routing_number,
  }),
  au_becs_debit: (m, mandate) => ({ bsb_number: m.bsb_number, fingerprint: m.fingerprint, last4: m.last4, ...(mandate && { mandate }) }),
  sepa_debit: (m, mandate) => ({
    bank_code: m.bank_code, branch_code: m.branch_code, country: m.country, fingerprint: m.fingerprint, last4: m.last4, mandate: mandate ?? null,
  }),
  payto: (m, mandate) => ({ bsb_number: m.bsb_number, last4: m.last4, ...(mandate && { mandate }), pay_id: m.pay_id }),
  affirm: () => ({ transaction_id: null }),
  afterpay_clearpay: () => ({ order_id: null, reference: null }),
  alipay: () => ({ fingerprint: null, transaction_id: null }),
  bancontact: () => ({
    bank_code: 'VAPE', bank_name: 'VAN DE PUT & CO', bic: 'VAPEBE22', generated_sepa_debit: null, generated_sepa_debit_mandate: null,
    iban_last4: '7061', preferred_language: 'en', verified_name: 'Jenny Rosen',
  }),
  ideal: () => ({
    bank: 'ing', bic: 'INGBNL2A', generated_sepa_debit: null, generated_sepa_debit_mandate: null, iban_last4: '5264', transaction_id: null, verified_name: 'Jenny Rosen',
  }),
  klarna: () => ({ payer_details: { address: { country: 'AU' } }, payment_method_category: 'pay_later', preferred_locale: 'en-AU' }),
};

function outcomeOf(method, spec, failure) {
  const base = { advice_code: null, network_advice_code: null, network_decline_code: null };
  if (method.type !== 'card') {
    return failure ? null : { ...base, network_status: 'approved_by_network', reason: null, risk_level: 'not_assessed', seller_message: 'Payment complete.', type: 'authorized' };
  }
  const risk = spec.risk ?? 'normal';
  const score = { normal: 12, elevated: 70, highest: 95 }[risk];
  if (!failure) {
    return {
      ...base, network_status: 'approved_by_network', reason: risk === 'elevated' ? 'elevated_risk_level' : null, risk_level: risk, risk_score: score,
      seller_message: risk === 'elevated' ? 'Stripe evaluated this payment as having elevated risk, and placed it in your manual review queue.' : 'Payment complete.',
      type: risk === 'elevated' ? 'manual_review' : 'authorized',
    };
  }
  if (spec.blocked) {
    return { ...base, network_status: 'not_sent_to_network', reason: 'highest_risk_level', risk_level: risk, risk_score: score, seller_message: 'Stripe blocked this payment as too risky.', type: 'blocked' };
  }
  return {
    ...base, advice_code: failure.advice_code ?? null, network_decline_code: '05', network_status: 'declined_by_network',
    reason: failure.decline_code ?? failure.code, risk_level: risk, risk_score: score,
    seller_message: 'The bank did not return any further details with this decline.', type: 'issuer_declined',
  };
}

// One attempt of an intent. state: 'succeeded', 'pending' or 'failed'.
export function createCharge(ctx, intent, method, { state, captured = true, failure = null, authenticated = false, mandate = null }) {
  const spec = behaviour(ctx, method);
  const isCard = method.type === 'card';
  const id = ctx.newId(isCard ? 'ch' : 'py');
  const failed = state === 'failed';
  const shownFailure = failure && { ...failure };
  const charge = {
    id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: state === 'succeeded' && captured ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: structuredClone(method.billing_details),
    calculated_statement_descriptor: isCard ? `FAKE* ${intent.statement_descriptor_suffix ?? 'CLUB'}`.slice(0, 22) : intent.statement_descriptor,
    captured: state === 'succeeded' && captured,
    created: ctx.now,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: shownFailure?.code ?? null,
    failure_message: shownFailure?.message ?? null,
    fraud_details: {},
    livemode: intent.livemode,
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: outcomeOf(method, spec, shownFailure),
    paid: state === 'succeeded',
    payment_intent: intent.id,
    payment_method: method.id,
    payment_method_details: {
      type: method.type,
      [method.type]: isCard
        ? cardDetails(ctx, intent, method, failed ? { ...spec, decline: failure } : spec, { authenticated, captured: captured || failed, amount: intent.amount })
        : otherDetails[method.type]?.(method[method.type], mandate) ?? {},
    },
    radar_options: {},
    receipt_email: intent.receipt_email,
    receipt_number: null,
    receipt_url: state === 'succeeded' ? `https://pay.stripe.com/receipts/payment/${token(40)}` : null,
    refunded: false,
    review: null,
    shipping: structuredClone(intent.shipping),
    source: null,
    source_transfer: null,
    statement_descriptor: intent.statement_descriptor,
    statement_descriptor_suffix: intent.statement_descriptor_suffix,
    status: state,
    transfer_data: null,
    transfer_group: intent.transfer_group,
  };
  ctx.add(charge);
  return charge;
}

// Gives a captured charge its balance transaction.
export function settle(ctx, charge, { event = false } = {}) {
  if (charge.balance_transaction || !charge.captured) return;
  const method = ctx.mode.get('payment_method', charge.payment_method);
  const txn = record(ctx, {
    amount: charge.amount_captured, currency: charge.currency, fee: feeOf(charge.amount_captured),
    type: charge.id.startsWith('ch_') ? 'charge' : 'payment', source: charge.id, description: charge.description,
    available: method && behaviour(ctx, method).settled ? 0 : 7,
  });
  ctx.change(event ? 'charge.updated' : null, charge, { balance_transaction: txn.id });
}

function update(ctx, params, id) {
  const charge = must(ctx, 'charge', id);
  const patch = {};
  if (params.metadata !== undefined) patch.metadata = mergeMetadata(charge.metadata, params.metadata);
  for (const name of ['description', 'receipt_email', 'transfer_group']) if (params[name] !== undefined) patch[name] = params[name] || null;
  if (params.customer !== undefined) {
    must(ctx, 'customer', params.customer, { param: 'customer' });
    patch.customer = params.customer;
  }
  if (params.shipping !== undefined) patch.shipping = shipping(params.shipping);
  if (params.fraud_details !== undefined) patch.fraud_details = params.fraud_details.user_report ? { user_report: params.fraud_details.user_report } : {};
  ctx.change('charge.updated', charge, patch);
  return charge;
}

export const routes = [
  { method: 'GET', path: '/v1/charges', params: `${LIST} created:range customer payment_intent transfer_group`, returns: 'list:charge',
    run: (ctx, params) => list(ctx, 'charge', params, { url: '/v1/charges', equal: ['customer', 'payment_intent', 'transfer_group'] }) },
  { method: 'GET', path: '/v1/charges/search', params: SEARCH, returns: 'search:charge',
    run: (ctx, params) => search(ctx, 'charge', params, '/v1/charges/search', {
      amount: 'number', created: 'number', currency: 'exact', customer: 'exact', disputed: 'exact', refunded: 'exact', status: 'exact',
      'billing_details.address.postal_code': 'exact', 'payment_method_details.card.last4': 'exact', 'payment_method_details.card.brand': 'exact',
      'payment_method_details.card.exp_month': 'number', 'payment_method_details.card.exp_year': 'number', 'payment_method_details.card.fingerprint': 'exact',
    }) },
  { method: 'GET', path: '/v1/charges/:id', params: 'expand[]', returns: 'charge', run: (ctx, params, id) => must(ctx, 'charge', id) },
  { method: 'POST', path: '/v1/charges/:id', returns: 'charge', run: update,
    params: `customer description~ expand[] fraud_details{user_report~:fraudulent|safe} metadata~:meta receipt_email~
      shipping{address!{${ADDRESS}} carrier name! phone tracking_number} transfer_group` },
];

// Disputes and early fraud warnings: opened by test cards or by the admin,
// answered with evidence, won or lost.

import { invalid } from '../errors.mjs';
import { list } from '../lists.mjs';
import { LIST } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata } from '../world.mjs';
import { record } from './balance_transactions.mjs';
import { settle } from './charges.mjs';
import { must } from './lookup.mjs';

register('dispute', { charge: 'charge', payment_intent: 'payment_intent' });
register('radar.early_fraud_warning', { charge: 'charge', payment_intent: 'payment_intent' });

const TEXTS = `access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal
  customer_communication customer_email_address customer_name customer_purchase_ip customer_signature
  duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy
  refund_policy_disclosure refund_refusal_explanation service_date service_documentation shipping_address shipping_carrier
  shipping_date shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text`.split(/\s+/);

const REASON_CODES = { fraudulent: '10.4', product_not_received: '13.1', duplicate: '12.6.1' };
const CLOSED = ['won', 'lost', 'warning_closed', 'prevented'];
const FEE = 1500;

function move(ctx, dispute, sign) {
  const txn = record(ctx, {
    amount: sign * dispute.amount, currency: dispute.currency, fee: sign < 0 ? FEE : 0, type: 'adjustment', source: dispute.id,
    description: `Chargeback ${sign < 0 ? 'withdrawal' : 'reversal'} for ${dispute.charge}`, category: sign < 0 ? 'dispute' : 'dispute_reversal', available: 0,
  });
  dispute.balance_transactions.push(txn);
}

export function openDispute(ctx, charge, { reason = 'fraudulent', amount = charge.amount - charge.amount_refunded, inquiry = false, status } = {}) {
  settle(ctx, charge);
  const isCard = charge.payment_method_details.type === 'card';
  const warning = inquiry || (status ?? '').startsWith('warning_');
  const dispute = {
    id: ctx.newId(isCard ? 'du' : 'dp'),
    object: 'dispute',
    amount,
    balance_transactions: [],
    charge: charge.id,
    created: ctx.now,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: { ...Object.fromEntries(TEXTS.map((name) => [name, null])), enhanced_evidence: {} },
    evidence_details: { due_by: ctx.now + 9 * 86400, enhanced_eligibility: {}, has_evidence: false, past_due: false, submission_count: 0, submission_method: 'not_submitted' },
    intended_submission_method: null,
    is_charge_refundable: warning,
    livemode: charge.livemode,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason,
    status: warning ? 'warning_needs_response' : 'needs_response',
  };
  if (isCard) {
    const { brand } = charge.payment_method_details.card;
    dispute.payment_method_details = {
      card: { brand, case_type: warning ? 'inquiry' : 'chargeback', network: brand, network_reason_code: REASON_CODES[reason] ?? null }, type: 'card',
    };
  }
  ctx.add(dispute);
  if (!warning) move(ctx, dispute, -1);
  ctx.note(charge.id).refundable = warning;
  ctx.change(null, charge, { disputed: true });
  ctx.emit('charge.dispute.created', dispute);
  if (!warning) ctx.emit('charge.dispute.funds_withdrawn', dispute);
  ctx.emit('charge.updated', charge, { disputed: false });
  if (status && status !== dispute.status) advanceDispute(ctx, dispute, status);
  return dispute;
}

// To any later status, with the events and the money that go with it.
export function advanceDispute(ctx, dispute, status) {
  if (dispute.status === status) return;
  if (CLOSED.includes(dispute.status)) throw invalid(`Dispute ${dispute.id} is already closed (${dispute.status}).`);
  const withdrawn = dispute.balance_transactions.length === 1;
  const previous = ctx.change(null, dispute, { status });
  if (status === 'won' && withdrawn) move(ctx, dispute, 1);
  if (CLOSED.includes(status)) {
    ctx.note(dispute.charge).refundable = status !== 'lost';
    ctx.change(null, dispute, { is_charge_refundable: status !== 'lost' });
    ctx.emit('charge.dispute.closed', dispute, previous);
    if (status === 'won' && withdrawn) ctx.emit('charge.dispute.funds_reinstated', dispute);
  } else {
    if (status === 'needs_response' && !withdrawn) {
      move(ctx, dispute, -1);
      ctx.note(dispute.charge).refundable = false;
      ctx.change(null, dispute, { is_charge_refundable: false });
      ctx.emit('charge.dispute.funds_withdrawn', dispute);
    }
    ctx.emit('charge.dispute.updated', dispute, previous);
  }
}

export function warn(ctx, charge) {
  const warning = ctx.add({
    id: ctx.newId('issfr'), object: 'radar.early_fraud_warning', actionable: true, charge: charge.id, created: ctx.now,
    fraud_type: 'misc', livemode: charge.livemode, payment_intent: charge.payment_intent,
  });
  ctx.emit('radar.early_fraud_warning.created', warning);
}

function update(ctx, params, id) {
  const dispute = must(ctx, 'dispute', id);
  if (CLOSED.includes(dispute.status)) throw invalid('This dispute is already closed.');
  const patch = {};
  if (params.metadata !== undefined) patch.metadata = mergeMetadata(dispute.metadata, params.metadata);
  if (params.intended_submission_method !== undefined) patch.intended_submission_method = params.intended_submission_method;
  if (params.evidence !== undefined) {
    patch.evidence = { ...dispute.evidence };
    for (const [name, value] of Object.entries(params.evidence)) if (TEXTS.includes(name)) patch.evidence[name] = value || null;
  }
  const submit = params.submit ?? params.evidence !== undefined;
  if (params.evidence !== undefined) {
    patch.evidence_details = {
      ...dispute.evidence_details, has_evidence: true, submission_count: dispute.evidence_details.submission_count + (submit ? 1 : 0),
      submission_method: submit ? 'manual' : dispute.evidence_details.submission_method,
    };
  }
  const text = patch.evidence?.uncategorized_text;
  const warning = dispute.status.startsWith('warning_');
  if (submit && params.evidence !== undefined) patch.status = warning ? 'warning_under_review' : 'under_review';
  ctx.change('charge.dispute.updated', dispute, patch);
  // Stripe's magic words decide a test dispute.
  if (submit && text === 'winning_evidence') advanceDispute(ctx, dispute, warning ? 'warning_closed' : 'won');
  if (submit && text === 'losing_evidence') advanceDispute(ctx, dispute, warning ? 'needs_response' : 'lost');
  return dispute;
}

export const routes = [
  { method: 'GET', path: '/v1/disputes', params: `${LIST} created:range charge payment_intent`, returns: 'list:dispute',
    run: (ctx, params) => list(ctx, 'dispute', params, { url: '/v1/disputes', equal: ['charge', 'payment_intent'] }) },
  { method: 'GET', path: '/v1/disputes/:id', params: 'expand[]', returns: 'dispute', run: (ctx, params, id) => must(ctx, 'dispute', id) },
  { method: 'POST', path: '/v1/disputes/:id', returns: 'dispute', run: update,
    params: `evidence{${TEXTS.map((t) => `${t}~`).join(' ')} appeal~:any@>=2026-10-28 enhanced_evidence~:any} expand[] metadata~:meta submit:bool
      intended_submission_method:manual|prefer_manual|prefer_smart_disputes|smart_disputes@>=2026-10-28` },
  { method: 'POST', path: '/v1/disputes/:id/close', params: 'expand[]', returns: 'dispute',
    run(ctx, params, id) {
      const dispute = must(ctx, 'dispute', id);
      if (CLOSED.includes(dispute.status)) throw invalid('This dispute is already closed.');
      advanceDispute(ctx, dispute, dispute.status.startsWith('warning_') ? 'warning_closed' : 'lost');
      return dispute;
    } },
  { method: 'GET', path: '/v1/radar/early_fraud_warnings', params: `${LIST} created:range charge payment_intent`, returns: 'list:radar.early_fraud_warning',
    run: (ctx, params) => list(ctx, 'radar.early_fraud_warning', params, { url: '/v1/radar/early_fraud_warnings', equal: ['charge', 'payment_intent'] }) },
  { method: 'GET', path: '/v1/radar/early_fraud_warnings/:id', params: 'expand[]', returns: 'radar.early_fraud_warning',
    run: (ctx, params, id) => must(ctx, 'radar.early_fraud_warning', id) },
];

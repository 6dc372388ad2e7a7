// Refunds: full, partial, too much, twice; pending, failing, canceled.

import { invalid } from '../errors.mjs';
import { list } from '../lists.mjs';
import { display } from '../money.mjs';
import { LIST } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata } from '../world.mjs';
import { record } from './balance_transactions.mjs';
import { settle } from './charges.mjs';
import { must } from './lookup.mjs';
import { behaviour } from './payment_methods.mjs';

register('refund', {
  charge: 'charge', payment_intent: 'payment_intent', balance_transaction: 'balance_transaction', customer: 'customer',
  failure_balance_transaction: 'balance_transaction', payment_method: 'payment_method',
});

const DESTINATION = { au_becs_debit: 'au_bank_transfer', sepa_debit: 'eu_bank_transfer', us_bank_account: 'us_bank_transfer', payto: 'au_bank_transfer' };

function destination(charge) {
  const { type } = charge.payment_method_details;
  if (type === 'card') return { card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' }, type: 'card' };
  if (type === 'customer_balance') return { customer_cash_balance: {}, type: 'customer_cash_balance' };
  const name = DESTINATION[type] ?? type;
  const details = name === 'au_bank_transfer' ? {} : name.endsWith('_bank_transfer') ? { reference: null, reference_status: null } : {};
  return { [name]: details, type: name };
}

function build(ctx, charge, { amount, reason, status, metadata = {}, moves = true }) {
  const refund = {
    id: ctx.newId(charge.id.startsWith('ch_') ? 're' : 'pyr'),
    object: 'refund',
    amount,
    balance_transaction: null,
    charge: charge.id,
    created: ctx.now,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: destination(charge),
    metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    ...(status === 'pending' && { pending_reason: 'processing' }),
    reason: reason ?? null,
    receipt_number: null,
    source_transfer_reversal: null,
    status,
    transfer_reversal: null,
  };
  ctx.add(refund);
  // A release gives back a hold that was never captured: no money moved.
  ctx.note(refund.id).release = !moves;
  if (moves) {
    refund.balance_transaction = record(ctx, {
      amount: -amount, currency: charge.currency, type: charge.id.startsWith('ch_') ? 'refund' : 'payment_refund', source: refund.id,
      description: `REFUND FOR CHARGE${charge.description ? ` (${charge.description})` : ''}`, available: 0,
    }).id;
  }
  return refund;
}

function count(ctx, charge, amount) {
  const total = charge.amount_refunded + amount;
  return ctx.change(null, charge, { amount_refunded: total, refunded: total >= charge.amount });
}

// Gives back the part of an authorization that will not be captured: all of
// it when the intent is canceled, the rest after a partial capture.
export function release(ctx, charge, amount, reason) {
  const refund = build(ctx, charge, { amount, reason, status: 'succeeded', moves: false });
  return { refund, previous: count(ctx, charge, amount) };
}

function chargeOf(ctx, params) {
  if (params.charge !== undefined && params.payment_intent !== undefined) {
    const charge = must(ctx, 'charge', params.charge, { param: 'charge' });
    if (charge.payment_intent !== params.payment_intent) {
      throw invalid(`Charge ${params.charge} does not belong to PaymentIntent ${params.payment_intent}.`, { param: 'payment_intent' });
    }
    return charge;
  }
  if (params.charge !== undefined) return must(ctx, 'charge', params.charge, { param: 'charge' });
  if (params.payment_intent === undefined) {
    throw invalid('One of the following params should be provided for this request: payment_intent or charge.', { code: 'parameter_missing', param: 'charge' });
  }
  const intent = must(ctx, 'payment_intent', params.payment_intent, { param: 'payment_intent' });
  const charge = intent.latest_charge && ctx.mode.get('charge', intent.latest_charge);
  if (!charge || charge.status !== 'succeeded') {
    throw invalid(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, { param: 'payment_intent' });
  }
  return charge;
}

function create(ctx, params) {
  if (params.origin !== undefined) throw invalid('This fake does not refund a cash balance.', { param: 'origin' });
  if (params.amount !== undefined && params.amount < 1) {
    throw invalid('This value must be greater than or equal to 1.', { code: 'parameter_invalid_integer', param: 'amount' });
  }
  const charge = chargeOf(ctx, params);
  if (charge.status !== 'succeeded') throw invalid(`Charge ${charge.id} has not succeeded and cannot be refunded.`, { code: 'charge_not_refundable', param: 'charge' });
  if (!charge.captured) throw invalid(`Charge ${charge.id} has not been captured: cancel its PaymentIntent instead of refunding it.`, { param: 'charge' });
  if (charge.disputed && !ctx.note(charge.id).refundable) {
    throw invalid(`Charge ${charge.id} has been charged back; cannot issue a refund.`, { code: 'charge_disputed', param: 'charge' });
  }
  const left = charge.amount - charge.amount_refunded;
  if (left <= 0) throw invalid(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded', param: 'charge' });
  const amount = params.amount ?? left;
  if (amount > left) {
    throw invalid(`Refund amount (${display(amount, charge.currency)}) is greater than unrefunded amount on charge (${display(left, charge.currency)})`, { param: 'amount' });
  }
  settle(ctx, charge);
  const spec = behaviour(ctx, ctx.mode.get('payment_method', charge.payment_method) ?? { type: 'card' });
  const slow = spec.refund === 'pending' || ['au_becs_debit', 'sepa_debit', 'us_bank_account', 'payto'].includes(charge.payment_method_details.type);
  const refund = build(ctx, charge, { amount, reason: params.reason, status: slow ? 'pending' : 'succeeded', metadata: mergeMetadata({}, params.metadata) });
  if (params.instructions_email !== undefined) refund.instructions_email = params.instructions_email;
  const previous = count(ctx, charge, amount);
  ctx.emit('refund.created', refund);
  ctx.emit('charge.refunded', charge, previous);
  if (slow) ctx.note(refund.id).later = 'succeeded';
  if (spec.refund === 'fail') ctx.note(refund.id).later = 'failed';
  return refund;
}

// Takes a refund to its next state, as the bank would: for the admin, and for
// the test cards whose refunds finish later.
export function advanceRefund(ctx, refund, to, reason) {
  if (refund.status === to) return;
  const charge = ctx.mode.get('charge', refund.charge);
  const patch = { status: to };
  if (refund.pending_reason !== undefined && to !== 'pending') delete refund.pending_reason;
  if (to === 'failed' || to === 'canceled') {
    // The money comes back to the account's balance.
    if (to === 'failed') patch.failure_reason = reason ?? 'expired_or_canceled_card';
    patch.failure_balance_transaction = record(ctx, {
      amount: refund.amount, currency: refund.currency, type: 'refund_failure', source: refund.id, description: 'REFUND FAILURE', available: 0,
    }).id;
    const before = ctx.change(null, charge, { amount_refunded: charge.amount_refunded - refund.amount, refunded: false });
    ctx.emit('charge.updated', charge, before);
  }
  delete ctx.note(refund.id).later;
  const previous = ctx.change(null, refund, patch);
  ctx.emit('refund.updated', refund, previous);
  if (to === 'failed') ctx.emit('refund.failed', refund);
  ctx.emit('charge.refund.updated', refund, previous);
}

function cancel(ctx, params, id) {
  const refund = must(ctx, 'refund', id);
  if (refund.status !== 'requires_action') {
    throw invalid(`Refund ${id} has a status of ${refund.status}; only a refund with a status of requires_action can be canceled.`);
  }
  advanceRefund(ctx, refund, 'canceled');
  return refund;
}

export const routes = [
  { method: 'POST', path: '/v1/refunds', returns: 'refund', run: create,
    params: `amount:int charge currency:currency customer expand[] instructions_email:email metadata~:meta origin:customer_balance payment_intent
      reason:duplicate|fraudulent|requested_by_customer refund_application_fee:bool reverse_transfer:bool` },
  { method: 'GET', path: '/v1/refunds', params: `${LIST} created:range charge payment_intent`, returns: 'list:refund',
    run: (ctx, params) => list(ctx, 'refund', params, { url: '/v1/refunds', equal: ['charge', 'payment_intent'] }) },
  { method: 'GET', path: '/v1/refunds/:id', params: 'expand[]', returns: 'refund', run: (ctx, params, id) => must(ctx, 'refund', id) },
  { method: 'POST', path: '/v1/refunds/:id', params: 'expand[] metadata~:meta', returns: 'refund',
    run(ctx, params, id) {
      const refund = must(ctx, 'refund', id);
      if (params.metadata !== undefined) {
        const before = ctx.change(null, refund, { metadata: mergeMetadata(refund.metadata, params.metadata) });
        if (Object.keys(before).length > 0) {
          ctx.emit('refund.updated', refund, before);
          ctx.emit('charge.refund.updated', refund, before);
        }
      }
      return refund;
    } },
  { method: 'POST', path: '/v1/refunds/:id/cancel', params: 'expand[]', returns: 'refund', run: cancel },
];

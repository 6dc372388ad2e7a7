// An attempt to pay: what happens to an intent, its charge and the event log
// when a confirmed payment method is tried, when the customer acts, and when a
// bank reports back later.

import { cardError, invalid } from '../errors.mjs';
import { createCharge, settle } from './charges.mjs';
import { openDispute, warn } from './disputes.mjs';
import { isDebit, microdeposits, redirect } from './intents.mjs';
import { attach, behaviour, REDIRECT_TYPES } from './payment_methods.mjs';
import { release } from './refunds.mjs';

const AUTHENTICATION_REQUIRED = {
  code: 'authentication_required', decline_code: 'authentication_required',
  message: 'Your card was declined. This transaction requires authentication.',
};
const AUTHENTICATION_FAILED = {
  code: 'payment_intent_authentication_failure',
  message: 'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
};

function needsAuthentication(ctx, spec, method, offSession) {
  const setUp = ctx.note(method.id).setUp;
  switch (spec.auth) {
    case 'always': return true;
    case 'setup': return !setUp;
    case 'saved': return !offSession && !setUp;
    default: return false;
  }
}

// how: { offSession, returnUrl, errorOnAction, mandate }
export function attempt(ctx, intent, method, how) {
  const spec = behaviour(ctx, method);
  const note = ctx.note(intent.id);
  const passed = note.passed === method.id;
  Object.assign(note, { passed: null, how });
  intent.last_payment_error = null;
  intent.next_action = null;

  if (method.type === 'card') {
    if (!passed && needsAuthentication(ctx, spec, method, how.offSession)) {
      if (how.offSession) return refuse(ctx, intent, method, AUTHENTICATION_REQUIRED);
      if (how.errorOnAction) {
        return refuse(ctx, intent, method, {
          code: 'payment_intent_action_required', message: 'This payment required an authentication action to complete, but `error_on_requires_action` was set.',
        }, { charged: false });
      }
      return requireAction(ctx, intent, how.returnUrl ? redirect(intent, how.returnUrl) : {
        type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: `https://hooks.stripe.com/redirect/authenticate/${intent.id}`, source: ctx.newId('src') },
      });
    }
    const failure = passed ? spec.after ?? spec.decline : spec.decline;
    if (failure) return refuse(ctx, intent, method, failure, { authenticated: passed });
    return pay(ctx, intent, method, passed);
  }
  if (method.type === 'customer_balance') return payFromBalance(ctx, intent, method);
  if (method.type === 'us_bank_account' && !spec.verified && !passed) return requireAction(ctx, intent, microdeposits(ctx, intent));
  if (isDebit(method.type)) return startDebit(ctx, intent, method, how.mandate);
  return requireAction(ctx, intent, redirect(intent, how.returnUrl));
}

function requireAction(ctx, intent, action) {
  Object.assign(intent, { status: 'requires_action', next_action: action });
  ctx.emit('payment_intent.requires_action', intent);
  return intent;
}

// The card error shown in the intent and, with the intent, in the answer.
function errorOf(method, failure, charge) {
  return {
    type: 'card_error',
    ...(failure.advice_code && { advice_code: failure.advice_code }),
    ...(charge && { charge: charge.id }),
    code: failure.code,
    ...(failure.decline_code && { decline_code: failure.decline_code }),
    doc_url: `https://docs.stripe.com/error-codes#${failure.code.replaceAll('_', '-')}`,
    message: failure.message,
    ...(failure.code === 'incorrect_cvc' && { param: 'cvc' }),
    payment_method: structuredClone(method),
  };
}

function refuse(ctx, intent, method, failure, { charged = true, authenticated = false } = {}) {
  const { error } = fail(ctx, intent, method, failure, { charged, authenticated });
  throw cardError({ ...error, payment_intent: intent });
}

// The attempt failed: the intent is back where it needs a payment method.
function fail(ctx, intent, method, failure, { charged = true, authenticated = false, charge = null } = {}) {
  let failed = charge;
  if (failed) {
    ctx.change(null, failed, { status: 'failed', paid: false, failure_code: failure.code, failure_message: failure.message, outcome: failed.outcome && { ...failed.outcome, network_status: 'declined_by_network', reason: failure.code, seller_message: 'The bank did not return any further details with this decline.', type: 'issuer_declined' } });
  } else if (charged) {
    failed = createCharge(ctx, intent, method, { state: 'failed', captured: false, failure, authenticated });
  }
  if (failed) {
    intent.latest_charge = failed.id;
    ctx.emit('charge.failed', failed);
  }
  const error = errorOf(method, failure, failed);
  Object.assign(intent, {
    status: 'requires_payment_method', payment_method: null, next_action: null, processing: null, last_payment_error: error,
  });
  if (!method.customer) ctx.note(method.id).consumed = isDebit(method.type);
  ctx.emit('payment_intent.payment_failed', intent);
  return { error };
}

function afterPayment(ctx, intent, method, charge) {
  if (intent.customer && intent.setup_future_usage && !method.customer) attach(ctx, method, intent.customer);
  if (intent.setup_future_usage) ctx.note(method.id).setUp = true;
  // A method used without a customer can't be used again.
  if (!method.customer) ctx.note(method.id).consumed = true;
  const { then } = behaviour(ctx, method);
  if (!then || !charge.captured) return;
  if (then.warning) warn(ctx, charge);
  if (then.dispute) {
    openDispute(ctx, charge, { reason: then.dispute, inquiry: then.inquiry, amount: then.twice ? Math.ceil(charge.amount / 2) : undefined });
    if (then.twice) openDispute(ctx, charge, { reason: then.dispute, amount: Math.floor(charge.amount / 2) });
  }
}

function pay(ctx, intent, method, authenticated) {
  const manual = intent.capture_method === 'manual';
  const charge = createCharge(ctx, intent, method, { state: 'succeeded', captured: !manual, authenticated });
  if (method.type === 'card') method.card.checks.cvc_check = behaviour(ctx, method).checks?.cvc_check ?? 'pass';
  intent.latest_charge = charge.id;
  intent.next_action = null;
  intent.processing = null;
  if (manual) {
    Object.assign(intent, { status: 'requires_capture', amount_capturable: intent.amount });
    ctx.emit('charge.succeeded', charge);
    ctx.emit('payment_intent.amount_capturable_updated', intent);
  } else {
    // With automatic_async the balance transaction comes later, by an event.
    if (intent.capture_method === 'automatic') settle(ctx, charge);
    Object.assign(intent, { status: 'succeeded', amount_received: intent.amount });
    ctx.emit('charge.succeeded', charge);
    ctx.emit('payment_intent.succeeded', intent);
  }
  afterPayment(ctx, intent, method, charge);
  return intent;
}

export function finishCapture(ctx, intent, amount) {
  const charge = ctx.mode.get('charge', intent.latest_charge);
  const previous = ctx.change(null, charge, { captured: true, amount_captured: amount });
  if (charge.payment_method_details.card) delete charge.payment_method_details.card.capture_before;
  settle(ctx, charge);
  if (amount < charge.amount) Object.assign(previous, release(ctx, charge, charge.amount - amount, null).previous);
  Object.assign(intent, { status: 'succeeded', amount_capturable: 0, amount_received: amount });
  ctx.emit('charge.captured', charge, { ...previous, balance_transaction: null });
  ctx.emit('payment_intent.succeeded', intent);
  const method = ctx.mode.get('payment_method', intent.payment_method);
  if (method) afterPayment(ctx, intent, method, charge);
  return intent;
}

function startDebit(ctx, intent, method, mandate) {
  const charge = createCharge(ctx, intent, method, { state: 'pending', captured: true, mandate });
  Object.assign(intent, { status: 'processing', latest_charge: charge.id, next_action: null });
  ctx.emit('charge.pending', charge);
  ctx.emit('payment_intent.processing', intent);
  return intent;
}

function payFromBalance(ctx, intent, method) {
  if (!intent.customer) throw invalid('A customer is needed to pay from a cash balance.', { param: 'customer', payment_intent: intent });
  const cash = ctx.note(intent.customer).cash ?? {};
  if ((cash[intent.currency] ?? 0) >= intent.amount) {
    cash[intent.currency] -= intent.amount;
    return pay(ctx, intent, method, false);
  }
  const where = { usd: 'us_bank_transfer', eur: 'eu_bank_transfer', gbp: 'gb_bank_transfer', jpy: 'jp_bank_transfer', mxn: 'mx_bank_transfer' };
  return requireAction(ctx, intent, {
    display_bank_transfer_instructions: {
      amount_remaining: intent.amount - (cash[intent.currency] ?? 0), currency: intent.currency, financial_addresses: [],
      hosted_instructions_url: `https://payments.stripe.com/bank_transfers/instructions/${intent.id}`, reference: intent.id.slice(-8).toUpperCase(),
      type: where[intent.currency] ?? 'us_bank_transfer',
    },
    type: 'display_bank_transfer_instructions',
  });
}

// The customer did what next_action asked.
export function resumeAfterAction(ctx, intent) {
  const method = ctx.mode.get('payment_method', intent.payment_method);
  const note = ctx.note(intent.id);
  note.passed = method.id;
  intent.next_action = null;
  if (intent.confirmation_method === 'manual' && method.type === 'card') {
    intent.status = 'requires_confirmation';
    return intent;
  }
  if (method.type === 'customer_balance' || REDIRECT_TYPES.includes(method.type)) return pay(ctx, intent, method, false);
  const how = note.how ?? { offSession: false, returnUrl: null };
  return attempt(ctx, intent, method, { ...how, offSession: false });
}

function settleDebit(ctx, intent, method) {
  const charge = ctx.mode.get('charge', intent.latest_charge);
  ctx.change(null, charge, {
    status: 'succeeded', paid: true, captured: true, amount_captured: charge.amount, receipt_url: `https://pay.stripe.com/receipts/payment/${charge.id}`,
  });
  settle(ctx, charge);
  Object.assign(intent, { status: 'succeeded', amount_received: intent.amount, processing: null });
  ctx.emit('charge.succeeded', charge);
  ctx.emit('payment_intent.succeeded', intent);
  afterPayment(ctx, intent, method, charge);
}

// The admin's hand: takes an unfinished payment where the test wants it.
// failure: { code, decline_code, message } for a payment that fails.
export function advanceIntent(ctx, intent, to, failure) {
  const method = intent.payment_method && ctx.mode.get('payment_method', intent.payment_method);
  const from = intent.status;
  const no = () => invalid(`A PaymentIntent can't go from ${from} to ${to}.`);
  const charge = intent.latest_charge && ctx.mode.get('charge', intent.latest_charge);
  if (from === 'requires_action') {
    if (['succeeded', 'requires_capture', 'requires_confirmation'].includes(to)) {
      // A card that is refused after authentication is refused here.
      try {
        resumeAfterAction(ctx, intent);
      } catch (error) {
        if (error.status !== 402) throw error;
      }
      if (intent.status === 'processing' && to === 'succeeded') settleDebit(ctx, intent, method);
      return intent;
    }
    if (to === 'processing') {
      if (isDebit(method.type)) return resumeAfterAction(ctx, intent);
      return startDebit(ctx, intent, method, null);
    }
    if (to === 'requires_payment_method') {
      fail(ctx, intent, method, failure?.code ? failure : AUTHENTICATION_FAILED, { charged: false });
      return intent;
    }
  }
  if (from === 'processing') {
    if (to === 'succeeded') {
      settleDebit(ctx, intent, method);
      return intent;
    }
    if (to === 'requires_payment_method') {
      const why = failure?.code ? failure : behaviour(ctx, method).async ?? { code: 'payment_intent_payment_attempt_failed', message: 'The payment failed.' };
      fail(ctx, intent, method, { message: 'The payment failed.', ...why }, { charge });
      return intent;
    }
  }
  if (from === 'succeeded' && to === 'settled') {
    settle(ctx, charge, { event: true });
    return intent;
  }
  throw no();
}

// Payment intents: the endpoints, and the checks before an attempt. The
// attempt itself, and how it ends, is attempts.mjs.

import { badParam, invalid } from '../errors.mjs';
import { list, search } from '../lists.mjs';
import { checkAmount } from '../money.mjs';
import { ADDRESS, LIST, SEARCH } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata, token } from '../world.mjs';
import { attempt, finishCapture, resumeAfterAction } from './attempts.mjs';
import { checkMethod, chooseTypes, microdepositsVerify, optionsOf, RETURN_URL_NEEDED } from './intents.mjs';
import { must, shipping } from './lookup.mjs';
import { createMandate, MANDATE_DATA } from './mandates.mjs';
import { behaviour, createFromData, PAYMENT_METHOD_DATA, resolve } from './payment_methods.mjs';
import { release } from './refunds.mjs';

register('payment_intent', {
  customer: 'customer', payment_method: 'payment_method', latest_charge: 'charge',
});

const FILTERS = `allowed_payment_method_types[]@>=2026-07-29 excluded_payment_method_types[]~@>=2025-08-27
  payment_method_types[]@<2026-09-30`;
const NEWER = 'amount_details~:any@>=2025-09-30 hooks:any@>=2025-10-29 payment_details~:any@>=2025-09-30';
const SHIPPING = `shipping~{address!{${ADDRESS}} carrier name! phone tracking_number}`;
const SHARED = `${FILTERS} ${NEWER} expand[] capture_method:automatic|automatic_async|manual payment_method ${PAYMENT_METHOD_DATA}
  payment_method_options:any receipt_email~:email setup_future_usage~:off_session|on_session ${SHIPPING}`;
const DESCRIBED = `application_fee_amount~:int customer customer_account@>=2025-12-15 description~ metadata~:meta payment_method_configuration
  statement_descriptor~ statement_descriptor_suffix~ transfer_data{amount:int description destination metadata:meta payment_data:any} transfer_group`;
const CONFIRMING = `confirmation_token error_on_requires_action:bool mandate ${MANDATE_DATA} off_session:bool|one_off|recurring
  radar_options{session referrer~} return_url use_stripe_sdk:bool`;

const CREATE = `amount!:int currency!:currency confirm:bool confirmation_method:automatic|manual on_behalf_of
  automatic_payment_methods{enabled!:bool allow_redirects:always|never} ${SHARED} ${DESCRIBED} ${CONFIRMING}`;
const UPDATE = `amount:int currency:currency ${SHARED} ${DESCRIBED}`;
const CONFIRM = `${SHARED} ${CONFIRMING} amount_to_confirm:int client_secret@<2024-10-28`;
const CAPTURE = `${NEWER} amount_to_capture:int application_fee_amount:int expand[] final_capture:bool metadata~:meta
  statement_descriptor statement_descriptor_suffix transfer_data{amount:int metadata:meta description}`;
const CANCEL = 'cancellation_reason:abandoned|duplicate|fraudulent|requested_by_customer expand[]';

const CONFIRM_ONLY = ['error_on_requires_action', 'mandate', 'mandate_data', 'off_session', 'return_url', 'radar_options'];

function unexpected(intent, message) {
  return invalid(message, { code: 'payment_intent_unexpected_state', payment_intent: intent });
}

function checkDescriptor(value, name) {
  if (!value) return;
  if (value.length > 22) throw badParam('The statement descriptor must be at most 22 characters.', name);
  if (/[<>\\'"*]/.test(value)) throw badParam('The statement descriptor contains one of the characters < > \\ \' " *, which are not allowed.', name);
  if (!/[A-Za-z]/.test(value)) throw badParam('The statement descriptor must contain at least one alphabetic character.', name);
  if (name === 'statement_descriptor' && value.length < 5) throw badParam('The statement descriptor must be at least 5 characters.', name);
}

function checkTexts(params) {
  checkDescriptor(params.statement_descriptor, 'statement_descriptor');
  checkDescriptor(params.statement_descriptor_suffix, 'statement_descriptor_suffix');
  if (params.description && params.description.length > 1000) throw badParam('Invalid string: must be at most 1000 characters', 'description');
  if (params.confirmation_token !== undefined) throw invalid(`No such confirmationtoken: '${params.confirmation_token}'`, { code: 'resource_missing', param: 'confirmation_token' });
}

// The members that create, update and confirm all may set.
function described(params, old) {
  const out = {};
  for (const name of ['description', 'receipt_email', 'statement_descriptor', 'statement_descriptor_suffix', 'setup_future_usage', 'transfer_group']) {
    if (params[name] !== undefined) out[name] = params[name] || null;
  }
  if (params.application_fee_amount !== undefined) out.application_fee_amount = params.application_fee_amount === '' ? null : params.application_fee_amount;
  if (params.shipping !== undefined) out.shipping = shipping(params.shipping);
  if (params.metadata !== undefined) out.metadata = mergeMetadata(old.metadata, params.metadata);
  if (params.capture_method !== undefined) out.capture_method = params.capture_method;
  return out;
}

function applyTypes(ctx, intent, params) {
  const { types, automatic } = chooseTypes(params, {
    currency: intent.currency, manual: intent.capture_method === 'manual', hasCustomer: intent.customer !== null,
  });
  intent.payment_method_types = types;
  intent.automatic_payment_methods = automatic;
  intent.payment_method_configuration_details = automatic ? { id: params.payment_method_configuration ?? 'pmc_1FakeStripeDefault', parent: null } : null;
  if (params.allowed_payment_method_types !== undefined) intent.allowed_payment_method_types = params.allowed_payment_method_types;
  if (params.excluded_payment_method_types !== undefined) intent.excluded_payment_method_types = params.excluded_payment_method_types || null;
  intent.payment_method_options = optionsOf(types, params.payment_method_options, intent.payment_method_options ?? {});
}

// The payment method a request names or describes; null when it does neither.
function methodOf(ctx, params) {
  if (params.payment_method !== undefined && params.payment_method_data !== undefined) {
    throw badParam('You may only specify one of these parameters: payment_method, payment_method_data.', 'payment_method', 'parameters_exclusive');
  }
  if (params.payment_method !== undefined) return resolve(ctx, params.payment_method, 'payment_method');
  if (params.payment_method_data !== undefined) return createFromData(ctx, params.payment_method_data);
  return null;
}

function checkCardDescriptor(intent, method) {
  if (method.type === 'card' && intent.statement_descriptor) {
    throw badParam('The `statement_descriptor` parameter is not supported for the `card` payment method type. Use `statement_descriptor_suffix` instead.', 'statement_descriptor');
  }
}

function create(ctx, params) {
  checkAmount(params.amount, params.currency);
  checkTexts(params);
  if (!params.confirm) {
    for (const name of CONFIRM_ONLY) {
      if (params[name] !== undefined) throw badParam(`You can only pass ${name} when confirm=true.`, name);
    }
  }
  if (params.customer !== undefined) must(ctx, 'customer', params.customer, { param: 'customer' });
  const id = ctx.newId('pi');
  const intent = {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: params.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: `${id}_secret_${token(25)}`,
    confirmation_method: params.confirmation_method ?? 'automatic',
    created: ctx.now,
    currency: params.currency,
    customer: params.customer ?? null,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: ctx.mode.livemode,
    managed_payments: null,
    metadata: {},
    next_action: null,
    on_behalf_of: params.on_behalf_of ?? null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: [],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
  };
  Object.assign(intent, described(params, intent));
  if (params.transfer_data) intent.transfer_data = { ...(params.transfer_data.amount && { amount: params.transfer_data.amount }), destination: params.transfer_data.destination };
  applyTypes(ctx, intent, params);
  const method = methodOf(ctx, params);
  if (method) {
    checkMethod(ctx, intent, method, 'PaymentIntent');
    checkCardDescriptor(intent, method);
    intent.payment_method = method.id;
    intent.status = 'requires_confirmation';
  }
  ctx.add(intent);
  ctx.emit('payment_intent.created', intent);
  return params.confirm ? confirm(ctx, params, intent, true) : intent;
}

function confirm(ctx, params, intent, creating = false) {
  if (!['requires_payment_method', 'requires_confirmation', 'requires_action'].includes(intent.status)) {
    throw unexpected(intent, intent.status === 'succeeded'
      ? 'You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.'
      : `This PaymentIntent's payment_method could not be updated because it has a status of ${intent.status}. You may only confirm a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.`);
  }
  if (!creating) {
    checkTexts(params);
    const method = methodOf(ctx, params);
    const draft = { ...intent, ...described(params, intent) };
    if (['payment_method_types', 'allowed_payment_method_types', 'excluded_payment_method_types', 'payment_method_options', 'capture_method'].some((n) => params[n] !== undefined)) {
      applyTypes(ctx, draft, { automatic_payment_methods: intent.automatic_payment_methods ?? undefined, ...params, ...(params.payment_method_types || params.allowed_payment_method_types ? { automatic_payment_methods: undefined } : {}) });
    }
    if (method) {
      checkMethod(ctx, draft, method, 'PaymentIntent');
      checkCardDescriptor(draft, method);
      draft.payment_method = method.id;
    }
    Object.assign(intent, draft);
  }
  if (!intent.payment_method) {
    throw unexpected(intent, "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.");
  }
  if (params.amount_to_confirm !== undefined && params.amount_to_confirm !== intent.amount) {
    throw invalid('The amount_to_confirm does not match the amount of the PaymentIntent.', { param: 'amount_to_confirm', payment_intent: intent });
  }
  const method = ctx.mode.get('payment_method', intent.payment_method);
  checkMethod(ctx, intent, method, 'PaymentIntent');
  const dynamic = params.payment_method_types === undefined && (intent.automatic_payment_methods || intent.allowed_payment_method_types);
  const redirects = dynamic && intent.automatic_payment_methods?.allow_redirects !== 'never';
  if (redirects && params.error_on_requires_action !== undefined) {
    throw invalid('`error_on_requires_action` cannot be used with automatic payment methods that may redirect.', { param: 'error_on_requires_action', payment_intent: intent });
  }
  if (redirects && params.return_url === undefined && !params.off_session) {
    if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation';
    throw invalid(RETURN_URL_NEEDED('PaymentIntent'), { param: 'return_url', payment_intent: intent });
  }
  const mandate = mandateFor(ctx, params, intent, method);
  return attempt(ctx, intent, method, {
    offSession: Boolean(params.off_session), returnUrl: params.return_url ?? null, errorOnAction: params.error_on_requires_action === true, mandate,
  });
}

// Bank debits need the customer's permission: given now, or before.
function mandateFor(ctx, params, intent, method) {
  if (params.mandate !== undefined) return must(ctx, 'mandate', params.mandate, { param: 'mandate' }).id;
  if (params.mandate_data) {
    const once = intent.setup_future_usage === 'off_session' ? null : { amount: intent.amount, currency: intent.currency };
    return createMandate(ctx, method, params.mandate_data, once)?.id ?? null;
  }
  const known = ctx.note(method.id).mandate ?? null;
  if (['au_becs_debit', 'sepa_debit', 'us_bank_account', 'payto'].includes(method.type) && !known && !behaviour(ctx, method).verified) {
    throw invalid('This PaymentIntent requires a mandate, but no existing mandate was found. Collect mandate acceptance from the customer and try again, providing acceptance data in the mandate_data parameter.',
      { param: 'mandate_data', payment_intent: intent });
  }
  return known;
}

function update(ctx, params, id) {
  const intent = must(ctx, 'payment_intent', id);
  checkTexts(params);
  const early = ['requires_payment_method', 'requires_confirmation', 'requires_action'];
  for (const name of ['amount', 'currency', 'customer', 'payment_method', 'payment_method_data', 'payment_method_types', 'allowed_payment_method_types',
    'excluded_payment_method_types', 'payment_method_options', 'setup_future_usage', 'capture_method', 'statement_descriptor', 'statement_descriptor_suffix']) {
    if (params[name] !== undefined && !early.includes(intent.status)) {
      throw unexpected(intent, `This PaymentIntent's ${name} could not be updated because it has a status of ${intent.status}. You may only update the ${name} of a PaymentIntent with one of the following statuses: ${early.join(', ')}.`);
    }
  }
  if (params.amount !== undefined || params.currency !== undefined) checkAmount(params.amount ?? intent.amount, params.currency ?? intent.currency);
  if (params.customer !== undefined) must(ctx, 'customer', params.customer, { param: 'customer' });
  const draft = { ...intent, ...described(params, intent) };
  for (const name of ['amount', 'currency', 'customer']) if (params[name] !== undefined) draft[name] = params[name];
  if (['currency', 'customer', 'capture_method', 'payment_method_types', 'allowed_payment_method_types', 'excluded_payment_method_types', 'payment_method_options'].some((n) => params[n] !== undefined)) {
    applyTypes(ctx, draft, { automatic_payment_methods: params.payment_method_types || params.allowed_payment_method_types ? undefined : intent.automatic_payment_methods ?? undefined, ...params });
  }
  const method = methodOf(ctx, params);
  if (method) {
    checkMethod(ctx, draft, method, 'PaymentIntent');
    checkCardDescriptor(draft, method);
    Object.assign(draft, { payment_method: method.id, status: 'requires_confirmation', next_action: null });
  }
  Object.assign(intent, draft);
  return intent;
}

function capture(ctx, params, id) {
  const intent = must(ctx, 'payment_intent', id);
  if (intent.status !== 'requires_capture') {
    throw unexpected(intent, intent.status === 'succeeded'
      ? 'This PaymentIntent could not be captured because it has already been captured.'
      : `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`);
  }
  const amount = params.amount_to_capture ?? intent.amount_capturable;
  if (amount < 1) throw invalid('This value must be greater than or equal to 1.', { code: 'parameter_invalid_integer', param: 'amount_to_capture' });
  if (amount > intent.amount_capturable) {
    throw invalid(`The payment could not be captured because the requested capture amount is greater than the authorized amount (${intent.amount_capturable}).`,
      { code: 'amount_too_large', param: 'amount_to_capture' });
  }
  if (params.final_capture === false) throw invalid('This PaymentIntent is not eligible for multicapture.', { param: 'final_capture' });
  checkDescriptor(params.statement_descriptor_suffix, 'statement_descriptor_suffix');
  if (params.metadata !== undefined) intent.metadata = mergeMetadata(intent.metadata, params.metadata);
  return finishCapture(ctx, intent, amount);
}

function cancel(ctx, params, id) {
  const intent = must(ctx, 'payment_intent', id);
  if (['succeeded', 'canceled', 'processing'].includes(intent.status)) {
    throw unexpected(intent, `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.`);
  }
  return cancelIntent(ctx, intent, params.cancellation_reason ?? null);
}

export function cancelIntent(ctx, intent, reason) {
  const charge = intent.status === 'requires_capture' ? ctx.mode.get('charge', intent.latest_charge) : null;
  Object.assign(intent, {
    status: 'canceled', canceled_at: ctx.now, cancellation_reason: reason, amount_capturable: 0, next_action: null, processing: null,
  });
  if (charge) {
    const { previous } = release(ctx, charge, charge.amount, reason === 'automatic' ? 'expired_uncaptured_charge' : null);
    ctx.emit('charge.refunded', charge, previous);
  }
  ctx.emit('payment_intent.canceled', intent);
  return intent;
}

function verify(ctx, params, id) {
  const intent = must(ctx, 'payment_intent', id);
  if (intent.next_action?.type !== 'verify_with_microdeposits') {
    throw unexpected(intent, `This PaymentIntent does not wait for microdeposits: it has a status of ${intent.status}.`);
  }
  microdepositsVerify(params);
  return resumeAfterAction(ctx, intent);
}

export const routes = [
  { method: 'POST', path: '/v1/payment_intents', params: CREATE, returns: 'payment_intent', run: create },
  { method: 'GET', path: '/v1/payment_intents', params: `${LIST} created:range customer customer_account`, returns: 'list:payment_intent',
    run: (ctx, params) => list(ctx, 'payment_intent', params, { url: '/v1/payment_intents', equal: ['customer'] }) },
  { method: 'GET', path: '/v1/payment_intents/search', params: SEARCH, returns: 'search:payment_intent',
    run: (ctx, params) => search(ctx, 'payment_intent', params, '/v1/payment_intents/search',
      { amount: 'number', created: 'number', currency: 'exact', customer: 'exact', status: 'exact' }) },
  { method: 'GET', path: '/v1/payment_intents/:id', params: 'client_secret expand[]', returns: 'payment_intent', run: (ctx, params, id) => must(ctx, 'payment_intent', id) },
  { method: 'POST', path: '/v1/payment_intents/:id', params: UPDATE, returns: 'payment_intent', run: update },
  { method: 'POST', path: '/v1/payment_intents/:id/confirm', params: CONFIRM, returns: 'payment_intent',
    run: (ctx, params, id) => confirm(ctx, params, must(ctx, 'payment_intent', id)) },
  { method: 'POST', path: '/v1/payment_intents/:id/capture', params: CAPTURE, returns: 'payment_intent', run: capture },
  { method: 'POST', path: '/v1/payment_intents/:id/cancel', params: CANCEL, returns: 'payment_intent', run: cancel },
  { method: 'POST', path: '/v1/payment_intents/:id/verify_microdeposits', params: 'amounts[]:int descriptor_code client_secret expand[]', returns: 'payment_intent', run: verify },
];

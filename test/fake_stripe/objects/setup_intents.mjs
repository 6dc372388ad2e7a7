// Setup intents: saving a payment method for later, with the customer present.

import { badParam, cardError, invalid } from '../errors.mjs';
import { list } from '../lists.mjs';
import { LIST } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata, token } from '../world.mjs';
import { checkMethod, chooseTypes, isDebit, microdeposits, microdepositsVerify, optionsOf, redirect, RETURN_URL_NEEDED, REUSABLE } from './intents.mjs';
import { must } from './lookup.mjs';
import { createMandate, MANDATE_DATA } from './mandates.mjs';
import { attach, behaviour, createFromData, PAYMENT_METHOD_DATA, REDIRECT_TYPES, resolve } from './payment_methods.mjs';

register('setup_intent', {
  customer: 'customer', payment_method: 'payment_method', mandate: 'mandate', single_use_mandate: 'mandate', latest_attempt: 'setup_attempt',
});
register('setup_attempt', { customer: 'customer', payment_method: 'payment_method', setup_intent: 'setup_intent' });

const SHARED = `allowed_payment_method_types[]~@>=2026-07-29 payment_method ${PAYMENT_METHOD_DATA} payment_method_options:any expand[]`;
const DESCRIBED = `attach_to_self:bool customer customer_account@>=2025-12-15 description~ excluded_payment_method_types[]~@>=2025-10-29
  flow_directions[]:inbound|outbound metadata~:meta payment_method_configuration payment_method_types[]@<2026-09-30`;
const CONFIRMING = `confirmation_token ${MANDATE_DATA} return_url use_stripe_sdk:bool`;
const CREATE = `${SHARED} ${DESCRIBED} ${CONFIRMING} automatic_payment_methods{enabled!:bool allow_redirects:always|never} confirm:bool on_behalf_of
  single_use{amount!:int currency!:currency} usage:off_session|on_session`;
const UPDATE = `${SHARED} ${DESCRIBED}`;
const CONFIRM = `${SHARED} ${CONFIRMING} client_secret@<2024-10-28`;
const CANCEL = 'cancellation_reason:abandoned|duplicate|requested_by_customer expand[]';

const OPEN = ['requires_payment_method', 'requires_confirmation', 'requires_action'];

function unexpected(intent, message) {
  return invalid(message, { code: 'setup_intent_unexpected_state', setup_intent: intent });
}

function applyTypes(intent, params) {
  const { types, automatic } = chooseTypes(params, { only: REUSABLE });
  intent.payment_method_types = types;
  intent.automatic_payment_methods = automatic;
  intent.payment_method_configuration_details = automatic ? { id: params.payment_method_configuration ?? 'pmc_1FakeStripeDefault', parent: null } : null;
  if (params.allowed_payment_method_types !== undefined) intent.allowed_payment_method_types = params.allowed_payment_method_types || null;
  if (params.excluded_payment_method_types !== undefined) intent.excluded_payment_method_types = params.excluded_payment_method_types || null;
  intent.payment_method_options = optionsOf(types, params.payment_method_options, intent.payment_method_options ?? {}, true);
}

function methodOf(ctx, params) {
  if (params.payment_method !== undefined && params.payment_method_data !== undefined) {
    throw badParam('You may only specify one of these parameters: payment_method, payment_method_data.', 'payment_method', 'parameters_exclusive');
  }
  if (params.payment_method !== undefined) return resolve(ctx, params.payment_method, 'payment_method');
  return params.payment_method_data === undefined ? null : createFromData(ctx, params.payment_method_data);
}

function create(ctx, params) {
  for (const name of ['mandate_data', 'return_url', 'single_use', 'confirmation_token']) {
    if (!params.confirm && params[name] !== undefined) throw badParam(`You can only pass ${name} when confirm=true.`, name);
  }
  if (params.customer !== undefined) must(ctx, 'customer', params.customer, { param: 'customer' });
  const id = ctx.newId('seti');
  const intent = {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_${token(25)}`,
    created: ctx.now,
    customer: params.customer ?? null,
    customer_account: null,
    description: params.description || null,
    excluded_payment_method_types: null,
    flow_directions: params.flow_directions ?? null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: ctx.mode.livemode,
    managed_payments: null,
    mandate: null,
    metadata: mergeMetadata({}, params.metadata),
    next_action: null,
    on_behalf_of: params.on_behalf_of ?? null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: [],
    single_use_mandate: null,
    status: 'requires_payment_method',
    usage: params.usage ?? 'off_session',
  };
  applyTypes(intent, params);
  const method = methodOf(ctx, params);
  if (method) {
    checkMethod(ctx, intent, method, 'SetupIntent');
    intent.payment_method = method.id;
    intent.status = 'requires_confirmation';
  }
  ctx.add(intent);
  ctx.emit('setup_intent.created', intent);
  return params.confirm ? confirm(ctx, params, intent, true) : intent;
}

function attemptDetails(method) {
  if (method.type !== 'card') return { [method.type]: {}, type: method.type };
  const { brand, checks, country, exp_month, exp_year, fingerprint, funding, last4, wallet } = method.card;
  return {
    card: {
      brand, checks: { ...checks }, country, exp_month, exp_year, fingerprint, funding, last4, network: brand, three_d_secure: null,
      wallet: wallet && ['apple_pay', 'google_pay'].includes(wallet.type) ? { [wallet.type]: {}, type: wallet.type } : null,
    },
    type: 'card',
  };
}

function recordAttempt(ctx, intent, method, status, error = null) {
  const tried = ctx.add({
    id: ctx.newId('setatt'), object: 'setup_attempt', application: null, created: ctx.now, customer: intent.customer, customer_account: null,
    flow_directions: intent.flow_directions, livemode: intent.livemode, on_behalf_of: null, payment_method: method.id,
    payment_method_details: attemptDetails(method), setup_error: error, setup_intent: intent.id, status, usage: intent.usage,
  });
  intent.latest_attempt = tried.id;
}

function confirm(ctx, params, intent, creating = false) {
  if (!OPEN.includes(intent.status)) {
    throw unexpected(intent, `You cannot confirm this SetupIntent because it has a status of ${intent.status}. Only a SetupIntent with one of the following statuses may be confirmed: ${OPEN.join(', ')}.`);
  }
  if (!creating) {
    const given = methodOf(ctx, params);
    if (given) {
      checkMethod(ctx, intent, given, 'SetupIntent');
      Object.assign(intent, { payment_method: given.id });
    }
  }
  if (!intent.payment_method) {
    throw unexpected(intent, "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a payment method and then confirm it again.");
  }
  const method = ctx.mode.get('payment_method', intent.payment_method);
  checkMethod(ctx, intent, method, 'SetupIntent');
  const dynamic = (intent.automatic_payment_methods && intent.automatic_payment_methods.allow_redirects !== 'never') || intent.allowed_payment_method_types;
  if (dynamic && params.return_url === undefined) {
    if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation';
    throw invalid(RETURN_URL_NEEDED('SetupIntent'), { param: 'return_url', setup_intent: intent });
  }
  if (isDebit(method.type) && !params.mandate_data && !behaviour(ctx, method).verified) {
    throw invalid('This SetupIntent requires a mandate. Collect mandate acceptance from the customer and try again, providing acceptance data in the mandate_data parameter.',
      { param: 'mandate_data', setup_intent: intent });
  }
  ctx.note(intent.id).mandateData = params.mandate_data || null;
  ctx.note(intent.id).singleUse = params.single_use ?? null;
  intent.last_setup_error = null;
  intent.next_action = null;

  const spec = behaviour(ctx, method);
  const action = needed(ctx, intent, method, spec, params.return_url ?? null);
  if (action) {
    Object.assign(intent, { status: 'requires_action', next_action: action });
    recordAttempt(ctx, intent, method, 'requires_action');
    ctx.emit('setup_intent.requires_action', intent);
    return intent;
  }
  if (spec.decline && !spec.attaches) {
    const error = fail(ctx, intent, method, spec.decline);
    throw cardError({ ...error, setup_intent: intent });
  }
  return succeed(ctx, intent, method);
}

function needed(ctx, intent, method, spec, returnUrl) {
  if (method.type === 'us_bank_account' && !spec.verified) return microdeposits(ctx, intent);
  if (REDIRECT_TYPES.includes(method.type)) return redirect(intent, returnUrl);
  if (['always', 'setup'].includes(spec.auth)) {
    return returnUrl ? redirect(intent, returnUrl) : {
      type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect', stripe_js: `https://hooks.stripe.com/redirect/authenticate/${intent.id}`, source: ctx.newId('src') },
    };
  }
  return null;
}

function fail(ctx, intent, method, failure) {
  const error = {
    type: 'card_error',
    ...(failure.advice_code && { advice_code: failure.advice_code }),
    code: failure.code,
    ...(failure.decline_code && { decline_code: failure.decline_code }),
    doc_url: `https://docs.stripe.com/error-codes#${failure.code.replaceAll('_', '-')}`,
    message: failure.message,
    payment_method: structuredClone(method),
  };
  recordAttempt(ctx, intent, method, 'failed', structuredClone(error));
  Object.assign(intent, { status: 'requires_payment_method', payment_method: null, next_action: null, last_setup_error: error });
  ctx.emit('setup_intent.setup_failed', intent);
  return error;
}

function succeed(ctx, intent, method) {
  const note = ctx.note(intent.id);
  ctx.note(method.id).setUp = true;
  if (method.type === 'card') method.card.checks.cvc_check = behaviour(ctx, method).checks?.cvc_check ?? 'pass';
  if (note.mandateData) {
    const mandate = createMandate(ctx, method, note.mandateData, note.singleUse);
    intent[note.singleUse ? 'single_use_mandate' : 'mandate'] = mandate?.id ?? null;
  }
  recordAttempt(ctx, intent, method, 'succeeded');
  Object.assign(intent, { status: 'succeeded', next_action: null });
  if (intent.customer && !method.customer) attach(ctx, method, intent.customer);
  ctx.emit('setup_intent.succeeded', intent);
  return intent;
}

// The admin's hand, as for payment intents.
export function advanceSetup(ctx, intent, to, failure) {
  if (intent.status !== 'requires_action') throw invalid(`A SetupIntent can't go from ${intent.status} to ${to}.`);
  const method = ctx.mode.get('payment_method', intent.payment_method);
  if (to === 'succeeded') return succeed(ctx, intent, method);
  if (to === 'requires_payment_method') {
    fail(ctx, intent, method, failure?.code ? failure : {
      code: 'setup_intent_authentication_failure', message: 'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
    });
    return intent;
  }
  throw invalid(`A SetupIntent can't go from requires_action to ${to}.`);
}

function update(ctx, params, id) {
  const intent = must(ctx, 'setup_intent', id);
  const onlyText = Object.keys(params).every((name) => ['metadata', 'description', 'expand'].includes(name));
  if (!onlyText && !OPEN.includes(intent.status)) {
    throw unexpected(intent, `This SetupIntent could not be updated because it has a status of ${intent.status}. You may only update a SetupIntent with one of the following statuses: ${OPEN.join(', ')}.`);
  }
  if (params.customer !== undefined) must(ctx, 'customer', params.customer, { param: 'customer' });
  const draft = { ...intent };
  if (params.customer !== undefined) draft.customer = params.customer;
  if (params.description !== undefined) draft.description = params.description || null;
  if (params.metadata !== undefined) draft.metadata = mergeMetadata(intent.metadata, params.metadata);
  if (params.flow_directions !== undefined) draft.flow_directions = params.flow_directions;
  if (['payment_method_types', 'allowed_payment_method_types', 'excluded_payment_method_types', 'payment_method_options'].some((n) => params[n] !== undefined)) {
    applyTypes(draft, { automatic_payment_methods: params.payment_method_types || params.allowed_payment_method_types ? undefined : intent.automatic_payment_methods ?? undefined, ...params });
  }
  const method = methodOf(ctx, params);
  if (method) {
    checkMethod(ctx, draft, method, 'SetupIntent');
    Object.assign(draft, { payment_method: method.id, status: 'requires_confirmation', next_action: null });
  }
  return Object.assign(intent, draft);
}

function cancel(ctx, params, id) {
  const intent = must(ctx, 'setup_intent', id);
  if (!OPEN.includes(intent.status)) {
    throw unexpected(intent, `You cannot cancel this SetupIntent because it has a status of ${intent.status}. Only a SetupIntent with one of the following statuses may be canceled: ${OPEN.join(', ')}.`);
  }
  Object.assign(intent, { status: 'canceled', cancellation_reason: params.cancellation_reason ?? null, next_action: null });
  ctx.emit('setup_intent.canceled', intent);
  return intent;
}

function verify(ctx, params, id) {
  const intent = must(ctx, 'setup_intent', id);
  if (intent.next_action?.type !== 'verify_with_microdeposits') {
    throw unexpected(intent, `This SetupIntent does not wait for microdeposits: it has a status of ${intent.status}.`);
  }
  microdepositsVerify(params);
  const method = ctx.mode.get('payment_method', intent.payment_method);
  ctx.note(method.id).spec = { ...behaviour(ctx, method), verified: true };
  return succeed(ctx, intent, method);
}

export const routes = [
  { method: 'POST', path: '/v1/setup_intents', params: CREATE, returns: 'setup_intent', run: create },
  { method: 'GET', path: '/v1/setup_intents', params: `${LIST} attach_to_self:bool created:range customer customer_account payment_method`, returns: 'list:setup_intent',
    run: (ctx, params) => list(ctx, 'setup_intent', params, { url: '/v1/setup_intents', equal: ['customer', 'payment_method'] }) },
  { method: 'GET', path: '/v1/setup_intents/:id', params: 'client_secret expand[]', returns: 'setup_intent', run: (ctx, params, id) => must(ctx, 'setup_intent', id) },
  { method: 'POST', path: '/v1/setup_intents/:id', params: UPDATE, returns: 'setup_intent', run: update },
  { method: 'POST', path: '/v1/setup_intents/:id/confirm', params: CONFIRM, returns: 'setup_intent',
    run: (ctx, params, id) => confirm(ctx, params, must(ctx, 'setup_intent', id)) },
  { method: 'POST', path: '/v1/setup_intents/:id/cancel', params: CANCEL, returns: 'setup_intent', run: cancel },
  { method: 'POST', path: '/v1/setup_intents/:id/verify_microdeposits', params: 'amounts[]:int descriptor_code client_secret expand[]', returns: 'setup_intent', run: verify },
  { method: 'GET', path: '/v1/setup_attempts', params: `${LIST} created:range setup_intent!`, returns: 'list:setup_attempt',
    run: (ctx, params) => list(ctx, 'setup_attempt', params, { url: '/v1/setup_attempts', equal: ['setup_intent'] }) },
];

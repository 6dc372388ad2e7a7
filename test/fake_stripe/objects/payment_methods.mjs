// Payment methods: made from test tokens, raw test numbers or bank details;
// attached to customers, detached for good.

import { createHash } from 'node:crypto';
import { badParam, cardError, invalid, missingParam, noSuch } from '../errors.mjs';
import { list } from '../lists.mjs';
import { ADDRESS, LIST } from '../params.mjs';
import { lookUpBecs, lookUpIban, lookUpNumber, lookUpToken, lookUpUsAccount } from '../testcards.mjs';
import { register } from '../view.mjs';
import { mergeMetadata } from '../world.mjs';
import { billing, must } from './lookup.mjs';

register('payment_method', { customer: 'customer' });

// Types without details of their own that pay by sending the customer away.
export const REDIRECT_TYPES = ['affirm', 'afterpay_clearpay', 'alipay', 'bancontact', 'ideal', 'klarna'];
// Types that debit an account over days, or are pushed by the customer.
export const DEBIT_TYPES = ['au_becs_debit', 'sepa_debit', 'us_bank_account', 'payto'];
const TYPES = ['card', 'customer_balance', ...DEBIT_TYPES, ...REDIRECT_TYPES];

export const BILLING = `billing_details{address~{${ADDRESS}} email~ name~ phone~ tax_id}`;

// The details a type takes, as payment_methods and as payment_method_data.
const DETAILS = `au_becs_debit{account_number! bsb_number!} sepa_debit{iban!}
  us_bank_account{account_holder_type:company|individual account_number account_type:checking|savings financial_connections_account routing_number}
  payto{account_number bsb_number pay_id}@>=2025-12-15 customer_balance:any ${REDIRECT_TYPES.map((t) => `${t}:any`).join(' ')}`;
const CARD = 'card{number exp_month:int exp_year:int cvc token networks{preferred}}';

const CREATE = `type:${TYPES.join('|')} ${CARD} ${DETAILS} ${BILLING} metadata:meta expand[]
  allow_redisplay:always|limited|unspecified customer payment_method radar_options{session}`;
// An intent takes no card details: a card is a payment method made before.
export const PAYMENT_METHOD_DATA = `payment_method_data{type!:${TYPES.filter((t) => t !== 'card').join('|')} ${DETAILS} ${BILLING}
  metadata:meta allow_redisplay:always|limited|unspecified radar_options{session}}`;
const UPDATE = `${BILLING} allow_redisplay:always|limited|unspecified metadata~:meta expand[]
  card{exp_month:int exp_year:int networks{preferred~}} us_bank_account{account_holder_type:company|individual account_type:checking|savings}
  link:any@<2025-09-30`;

// The same account or number always has the same fingerprint.
function fingerprint(text) {
  return createHash('sha256').update(`fake stripe ${text}`).digest('base64').replace(/[^A-Za-z0-9]/g, '').slice(0, 16);
}

function cardDetails(ctx, spec, given) {
  const year = new Date(ctx.world.nowMs()).getUTCFullYear();
  return {
    brand: spec.brand,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: given?.cvc ? 'unchecked' : null },
    country: spec.country,
    display_brand: spec.brand,
    exp_month: given?.exp_month ?? new Date(ctx.world.nowMs()).getUTCMonth() + 1,
    exp_year: given?.exp_year ?? year + 1,
    fingerprint: fingerprint(spec.number),
    funding: spec.funding,
    generated_from: null,
    last4: spec.number.slice(-4),
    networks: { available: [spec.brand], preferred: null },
    regulated_status: 'unregulated',
    three_d_secure_usage: { supported: spec.threeDSecure ?? true },
    wallet: spec.wallet ? { [spec.wallet]: {}, dynamic_last4: null, type: spec.wallet } : null,
  };
}

const details = {
  card: cardDetails,
  us_bank_account: (ctx, spec, given) => ({
    account_holder_type: given?.account_holder_type ?? 'individual',
    account_type: given?.account_type ?? 'checking',
    bank_name: 'STRIPE TEST BANK',
    financial_connections_account: null,
    fingerprint: fingerprint(`us ${spec.account}`),
    last4: spec.account.slice(-4),
    networks: { preferred: 'ach', supported: ['ach'] },
    routing_number: given?.routing_number ?? '110000000',
    status_details: {},
  }),
  au_becs_debit: (ctx, spec) => ({
    bsb_number: spec.bsb.replace('-', ''), fingerprint: fingerprint(`becs ${spec.bsb} ${spec.account}`), last4: spec.account.slice(-4),
  }),
  sepa_debit: (ctx, spec) => ({
    bank_code: spec.iban.slice(4, 9), branch_code: '', country: spec.iban.slice(0, 2), fingerprint: fingerprint(spec.iban),
    generated_from: { charge: null, setup_attempt: null }, last4: spec.iban.slice(-4),
  }),
  payto: (ctx, spec, given) => ({
    bsb_number: given?.bsb_number ?? null, last4: given?.account_number?.slice(-4) ?? null, pay_id: given?.pay_id ?? null,
  }),
  ideal: () => ({ bank: null, bic: null }),
};

// What the given details mean: the behaviour of the number or account in them.
function specOf(given) {
  switch (given.type) {
    case 'card': {
      if (given.card?.token) {
        const spec = lookUpToken(given.card.token.replace(/^tok_/, 'pm_card_'));
        if (!spec) throw noSuch('token', given.card.token, { param: 'card[token]' });
        return spec;
      }
      if (!given.card?.number) throw missingParam('card[number]');
      const spec = lookUpNumber(given.card.number.replaceAll(' ', ''));
      if (!spec) throw cardError({ code: 'incorrect_number', message: 'Your card number is incorrect.', param: 'number' });
      if (!given.card.exp_month || !given.card.exp_year) throw missingParam(given.card.exp_month ? 'card[exp_year]' : 'card[exp_month]');
      if (given.card.exp_month < 1 || given.card.exp_month > 12) throw cardError({ code: 'invalid_expiry_month', message: "Your card's expiration month is invalid.", param: 'exp_month' });
      if (given.card.exp_year < 2020 || given.card.exp_year > 2099) throw cardError({ code: 'invalid_expiry_year', message: "Your card's expiration year is invalid.", param: 'exp_year' });
      return spec;
    }
    case 'us_bank_account':
      if (!given.us_bank_account?.account_number) throw missingParam('us_bank_account[account_number]');
      return lookUpUsAccount(given.us_bank_account.account_number);
    case 'au_becs_debit':
      if (!given.au_becs_debit) throw missingParam('au_becs_debit');
      if (!/^\d{3}-?\d{3}$/.test(given.au_becs_debit.bsb_number)) throw badParam('The BSB number is invalid.', 'au_becs_debit[bsb_number]');
      return lookUpBecs(given.au_becs_debit.bsb_number, given.au_becs_debit.account_number);
    case 'sepa_debit':
      if (!given.sepa_debit) throw missingParam('sepa_debit');
      if (!/^[A-Z]{2}\d{2}[A-Z0-9]{10,30}$/.test(given.sepa_debit.iban.replaceAll(' ', ''))) throw badParam('The IBAN is invalid.', 'sepa_debit[iban]');
      return lookUpIban(given.sepa_debit.iban.replaceAll(' ', ''));
    default:
      return { type: given.type };
  }
}

// The object for a spec; given holds what the request said beside it.
function build(ctx, spec, given = {}) {
  const method = {
    id: ctx.newId('pm'),
    object: 'payment_method',
    allow_redisplay: given.allow_redisplay ?? 'unspecified',
    billing_details: billing(given.billing_details),
    created: ctx.now,
    customer: null,
    customer_account: null,
    livemode: ctx.mode.livemode,
    metadata: mergeMetadata({}, given.metadata),
    type: spec.type,
  };
  method[spec.type] = details[spec.type] ? details[spec.type](ctx, spec, given[spec.type]) : {};
  ctx.add(method);
  ctx.note(method.id).spec = spec;
  return method;
}

export function createFromData(ctx, data) {
  if (data.type === 'sepa_debit' && !(data.billing_details?.name && data.billing_details?.email)) {
    throw invalid('SEPA Direct Debit needs billing_details[name] and billing_details[email].', { code: 'parameter_missing', param: 'billing_details' });
  }
  if (data.type === 'au_becs_debit' && !(data.billing_details?.name && data.billing_details?.email)) {
    throw invalid('BECS Direct Debit needs billing_details[name] and billing_details[email].', { code: 'parameter_missing', param: 'billing_details' });
  }
  return build(ctx, specOf(data), data);
}

// An id, or a test token: each use of a token makes a new payment method.
export function resolve(ctx, id, param) {
  const method = ctx.mode.get('payment_method', id);
  if (method) return method;
  const spec = ctx.mode.livemode ? null : lookUpToken(id);
  if (spec) {
    const given = spec.type === 'card' ? {} : { billing_details: { name: 'Jenny Rosen', email: 'jenny.rosen@example.com' } };
    return build(ctx, spec, given);
  }
  return must(ctx, 'payment_method', id, { param });
}

// What a method is known to do; a method that was not made here just works.
export function behaviour(ctx, method) {
  return ctx.note(method.id).spec ?? { type: method.type };
}

export const USED_UP = 'This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may not be used again.';

// Attaches to a customer; a card that declines refuses.
export function attach(ctx, method, customer, { event = true } = {}) {
  const note = ctx.note(method.id);
  if (method.customer === customer) return;
  if (method.customer) throw invalid('The payment method you provided has already been attached to a customer.');
  if (note.consumed) throw invalid(USED_UP);
  const { decline, attaches } = behaviour(ctx, method);
  if (decline && !attaches) {
    const { code, decline_code, message, advice_code } = decline;
    throw cardError({ code, decline_code, message, advice_code });
  }
  method.customer = customer;
  if (method.type === 'card') method.card.checks.cvc_check = behaviour(ctx, method).checks?.cvc_check ?? 'pass';
  if (event) ctx.emit('payment_method.attached', method);
}

export function detach(ctx, method, { event = true } = {}) {
  const previous = { customer: method.customer };
  const owner = ctx.mode.get('customer', method.customer);
  method.customer = null;
  ctx.note(method.id).consumed = true;
  if (event) ctx.emit('payment_method.detached', method, previous);
  if (event && owner?.invoice_settings?.default_payment_method === method.id) {
    ctx.change('customer.updated', owner, { invoice_settings: { ...owner.invoice_settings, default_payment_method: null } });
  }
}

function create(ctx, params) {
  if (params.payment_method !== undefined) throw invalid('Cloning a payment method needs a connected account.', { param: 'payment_method' });
  if (params.type === undefined) throw missingParam('type');
  return createFromData(ctx, params);
}

function update(ctx, params, id) {
  const method = must(ctx, 'payment_method', id);
  if (!method.customer) throw invalid('You must save this PaymentMethod to a customer before you can update it.');
  const patch = {};
  if (params.billing_details !== undefined) patch.billing_details = billing(params.billing_details, method.billing_details);
  if (params.metadata !== undefined) patch.metadata = mergeMetadata(method.metadata, params.metadata);
  if (params.allow_redisplay !== undefined) patch.allow_redisplay = params.allow_redisplay;
  for (const type of ['card', 'us_bank_account']) {
    if (params[type] === undefined) continue;
    if (method.type !== type) throw invalid(`You cannot update ${type} on a PaymentMethod of type ${method.type}.`, { param: type });
    const { networks, ...rest } = params[type];
    patch[type] = { ...method[type], ...rest };
    if (networks) patch[type].networks = { ...method[type].networks, preferred: networks.preferred || null };
  }
  ctx.change('payment_method.updated', method, patch);
  return method;
}

export const routes = [
  { method: 'POST', path: '/v1/payment_methods', params: CREATE, returns: 'payment_method', run: create },
  { method: 'GET', path: '/v1/payment_methods', params: `${LIST} customer customer_account type allow_redisplay:always|limited|unspecified`, returns: 'list:payment_method',
    run(ctx, params) {
      if (params.customer !== undefined) must(ctx, 'customer', params.customer, { param: 'customer' });
      return list(ctx, 'payment_method', params, { url: '/v1/payment_methods', equal: ['customer', 'type', 'allow_redisplay'], where: (m) => m.customer !== null });
    } },
  { method: 'GET', path: '/v1/payment_methods/:id', params: 'expand[]', returns: 'payment_method',
    run: (ctx, params, id) => (!ctx.mode.get('payment_method', id) && lookUpToken(id) ? resolve(ctx, id) : must(ctx, 'payment_method', id)) },
  { method: 'POST', path: '/v1/payment_methods/:id', params: UPDATE, returns: 'payment_method', run: update },
  { method: 'POST', path: '/v1/payment_methods/:id/attach', params: 'customer! expand[]', returns: 'payment_method',
    run(ctx, params, id) {
      must(ctx, 'customer', params.customer, { param: 'customer' });
      const method = ctx.mode.get('payment_method', id) || lookUpToken(id) ? resolve(ctx, id) : must(ctx, 'payment_method', id);
      if (method.customer) throw invalid('The payment method you provided has already been attached to a customer.');
      attach(ctx, method, params.customer);
      return method;
    } },
  { method: 'POST', path: '/v1/payment_methods/:id/detach', params: 'expand[]', returns: 'payment_method',
    run(ctx, params, id) {
      const method = must(ctx, 'payment_method', id);
      if (!method.customer) throw invalid('The payment method you provided is not attached to a customer so detachment is impossible.');
      detach(ctx, method);
      return method;
    } },
];

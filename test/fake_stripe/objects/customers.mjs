// Customers: create, read, update, delete (leaving a stub), list, search, and
// their payment methods.

import { badParam, invalid, noSuch } from '../errors.mjs';
import { list, search, sublist } from '../lists.mjs';
import { ADDRESS, LIST, SEARCH } from '../params.mjs';
import { register } from '../view.mjs';
import { mergeMetadata } from '../world.mjs';
import { address, must } from './lookup.mjs';
import { attach, detach, resolve } from './payment_methods.mjs';

const empty = (url) => () => ({ object: 'list', data: [], has_more: false, url });

register('customer', {
  'invoice_settings.default_payment_method': 'payment_method',
}, {
  sources: (ctx, c) => empty(`/v1/customers/${c.id}/sources`)(),
  subscriptions: (ctx, c) => sublist(ctx, 'subscription', `/v1/customers/${c.id}/subscriptions`, (s) => s.customer === c.id),
  tax_ids: (ctx, c) => empty(`/v1/customers/${c.id}/tax_ids`)(),
  tax: () => ({ automatic_tax: 'unrecognized_location', ip_address: null, location: null, provider: 'stripe' }),
  invoice_credit_balance: () => ({}),
  cash_balance: (ctx, c) => ({
    object: 'cash_balance', available: ctx.note(c.id).cash ?? null, customer: c.id, customer_account: null,
    livemode: c.livemode, settings: { reconciliation_mode: 'automatic', using_merchant_default: true },
  }),
});

const SETTINGS = 'invoice_settings{custom_fields[]~{name! value!} default_payment_method~ footer rendering_options~{amount_tax_display template}}';

const COMMON = `address~{${ADDRESS}} balance:int business_name~@>=2025-09-30
  cash_balance{settings{reconciliation_mode:automatic|manual|merchant_default}} description~
  email~:email expand[] individual_name~@>=2025-09-30 invoice_prefix ${SETTINGS} metadata~:meta name~
  next_invoice_sequence:int phone~ preferred_locales[] shipping~{address!{${ADDRESS}} name! phone}
  source tax_exempt~:exempt|none|reverse
  validate:bool coupon@<2025-03-31 promotion_code@<2025-03-31`;

const CREATE = `${COMMON} payment_method tax{ip_address~ validate_location:deferred|immediately} tax_id_data[]{type! value!} test_clock`;
const UPDATE = `${COMMON} default_source tax{ip_address~ validate_location:auto|deferred|immediately}`;

function checkLengths(params) {
  for (const [name, most] of [['name', 256], ['phone', 20]]) {
    if (params[name] && [...params[name]].length > most) {
      throw badParam(`Invalid string: ${params[name].slice(0, 20)}...; must be at most ${most} characters`, name);
    }
  }
  if (params.source) throw badParam('This fake does not take sources: attach a payment method instead.', 'source');
}

// The members a request sets, in the stored shape.
function fields(ctx, params, old) {
  const out = {};
  for (const name of ['description', 'email', 'name', 'phone']) {
    if (params[name] !== undefined) out[name] = params[name] || null;
  }
  if (params.address !== undefined) out.address = params.address ? address(params.address) : null;
  if (params.balance !== undefined) out.balance = params.balance;
  if (params.shipping !== undefined) {
    out.shipping = params.shipping
      ? { address: address(params.shipping.address), name: params.shipping.name, phone: params.shipping.phone ?? null } : null;
  }
  if (params.tax_exempt !== undefined) out.tax_exempt = params.tax_exempt || 'none';
  if (params.preferred_locales !== undefined) out.preferred_locales = params.preferred_locales;
  if (params.invoice_prefix !== undefined) out.invoice_prefix = params.invoice_prefix;
  if (params.next_invoice_sequence !== undefined) out.next_invoice_sequence = params.next_invoice_sequence;
  for (const name of ['business_name', 'individual_name']) if (params[name]) out[name] = params[name];
  if (params.metadata !== undefined) out.metadata = mergeMetadata(old.metadata, params.metadata);
  return out;
}

function settings(given, old) {
  const out = { ...old };
  if (given.custom_fields !== undefined) out.custom_fields = given.custom_fields || null;
  if (given.footer !== undefined) out.footer = given.footer;
  if (given.rendering_options !== undefined) {
    out.rendering_options = given.rendering_options
      ? { amount_tax_display: given.rendering_options.amount_tax_display ?? null, template: given.rendering_options.template ?? null } : null;
  }
  if (given.default_payment_method !== undefined) out.default_payment_method = given.default_payment_method || null;
  return out;
}

function checkDefault(ctx, customer, id) {
  const method = ctx.mode.get('payment_method', id);
  if (!method) throw noSuch('PaymentMethod', id, { param: 'invoice_settings[default_payment_method]' });
  if (method.customer !== customer) {
    throw invalid(`The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`,
      { code: 'resource_missing', param: 'invoice_settings[default_payment_method]' });
  }
}

function create(ctx, params) {
  checkLengths(params);
  const id = ctx.newId('cus', 14);
  const method = params.payment_method === undefined ? null : resolve(ctx, params.payment_method, 'payment_method');
  const customer = {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created: ctx.now,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: id.slice(-8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: ctx.mode.livemode,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
  Object.assign(customer, fields(ctx, params, customer));
  if (params.invoice_settings) {
    customer.invoice_settings = settings(params.invoice_settings, customer.invoice_settings);
    const wanted = customer.invoice_settings.default_payment_method;
    if (wanted && wanted === params.payment_method && method) customer.invoice_settings.default_payment_method = method.id;
    else if (wanted) checkDefault(ctx, id, wanted);
  }
  if (method) attach(ctx, method, id, { event: false });
  ctx.add(customer);
  ctx.emit('customer.created', customer);
  if (method) ctx.emit('payment_method.attached', method);
  return customer;
}

function update(ctx, params, id) {
  const customer = must(ctx, 'customer', id);
  checkLengths(params);
  const patch = fields(ctx, params, customer);
  if (params.invoice_settings) {
    const wanted = params.invoice_settings.default_payment_method;
    if (wanted) checkDefault(ctx, id, wanted);
    patch.invoice_settings = settings(params.invoice_settings, customer.invoice_settings);
  }
  ctx.change('customer.updated', customer, patch);
  return customer;
}

function remove(ctx, params, id) {
  const customer = must(ctx, 'customer', id);
  if (Object.values(ctx.note(id).cash ?? {}).some((amount) => amount > 0)) {
    throw invalid('You cannot delete a customer with a positive cash balance.');
  }
  for (const method of [...ctx.mode.all('payment_method').values()]) {
    if (method.customer === id) detach(ctx, method, { event: false });
  }
  ctx.emit('customer.deleted', customer);
  const stub = { id, object: 'customer', deleted: true };
  ctx.mode.all('customer').set(id, stub);
  return stub;
}

function methodsOf(ctx, params, id) {
  must(ctx, 'customer', id);
  return list(ctx, 'payment_method', params, {
    url: `/v1/customers/${id}/payment_methods`, equal: ['type', 'allow_redisplay'], where: (m) => m.customer === id,
  });
}

function methodOf(ctx, params, id, methodId) {
  must(ctx, 'customer', id);
  const method = ctx.mode.get('payment_method', methodId);
  if (method?.customer !== id) throw noSuch('PaymentMethod', methodId, { param: 'payment_method', inPath: true });
  return method;
}

export const routes = [
  { method: 'POST', path: '/v1/customers', params: CREATE, returns: 'customer', run: create },
  { method: 'GET', path: '/v1/customers', params: `${LIST} created:range email test_clock`, returns: 'list:customer',
    run: (ctx, params) => list(ctx, 'customer', params, { url: '/v1/customers', equal: ['email', 'test_clock'] }) },
  { method: 'GET', path: '/v1/customers/search', params: SEARCH, returns: 'search:customer',
    run: (ctx, params) => search(ctx, 'customer', params, '/v1/customers/search', { email: 'text', name: 'text', phone: 'exact', created: 'number' }) },
  { method: 'GET', path: '/v1/customers/:id', params: 'expand[]', returns: 'customer',
    run: (ctx, params, id) => must(ctx, 'customer', id, { deletedToo: true }) },
  { method: 'POST', path: '/v1/customers/:id', params: UPDATE, returns: 'customer', run: update },
  { method: 'DELETE', path: '/v1/customers/:id', params: '', returns: 'customer', run: remove },
  { method: 'GET', path: '/v1/customers/:id/payment_methods', params: `${LIST} type allow_redisplay:always|limited|unspecified`,
    returns: 'list:payment_method', run: methodsOf },
  { method: 'GET', path: '/v1/customers/:id/payment_methods/:pm', params: 'expand[]', returns: 'payment_method', run: methodOf },
];

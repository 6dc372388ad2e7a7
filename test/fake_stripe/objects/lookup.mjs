// Finding the object an id names, or failing as Stripe words it.

import { noSuch } from '../errors.mjs';

const LABELS = {
  payment_method: 'PaymentMethod', setup_intent: 'setupintent', balance_transaction: 'balance transaction',
  early_fraud_warning: 'early fraud warning',
};

// In a path the missing thing is a 404 and the parameter is the path's own
// name; elsewhere it is a 400 about the parameter that held the id.
export function must(ctx, type, id, { param, inPath = param === undefined, deletedToo = false } = {}) {
  const object = ctx.mode.get(type, id);
  if (object && (deletedToo || !object.deleted)) return object;
  const other = ctx.world.mode(ctx.mode.account, !ctx.mode.livemode);
  const otherMode = !object && other.get(type, id) ? (ctx.mode.livemode ? 'test' : 'live') : undefined;
  throw noSuch(LABELS[type] ?? type, id, { param: param ?? (type.endsWith('_intent') ? 'intent' : type === 'customer' || type === 'event' || type === 'charge' ? 'id' : type), inPath, otherMode });
}

export const address = (given) => ({
  city: given?.city || null, country: given?.country || null, line1: given?.line1 || null,
  line2: given?.line2 || null, postal_code: given?.postal_code || null, state: given?.state || null,
});

export const billing = (given, old) => ({
  address: given?.address === undefined ? old?.address ?? address() : address(given.address || {}),
  email: (given?.email === undefined ? old?.email : given.email) || null,
  name: (given?.name === undefined ? old?.name : given.name) || null,
  phone: (given?.phone === undefined ? old?.phone : given.phone) || null,
  tax_id: (given?.tax_id === undefined ? old?.tax_id : given.tax_id) || null,
});

// A shipping parameter as a customer, an intent or a charge shows it.
export const shipping = (given) => (given ? {
  address: address(given.address), carrier: given.carrier ?? null, name: given.name,
  phone: given.phone ?? null, tracking_number: given.tracking_number ?? null,
} : null);

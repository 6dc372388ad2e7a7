// world.mjs: a Stripe small enough to be right: objects, a clock of whole
// seconds, and the events that changes bring, in their causal order.
//
// Ids hold the text TAG, which a run replaces by its own, so that thousands of
// runs of one life fit into one database.

import { Random } from './random.mjs';
import { previousAttributes, render } from './shapes.mjs';

export const TAG = 'TTTTTTTT';

const SUMMARY = 'entitlements.active_entitlement_summary';

// Where the API serves an object; what is not here it does not serve by id.
const PATHS = {
  customer: 'customers', subscription: 'subscriptions', invoice: 'invoices', payment_intent: 'payment_intents',
  charge: 'charges', refund: 'refunds', dispute: 'disputes', payment_method: 'payment_methods', price: 'prices',
  invoice_payment: 'invoice_payments', subscription_schedule: 'subscription_schedules',
  'checkout.session': 'checkout/sessions',
};

export function apiPath(object) {
  const path = PATHS[object.object];
  return path ? `/v1/${path}/${object.id}` : null;
}

function merge(object, patch) {
  const result = { ...object };
  for (const [key, value] of Object.entries(patch)) {
    const nested = value !== null && typeof value === 'object' && !Array.isArray(value) && !value.object;
    result[key] = nested && result[key] !== null && typeof result[key] === 'object' ? merge(result[key], value) : value;
  }
  return result;
}

export class World {
  constructor({ seed, version, now, spread = false }) {
    this.random = new Random(seed);
    this.version = version;
    this.now = now;
    this.spread = spread; // true: no two changes in one second
    this.objects = new Map();
    this.events = []; // in causal order: { id, type, created, payload, change }
    this.changes = []; // { at, id, object as the API shows it }
  }

  // An id of the run's own; the part behind the tag tells nothing of time.
  id(prefix) {
    return `${prefix}_${TAG}${this.random.word(6)}`;
  }

  wait(seconds) {
    this.now += seconds;
  }

  get(id) {
    return this.objects.get(id);
  }

  #record(id, shown) {
    this.changes.push({ at: this.now, id, shown });
    if (this.spread) this.now += 1 + this.random.below(3);
  }

  #emit(type, shown, at, previous) {
    const event = {
      id: this.id('evt'), object: 'event', api_version: this.version, created: at,
      data: previous ? { object: shown, previous_attributes: previous } : { object: shown },
      livemode: false, pending_webhooks: 1, request: { id: null, idempotency_key: null }, type,
    };
    this.events.push({ id: event.id, type, created: at, object: shown.id ?? null, payload: event, change: this.changes.length - 1 });
  }

  // A new object, and the events that tell of it (maybe none yet).
  make(object, types = []) {
    this.objects.set(object.id, object);
    const shown = render(object, this.version);
    const at = this.now;
    this.#record(object.id, shown);
    for (const type of types) this.#emit(type, shown, at);
    return object.id;
  }

  // A change and its events; those of type "*.updated" tell what was before.
  change(id, patch, types) {
    const before = render(this.objects.get(id), this.version);
    const object = merge(this.objects.get(id), patch);
    const shown = render(object, this.version);
    const at = this.now;
    this.objects.set(id, object);
    this.#record(id, shown);
    for (const type of types) {
      this.#emit(type, shown, at, type.endsWith('.updated') ? previousAttributes(before, shown) : undefined);
    }
  }

  // Events without a change.
  tell(id, types) {
    for (const type of types) this.#emit(type, render(this.objects.get(id), this.version), this.now);
  }

  // The object is no more; the API then answers with a stub.
  remove(id, type) {
    const object = render(this.objects.get(id), this.version);
    const at = this.now;
    this.objects.delete(id);
    this.#record(id, { id, object: object.object, deleted: true });
    this.#emit(type, object, at);
  }

  // An object without a mirror or an id of its own.
  announce(type, object) {
    this.changes.push({ at: this.now, id: null, shown: null });
    this.#emit(type, render(object, this.version), this.now);
  }

  // The customer's whole set of entitlements, each time it changes.
  entitle(customer, lookupKeys) {
    const data = lookupKeys.map((key) => ({
      id: `ent_${TAG}${key}`, object: 'entitlements.active_entitlement', feature: `feat_${TAG}${key}`,
      livemode: false, lookup_key: key,
    }));
    const at = this.now;
    const url = `/v1/customer/${customer}/entitlements`;
    this.#record(`summary of ${customer}`, {
      object: SUMMARY, customer, entitlements: { object: 'list', data, has_more: false, url }, livemode: false,
    });
    this.#emit(`${SUMMARY}.updated`, this.changes.at(-1).shown, at);
  }
}

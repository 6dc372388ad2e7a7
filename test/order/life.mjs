// life.mjs: a life as it is told to the server: texts of events and answers,
// what must be there in the end, and the queries that look.

import { TAG, World, apiPath } from './world.mjs';
import { Club } from './club.mjs';
import { quote } from './wire.mjs';
import { DAY } from './objects.mjs';

const TABLES = {
  customer: 'customers', subscription: 'subscriptions', subscription_item: 'subscription_items', price: 'prices',
  invoice: 'invoices', payment_intent: 'payment_intents', charge: 'charges', refund: 'refunds', dispute: 'disputes',
  payment_method: 'payment_methods', invoice_payment: 'invoice_payments', subscription_schedule: 'subscription_schedules',
  'checkout.session': 'checkout_sessions',
};

const ENTITLEMENTS = '/v1/entitlements/active_entitlements';

// Keys in order, so that equal objects are equal texts; no client secrets.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).filter((key) => key !== 'client_secret').sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

const inList = (ids) => `IN (${[...ids].map(quote).join(', ')})`;

export class Life {
  constructor(name, play, { seed, version, spread = false, now }) {
    this.name = name;
    this.seed = seed;
    this.version = version;
    this.spread = spread;
    this.world = new World({ seed, version, now, spread });
    play(new Club(this.world));
    this.events = this.world.events.map((event) => ({ ...event, text: quote(JSON.stringify(event.payload)) }));
    this.told = new Set(this.events.map((event) => this.world.changes[event.change].id));
    this.answerable = this.world.changes
      .map((change, n) => ({ ...change, n }))
      .filter(({ id, shown }) => id && this.told.has(id) && shown.id && apiPath(shown));
    this.#collectIds();
    this.look = this.#lookQuery();
    this.interval = `SELECT extract(epoch FROM access_from)::float8, extract(epoch FROM access_until)::float8`
      + ` FROM stripe.memberships WHERE account = 'default' AND NOT livemode AND membership_id = 'member_${TAG}'`;
  }

  #collectIds() {
    this.ids = {};
    const note = (object) => (this.ids[TABLES[object.object]] ??= new Set()).add(object.id);
    for (const { object } of this.events.map((event) => event.payload.data)) {
      if (object.id && TABLES[object.object]) note(object);
      if (object.object === 'subscription') {
        for (const entry of object.items.data) {
          note(entry);
          note(entry.price);
        }
      }
    }
    this.customers = this.ids.customers ?? new Set();
  }

  // One row for each row of ours: table, id, and the rest as text.
  #lookQuery() {
    const own = `account = 'default' AND NOT livemode`;
    const parts = Object.entries(this.ids).map(([table, ids]) =>
      `SELECT ${quote(table)}, id, deleted || ' ' || data FROM stripe.${table} WHERE ${own} AND id ${inList(ids)}`);
    parts.push(`SELECT 'active_entitlements', id, customer || ' ' || data FROM stripe.active_entitlements WHERE ${own} AND customer ${inList(this.customers)}`);
    parts.push(`SELECT 'memberships', membership_id, (to_jsonb(m) - '{created,updated,cause}'::text[])::text FROM stripe.memberships m WHERE ${own} AND membership_id = 'member_${TAG}'`);
    if (this.ids.payment_intents) {
      parts.push(`SELECT 'payments', payment_intent, (to_jsonb(p) - '{updated,receipt_number}'::text[])::text FROM stripe.payments p WHERE ${own} AND payment_intent ${inList(this.ids.payment_intents)}`);
    }
    return `${parts.join(' UNION ALL ')} ORDER BY 1, 2`;
  }

  // Events that did not end well, of those delivered.
  unwell(delivered) {
    return `SELECT id, state, error FROM stripe.events WHERE account = 'default' AND NOT livemode`
      + ` AND id ${inList(delivered.map((event) => event.id))} AND state NOT IN ('applied', 'stale', 'ignored')`;
  }

  // What each object is once the given changes were made: of those that some
  // delivered event tells of.
  stateAfter(delivered) {
    const state = new Map();
    for (const { change } of delivered) {
      const { id, shown } = this.world.changes[change];
      if (id && (state.get(id)?.change ?? -1) < change) state.set(id, { change, shown });
    }
    return state;
  }

  // What the API answers to whoever asks at the end.
  finalAnswers(delivered) {
    const answers = [];
    for (const [id, { shown }] of this.stateAfter(delivered)) {
      if (shown.id) answers.push([apiPath(shown), JSON.stringify(shown)]);
      else if (id.startsWith('summary of ')) {
        const list = { ...shown.entitlements, url: ENTITLEMENTS };
        answers.push([`${ENTITLEMENTS}?customer=${shown.customer}`, JSON.stringify(list)]);
      }
    }
    return answers.filter(([path]) => path);
  }

  // Rows of mirrors that are not what the objects are, as "table id".
  wrongMirrors(rows, delivered) {
    const found = new Map(rows.map(([table, id, text]) => [`${table} ${id}`, text]));
    const wrong = [];
    for (const { shown } of this.stateAfter(delivered).values()) {
      const table = shown.id && TABLES[shown.object];
      if (!table) continue;
      const text = found.get(`${table} ${shown.id}`) ?? 'false null';
      const at = text.indexOf(' ');
      const deleted = text.slice(0, at) === 'true';
      if (shown.deleted ? !deleted : deleted || canonical(JSON.parse(text.slice(at + 1))) !== canonical(shown)) {
        wrong.push(`${table} ${shown.id}`);
      }
    }
    return wrong;
  }

  // The moments at which an answer may have been given that shows a change.
  answerMoment(change, random) {
    const next = this.world.changes.find((other, n) => n > change.n && other.id === change.id);
    const last = next ? next.at : change.at + 3 * DAY;
    const choices = [change.at, Math.min(change.at + 1, last), last, change.at + random.below(last - change.at + 1)];
    return random.pick(choices);
  }
}

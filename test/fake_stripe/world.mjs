// Everything the fake remembers: accounts, each with a test and a live world
// of objects, the clock, and the log of events. No HTTP here.
//
// Objects are kept in the newest shape, references as ids; what Stripe knows
// but does not show (how a test card behaves, what a refund will do later) is
// in notes, beside them.

import { randomBytes } from 'node:crypto';
import { badParam } from './errors.mjs';
import { NEWEST } from './versions.mjs';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export function token(length) {
  let out = '';
  for (const byte of randomBytes(length)) out += LETTERS[byte % LETTERS.length];
  return out;
}

export const DEFAULT_ACCOUNT = 'acct_1FakeStripeMain00';

// One account in one mode.
class Mode {
  constructor(account, livemode) {
    this.account = account;
    this.livemode = livemode;
    this.clear();
  }

  clear() {
    this.types = new Map();
    this.notes = new Map();
    this.idempotency = new Map();
    this.sequence = 0;
  }

  all(type) {
    let map = this.types.get(type);
    if (!map) this.types.set(type, map = new Map());
    return map;
  }

  add(object) {
    this.all(object.object).set(object.id, object);
    this.notes.set(object.id, { sequence: ++this.sequence });
    return object;
  }

  get(type, id) {
    return this.all(type).get(id);
  }

  note(id) {
    let note = this.notes.get(id);
    if (!note) this.notes.set(id, note = {});
    return note;
  }

  find(id) {
    for (const map of this.types.values()) {
      if (map.has(id)) return map.get(id);
    }
    return undefined;
  }
}

export class World {
  constructor() {
    this.clear();
  }

  clear() {
    this.offset = 0;
    this.accounts = new Map();
    this.rate = null;
  }

  // Milliseconds and seconds of the fake's own clock.
  nowMs() {
    return Date.now() + this.offset;
  }

  now() {
    return Math.floor(this.nowMs() / 1000);
  }

  mode(account, livemode) {
    let pair = this.accounts.get(account);
    if (!pair) this.accounts.set(account, pair = { test: new Mode(account, false), live: new Mode(account, true) });
    return livemode ? pair.live : pair.test;
  }

  *modes() {
    for (const pair of this.accounts.values()) {
      yield pair.test;
      yield pair.live;
    }
  }

  // Where an object lives, whoever owns it: for the admin's calls.
  locate(id) {
    for (const mode of this.modes()) {
      const object = mode.find(id);
      if (object) return { mode, object };
    }
    return null;
  }
}

// What a handler works with: the world seen by one request.
export class Context {
  constructor(world, mode, { version = NEWEST, requestId = null, idempotencyKey = null } = {}) {
    this.world = world;
    this.mode = mode;
    this.version = version;
    this.requestId = requestId;
    this.idempotencyKey = idempotencyKey;
  }

  get now() {
    return this.world.now();
  }

  newId(prefix, length = 24) {
    return `${prefix}_${token(length)}`;
  }

  add(object) {
    return this.mode.add(object);
  }

  note(id) {
    return this.mode.note(id);
  }

  // Records an event with a snapshot of the object as it is now.
  emit(type, object, previous) {
    const data = { object: structuredClone(object) };
    if (previous) data.previous_attributes = structuredClone(previous);
    const event = {
      id: this.newId('evt'),
      object: 'event',
      api_version: NEWEST,
      created: this.now,
      data,
      livemode: this.mode.livemode,
      pending_webhooks: 0,
      request: { id: this.requestId, idempotency_key: this.idempotencyKey },
      type,
    };
    return this.mode.add(event);
  }

  // Changes an object and records `type` with the values it replaced; nothing
  // is recorded when nothing changed.
  change(type, object, patch) {
    const previous = {};
    for (const [key, value] of Object.entries(patch)) {
      if (JSON.stringify(object[key]) !== JSON.stringify(value)) {
        previous[key] = object[key] === undefined ? null : object[key];
        object[key] = value;
      }
    }
    if (type && Object.keys(previous).length > 0) this.emit(type, object, previous);
    return previous;
  }
}

// metadata given in a request, laid over what an object has.
export function mergeMetadata(old, given) {
  if (given === undefined) return old;
  if (given === '') return {};
  // No prototype: a key may be called __proto__.
  const out = Object.assign(Object.create(null), old);
  for (const [key, value] of Object.entries(given)) {
    if (value === '') delete out[key];
    else out[key] = value;
  }
  if (Object.keys(out).length > 50) throw badParam('Metadata can have at most 50 keys.', 'metadata');
  return out;
}

// judge.mjs: tells a life to a server in some order and compares what is there
// then with what causal order leaves.
//
// Two things are held against each other: the rows at the end, and what a
// reader may have seen on the way: every interval of access ever stored must
// lie within those that causal order stored at some step.

import { TAG } from './world.mjs';
import { Connection } from './wire.mjs';

const MAX_DRAINS = 8;

let serial = 0;

// The life's text with an id of its own in the place of the tag.
const own = (text, tag) => text.replaceAll(TAG, tag);

export class Failure extends Error {}

// Intervals, joined where they touch.
export function unite(intervals) {
  const result = [];
  for (const [from, until] of intervals.filter(Boolean).sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], until);
    else result.push([from, until]);
  }
  return result;
}

const readInterval = (rows) => (rows.length === 0 || rows[0][0] === null ? null : rows[0].map(Number));

function within(interval, allowed) {
  return interval === null || allowed.some(([from, until]) => from <= interval[0] && interval[1] <= until);
}

export class Judge {
  constructor({ place, database, answers, prefix }) {
    this.place = { ...place, database };
    this.answers = answers;
    this.prefix = prefix;
    this.connections = [];
    this.counts = { events: 0, answers: 0, drained: 0, shuffles: 0, orders: 0, races: 0 };
  }

  async connection(n = 0) {
    while (this.connections.length <= n) {
      const made = await Connection.open(this.place);
      await made.query(`SET client_min_messages = error; SET memberpulse_stripe.api_base = '${this.answers.base}'`);
      this.connections.push(made);
    }
    return this.connections[n];
  }

  close() {
    for (const connection of this.connections) connection.close();
  }

  newTag() {
    serial += 1;
    return this.prefix + serial.toString(36).padStart(TAG.length - this.prefix.length, '0');
  }

  // The statement for a step: some events at once, an event again, an answer.
  #statement(life, step, tag) {
    if (step.kind === 'answer') {
      const body = own(JSON.stringify(step.shown), tag);
      const number = this.answers.add(body, step.at);
      this.counts.answers += 1;
      return `SELECT stripe_request('GET', '${own(step.path, tag)}', '{"answer": "${number}"}')`;
    }
    if (step.kind === 'replay') return `SELECT stripe_replay_event('${own(step.event.id, tag)}')`;
    this.counts.events += step.events.length;
    return `SELECT stripe_ingest_events(ARRAY[${step.events.map((event) => own(event.text, tag)).join(', ')}]::jsonb[])`;
  }

  // One step and what a reader sees after it.
  async step(connection, life, step, tag, before = '') {
    const sql = `${before}${this.#statement(life, step, tag)}; ${own(life.interval, tag)}`;
    return readInterval(await connection.query(sql));
  }

  setFinal(life, delivered, tag) {
    const paths = life.finalAnswers(delivered).map(([path, body]) => [own(path, tag), own(body, tag)]);
    const at = Math.max(...life.world.changes.map((change) => change.at)) + 60;
    for (const [path, body] of paths) this.answers.setFinal(path, body, at);
    return () => paths.forEach(([path]) => this.answers.forget(path));
  }

  // Asks again what is in doubt, and returns all rows of the life.
  async finish(connection, life, delivered, tag, watch = () => {}) {
    const forget = this.setFinal(life, delivered, tag);
    for (let turn = 0; ; turn++) {
      const rows = await connection.query('SELECT object_type, object_id, reason, error FROM stripe_refetch(1000)');
      const failed = rows.filter((row) => row[3] !== null);
      if (failed.length > 0) throw new Failure(`asking again failed: ${failed[0].join(' ')}`);
      if (rows.length === 0) break;
      this.counts.drained += rows.length;
      watch(readInterval(await connection.query(own(life.interval, tag))));
      if (turn === MAX_DRAINS) throw new Failure(`there is no end of asking again: ${rows[0].join(' ')}`);
    }
    forget();
    const unwell = await connection.query(own(life.unwell(delivered), tag));
    if (unwell.length > 0) throw new Failure(`event ${unwell[0].join(' ')}`);
    const rows = await connection.query(own(life.look, tag));
    return rows.map((row) => row.map((value) => value.replaceAll(tag, TAG)));
  }

  // Events in causal order; returns the rows, and the intervals of each step.
  async causal(life, delivered) {
    const connection = await this.connection();
    const tag = this.newTag();
    const seen = [];
    const before = this.counts.drained;
    for (const event of delivered) seen.push(await this.step(connection, life, { kind: 'events', events: [event] }, tag));
    const rows = await this.finish(connection, life, delivered, tag, (interval) => seen.push(interval));
    if (life.spread && this.counts.drained > before) throw new Failure('in causal order, each event with a second of its own, something was in doubt');
    await this.#checkActive(connection, seen, tag);
    const wrong = life.wrongMirrors(rows, delivered);
    if (wrong.length > 0) throw new Failure(`in causal order: not what the object is: ${wrong.join(', ')}`);
    return { rows, text: JSON.stringify(rows), seen, allowed: unite(seen) };
  }

  // The same, for what is then compared with it: a failure tells all events.
  async reference(life, delivered) {
    try {
      return await this.causal(life, delivered);
    } catch (error) {
      const start = life.events[0].created;
      const list = delivered.map((event) => `    ${event.created - start} s ${event.type} ${event.object} ${event.id}`);
      error.detail = `${error.stack}\n  life ${life.name} (seed ${life.seed}, ${life.version}${life.spread ? ', spread' : ''}), first ${delivered.length} events\n${list.join('\n')}`;
      throw error;
    }
  }

  // That stripe_membership_active() says what the stored interval says.
  async #checkActive(connection, seen, tag) {
    const last = seen.at(-1);
    const edges = [...new Set(seen.filter(Boolean).flat())].filter(Number.isFinite).flatMap((t) => [t - 1, t]);
    const asked = await connection.query(`SELECT t, stripe_membership_active('member_${tag}', to_timestamp(t))`
      + ` FROM unnest('{${edges.join(',')}}'::float8[]) t`);
    for (const [t, active] of asked) {
      const want = last !== null && last[0] <= Number(t) && Number(t) < last[1];
      if ((active === 't') !== want) throw new Failure(`stripe_membership_active() at ${t} says ${active}, and access is ${last}`);
    }
  }

  check(interval, reference) {
    if (within(interval, reference.allowed)) return;
    const show = (list) => list.map((t) => (Number.isFinite(t) ? new Date(t * 1000).toISOString() : t)).join(' until ');
    throw new Failure(`a reader could see access from ${show(interval)}; causal order had only: ${reference.allowed.map(show).join('; ') || 'none'}`);
  }

  compare(rows, reference) {
    if (JSON.stringify(rows) === reference.text) return;
    const key = ([table, id]) => `${table} ${id}`;
    const want = new Map(reference.rows.map((row) => [key(row), row[2]]));
    const got = new Map(rows.map((row) => [key(row), row[2]]));
    for (const name of new Set([...want.keys(), ...got.keys()])) {
      if (want.get(name) !== got.get(name)) {
        throw new Failure(`${name} differs: ${difference(want.get(name), got.get(name))}`);
      }
    }
  }

  // Steps in the given order, over some connections; throws a Failure.
  async shuffled(life, steps, delivered, reference, connections = 1) {
    const tag = this.newTag();
    const queues = Array.from({ length: connections }, () => []);
    for (const step of steps) queues[step.on % connections].push(step);
    const open = [];
    for (let n = 0; n < connections; n++) open.push(await this.connection(n));
    const failures = [];
    await Promise.all(queues.map(async (queue, n) => {
      try {
        for (const step of queue) this.check(await this.step(open[n], life, step, tag), reference);
      } catch (error) {
        failures.push(error);
      }
    }));
    if (failures.length > 0) throw failures[0];
    const rows = await this.finish(open[0], life, delivered, tag, (interval) => this.check(interval, reference));
    this.compare(rows, reference);
  }
}

// Which members of two row texts are not alike.
function difference(want, got) {
  if (want === undefined || got === undefined) return want === undefined ? `should not be there: ${got}` : 'is missing';
  try {
    const [a, b] = [want, got].map((text) => JSON.parse(text.slice(text.indexOf('{'))));
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((k) => JSON.stringify(a[k]) !== JSON.stringify(b[k]));
    const parts = keys.map((k) => `${k}: want ${JSON.stringify(a[k])}, got ${JSON.stringify(b[k])}`);
    return parts.join('; ').slice(0, 1500) || `want ${want.slice(0, 20)}, got ${got.slice(0, 20)}`;
  } catch {
    return `want ${want}, got ${got}`;
  }
}

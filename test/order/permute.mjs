// permute.mjs: every order of some consecutive events of a life.
//
// The orders are walked as a tree, with a savepoint a step: orders that begin
// alike share their beginning.  Before each window comes what happened earlier,
// in causal order; the comparison is with the life so far.

import { Failure } from './judge.mjs';

// Windows of so many events, that together cover the life.
function windows(count, size) {
  const result = [];
  for (let from = 0; from < count; from += size) result.push([Math.max(Math.min(from, count - size), 0), Math.min(from + size, count)]);
  return result;
}

class Walk {
  constructor(judge, connection, life, delivered, reference) {
    Object.assign(this, { judge, connection, life, delivered, reference });
  }

  async tell(event, before = '') {
    const step = { kind: 'events', events: [event] };
    return this.judge.step(this.connection, this.life, step, this.tag, before);
  }

  // All orders that begin with one event.
  async beginningWith(first, earlier, others) {
    this.tag = this.judge.newTag();
    this.path = [first];
    this.before = '';
    await this.connection.query('BEGIN');
    try {
      for (const event of earlier) await this.tell(event);
      this.judge.check(await this.tell(first), this.reference);
      await this.from(others, 1);
    } finally {
      await this.connection.query('ROLLBACK');
    }
  }

  async from(left, depth) {
    if (left.length === 0) await this.end();
    for (const event of left) {
      this.path.push(event);
      const interval = await this.tell(event, `${this.before}SAVEPOINT at${depth}; `);
      this.before = '';
      this.judge.check(interval, this.reference);
      await this.from(left.filter((other) => other !== event), depth + 1);
      this.before += `ROLLBACK TO SAVEPOINT at${depth}; RELEASE SAVEPOINT at${depth}; `;
      this.path.pop();
    }
  }

  async end() {
    const watch = (seen) => this.judge.check(seen, this.reference);
    this.judge.counts.orders += 1;
    this.judge.compare(await this.judge.finish(this.connection, this.life, this.delivered, this.tag, watch), this.reference);
  }
}

async function walkWindow(judge, life, [from, to]) {
  const delivered = life.events.slice(0, to);
  const earlier = life.events.slice(0, from);
  const window = life.events.slice(from, to);
  const reference = await judge.reference(life, delivered);
  const walk = new Walk(judge, await judge.connection(), life, delivered, reference);
  try {
    for (const first of window) await walk.beginningWith(first, earlier, window.filter((event) => event !== first));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const order = walk.path.map((event) => `    ${event.created - life.events[0].created} s ${event.type} ${event.object} ${event.id}`);
    error.detail = `${error.message}\n  life ${life.name} (seed ${life.seed}, ${life.version}), after the first ${from} events in causal order, then:\n${order.join('\n')}`;
    throw error;
  }
}

export async function permute(judge, life, size) {
  const all = windows(life.events.length, size);
  for (const window of all) await walkWindow(judge, life, window);
  return { detail: `${life.events.length} events, in ${all.length} windows` };
}

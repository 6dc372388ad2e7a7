// shuffle.mjs: a life in random orders, with duplicates, replays, batches and
// answers of the API among its events, over several connections; and a
// failure made as small as it gets.

import { Failure } from './judge.mjs';
import { apiPath } from './world.mjs';

const MAX_CONNECTIONS = 8;
const MAX_SHRINKS = 400;

function randomSteps(life, random, connections) {
  const steps = life.events.map((event) => ({ kind: 'events', events: [event] }));
  for (let n = random.below(1 + Math.ceil(life.events.length / 4)); n > 0; n--) {
    steps.push({ kind: 'events', events: [random.pick(life.events)] });
  }
  for (let n = random.below(5); n > 0 && life.answerable.length > 0; n--) {
    const change = random.pick(life.answerable);
    steps.push({ kind: 'answer', change: change.n, id: change.id, shown: change.shown, path: apiPath(change.shown), at: life.answerMoment(change, random) });
  }
  let order = random.shuffle(steps);
  if (random.chance(0.3)) order = nearlyCausal(life, order, random);
  if (random.chance(0.4)) order = inBatches(order, random);
  if (connections === 1 && random.chance(0.4)) {
    const at = random.below(order.length);
    if (order[at].kind === 'events') order.splice(at + 1 + random.below(order.length - at), 0, { kind: 'replay', event: order[at].events[0] });
  }
  return order.map((step) => ({ ...step, on: random.below(connections) }));
}

// What a network does: mostly in order, some of it late.
function nearlyCausal(life, steps, random) {
  const place = (step) => (step.kind === 'answer' ? step.change : step.events[0].change) + (random.chance(0.25) ? random.below(life.world.changes.length) : 0);
  return steps.map((step) => [place(step), step]).sort((a, b) => a[0] - b[0]).map(([, step]) => step);
}

function inBatches(steps, random) {
  const result = [];
  for (const step of steps) {
    const last = result.at(-1);
    if (step.kind === 'events' && last?.kind === 'events' && random.chance(0.5)) last.events = [...last.events, ...step.events];
    else result.push({ ...step });
  }
  return result;
}

const deliveredBy = (life, steps) => {
  const ids = new Set(steps.flatMap((step) => (step.kind === 'events' ? step.events.map((event) => event.id) : [])));
  return life.events.filter((event) => ids.has(event.id));
};

// Whether an answer shows what no delivered event tells, or a replay has no event.
function isOdd(life, steps, delivered) {
  const state = life.stateAfter(delivered);
  const ids = new Set();
  return steps.some((step) => {
    if (step.kind === 'events') step.events.forEach((event) => ids.add(event.id));
    if (step.kind === 'replay') return !ids.has(step.event.id);
    return step.kind === 'answer' && (state.get(step.id)?.change ?? -1) < step.change;
  });
}

// The failure of these steps, or null; in one connection.
async function failureOf(judge, life, steps) {
  const delivered = deliveredBy(life, steps);
  if (delivered.length === 0 || isOdd(life, steps, delivered)) return null;
  try {
    await judge.shuffled(life, steps, delivered, await judge.causal(life, delivered));
    return null;
  } catch (error) {
    if (error instanceof Failure && !error.message.startsWith('in causal order')) return error;
    if (error instanceof Failure) return null;
    throw error;
  }
}

const withoutOne = (steps) => steps.flatMap((step, n) => {
  const rest = (replaced) => [...steps.slice(0, n), ...replaced, ...steps.slice(n + 1)];
  const smaller = step.kind === 'events' && step.events.length > 1
    ? [rest(step.events.map((event) => ({ ...step, events: [event] }))), ...step.events.map((_, i) => rest([{ ...step, events: step.events.filter((__, j) => j !== i) }]))]
    : [];
  return [rest([]), ...smaller];
});

async function shrink(judge, life, steps) {
  let best = steps;
  let failure = await failureOf(judge, life, steps);
  let tries = 0;
  for (let again = failure !== null; again && tries < MAX_SHRINKS;) {
    again = false;
    for (const fewer of withoutOne(best)) {
      tries += 1;
      const found = tries <= MAX_SHRINKS ? await failureOf(judge, life, fewer) : null;
      if (found) {
        [best, failure, again] = [fewer, found, true];
        break;
      }
    }
  }
  return { steps: best, failure };
}

function describe(life, steps) {
  const start = life.events[0].created;
  const place = (event) => `${event.created - start} s ${event.type} ${event.object} ${event.id} [${life.events.indexOf(event)}]`;
  return steps.map((step) => {
    if (step.kind === 'answer') return `    answer of ${step.at - start} s: ${step.id} status ${step.shown.status} (change ${step.change})`;
    if (step.kind === 'replay') return `    replay ${place(step.event)}`;
    return `    ${step.events.map(place).join('\n      with ')}`;
  }).join('\n');
}

async function explain(judge, life, steps, connections, error) {
  const smaller = await shrink(judge, life, steps);
  const head = `${error.message}\n  life ${life.name} (seed ${life.seed}, ${life.version}${life.spread ? ', spread' : ''}), ${connections} connections`;
  if (smaller.failure) {
    error.detail = `${head}\n  at its smallest, on one connection: ${smaller.failure.message}\n${describe(life, smaller.steps)}`;
  } else {
    error.detail = `${head}; passes on one connection\n${describe(life, steps)}`;
  }
  return error;
}

export async function shuffleLife(judge, life, times, random) {
  const reference = await judge.reference(life, life.events);
  for (let n = 0; n < times; n++) {
    const connections = n % 2 === 0 ? 1 : 2 + random.below(MAX_CONNECTIONS - 1);
    const steps = randomSteps(life, random, connections);
    judge.counts.shuffles += 1;
    try {
      await judge.shuffled(life, steps, life.events, reference, connections);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw await explain(judge, life, steps, connections, error);
    }
  }
  return { detail: `${life.events.length} events` };
}

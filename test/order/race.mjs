// race.mjs: two objects at once: the events of the one are taken in while the
// transaction with the events of the other is still open.
//
// What either brings about depends on rows of the other that it cannot see
// yet, so whoever comes second must wait, or look once more.  The pair comes
// last, after the events of all other objects: nothing later puts things
// right.

import { Failure } from './judge.mjs';

// Until the statement has ended, or waits for the other session.
async function settled(watcher, pid, statement) {
  let ended = false;
  const note = () => { ended = true; };
  statement.then(note, note);
  while (!ended) {
    const waiting = await watcher.value(`SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = ${pid}`);
    if (waiting === 't') return;
  }
}

async function racePair(judge, life, [first, second], reference) {
  const [one, two, watcher] = [await judge.connection(0), await judge.connection(1), await judge.connection(2)];
  const pid = await two.value('SELECT pg_backend_pid()');
  const tag = judge.newTag();
  const of = (object) => ({ kind: 'events', events: life.events.filter((event) => event.object === object) });
  const others = { kind: 'events', events: life.events.filter((event) => event.object !== first && event.object !== second) };
  if (others.events.length > 0) await judge.step(one, life, others, tag);
  let statement;
  await one.query('BEGIN');
  try {
    await judge.step(one, life, of(first), tag);
    statement = judge.step(two, life, of(second), tag);
    await settled(watcher, pid, statement);
  } finally {
    await one.query('COMMIT');
  }
  await statement;
  judge.compare(await judge.finish(one, life, life.events, tag), reference);
}

// Ordered pairs of objects that have events.
function pairs(life) {
  const objects = [...new Set(life.events.map((event) => event.object).filter(Boolean))];
  return objects.flatMap((first) => objects.filter((second) => second !== first).map((second) => [first, second]));
}

// Some pairs of a life, or all.
export async function race(judge, life, most, random) {
  const reference = await judge.reference(life, life.events);
  const chosen = random.shuffle(pairs(life)).slice(0, most);
  const failures = [];
  for (const pair of chosen) {
    judge.counts.races += 1;
    try {
      await racePair(judge, life, pair, reference);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(`${pair.join(' is open, then comes ')}\n    ${error.message}`);
    }
  }
  if (failures.length > 0) {
    const error = new Failure('a race was lost');
    error.detail = `${failures.length} of ${chosen.length} pairs of objects, of life ${life.name} (seed ${life.seed}, ${life.version})\n  ${failures.slice(0, 6).join('\n  ')}`;
    throw error;
  }
  return { detail: `${chosen.length} pairs` };
}

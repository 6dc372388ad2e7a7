// run.mjs: the order rule as a property: whatever the order, the tables end up
// as causal order leaves them, and nobody sees access that never was.
//
// node run.mjs --host DIR --port N --user NAME --databases A,B
//              [--seed N] [--shuffles N] [--depth N] [--races N] [--only TEXT]
//
// Prints one line of JSON a check: {"name", "ok", "detail"}, and last a line
// {"done": true, ...counts}.  With the same seed it does the same, but for
// what several connections do to each other.

import { parseArgs } from 'node:util';

import { Answers } from './answers.mjs';
import { Failure, Judge } from './judge.mjs';
import { Life } from './life.mjs';
import { DAY } from './objects.mjs';
import { permute } from './permute.mjs';
import { race } from './race.mjs';
import { Random } from './random.mjs';
import { anyLife, SCENARIOS } from './scenarios.mjs';
import { NEWEST, VERSIONS } from './shapes.mjs';
import { shuffleLife } from './shuffle.mjs';

const SHUFFLES_A_LIFE = 8;

const { values: option } = parseArgs({
  options: {
    host: { type: 'string' }, port: { type: 'string' }, user: { type: 'string' }, databases: { type: 'string' },
    seed: { type: 'string' }, shuffles: { type: 'string', default: '600' }, depth: { type: 'string', default: '5' },
    races: { type: 'string', default: '12' },
    only: { type: 'string', default: '' },
  },
});
const seed = option.seed ? Number(option.seed) >>> 0 : Date.now() % 4294967296;
const random = new Random(seed);
const place = { host: option.host, port: option.port, user: option.user };

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// Lives around now, so that what is over and what is to come both occur.
function when() {
  return Math.floor(Date.now() / 1000) - random.below(75 * DAY);
}

// Everything there is to do, each a function of a judge; workers take turns.
function jobs() {
  const list = [];
  const names = Object.keys(SCENARIOS).filter((name) => name.includes(option.only));
  for (const name of names) {
    const life = new Life(name, SCENARIOS[name], { seed: random.bits(), version: NEWEST, now: when() });
    list.push({ name: `every order: ${name}`, run: (judge) => permute(judge, life, Number(option.depth)) });
    const ownSeed = random.bits();
    list.push({ name: `two at once: ${name}`, run: (judge) => race(judge, life, Number(option.races), new Random(ownSeed)) });
  }
  const lives = Math.ceil(Number(option.shuffles) / SHUFFLES_A_LIFE);
  for (let n = 0; n < lives; n++) {
    const known = n < names.length * 2 || (option.only !== '' && option.only !== 'any');
    const name = known ? names[n % names.length] : `any ${n}`;
    const life = new Life(name, known ? SCENARIOS[name] : anyLife, {
      seed: random.bits(), version: random.chance(0.6) ? NEWEST : random.pick(VERSIONS), spread: random.chance(0.2), now: when(),
    });
    const ownSeed = random.bits();
    list.push({ name: `shuffled: ${name}`, run: (judge) => shuffleLife(judge, life, SHUFFLES_A_LIFE, new Random(ownSeed)) });
  }
  return list;
}

const answers = new Answers();
answers.base = await answers.start();
const queue = jobs();
const counts = { jobs: queue.length };

async function work(database, n) {
  const judge = new Judge({ place, database, answers, prefix: `${n}${new Random(Date.now()).word(3)}` });
  for (let job = queue.shift(); job; job = queue.shift()) {
    try {
      const done = await job.run(judge);
      say({ name: job.name, ok: true, detail: done.detail });
    } catch (error) {
      say({ name: job.name, ok: false, detail: error.detail ?? error.stack });
      if (!(error instanceof Failure)) {
        judge.close();
        judge.connections = [];
      }
    }
  }
  judge.close();
  for (const [key, value] of Object.entries(judge.counts)) counts[key] = (counts[key] ?? 0) + value;
}

const began = Date.now();
say({ seed });
await Promise.all(option.databases.split(',').map(work));
answers.stop();
say({ done: true, seed, seconds: (Date.now() - began) / 1000, ...counts });

// ingest.report.mjs: the table of what bench/ingest measured, and whether it
// is good enough.
//
// node ingest.report.mjs RESULTS [MARKDOWN]

import { readFileSync, writeFileSync } from 'node:fs';

const measured = new Map();
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  const [name, ...values] = line.split(' ');
  if (name) measured.set(name, [...(measured.get(name) ?? []), values]);
}

// Of the rounds the best: what else the machine did only ever made one slower.
const rate = (name) => Math.max(...measured.get(name).map(([events, seconds]) => events / seconds));
const micros = (name, column = 2) => Math.min(...measured.get(name).map((values) => Number(values[column])));
const single = (name) => measured.get(name)[0][0];
const number = (value) => Math.round(value).toLocaleString('en');
const perSecond = (name) => `${number(rate(name))}/s`;

const checks = [];

// A row of the table: what, our figure, the other's, their ratio and the least
// or most it may be.
function row(what, own, other, ratio, limit, atLeast = true) {
  const good = atLeast ? ratio >= limit : ratio <= limit;
  checks.push({ what, own, other, ratio, limit, atLeast, good });
}

for (const n of [1, 8]) {
  const many = `${n} connection${n > 1 ? 's' : ''}`;
  row(`one event a transaction, ${many}, against the engine`, perSecond(`single-${n}`), perSecond(`peer-${n}`), rate(`single-${n}`) / rate(`peer-${n}`), n === 1 ? 4 : 5);
  row(`the same against bare inserts of 2 kB`, perSecond(`single-${n}`), perSecond(`bare-${n}`), rate(`single-${n}`) / rate(`bare-${n}`), 1 / 3);
}
row('batches of 500, 1 connection, against the engine', perSecond('batch-1'), perSecond('peer-1'), rate('batch-1') / rate('peer-1'), 10);
row('batches of 500, 4 connections, against 1', perSecond('batch-4'), perSecond('batch-1'), rate('batch-4') / rate('batch-1'), 1);
for (const at of ['100k', '1M'].filter((label) => measured.has(`cost-${label}`))) {
  row(`an event at ${number(single(`rows-${at}`))} rows, against ${number(single('rows-1k'))}`, `${number(micros(`cost-${at}`))} µs`, `${number(micros('cost-1k'))} µs`, micros(`cost-${at}`) / micros('cost-1k'), 1.15, false);
}
const [ours, bare] = [Number(single('active-ours')), Number(single('active-bare'))];
const members = number(single('memberships'));
row(`stripe_membership_active(), ${members} memberships, against a lookup by hand`, `${ours.toFixed(2)} µs`, `${bare.toFixed(2)} µs`, ours / bare, 1.5, false);
row('the same in microseconds', `${ours.toFixed(2)} µs`, '', ours, 10, false);

const table = [
  '| what | here | there | ratio | wanted | |',
  '|---|---:|---:|---:|---:|---|',
  ...checks.map((c) => `| ${c.what} | ${c.own} | ${c.other} | ${c.ratio.toFixed(2)} | ${c.atLeast ? '≥' : '≤'} ${c.limit.toFixed(2)} | ${c.good ? 'yes' : '**no**'} |`),
];
const others = [
  `- From the bytes of a webhook to state that all sessions see, durably: ${number(micros('single-1'))} µs at the median and ${number(micros('single-1', 3))} µs at 99 % (one connection); ${number(micros('single-8'))} and ${number(micros('single-8', 3))} µs with eight. The engine: ${number(micros('peer-1'))} and ${number(micros('peer-1', 3))} µs, and ${number(micros('peer-8'))} and ${number(micros('peer-8', 3))} µs.`,
  `- Batches of 500 on 4 connections: ${perSecond('batch-4')}.`,
  `- A signature of a payload of 2 kB: ${number(1e6 / Number(single('verify-ours')))}/s; the bare HMAC of pgcrypto: ${number(1e6 / Number(single('verify-pgcrypto')))}/s.`,
];
if (measured.has('backlog-batches')) {
  const seconds = (name) => Number(measured.get(name)[0][1]).toFixed(0);
  others.push(`- A backlog of 100,000 events on 8 connections: ${seconds('backlog-batches')} s in batches of 500, ${seconds('backlog-single')} s one by one.`);
}
console.log(`\n${[...table, '', ...others].join('\n')}`);

if (process.argv[3]) {
  writeFileSync(process.argv[3], `# What taking webhooks in costs

Measured by \`bench/ingest\`, which writes this page (\`--write\`) and fails if a
ratio is missed. Figures are of one run on one machine with ${single('processors')} processors and
PostgreSQL ${single('server')}; ratios are what carries over to another.

${table.join('\n')}

${others.join('\n')}

## How it is measured

- Both sides get the same events, signed, of ${single('bytes')} bytes in the mean: subscriptions
  from their beginning through renewals, failures, changes of plan, refunds and
  disputes. Both verify the signature.
- The engine is \`@supabase/stripe-sync-engine\` ${single('peer-version')} on Node.js, used as its
  documentation shows. It keeps rows of objects; here the same call also keeps
  the event, refuses duplicates, orders events, and derives memberships and
  payments.
- All sides use one cluster with \`fsync\` and \`synchronous_commit\` on, and take
  turns; the best of the rounds counts, of each side. An event is done when its commit is.
- Bare inserts send 2 kB of text to a table with a primary key, by the same client
  program: what this machine can commit at all.
- The cost by number of rows is the median of an event's time with
  \`synchronous_commit\` off, which leaves the disk out. Rows are those of all
  tables of the schema \`stripe\`.
- A lookup is timed in a loop in PL/pgSQL, with the loop. By hand it is a
  \`SELECT\` on the primary key of \`stripe.memberships\` that reads the index only.
`);
}

const missed = checks.filter((check) => !check.good).length;
console.log(missed === 0 ? '\nall ratios reached' : `\n${missed} of ${checks.length} ratios missed`);
process.exitCode = missed === 0 ? 0 : 1;

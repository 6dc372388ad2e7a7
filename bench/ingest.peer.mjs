// ingest.peer.mjs: the same events through @supabase/stripe-sync-engine.
//
// node ingest.peer.mjs migrate | run FILE CONNECTIONS
//
// Connects as libpq's variables say.  It is used as its documentation shows:
// processWebhook() with the payload and the signature as they came.  A call
// comes back when its rows are committed.  Prints what ingest.c does.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// As an ES module it does not find its migrations.
const require = createRequire(import.meta.url);
const { runMigrations, StripeSync } = require('@supabase/stripe-sync-engine');
const Stripe = require('stripe');

const url = `postgresql://${process.env.PGUSER}@localhost:${process.env.PGPORT}/${process.env.PGDATABASE}?host=${encodeURIComponent(process.env.PGHOST)}`;
const key = 'sk_test_benchmarkKeyThatOpensNothing1';
const [, , action, file, count] = process.argv;

async function run() {
  const connections = Number(count);
  const sync = new StripeSync({
    poolConfig: { connectionString: url, max: connections },
    stripeSecretKey: key,
    stripeWebhookSecret: process.env.STRIPE_WEBHOOK_SECRET,
  });
  // Whatever would ask Stripe asks a closed port of this machine, and fails.
  sync.stripe = new Stripe(key, { host: '127.0.0.1', port: 9, protocol: 'http', maxNetworkRetries: 0 });
  const queues = Array.from({ length: connections }, () => []);
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const [life, signature, payload] = line.split('\t');
    queues[Number(life) % connections].push({ signature, payload });
  }
  await sync.postgresClient.query('SELECT 1');

  const micros = [];
  const began = process.hrtime.bigint();
  await Promise.all(queues.map(async (queue) => {
    for (const { payload, signature } of queue) {
      const before = process.hrtime.bigint();
      await sync.processWebhook(payload, signature);
      micros.push(Number(process.hrtime.bigint() - before) / 1e3);
    }
  }));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  micros.sort((a, b) => a - b);
  console.log(micros.length, seconds.toFixed(6), micros[Math.floor(micros.length / 2)].toFixed(1), micros[Math.floor(micros.length * 0.99)].toFixed(1));
  await sync.postgresClient.pool.end();
}

if (action === 'migrate') {
  const failures = [];
  await runMigrations({ databaseUrl: url, schema: 'stripe', logger: { info() {}, error: (error) => failures.push(error) } });
  if (failures.length > 0) throw failures[0];
} else {
  await run();
}

// ingest.events.mjs: events for bench/ingest, signed, a line each.
//
// node ingest.events.mjs EVENTS SEED SECRET > FILE
//
// The lives are those of the order test's model of Stripe, each whole and in
// causal order.  Left out is what the engine it is compared with refuses or
// asks Stripe about: both sides get the same lines.

import { createHmac } from 'node:crypto';

import { Club } from '../test/order/club.mjs';
import { Random } from '../test/order/random.mjs';
import { anyLife } from '../test/order/scenarios.mjs';
import { NEWEST } from '../test/order/shapes.mjs';
import { TAG, World } from '../test/order/world.mjs';

const REFUSED = /^(invoiceitem\.|checkout\.|entitlements\.|invoice\.(overdue|upcoming)|customer\.deleted)/;

const [wanted, seed, secret] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const random = new Random(seed);
const start = Math.floor(Date.now() / 1000);

// A few hundred lives, told again with other ids: making them anew would take
// longer than what is measured.
const templates = Array.from({ length: 200 }, () => {
  const world = new World({ seed: random.bits(), version: NEWEST, now: start - random.below(90 * 86400) });
  anyLife(new Club(world));
  return world.events.filter((event) => !REFUSED.test(event.type)).map((event) => JSON.stringify(event.payload));
});

function sign(payload) {
  const mac = createHmac('sha256', secret).update(`${start}.${payload}`).digest('hex');
  return `t=${start},v1=${mac}`;
}

let written = 0;
let bytes = 0;
const lines = [];
for (let life = 0; written < wanted; life++) {
  const tag = (seed % 1296).toString(36).padStart(2, '0') + life.toString(36).padStart(TAG.length - 2, '0');
  for (const template of templates[life % templates.length]) {
    if (written === wanted) break;
    const payload = template.replaceAll(TAG, tag);
    lines.push(`${life}\t${sign(payload)}\t${payload}\n`);
    written += 1;
    bytes += payload.length;
  }
  if (lines.length > 2000) process.stdout.write(lines.splice(0).join(''));
}
process.stdout.write(lines.join(''));
process.stderr.write(`${written} events of ${Math.round(bytes / written)} bytes in the mean\n`);

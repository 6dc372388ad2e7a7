// Idempotency keys: replay, mismatch, in use, what is stored and for how long.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { start } from './harness.mjs';

let fake;
before(async () => { fake = await start(); });
after(() => fake.stop());
beforeEach(() => fake.admin('POST', '/reset'));

const pay = (idempotency, params = {}, options = {}) => fake.post('/v1/payment_intents', {
  amount: 2000, currency: 'aud', confirm: true, payment_method: 'pm_card_visa',
  automatic_payment_methods: { enabled: true, allow_redirects: 'never' }, ...params,
}, { idempotency, ...options });
const charges = async () => (await fake.admin('GET', '/books')).totals.charges.count;

test('the same key and parameters replay the first answer, in any order of parameters', async () => {
  const first = await pay('k1');
  const again = await pay('k1');
  assert.equal(first.id, again.id);
  assert.equal(first.headers['idempotent-replayed'], undefined);
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assert.equal(again.headers['idempotency-key'], 'k1');
  assert.equal(again.headers['original-request'], first.headers['request-id']);
  assert.notEqual(again.headers['request-id'], first.headers['request-id']);
  const turned = await fake.post('/v1/payment_intents', {
    automatic_payment_methods: { allow_redirects: 'never', enabled: true }, payment_method: 'pm_card_visa', confirm: true, currency: 'aud', amount: 2000,
  }, { idempotency: 'k1' });
  assert.equal(turned.id, first.id);
  assert.equal(await charges(), 1);
});

test('the same key with other parameters, or at another endpoint, is a mismatch', async () => {
  await pay('k1');
  const other = await pay('k1', { amount: 2001 });
  assert.equal(other.http, 400);
  assert.equal(other.error.type, 'idempotency_error');
  assert.equal(other.error.code, undefined);
  assert.equal((await fake.post('/v1/customers', {}, { idempotency: 'k1' })).error.type, 'idempotency_error');
});

test('the same key while the first still runs is in use', async () => {
  await fake.admin('POST', '/faults', { match: { path: '/v1/payment_intents' }, fault: { type: 'delay', ms: 400 } });
  const first = pay('k1');
  await new Promise((resolve) => { setTimeout(resolve, 150); });
  const second = await pay('k1');
  assert.equal(second.http, 409);
  assert.equal(second.error.code, 'idempotency_key_in_use');
  assert.equal((await first).status, 'succeeded');
  assert.equal((await pay('k1')).headers['idempotent-replayed'], 'true');
  assert.equal(await charges(), 1);
});

test('a refusal of the card is stored; a bad parameter, a bad key and a limit are not', async () => {
  const declined = await pay('k1', { payment_method: 'pm_card_chargeDeclined' });
  const again = await pay('k1', { payment_method: 'pm_card_chargeDeclined' });
  assert.equal(again.http, 402);
  assert.equal(again.error.payment_intent.id, declined.error.payment_intent.id);

  assert.equal((await pay('k2', { amount: 'x' })).http, 400);
  assert.equal((await pay('k2')).status, 'succeeded');

  assert.equal((await pay('k3', {}, { key: 'sk_test_' })).http, 401);
  assert.equal((await pay('k3')).status, 'succeeded');

  await fake.admin('POST', '/rate', { limit_per_s: 1 });
  await fake.get('/v1/account');
  assert.equal((await pay('k4')).http, 429);
  await fake.admin('POST', '/rate', {});
  assert.equal((await pay('k4')).headers['idempotent-replayed'], undefined);
});

test('a key is forgotten after 24 hours, and is one key per mode and account', async () => {
  const first = await pay('k1');
  await fake.admin('POST', '/clock', { offset_ms: 23.9 * 3600e3 });
  assert.equal((await pay('k1')).id, first.id);
  await fake.admin('POST', '/clock', { offset_ms: 24.1 * 3600e3 });
  assert.notEqual((await pay('k1')).id, first.id);

  const make = (options) => fake.post('/v1/customers', {}, { idempotency: 'k2', ...options });
  const ids = new Set([(await make()).id, (await make({ key: 'sk_live_harness' })).id, (await make({ headers: { 'Stripe-Account': 'acct_1Other' } })).id, (await make()).id]);
  assert.equal(ids.size, 3);
});

test('a lost answer is found again with the key, and nothing is charged twice', async () => {
  await fake.admin('POST', '/faults', { match: { method: 'POST' }, fault: { type: 'lost_answer' } });
  await assert.rejects(pay('k1'));
  assert.equal(await charges(), 1);
  const again = await pay('k1');
  assert.equal(again.status, 'succeeded');
  assert.equal(again.headers['idempotent-replayed'], 'true');
  assert.equal(await charges(), 1);
});

test('a 500 after the work: the key remembers the work, or the 500', async () => {
  await fake.admin('POST', '/faults', { fault: { type: 'status_after_work' } });
  assert.equal((await pay('k1')).http, 500);
  assert.equal((await pay('k1')).status, 'succeeded');
  await fake.admin('POST', '/faults', { fault: { type: 'status_after_work', store: true } });
  assert.equal((await pay('k2')).http, 500);
  assert.equal((await pay('k2')).http, 500);
  assert.equal(await charges(), 2);
});

test('a key is at most 255 characters', async () => {
  assert.equal((await fake.post('/v1/customers', {}, { idempotency: 'k'.repeat(255) })).http, 200);
  assert.equal((await fake.post('/v1/customers', {}, { idempotency: 'k'.repeat(256) })).http, 400);
});

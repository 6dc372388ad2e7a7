// What every endpoint shares: keys, parameters, lists, search, expand,
// versions, metadata, events; and customers and saved methods.

import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { after, before, beforeEach, test } from 'node:test';
import Stripe from 'stripe';
import { KEY, start } from './harness.mjs';

let fake;
before(async () => { fake = await start(); });
after(() => fake.stop());
beforeEach(() => fake.admin('POST', '/reset'));

const NO_REDIRECT = { enabled: true, allow_redirects: 'never' };
const pay = (params = {}, options) => fake.post('/v1/payment_intents',
  { amount: 2000, currency: 'aud', confirm: true, payment_method: 'pm_card_visa', automatic_payment_methods: NO_REDIRECT, ...params }, options);

test('keys: missing, malformed, publishable, revoked, expired, restricted', async () => {
  const status = async (key) => {
    const answer = await fake.get('/v1/customers', {}, key === undefined ? { headers: { Authorization: '' } } : { key });
    return [answer.http, answer.error?.code];
  };
  assert.deepEqual(await status(undefined), [401, undefined]);
  assert.deepEqual(await status('nonsense'), [401, undefined]);
  assert.deepEqual(await status('pk_test_abcdef'), [401, 'secret_key_required']);
  assert.deepEqual(await status('rk_test_unknown'), [401, undefined]);
  await fake.admin('POST', '/keys', { key: 'sk_test_gone', status: 'revoked' });
  await fake.admin('POST', '/keys', { key: 'sk_test_old', status: 'expired' });
  await fake.admin('POST', '/keys', { key: 'rk_test_reader', permissions: { customers: 'read' } });
  assert.deepEqual(await status('sk_test_gone'), [401, undefined]);
  assert.deepEqual(await status('sk_test_old'), [401, 'api_key_expired']);
  assert.deepEqual(await status('rk_test_reader'), [200, undefined]);
  const refused = await fake.post('/v1/customers', {}, { key: 'rk_test_reader' });
  assert.equal(refused.http, 403);
  assert.match(refused.error.message, /rak_customers_write/);
  const basic = await fake.get('/v1/account', {}, { headers: { Authorization: `Basic ${Buffer.from(`${KEY}:`).toString('base64')}` } });
  assert.equal(basic.object, 'account');
});

test('a live key sees another world and is told about the other mode', async () => {
  const { id } = await fake.post('/v1/customers', {});
  const answer = await fake.get(`/v1/customers/${id}`, {}, { key: 'sk_live_harness' });
  assert.equal(answer.http, 404);
  assert.match(answer.error.message, /similar object exists in test mode/);
  const live = await fake.post('/v1/customers', {}, { key: 'sk_live_harness' });
  assert.equal(live.livemode, true);
});

test('parameters: unknown, missing, empty, mistyped; an id in the path is a 404, in a parameter a 400', async () => {
  const error = async (path, params) => {
    const answer = await fake.post(path, params);
    return [answer.http, answer.error.code, answer.error.param];
  };
  assert.deepEqual(await error('/v1/customers', { nonsense: 1 }), [400, 'parameter_unknown', 'nonsense']);
  assert.deepEqual(await error('/v1/customers', { address: { planet: 'x' } }), [400, 'parameter_unknown', 'address[planet]']);
  assert.deepEqual(await error('/v1/payment_intents', { currency: 'aud' }), [400, 'parameter_missing', 'amount']);
  assert.deepEqual(await error('/v1/payment_intents', { amount: 100, currency: 'aud', customer: '' }), [400, 'parameter_invalid_empty', 'customer']);
  assert.deepEqual(await error('/v1/payment_intents', { amount: 100, currency: 'aud', confirm: 'maybe' }), [400, undefined, 'confirm']);
  assert.deepEqual(await error('/v1/payment_intents', { amount: 100, currency: 'aud', capture_method: 'later' }), [400, undefined, 'capture_method']);
  assert.deepEqual(await error('/v1/payment_intents', { amount: 100, currency: 'aud', customer: 'cus_none' }), [400, 'resource_missing', 'customer']);
  assert.deepEqual(await error('/v1/customers/cus_none', {}), [404, 'resource_missing', 'id']);
  assert.equal((await fake.post('/v1/nothing')).http, 404);
  assert.equal((await fake.get('/v1/customers/pi_1%2F..%2Fcustomers')).error.message, "No such customer: 'pi_1/../customers'");
});

test('metadata merges, unsets one key and unsets all', async () => {
  const { id } = await fake.post('/v1/customers', { metadata: { a: '1', b: '2' } });
  assert.deepEqual((await fake.post(`/v1/customers/${id}`, { metadata: { b: '', c: '3' } })).metadata, { a: '1', c: '3' });
  assert.deepEqual((await fake.post(`/v1/customers/${id}`, { metadata: '' })).metadata, {});
  const long = await fake.post(`/v1/customers/${id}`, { metadata: { ['k'.repeat(41)]: '1' } });
  assert.equal(long.http, 400);
  const updates = (await fake.admin('GET', '/events?type=customer.updated'));
  assert.deepEqual(updates[0].data.previous_attributes, { metadata: { a: '1', b: '2' } });
});

test('lists: newest first, cursors both ways, filters, limits', async () => {
  const ids = [];
  for (let i = 0; i < 5; i++) ids.unshift((await fake.post('/v1/customers', { email: `c${i % 2}@example.org` })).id);
  const page = async (params) => {
    const { data, has_more: more } = await fake.get('/v1/customers', params);
    return [data.map((c) => ids.indexOf(c.id)), more];
  };
  assert.deepEqual(await page({}), [[0, 1, 2, 3, 4], false]);
  assert.deepEqual(await page({ limit: 2 }), [[0, 1], true]);
  assert.deepEqual(await page({ limit: 2, starting_after: ids[1] }), [[2, 3], true]);
  assert.deepEqual(await page({ limit: 2, starting_after: ids[3] }), [[4], false]);
  assert.deepEqual(await page({ limit: 2, ending_before: ids[3] }), [[1, 2], true]);
  assert.deepEqual(await page({ limit: 2, ending_before: ids[2] }), [[0, 1], false]);
  assert.deepEqual(await page({ email: 'c1@example.org' }), [[1, 3], false]);
  assert.deepEqual(await page({ created: { gt: 4000000000 } }), [[], false]);
  assert.equal((await fake.get('/v1/customers', { limit: 101 })).http, 400);
  assert.equal((await fake.get('/v1/customers', { starting_after: 'cus_none' })).error.code, 'resource_missing');
  assert.equal((await fake.get('/v1/customers', { starting_after: ids[0], ending_before: ids[1] })).error.code, 'parameters_exclusive');
});

test('search: clauses, quotes, pages', async () => {
  for (let i = 0; i < 3; i++) await fake.post('/v1/customers', { email: "O'Hara@example.org", metadata: { order: `a"${i % 2}` } });
  const found = async (query, params) => fake.get('/v1/customers/search', { query, ...params });
  assert.equal((await found('metadata["order"]:"a\\"0"')).data.length, 2);
  assert.equal((await found('email:\'o\\\'hara@EXAMPLE.org\' AND -metadata["order"]:"a\\"1"')).data.length, 2);
  assert.equal((await found('email~"hara"')).data.length, 3);
  assert.equal((await found('metadata["other"]:null')).data.length, 3);
  const first = await found('email~"hara"', { limit: 2 });
  assert.equal(first.has_more, true);
  const second = await found('email~"hara"', { limit: 2, page: first.next_page, expand: ['total_count'] });
  assert.deepEqual([second.data.length, second.has_more, second.next_page, second.total_count], [1, false, null, 3]);
  for (const bad of ['', 'email', 'nonsense:"x"', 'email:"a" AND name:"b" OR name:"c"', 'email>"a"', 'email~"ab"']) {
    assert.equal((await found(bad)).http, 400, bad);
  }
});

test('expand: nested, in lists, and refused before anything happens', async () => {
  const customer = await fake.post('/v1/customers', {});
  const paid = await pay({ customer: customer.id, expand: ['customer', 'latest_charge.payment_intent'] });
  assert.equal(paid.customer.id, customer.id);
  assert.equal(paid.latest_charge.payment_intent.id, paid.id);
  const [listed] = (await fake.get('/v1/payment_intents', { expand: ['data.latest_charge'] })).data;
  assert.equal(listed.latest_charge.object, 'charge');
  const refused = await pay({ expand: ['nonsense'] });
  assert.equal(refused.http, 400);
  assert.equal((await fake.get('/v1/payment_intents')).data.length, 1);
  assert.equal((await fake.get('/v1/charges', { expand: ['data.payment_intent.latest_charge.payment_intent.customer'] })).http, 400);
  await fake.call('DELETE', `/v1/customers/${customer.id}`);
  assert.deepEqual((await fake.get(`/v1/payment_intents/${paid.id}`, { expand: ['customer'] })).customer, { id: customer.id, object: 'customer', deleted: true });
});

test('a version decides the shape of the answer, not of the events', async () => {
  const paid = await pay({ expand: ['latest_charge'] }, { version: '2024-04-10' });
  assert.equal(paid.headers['stripe-version'], '2024-04-10');
  assert.equal(paid.invoice, null);
  assert.ok(!('payment_record' in paid));
  assert.ok(!('network_decline_code' in paid.latest_charge.outcome));
  const now = await fake.get(`/v1/payment_intents/${paid.id}`);
  assert.equal(now.headers['stripe-version'], '2026-10-28.endive');
  assert.equal(now.payment_record, null);
  assert.ok(!('invoice' in now));
  const [event] = (await fake.get('/v1/events', { type: 'payment_intent.succeeded' }, { version: '2024-04-10' })).data;
  assert.equal(event.api_version, '2026-10-28.endive');
  assert.equal(event.data.object.payment_record, null);
  assert.equal((await fake.get('/v1/account', {}, { version: '2019-01-01' })).http, 400);
});

test('a deleted customer is a stub, lets go of its methods and can not be changed', async () => {
  const customer = await fake.post('/v1/customers', { payment_method: 'pm_card_visa' });
  const [method] = (await fake.get(`/v1/customers/${customer.id}/payment_methods`)).data;
  const stub = await fake.call('DELETE', `/v1/customers/${customer.id}`);
  assert.deepEqual([stub.id, stub.object, stub.deleted], [customer.id, 'customer', true]);
  assert.equal((await fake.get(`/v1/customers/${customer.id}`)).deleted, true);
  assert.equal((await fake.post(`/v1/customers/${customer.id}`, { name: 'x' })).http, 404);
  assert.equal((await fake.get(`/v1/payment_methods/${method.id}`)).customer, null);
  assert.deepEqual((await fake.get('/v1/customers')).data, []);
});

test('payment methods: attach once, declined cards never, detach for good', async () => {
  const customer = await fake.post('/v1/customers', {});
  const made = await fake.post('/v1/payment_methods', { type: 'card', card: { number: '4242424242424242', exp_month: 12, exp_year: 2040 } });
  const attach = (id) => fake.post(`/v1/payment_methods/${id}/attach`, { customer: customer.id });
  assert.equal((await attach(made.id)).customer, customer.id);
  assert.match((await attach(made.id)).error.message, /already been attached/);
  assert.equal((await attach('pm_card_chargeDeclined')).http, 402);
  const failing = await attach('pm_card_chargeCustomerFail');
  assert.equal((await pay({ customer: customer.id, payment_method: failing.id })).error.decline_code, 'generic_decline');
  const set = await fake.post(`/v1/customers/${customer.id}`, { invoice_settings: { default_payment_method: made.id } });
  assert.equal(set.invoice_settings.default_payment_method, made.id);
  assert.equal((await fake.post(`/v1/payment_methods/${made.id}/detach`)).customer, null);
  assert.equal((await fake.get(`/v1/customers/${customer.id}`)).invoice_settings.default_payment_method, null);
  assert.match((await attach(made.id)).error.message, /may not be used again/);
  const wallet = await fake.get('/v1/payment_methods/pm_card_visa_apple_pay');
  assert.equal(wallet.card.wallet.type, 'apple_pay');
});

test('setup intents: succeed, decline, wait for the customer, cancel', async () => {
  const customer = await fake.post('/v1/customers', {});
  const setup = (payment_method) => fake.post('/v1/setup_intents', { customer: customer.id, payment_method, confirm: true, return_url: 'https://example.org' });
  const done = await setup('pm_card_visa');
  assert.equal(done.status, 'succeeded');
  assert.equal((await fake.get(`/v1/payment_methods/${done.payment_method}`)).customer, customer.id);
  const declined = await setup('pm_card_chargeDeclined');
  assert.equal(declined.http, 402);
  assert.equal(declined.error.setup_intent.status, 'requires_payment_method');
  const waiting = await setup('pm_card_authenticationRequiredOnSetup');
  assert.equal(waiting.status, 'requires_action');
  await fake.admin('POST', `/advance/${waiting.id}`, { to: 'succeeded' });
  assert.equal((await pay({ customer: customer.id, payment_method: waiting.payment_method, off_session: true })).status, 'succeeded');
  const bank = await fake.post('/v1/setup_intents', {
    customer: customer.id, confirm: true, return_url: 'https://example.org', mandate_data: { customer_acceptance: { type: 'offline' } },
    payment_method_data: { type: 'us_bank_account', us_bank_account: { account_number: '000123456789', routing_number: '110000000' } },
  });
  assert.equal(bank.next_action.type, 'verify_with_microdeposits');
  assert.equal((await fake.post(`/v1/setup_intents/${bank.id}/verify_microdeposits`, { amounts: [1, 2] })).http, 400);
  const verified = await fake.post(`/v1/setup_intents/${bank.id}/verify_microdeposits`, { amounts: [32, 45] });
  assert.match(verified.mandate, /^mandate_/);
  assert.equal((await fake.post(`/v1/setup_intents/${bank.id}/cancel`)).error.code, 'setup_intent_unexpected_state');
});

test('events: by type, wildcard and cursor; the request that made them is named', async () => {
  const paid = await pay({}, { idempotency: 'order 7' });
  const list = async (params) => (await fake.get('/v1/events', params)).data.map((event) => event.type);
  assert.deepEqual(await list({ type: 'payment_intent.*' }), ['payment_intent.succeeded', 'payment_intent.created']);
  assert.deepEqual(await list({ types: ['charge.succeeded'] }), ['charge.succeeded']);
  const [last] = (await fake.get('/v1/events', { limit: 1 })).data;
  assert.deepEqual(last.request, { id: paid.headers['request-id'], idempotency_key: 'order 7' });
  assert.deepEqual(await list({ ending_before: last.id }), []);
  assert.equal((await fake.get('/v1/events', { type: 'a', types: ['b'] })).http, 400);
});

test('the clock moves Date and created; the limiter names its reason; large answers are packed', async () => {
  await fake.admin('POST', '/clock', { offset_ms: 86400_000 });
  const made = await fake.post('/v1/customers', {});
  assert.ok(Math.abs(made.created - Date.now() / 1000 - 86400) < 5);
  assert.ok(Math.abs(Date.parse(made.headers.date) / 1000 - made.created) < 5);
  await fake.admin('POST', '/rate', { limit_per_s: 2, retry_after: 1 });
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await fake.get('/v1/customers'));
  assert.deepEqual(answers.map((answer) => answer.http), [200, 200, 429]);
  assert.equal(answers[2].headers['stripe-rate-limited-reason'], 'global-rate');
  assert.equal(answers[2].headers['retry-after'], '1');
  await fake.admin('POST', '/rate', {});
  const packed = await fake.raw('GET', `${fake.http}/v1/account`, { headers: { Authorization: `Bearer ${KEY}`, 'Accept-Encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.equal(JSON.parse(gunzipSync(packed.bytes)).object, 'account');
});

test("Stripe's own client library is served", async () => {
  const { hostname, port } = new URL(fake.http);
  const stripe = new Stripe(KEY, { host: hostname, port, protocol: 'http', telemetry: false });
  const customer = await stripe.customers.create({ name: '日本語', metadata: { a: '1' } });
  assert.equal((await stripe.customers.retrieve(customer.id)).name, '日本語');
  const intent = { amount: 2000, currency: 'aud', payment_method: 'pm_card_visa', confirm: true, automatic_payment_methods: NO_REDIRECT };
  assert.equal((await stripe.paymentIntents.create(intent)).status, 'succeeded');
  await assert.rejects(stripe.paymentIntents.create({ ...intent, payment_method: 'pm_card_chargeDeclined' }), { type: 'StripeCardError', decline_code: 'generic_decline' });
  for (let i = 0; i < 3; i++) await stripe.customers.create({});
  let seen = 0;
  for await (const one of stripe.customers.list({ limit: 2 })) seen += one.object === 'customer' ? 1 : 0;
  assert.equal(seen, 4);
});

test('names that JavaScript knows are only names', async () => {
  const made = await fake.raw('POST', `${fake.http}/v1/customers`, {
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'metadata[__proto__]=1&metadata[constructor]=2',
  });
  const customer = JSON.parse(made.bytes);
  assert.deepEqual(Object.entries(customer.metadata), [['__proto__', '1'], ['constructor', '2']]);
  assert.equal((await fake.get(`/v1/customers/${customer.id}`, { expand: ['constructor'] })).http, 400);
  assert.equal((await fake.get('/v1/customers/search', { query: 'constructor:"x"' })).http, 400);
  assert.equal((await fake.get('/v1/payment_methods/pm_usBankAccount_constructor')).http, 404);
  assert.equal((await fake.post('/v1/customers', { constructor: '1' })).error.code, 'parameter_unknown');
});

test('more than 50 metadata keys are refused, also when they come one by one', async () => {
  const metadata = (from, to) => Object.fromEntries(Array.from({ length: to - from }, (_, i) => [`k${from + i}`, 'v']));
  assert.equal((await fake.post('/v1/customers', { metadata: metadata(0, 51) })).http, 400);
  const { id } = await fake.post('/v1/customers', { metadata: metadata(0, 50) });
  const refused = await fake.post(`/v1/customers/${id}`, { metadata: { one_more: '1' } });
  assert.equal(refused.http, 400);
  assert.equal((await fake.post(`/v1/customers/${id}`, { metadata: { k0: '', one_more: '1' } })).http, 200);
});

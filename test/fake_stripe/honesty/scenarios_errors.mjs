/*
 * What the official SDK makes of the fake's errors and faults: the right
 * class for each, and retries that charge once.
 */
import assert from 'node:assert/strict';
import Stripe from 'stripe';

const { errors } = Stripe;
const declined = { amount: 100, currency: 'usd', payment_method: 'pm_card_visa_chargeDeclined', confirm: true, return_url: 'https://example.com' };

/* The error must be of exactly this class, not of one it inherits from. */
async function isRefusedAs(type, promise, more = {}) {
  const error = await promise.then(() => assert.fail(`no ${type}`), (reason) => reason);
  assert.equal(error.type, type, `${error.type}: ${error.message}`);
  assert.ok(error instanceof errors[type], `an instance of ${type}`);
  for (const [name, value] of Object.entries(more)) assert.equal(error[name], value, name);
  return error;
}

async function classes(fake) {
  const stripe = fake.client();
  const card = await isRefusedAs('StripeCardError', stripe.paymentIntents.create(declined), { statusCode: 402, code: 'card_declined' });
  assert.equal(card.payment_intent.object, 'payment_intent');
  assert.match(card.requestId, /^req_/);
  await isRefusedAs('StripeInvalidRequestError', stripe.customers.retrieve('cus_nobody'), { statusCode: 404, code: 'resource_missing' });
  await isRefusedAs('StripeInvalidRequestError', stripe.customers.create({ nmae: 'x' }), { statusCode: 400, code: 'parameter_unknown', param: 'nmae' });
  await isRefusedAs('StripeInvalidRequestError', stripe.paymentIntents.create({ currency: 'usd' }), { code: 'parameter_missing', param: 'amount' });
  await isRefusedAs('StripeInvalidRequestError', stripe.paymentIntents.create({ amount: '1.5', currency: 'usd' }), { code: 'parameter_invalid_integer' });
  await isRefusedAs('StripeInvalidRequestError',
    stripe.paymentIntents.create({ amount: 100, currency: 'usd', payment_method_types: ['card'] }),
    { code: 'payment_method_types_no_longer_supported' });
  await isRefusedAs('StripeAuthenticationError', fake.client({ key: 'sk_nothing' }).customers.list(), { statusCode: 401 });
  await isRefusedAs('StripeAuthenticationError', fake.client({ key: 'pk_test_public' }).customers.list(), { code: 'secret_key_required' });
  await isRefusedAs('StripeIdempotencyError', (async () => {
    await stripe.customers.create({ name: 'one' }, { idempotencyKey: 'honesty-mismatch' });
    await stripe.customers.create({ name: 'two' }, { idempotencyKey: 'honesty-mismatch' });
  })(), { statusCode: 400 });
  const live = await fake.client({ key: 'sk_live_honesty' }).customers.create({ name: 'Live' });
  assert.equal(live.livemode, true);
  await isRefusedAs('StripeInvalidRequestError', stripe.customers.retrieve(live.id), { statusCode: 404 });
}

async function permissions(fake) {
  await fake.call('POST', '/keys', { key: 'rk_test_reader', permissions: { customers: 'read' } });
  const reader = fake.client({ key: 'rk_test_reader' });
  await reader.customers.list({ limit: 1 });
  await isRefusedAs('StripePermissionError', reader.customers.create({}), { statusCode: 403 });
}

const fault = (fake, match, what) => fake.call('POST', '/faults', { match, fault: what });

async function faults(fake) {
  const stripe = fake.client();
  const list = { method: 'GET', path: '/v1/customers' };
  await fault(fake, list, { type: 'rate_limit' });
  await isRefusedAs('StripeRateLimitError', stripe.customers.list({ limit: 1 }), { statusCode: 429 });
  await fault(fake, list, { type: 'server_error' });
  await isRefusedAs('StripeAPIError', stripe.customers.list({ limit: 1 }), { statusCode: 500 });
  await fault(fake, list, { type: 'garbage' });
  await isRefusedAs('StripeAPIError', stripe.customers.list({ limit: 1 }));
  /* The SDK tries once more after a reset, even without retries. */
  await fault(fake, { ...list, count: 2 }, { type: 'reset' });
  await isRefusedAs('StripeConnectionError', stripe.customers.list({ limit: 1 }));
  await stripe.customers.list({ limit: 1 });
}

/* However the first answer is lost, the SDK's retry finds the payment made. */
async function retries(fake) {
  for (const what of [{ type: 'lost_answer' }, { type: 'key_in_use' }, { type: 'server_error' }]) {
    const before = fake.exchanges.length;
    const stripe = fake.client({ maxNetworkRetries: 2 });
    await fault(fake, { method: 'POST', path: '/v1/payment_intents' }, what);
    const paid = await stripe.paymentIntents.create({
      amount: 1234, currency: 'usd', payment_method: 'pm_card_visa', confirm: true,
      return_url: 'https://example.com', metadata: { retry: what.type },
    });
    assert.equal(paid.status, 'succeeded');
    const sent = fake.exchanges.slice(before);
    assert.equal(sent.length, 2, `${what.type}: sent twice`);
    assert.equal(sent[0].body, sent[1].body, 'the same bytes');
    assert.ok(sent[0].headers['Idempotency-Key'], 'with a key');
    assert.equal(sent[0].headers['Idempotency-Key'], sent[1].headers['Idempotency-Key'], 'the same key');
    const { data } = await stripe.paymentIntents.search({ query: `metadata["retry"]:"${what.type}"` });
    assert.deepEqual(data.map(({ id }) => id), [paid.id], `${what.type}: one intent`);
    assert.equal((await stripe.charges.list({ payment_intent: paid.id })).data.length, 1, `${what.type}: one charge`);
  }
}

/* The same call with the same key is answered again, not done again. */
async function replays(fake) {
  const stripe = fake.client();
  /* An answer cut short the SDK leaves to its caller, who has the key. */
  await fault(fake, { method: 'POST', path: '/v1/payment_intents' }, { type: 'reset_mid_body' });
  const pay = () => stripe.paymentIntents.create({
    amount: 1234, currency: 'usd', payment_method: 'pm_card_visa', confirm: true, return_url: 'https://example.com',
    metadata: { retry: 'by hand' },
  }, { idempotencyKey: 'honesty-cut-short' });
  await isRefusedAs('StripeConnectionError', pay());
  const paid = await pay();
  assert.equal(paid.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal((await stripe.charges.list({ payment_intent: paid.id })).data.length, 1);
  assert.equal((await stripe.paymentIntents.search({ query: 'metadata["retry"]:"by hand"' })).data.length, 1);
  const create = () => stripe.customers.create({ name: 'twice' }, { idempotencyKey: 'honesty-replay' });
  const first = await create();
  const second = await create();
  assert.equal(second.id, first.id);
  assert.equal(second.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal(first.lastResponse.headers['idempotent-replayed'], undefined);
  /* A stored refusal is replayed too. */
  const options = { idempotencyKey: 'honesty-decline' };
  const refusal = await isRefusedAs('StripeCardError', stripe.paymentIntents.create(declined, options));
  const again = await isRefusedAs('StripeCardError', stripe.paymentIntents.create(declined, options));
  assert.equal(again.payment_intent.id, refusal.payment_intent.id);
}

export const errorScenarios = { classes, permissions, faults, retries, replays };

// The payment intent's status machine, charges, refunds and disputes.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { start } from './harness.mjs';

let fake;
before(async () => { fake = await start(); });
after(() => fake.stop());
beforeEach(() => fake.admin('POST', '/reset'));

const NO_REDIRECT = { enabled: true, allow_redirects: 'never' };
const MANDATE = { customer_acceptance: { type: 'online', online: { ip_address: '203.0.113.1', user_agent: 'test' } } };
const BANK = { type: 'au_becs_debit', au_becs_debit: { bsb_number: '000-000', account_number: '000123456' }, billing_details: { name: 'Ada', email: 'ada@example.org' } };

const pay = (params = {}, options) => fake.post('/v1/payment_intents',
  { amount: 2000, currency: 'aud', confirm: true, payment_method: 'pm_card_visa', automatic_payment_methods: NO_REDIRECT, ...params }, options);
const debit = (extra) => fake.post('/v1/payment_intents',
  { amount: 2000, currency: 'aud', confirm: true, payment_method_data: BANK, mandate_data: MANDATE, return_url: 'https://example.org', ...extra });
const eventTypes = async () => (await fake.admin('GET', '/events')).map((event) => event.type);

test('create, attach a method, confirm, succeed', async () => {
  const made = await fake.post('/v1/payment_intents', { amount: 2000, currency: 'aud', automatic_payment_methods: NO_REDIRECT });
  assert.equal(made.status, 'requires_payment_method');
  const updated = await fake.post(`/v1/payment_intents/${made.id}`, { payment_method: 'pm_card_visa' });
  assert.equal(updated.status, 'requires_confirmation');
  const done = await fake.post(`/v1/payment_intents/${made.id}/confirm`);
  assert.equal(done.status, 'succeeded');
  assert.equal(done.amount_received, 2000);
  assert.deepEqual(await eventTypes(), ['payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded']);
});

test('confirming without a payment method, or twice, is an unexpected state with the intent in the error', async () => {
  const made = await fake.post('/v1/payment_intents', { amount: 2000, currency: 'aud' });
  const early = await fake.post(`/v1/payment_intents/${made.id}/confirm`, { return_url: 'https://example.org' });
  assert.equal(early.http, 400);
  assert.equal(early.error.code, 'payment_intent_unexpected_state');
  assert.equal(early.error.payment_intent.id, made.id);
  const done = await pay();
  const again = await fake.post(`/v1/payment_intents/${done.id}/confirm`);
  assert.equal(again.error.code, 'payment_intent_unexpected_state');
  assert.equal(again.error.payment_intent.status, 'succeeded');
});

test('dynamic methods need a return_url, unless off session or without redirects', async () => {
  const without = await pay({ automatic_payment_methods: { enabled: true } });
  assert.equal(without.http, 400);
  assert.equal(without.error.param, 'return_url');
  assert.equal(without.error.payment_intent.status, 'requires_confirmation');
  assert.equal((await pay({ automatic_payment_methods: { enabled: true }, return_url: 'https://example.org' })).status, 'succeeded');
});

test('a declined create makes the intent, a failed charge and a 402 that holds both', async () => {
  const declined = await pay({ payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds', metadata: { order_id: '7' } });
  assert.equal(declined.http, 402);
  const { error } = declined;
  assert.equal(error.type, 'card_error');
  assert.equal(error.code, 'card_declined');
  assert.equal(error.decline_code, 'insufficient_funds');
  const intent = await fake.get(`/v1/payment_intents/${error.payment_intent.id}`);
  assert.equal(intent.status, 'requires_payment_method');
  assert.equal(intent.payment_method, null);
  assert.equal(intent.metadata.order_id, '7');
  assert.equal(intent.last_payment_error.charge, error.charge);
  assert.equal(intent.latest_charge, error.charge);
  assert.equal((await fake.get(`/v1/charges/${error.charge}`)).status, 'failed');
  assert.deepEqual(await eventTypes(), ['payment_intent.created', 'charge.failed', 'payment_intent.payment_failed']);
  const retried = await fake.post(`/v1/payment_intents/${intent.id}/confirm`, { payment_method: 'pm_card_visa' });
  assert.equal(retried.status, 'succeeded');
  assert.equal(retried.last_payment_error, null);
});

for (const [token, code, declineCode] of [
  ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'], ['pm_card_visa_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
  ['pm_card_visa_chargeDeclinedStolenCard', 'card_declined', 'stolen_card'], ['pm_card_chargeDeclinedExpiredCard', 'expired_card', undefined],
  ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'card_declined', 'card_velocity_exceeded'],
  ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', undefined], ['pm_card_chargeDeclinedProcessingError', 'processing_error', undefined],
  ['pm_card_radarBlock', 'card_declined', 'fraudulent'],
]) {
  test(`${token} is refused with ${declineCode ?? code}`, async () => {
    const { error, http } = await pay({ payment_method: token });
    assert.equal(http, 402);
    assert.equal(error.code, code);
    assert.equal(error.decline_code, declineCode);
  });
}

test('3-D Secure: on session it waits for the customer, off session it is refused', async () => {
  const waiting = await pay({ payment_method: 'pm_card_authenticationRequired', return_url: 'https://example.org/back' });
  assert.equal(waiting.status, 'requires_action');
  assert.equal(waiting.next_action.redirect_to_url.return_url, 'https://example.org/back');
  assert.equal((await fake.admin('POST', `/advance/${waiting.id}`, { to: 'succeeded' })).status, 'succeeded');
  const refused = await pay({ payment_method: 'pm_card_authenticationRequired' });
  assert.equal(refused.next_action.type, 'use_stripe_sdk');
  const failed = await fake.admin('POST', `/advance/${refused.id}`, { to: 'requires_payment_method' });
  assert.equal(failed.last_payment_error.code, 'payment_intent_authentication_failure');

  const customer = await fake.post('/v1/customers', { payment_method: 'pm_card_authenticationRequired' });
  const [{ id }] = (await fake.get(`/v1/customers/${customer.id}/payment_methods`)).data;
  const off = await pay({ payment_method: id, customer: customer.id, off_session: true });
  assert.equal(off.http, 402);
  assert.equal(off.error.code, 'authentication_required');
  const after3ds = await pay({ payment_method: 'pm_card_authenticationRequiredChargeDeclinedInsufficientFunds' });
  const end = await fake.admin('POST', `/advance/${after3ds.id}`, { to: 'succeeded' });
  assert.equal(end.last_payment_error.decline_code, 'insufficient_funds');
});

test('manual confirmation goes back to requires_confirmation after the action', async () => {
  const waiting = await pay({ payment_method: 'pm_card_threeDSecure2Required', confirmation_method: 'manual' });
  const back = await fake.admin('POST', `/advance/${waiting.id}`, { to: 'requires_confirmation' });
  assert.equal(back.status, 'requires_confirmation');
  assert.equal((await fake.post(`/v1/payment_intents/${waiting.id}/confirm`)).status, 'succeeded');
});

test('manual capture: hold, capture a part, the rest is released', async () => {
  const held = await pay({ capture_method: 'manual' });
  assert.equal(held.status, 'requires_capture');
  assert.equal(held.amount_capturable, 2000);
  const tooMuch = await fake.post(`/v1/payment_intents/${held.id}/capture`, { amount_to_capture: 2001 });
  assert.equal(tooMuch.error.code, 'amount_too_large');
  const done = await fake.post(`/v1/payment_intents/${held.id}/capture`, { amount_to_capture: 1500, expand: ['latest_charge.refunds'] });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.amount_received, 1500);
  assert.equal(done.latest_charge.amount_captured, 1500);
  assert.equal(done.latest_charge.amount_refunded, 500);
  assert.equal(done.latest_charge.refunds.data.length, 1);
  const { totals } = await fake.admin('GET', '/books');
  assert.deepEqual(totals.charges, { count: 1, amount: 1500 });
  assert.deepEqual(totals.refunds, { count: 0, amount: 0 });
  assert.equal((await fake.post(`/v1/payment_intents/${held.id}/capture`)).error.code, 'payment_intent_unexpected_state');
});

test('cancel: from a hold the money is released; final states refuse', async () => {
  const held = await pay({ capture_method: 'manual' });
  const canceled = await fake.post(`/v1/payment_intents/${held.id}/cancel`, { cancellation_reason: 'abandoned' });
  assert.equal(canceled.status, 'canceled');
  assert.equal(canceled.cancellation_reason, 'abandoned');
  assert.equal((await fake.get(`/v1/charges/${held.latest_charge}`)).refunded, true);
  assert.deepEqual((await eventTypes()).slice(-2), ['charge.refunded', 'payment_intent.canceled']);
  for (const id of [held.id, (await pay()).id]) {
    assert.equal((await fake.post(`/v1/payment_intents/${id}/cancel`)).error.code, 'payment_intent_unexpected_state');
  }
});

test('a bank debit stays processing until told otherwise', async () => {
  const waiting = await debit();
  assert.equal(waiting.status, 'processing');
  const charge = await fake.get(`/v1/charges/${waiting.latest_charge}`);
  assert.equal(charge.status, 'pending');
  assert.match(charge.id, /^py_/);
  assert.equal((await fake.post(`/v1/payment_intents/${waiting.id}/cancel`)).http, 400);
  assert.equal((await fake.admin('POST', `/advance/${waiting.id}`, { to: 'succeeded' })).status, 'succeeded');
  assert.equal((await fake.get(`/v1/charges/${charge.id}`)).status, 'succeeded');
  assert.deepEqual(await eventTypes(), ['payment_intent.created', 'charge.pending', 'payment_intent.processing', 'charge.succeeded', 'payment_intent.succeeded']);
  const failing = await debit();
  const failed = await fake.admin('POST', `/advance/${failing.id}`, { to: 'requires_payment_method', code: 'account_closed' });
  assert.equal(failed.status, 'requires_payment_method');
  assert.equal(failed.last_payment_error.code, 'account_closed');
  assert.equal((await debit({ mandate_data: '' })).error.param, 'mandate_data');
});

test('refunds: partial, too much, the rest, already refunded', async () => {
  const { id, latest_charge: charge } = await pay({ capture_method: 'automatic' });
  const first = await fake.post('/v1/refunds', { payment_intent: id, amount: 500, reason: 'requested_by_customer' });
  assert.equal(first.status, 'succeeded');
  const tooMuch = await fake.post('/v1/refunds', { charge, amount: 1501 });
  assert.equal(tooMuch.http, 400);
  assert.equal(tooMuch.error.param, 'amount');
  assert.equal(tooMuch.error.code, undefined);
  assert.equal((await fake.post('/v1/refunds', { charge })).amount, 1500);
  assert.equal((await fake.post('/v1/refunds', { payment_intent: id })).error.code, 'charge_already_refunded');
  assert.equal((await fake.get(`/v1/charges/${charge}`)).refunded, true);
  assert.deepEqual((await fake.admin('GET', '/books')).totals.refunds, { count: 2, amount: 2000 });
  assert.deepEqual((await eventTypes()).slice(3), ['refund.created', 'charge.refunded', 'refund.created', 'charge.refunded']);
});

test('refunds that finish later: pending succeeds, succeeded fails', async () => {
  const slow = await pay({ payment_method: 'pm_card_pendingRefund' });
  const pending = await fake.post('/v1/refunds', { payment_intent: slow.id });
  assert.equal(pending.status, 'pending');
  const failing = await pay({ payment_method: 'pm_card_refundFail' });
  const refund = await fake.post('/v1/refunds', { payment_intent: failing.id });
  assert.equal(refund.status, 'succeeded');
  await fake.admin('POST', '/settle');
  assert.equal((await fake.get(`/v1/refunds/${pending.id}`)).status, 'succeeded');
  const failed = await fake.get(`/v1/refunds/${refund.id}`);
  assert.equal(failed.status, 'failed');
  assert.match(failed.failure_balance_transaction, /^txn_/);
  assert.equal((await fake.get(`/v1/charges/${failing.latest_charge}`)).amount_refunded, 0);
  assert.ok((await eventTypes()).includes('refund.failed'));
});

test('canceling a refund works only where Stripe allows it', async () => {
  const { id } = await pay();
  const refund = await fake.post('/v1/refunds', { payment_intent: id });
  assert.equal((await fake.post(`/v1/refunds/${refund.id}/cancel`)).http, 400);
  await fake.admin('POST', `/refunds/${refund.id}`, { to: 'requires_action' });
  assert.equal((await fake.post(`/v1/refunds/${refund.id}/cancel`)).status, 'canceled');
});

test('an uncaptured or failed payment has nothing to refund', async () => {
  const held = await pay({ capture_method: 'manual' });
  assert.equal((await fake.post('/v1/refunds', { payment_intent: held.id })).http, 400);
  const made = await fake.post('/v1/payment_intents', { amount: 2000, currency: 'aud' });
  assert.match((await fake.post('/v1/refunds', { payment_intent: made.id })).error.message, /successful charge/);
});

test('disputes: opened by a card, refused refunds, decided by evidence', async () => {
  const { latest_charge: charge } = await pay({ payment_method: 'pm_card_createDispute' });
  const [dispute] = (await fake.get('/v1/disputes', { charge })).data;
  assert.equal(dispute.status, 'needs_response');
  assert.equal((await fake.post('/v1/refunds', { charge })).error.code, 'charge_disputed');
  const won = await fake.post(`/v1/disputes/${dispute.id}`, { evidence: { uncategorized_text: 'winning_evidence' }, submit: true });
  assert.equal(won.status, 'won');
  assert.deepEqual((await eventTypes()).filter((type) => type.startsWith('charge.dispute')), [
    'charge.dispute.created', 'charge.dispute.funds_withdrawn', 'charge.dispute.updated', 'charge.dispute.closed', 'charge.dispute.funds_reinstated']);
  const other = await pay();
  const opened = await fake.admin('POST', '/disputes', { charge: other.latest_charge, reason: 'duplicate' });
  assert.equal((await fake.post(`/v1/disputes/${opened.id}/close`)).status, 'lost');
});

test('automatic_async: the balance transaction comes later, by charge.updated', async () => {
  const { latest_charge: id } = await pay();
  assert.equal((await fake.get(`/v1/charges/${id}`)).balance_transaction, null);
  await fake.admin('POST', '/settle');
  const charge = await fake.get(`/v1/charges/${id}`, { expand: ['balance_transaction'] });
  assert.equal(charge.balance_transaction.amount, 2000);
  assert.equal(charge.balance_transaction.net, 2000 - charge.balance_transaction.fee);
  const event = (await fake.admin('GET', '/events')).at(-1);
  assert.equal(event.type, 'charge.updated');
  assert.deepEqual(event.data.previous_attributes, { balance_transaction: null });
});

test('amounts: integers within the limits of the currency', async () => {
  const code = async (amount, currency) => (await fake.post('/v1/payment_intents', { amount, currency })).error?.code;
  assert.equal(await code('10.00', 'aud'), 'parameter_invalid_integer');
  assert.equal(await code(-5, 'aud'), 'parameter_invalid_integer');
  assert.equal(await code(49, 'aud'), 'amount_too_small');
  assert.equal(await code(50, 'aud'), undefined);
  assert.equal(await code(99999999, 'aud'), undefined);
  assert.equal(await code(100000000, 'aud'), 'amount_too_large');
  assert.equal(await code(50, 'jpy'), undefined);
  assert.equal(await code(1001, 'kwd'), 'invalid_charge_amount');
  assert.equal((await fake.post('/v1/payment_intents', { amount: 100, currency: 'zzz' })).error.param, 'currency');
});

test('payment_method_types: refused from endive on, accepted before', async () => {
  const params = { amount: 2000, currency: 'aud', payment_method_types: ['card'], confirm: true, payment_method: 'pm_card_visa' };
  const refused = await fake.post('/v1/payment_intents', params);
  assert.equal(refused.error.code, 'payment_method_types_no_longer_supported');
  const old = await fake.post('/v1/payment_intents', params, { version: '2026-08-26.dahlia' });
  assert.equal(old.status, 'succeeded');
  assert.deepEqual(old.payment_method_types, ['card']);
});

test('setup_future_usage attaches the method; a method used alone can not be used again', async () => {
  const customer = await fake.post('/v1/customers', {});
  const paid = await pay({ customer: customer.id, setup_future_usage: 'off_session' });
  assert.equal((await fake.get(`/v1/payment_methods/${paid.payment_method}`)).customer, customer.id);
  assert.equal((await pay({ customer: customer.id, payment_method: paid.payment_method, off_session: true })).status, 'succeeded');
  const alone = await pay();
  assert.match((await pay({ payment_method: alone.payment_method })).error.message, /may not be used again/);
});

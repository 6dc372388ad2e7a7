/*
 * The official SDK drives the fake at the newest version: every kind of
 * object in its different states.  What matters here is said with assert;
 * the shape of every answer is checked afterwards, by answers.mjs.
 */
import assert from 'node:assert/strict';

const returnUrl = 'https://example.com/return';
const mandateData = {
  customer_acceptance: { type: 'online', online: { ip_address: '203.0.113.9', user_agent: 'honesty' } },
};

/* The id of a reference, expanded or not. */
const idOf = (reference) => reference?.id ?? reference;

async function newCustomer(stripe, params = {}) {
  return stripe.customers.create({ name: 'Ada Lovelace', email: 'ada@example.com', ...params });
}

async function pay(stripe, params = {}) {
  return stripe.paymentIntents.create({
    amount: 4200, currency: 'usd', confirm: true, return_url: returnUrl, payment_method: 'pm_card_visa', ...params,
  });
}

/* A promise that has to be refused, with the error it is refused with. */
async function refused(promise) {
  const error = await promise.then(() => null, (reason) => reason);
  assert.ok(error, 'this had to be refused');
  return error;
}

async function customers(stripe) {
  const address = { city: 'London', country: 'GB', line1: '12 St James’s Square', line2: '', postal_code: 'SW1Y 4JH', state: '' };
  const customer = await newCustomer(stripe, {
    phone: '+442071234567', description: 'first programmer', metadata: { order: '17', note: 'a & b' },
    address, shipping: { name: 'Ada', address, phone: '+442071234567' }, preferred_locales: ['en-GB', 'fr'],
    tax_exempt: 'none', invoice_settings: { footer: 'thanks' },
  });
  assert.deepEqual({ ...customer.metadata }, { order: '17', note: 'a & b' });
  const changed = await stripe.customers.update(customer.id, { name: 'Ada King', metadata: { order: '', extra: '1' } });
  assert.deepEqual({ ...changed.metadata }, { note: 'a & b', extra: '1' });
  assert.equal((await stripe.customers.retrieve(customer.id)).name, 'Ada King');
  await stripe.customers.update(customer.id, { description: '', shipping: '', metadata: '' });
  assert.deepEqual({ ...(await stripe.customers.retrieve(customer.id)).metadata }, {});
  assert.ok((await stripe.customers.list({ email: 'ada@example.com' })).data.some(({ id }) => id === customer.id));
  assert.equal((await stripe.customers.list({ email: 'ADA@example.com' })).data.length, 0, 'e-mail is case-sensitive');
  assert.equal((await stripe.customers.del(customer.id)).deleted, true);
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
  assert.equal((await refused(stripe.customers.update(customer.id, { name: 'x' }))).code, 'resource_missing');
  assert.equal((await refused(stripe.customers.retrieve('cus_nobody'))).statusCode, 404);
}

async function pages(stripe) {
  const made = [];
  for (let n = 0; n < 7; n++) made.push((await newCustomer(stripe, { email: 'pages@example.com' })).id);
  const seen = [];
  for await (const { id } of stripe.customers.list({ email: 'pages@example.com', limit: 3 })) seen.push(id);
  assert.deepEqual(seen, [...made].reverse(), 'all, newest first, none twice');
  const all = await stripe.customers.list({ email: 'pages@example.com', limit: 2 }).autoPagingToArray({ limit: 5 });
  assert.equal(all.length, 5);
  /* Backwards, as the SDK does it: by ending_before, oldest first. */
  const newer = [];
  for await (const { id } of stripe.customers.list({ email: 'pages@example.com', limit: 2, ending_before: made[0] })) newer.push(id);
  assert.deepEqual(newer, made.slice(1));
  const middle = await stripe.customers.list({ email: 'pages@example.com', limit: 3, starting_after: made[4] });
  assert.deepEqual(middle.data.map(({ id }) => id), [made[3], made[2], made[1]]);
  assert.equal(middle.has_more, true);
  const { created } = await stripe.customers.retrieve(made[6]);
  assert.equal((await stripe.customers.list({ email: 'pages@example.com', created: { gt: created } })).data.length, 0);
  assert.equal((await stripe.customers.list({ email: 'pages@example.com', created: { gte: created - 60 }, limit: 100 })).data.length, 7);
}

async function paymentMethods(stripe) {
  const customer = await newCustomer(stripe);
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  assert.equal(card.customer, customer.id);
  assert.equal(card.card.last4, '4242');
  await stripe.paymentMethods.update(card.id, {
    card: { exp_month: 11, exp_year: 2044 }, metadata: { kind: 'business' },
    billing_details: { name: 'Ada', address: { city: 'London', country: 'GB' } },
  });
  assert.equal((await stripe.paymentMethods.retrieve(card.id)).card.exp_year, 2044);
  const typed = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' }, billing_details: { name: 'Bob' } });
  assert.equal(typed.customer, null);
  const bank = await stripe.paymentMethods.create({
    type: 'us_bank_account', billing_details: { name: 'Ada' },
    us_bank_account: { routing_number: '110000000', account_number: '000123456789', account_holder_type: 'individual', account_type: 'checking' },
  });
  assert.equal(bank.us_bank_account.last4, '6789');
  const sepa = await stripe.paymentMethods.create({
    type: 'sepa_debit', sepa_debit: { iban: 'AT611904300234573201' }, billing_details: { name: 'Ada', email: 'ada@example.com' },
  });
  assert.equal(sepa.sepa_debit.country, 'AT');
  const becs = await stripe.paymentMethods.create({
    type: 'au_becs_debit', au_becs_debit: { bsb_number: '000000', account_number: '000123456' },
    billing_details: { name: 'Ada', email: 'ada@example.com' },
  });
  assert.equal(becs.type, 'au_becs_debit');
  for (const brand of ['mastercard', 'amex', 'discover']) {
    const other = await stripe.paymentMethods.attach(`pm_card_${brand}`, { customer: customer.id });
    assert.equal(other.card.brand, brand);
  }
  assert.equal((await stripe.paymentMethods.list({ customer: customer.id, type: 'card' })).data.length, 4);
  assert.equal((await stripe.customers.listPaymentMethods(customer.id, { limit: 2 })).has_more, true);
  assert.equal((await stripe.customers.retrievePaymentMethod(customer.id, card.id)).id, card.id);
  const withDefault = await stripe.customers.update(customer.id, {
    invoice_settings: { default_payment_method: card.id }, expand: ['invoice_settings.default_payment_method'],
  });
  assert.equal(withDefault.invoice_settings.default_payment_method.id, card.id);
  assert.equal((await stripe.paymentMethods.detach(card.id)).customer, null);
  assert.equal((await refused(stripe.paymentMethods.attach(card.id, { customer: customer.id }))).statusCode, 400);
}

async function setupIntents(stripe) {
  const customer = await newCustomer(stripe);
  const empty = await stripe.setupIntents.create({ customer: customer.id, description: 'later', metadata: { a: '1' } });
  assert.equal(empty.status, 'requires_payment_method');
  await stripe.setupIntents.update(empty.id, { payment_method: 'pm_card_visa' });
  assert.equal((await stripe.setupIntents.retrieve(empty.id)).status, 'requires_confirmation');
  const done = await stripe.setupIntents.confirm(empty.id, {
    return_url: returnUrl, expand: ['payment_method', 'customer', 'latest_attempt'],
  });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.payment_method.customer, customer.id, 'the method is saved');
  assert.equal(done.latest_attempt.status, 'succeeded');
  const once = await stripe.setupIntents.create({
    customer: customer.id, payment_method: 'pm_card_mastercard', confirm: true, usage: 'on_session',
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
  });
  assert.equal(once.usage, 'on_session');
  const action = await stripe.setupIntents.create({
    customer: customer.id, payment_method: 'pm_card_threeDSecure2Required', confirm: true, return_url: returnUrl,
  });
  assert.equal(action.status, 'requires_action');
  assert.equal((await stripe.setupIntents.cancel(action.id, { cancellation_reason: 'abandoned' })).status, 'canceled');
  const error = await refused(stripe.setupIntents.create({
    customer: customer.id, payment_method: 'pm_card_visa_chargeDeclined', confirm: true, return_url: returnUrl,
  }));
  assert.equal(error.statusCode, 402);
  assert.equal(error.setup_intent.status, 'requires_payment_method');
  assert.equal((await stripe.setupIntents.retrieve(error.setup_intent.id)).last_setup_error.code, 'card_declined');
  assert.equal((await refused(stripe.setupIntents.cancel(done.id))).code, 'setup_intent_unexpected_state');
  const bank = await stripe.setupIntents.create({
    customer: customer.id, payment_method: 'pm_usBankAccount_success', confirm: true,
    mandate_data: mandateData, return_url: returnUrl,
  });
  if (bank.mandate) assert.equal((await stripe.mandates.retrieve(idOf(bank.mandate))).object, 'mandate');
  assert.ok((await stripe.setupIntents.list({ customer: customer.id })).data.length >= 4);
  const attempts = await stripe.setupAttempts.list({ setup_intent: error.setup_intent.id });
  assert.equal(attempts.data[0].status, 'failed');
}

async function paymentIntents(stripe) {
  const customer = await newCustomer(stripe);
  const intent = await stripe.paymentIntents.create({
    amount: 5000, currency: 'eur', customer: customer.id, description: 'order 17', metadata: { order: '17' },
    receipt_email: 'ada@example.com', statement_descriptor_suffix: 'ORDER 17', setup_future_usage: 'off_session',
    shipping: { name: 'Ada', address: { line1: '1 Road', city: 'London', country: 'GB' }, carrier: 'Post' },
  });
  assert.equal(intent.status, 'requires_payment_method');
  assert.equal(intent.automatic_payment_methods.enabled, true);
  await stripe.paymentIntents.update(intent.id, { amount: 5100, payment_method: 'pm_card_visa', metadata: { order: '' } });
  const ready = await stripe.paymentIntents.retrieve(intent.id);
  assert.equal(ready.status, 'requires_confirmation');
  assert.equal((await refused(stripe.paymentIntents.confirm(intent.id))).statusCode, 400, 'return_url is missing');
  const done = await stripe.paymentIntents.confirm(intent.id, {
    return_url: returnUrl, expand: ['latest_charge.balance_transaction', 'payment_method', 'customer'],
  });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.amount_received, 5100);
  assert.equal(done.latest_charge.payment_intent, intent.id);
  assert.equal(done.payment_method.customer, customer.id, 'saved for later');
  const again = await refused(stripe.paymentIntents.confirm(intent.id, { return_url: returnUrl }));
  assert.equal(again.code, 'payment_intent_unexpected_state');
  assert.equal((await refused(stripe.paymentIntents.cancel(intent.id))).code, 'payment_intent_unexpected_state');
  assert.equal((await stripe.paymentIntents.list({ customer: customer.id })).data.length, 1);

  /* The saved method, without the customer present. */
  const later = await stripe.paymentIntents.create({
    amount: 900, currency: 'eur', customer: customer.id, payment_method: done.payment_method.id,
    off_session: true, confirm: true,
  });
  assert.equal(later.status, 'succeeded');
  const open = await stripe.paymentIntents.create({ amount: 100, currency: 'jpy' });
  assert.equal((await stripe.paymentIntents.cancel(open.id, { cancellation_reason: 'duplicate' })).cancellation_reason, 'duplicate');
}

async function captures(stripe) {
  const held = await pay(stripe, { capture_method: 'manual' });
  assert.equal(held.status, 'requires_capture');
  assert.equal(held.amount_capturable, 4200);
  const charge = await stripe.charges.retrieve(held.latest_charge);
  assert.equal(charge.captured, false);
  const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 4000, expand: ['latest_charge'] });
  assert.equal(captured.status, 'succeeded');
  assert.equal(captured.amount_received, 4000);
  assert.equal(captured.latest_charge.amount_captured, 4000);
  const dropped = await pay(stripe, { capture_method: 'manual' });
  const canceled = await stripe.paymentIntents.cancel(dropped.id, { expand: ['latest_charge'] });
  assert.equal(canceled.status, 'canceled');
  assert.equal((await refused(stripe.paymentIntents.capture(held.id))).code, 'payment_intent_unexpected_state');
}

async function authentication(stripe, fake) {
  const action = await pay(stripe, { payment_method: 'pm_card_threeDSecure2Required' });
  assert.equal(action.status, 'requires_action');
  assert.equal(action.next_action.type, 'redirect_to_url');
  const customer = await newCustomer(stripe);
  const method = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer: customer.id });
  const error = await refused(stripe.paymentIntents.create({
    amount: 700, currency: 'usd', customer: customer.id, payment_method: method.id, off_session: true, confirm: true,
  }));
  assert.equal(error.code, 'authentication_required');
  assert.equal(error.payment_intent.status, 'requires_payment_method');
  assert.equal((await stripe.paymentIntents.cancel(action.id)).status, 'canceled');
  /* The customer passes, or fails, the challenge. */
  const passed = await pay(stripe, { payment_method: 'pm_card_threeDSecure2Required' });
  await fake.call('POST', `/advance/${passed.id}`, { to: 'succeeded' });
  const done = await stripe.paymentIntents.retrieve(passed.id, { expand: ['latest_charge'] });
  assert.equal(done.status, 'succeeded');
  assert.ok(done.latest_charge.payment_method_details.card.three_d_secure);
  const failed = await pay(stripe, { payment_method: 'pm_card_threeDSecure2Required' });
  await fake.call('POST', `/advance/${failed.id}`, { to: 'requires_payment_method' });
  assert.equal((await stripe.paymentIntents.retrieve(failed.id)).last_payment_error.code, 'payment_intent_authentication_failure');
}

async function declines(stripe) {
  const cards = {
    pm_card_visa_chargeDeclined: ['card_declined', 'generic_decline'],
    pm_card_visa_chargeDeclinedInsufficientFunds: ['card_declined', 'insufficient_funds'],
    pm_card_visa_chargeDeclinedLostCard: ['card_declined', 'lost_card'],
    pm_card_chargeDeclinedExpiredCard: ['expired_card', undefined],
    pm_card_chargeDeclinedIncorrectCvc: ['incorrect_cvc', undefined],
    pm_card_chargeDeclinedProcessingError: ['processing_error', undefined],
    pm_card_radarBlock: ['card_declined', undefined],
  };
  for (const [card, [code, declineCode]] of Object.entries(cards)) {
    const error = await refused(pay(stripe, { payment_method: card }));
    assert.equal(error.statusCode, 402, card);
    assert.equal(error.code, code, card);
    if (declineCode) assert.equal(error.decline_code, declineCode, card);
    const intent = await stripe.paymentIntents.retrieve(error.payment_intent.id, { expand: ['latest_charge'] });
    assert.equal(intent.status, 'requires_payment_method');
    assert.equal(intent.last_payment_error.code, code);
    assert.equal(intent.latest_charge.status, 'failed');
    assert.equal(error.charge, intent.latest_charge.id);
  }
  const error = await refused(pay(stripe, { payment_method: 'pm_card_visa_chargeDeclined' }));
  const saved = await stripe.paymentIntents.confirm(error.payment_intent.id, { payment_method: 'pm_card_visa', return_url: returnUrl });
  assert.equal(saved.status, 'succeeded');
  assert.equal(saved.last_payment_error, null);
}

async function debits(stripe, fake) {
  const customer = await newCustomer(stripe);
  const debit = await stripe.paymentIntents.create({
    amount: 2500, currency: 'usd', customer: customer.id, payment_method: 'pm_usBankAccount_success', confirm: true,
    mandate_data: mandateData, return_url: returnUrl, expand: ['latest_charge'],
  });
  assert.equal(debit.status, 'processing');
  assert.equal(debit.latest_charge.status, 'pending');
  await fake.call('POST', `/advance/${debit.id}`, { to: 'succeeded' });
  const done = await stripe.paymentIntents.retrieve(debit.id, { expand: ['latest_charge', 'latest_charge.balance_transaction'] });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.latest_charge.status, 'succeeded');
  const sepa = await stripe.paymentIntents.create({
    amount: 2500, currency: 'eur', customer: customer.id, confirm: true, return_url: returnUrl, mandate_data: mandateData,
    payment_method_data: {
      type: 'sepa_debit', sepa_debit: { iban: 'AT611904300234573201' }, billing_details: { name: 'Ada', email: 'ada@example.com' },
    },
  });
  assert.equal(sepa.status, 'processing');
  await fake.call('POST', `/advance/${sepa.id}`, { to: 'requires_payment_method', code: 'insufficient_funds' });
  const failed = await stripe.paymentIntents.retrieve(sepa.id, { expand: ['latest_charge'] });
  assert.equal(failed.last_payment_error.code, 'insufficient_funds');
  assert.equal(failed.latest_charge.status, 'failed');
  const becs = await stripe.paymentIntents.create({
    amount: 2500, currency: 'aud', customer: customer.id, confirm: true, return_url: returnUrl, mandate_data: mandateData,
    payment_method_data: {
      type: 'au_becs_debit', au_becs_debit: { bsb_number: '000000', account_number: '000123456' },
      billing_details: { name: 'Ada', email: 'ada@example.com' },
    },
  });
  assert.equal(becs.status, 'processing');
  const transfer = await stripe.paymentIntents.create({
    amount: 2500, currency: 'usd', customer: customer.id, confirm: true, return_url: returnUrl,
    payment_method_data: { type: 'customer_balance' },
    payment_method_options: { customer_balance: { funding_type: 'bank_transfer', bank_transfer: { type: 'us_bank_transfer' } } },
  });
  assert.equal(transfer.status, 'requires_action');
  assert.equal(transfer.next_action.type, 'display_bank_transfer_instructions');
}

/* Bank accounts given by number wait for microdeposits. */
async function microdeposits(stripe) {
  const customer = await newCustomer(stripe);
  const account = {
    type: 'us_bank_account', billing_details: { name: 'Ada' },
    us_bank_account: { routing_number: '110000000', account_number: '000123456789', account_holder_type: 'individual' },
  };
  const both = { customer: customer.id, payment_method_data: account, confirm: true, mandate_data: mandateData, return_url: returnUrl };
  const setup = await stripe.setupIntents.create(both);
  assert.equal(setup.next_action.type, 'verify_with_microdeposits');
  assert.equal((await refused(stripe.setupIntents.verifyMicrodeposits(setup.id, { amounts: [1, 2] }))).statusCode, 400);
  assert.equal((await stripe.setupIntents.verifyMicrodeposits(setup.id, { amounts: [32, 45] })).status, 'succeeded');
  const intent = await stripe.paymentIntents.create({ ...both, amount: 2500, currency: 'usd' });
  assert.equal(intent.next_action.type, 'verify_with_microdeposits');
  assert.equal((await stripe.paymentIntents.verifyMicrodeposits(intent.id, { descriptor_code: 'SM11AA' })).status, 'processing');
}

/* Methods that send the customer elsewhere, and what the charge says after. */
async function redirects(stripe, fake) {
  for (const [type, currency] of [['ideal', 'eur'], ['bancontact', 'eur'], ['alipay', 'usd'], ['klarna', 'usd'], ['affirm', 'usd'],
    ['afterpay_clearpay', 'usd']]) {
    const intent = await stripe.paymentIntents.create({
      amount: 6000, currency, confirm: true, return_url: returnUrl,
      payment_method_data: {
        type, billing_details: { name: 'Ada', email: 'ada@example.com', address: { country: 'US', line1: '1 Road', postal_code: '10001' } },
      },
      shipping: { name: 'Ada', address: { line1: '1 Road', country: 'US', postal_code: '10001' } },
    });
    assert.equal(intent.status, 'requires_action', type);
    await fake.call('POST', `/advance/${intent.id}`, { to: 'succeeded' });
    const done = await stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge', 'payment_method'] });
    assert.equal(done.status, 'succeeded', type);
    assert.equal(done.latest_charge.payment_method_details.type, type);
  }
}

async function refunds(stripe, fake) {
  const paid = await pay(stripe);
  const part = await stripe.refunds.create({
    payment_intent: paid.id, amount: 1200, reason: 'requested_by_customer', metadata: { why: 'late' },
    expand: ['charge', 'balance_transaction', 'payment_intent'],
  });
  assert.equal(part.status, 'succeeded');
  assert.equal(part.charge.amount_refunded, 1200);
  assert.equal(part.charge.refunded, false);
  const tooMuch = await refused(stripe.refunds.create({ payment_intent: paid.id, amount: 3001 }));
  assert.equal(tooMuch.param, 'amount');
  const rest = await stripe.refunds.create({ charge: paid.latest_charge });
  assert.equal(rest.amount, 3000);
  const charge = await stripe.charges.retrieve(paid.latest_charge, { expand: ['refunds', 'balance_transaction'] });
  assert.equal(charge.refunded, true);
  assert.equal(charge.refunds.data.length, 2);
  assert.equal((await refused(stripe.refunds.create({ charge: charge.id }))).code, 'charge_already_refunded');
  assert.equal((await stripe.refunds.update(part.id, { metadata: { why: '' } })).metadata.why, undefined);
  assert.equal((await stripe.refunds.list({ payment_intent: paid.id })).data.length, 2);
  assert.equal((await stripe.refunds.list({ charge: charge.id, limit: 1 })).has_more, true);
  assert.equal((await stripe.refunds.retrieve(rest.id)).id, rest.id);
  const slow = await pay(stripe, { payment_method: 'pm_card_pendingRefund' });
  const pending = await stripe.refunds.create({ payment_intent: slow.id });
  assert.equal(pending.status, 'pending');
  await fake.call('POST', `/refunds/${pending.id}`, { to: 'requires_action' });
  assert.equal((await stripe.refunds.retrieve(pending.id)).status, 'requires_action');
  assert.equal((await stripe.refunds.cancel(pending.id)).status, 'canceled');
  const failing = await pay(stripe, { payment_method: 'pm_card_refundFail' });
  const lost = await stripe.refunds.create({ payment_intent: failing.id });
  await fake.call('POST', '/settle');
  const failed = await stripe.refunds.retrieve(lost.id, { expand: ['failure_balance_transaction'] });
  assert.equal(failed.status, 'failed');
  assert.equal(failed.failure_balance_transaction.amount, 4200);
}

async function charges(stripe) {
  const customer = await newCustomer(stripe);
  const paid = await pay(stripe, { customer: customer.id, payment_method: 'pm_card_amex' });
  const changed = await stripe.charges.update(paid.latest_charge, {
    description: 'lunch', receipt_email: 'ada@example.com', metadata: { table: '4' }, fraud_details: { user_report: 'safe' },
  });
  assert.equal(changed.description, 'lunch');
  assert.equal((await stripe.charges.list({ payment_intent: paid.id })).data.length, 1);
  const expanded = await stripe.charges.list({
    customer: customer.id, expand: ['data.customer', 'data.payment_intent.payment_method', 'data.balance_transaction'],
  });
  assert.equal(expanded.data[0].customer.id, customer.id);
  assert.equal(expanded.data[0].payment_intent.payment_method.type, 'card');
}

async function balances(stripe, fake) {
  const paid = await pay(stripe, { capture_method: 'automatic', expand: ['latest_charge.balance_transaction'] });
  assert.equal(paid.latest_charge.balance_transaction.amount, 4200);
  /* By default the transaction comes later. */
  const later = await pay(stripe, { expand: ['latest_charge'] });
  assert.equal(later.latest_charge.balance_transaction, null);
  await fake.call('POST', '/settle');
  const charge = await stripe.charges.retrieve(later.latest_charge.id, { expand: ['balance_transaction'] });
  assert.equal(charge.balance_transaction.type, 'charge');
  const listed = await stripe.balanceTransactions.list({ limit: 3 });
  assert.ok(listed.data.length > 0);
  const transaction = await stripe.balanceTransactions.retrieve(listed.data[0].id, { expand: ['source'] });
  assert.equal(transaction.amount - transaction.fee, transaction.net);
  assert.equal(idOf((await stripe.balanceTransactions.list({ source: paid.latest_charge.id })).data[0]?.source), paid.latest_charge.id);
}

async function disputes(stripe) {
  const paid = await pay(stripe, { payment_method: 'pm_card_createDispute' });
  const { data: [dispute] } = await stripe.disputes.list({ payment_intent: paid.id });
  assert.equal(dispute.status, 'needs_response');
  const answered = await stripe.disputes.update(dispute.id, {
    evidence: { uncategorized_text: 'winning_evidence' }, submit: true, metadata: { by: 'ada' },
  });
  assert.ok(['under_review', 'won'].includes(answered.status));
  assert.equal((await stripe.disputes.retrieve(dispute.id, { expand: ['charge'] })).charge.disputed, true);
  const second = await pay(stripe, { payment_method: 'pm_card_createDispute' });
  const { data: [lost] } = await stripe.disputes.list({ charge: second.latest_charge });
  assert.equal((await stripe.disputes.close(lost.id)).status, 'lost');
  const third = await pay(stripe, { payment_method: 'pm_card_createDisputeInquiry' });
  const { data: [inquiry] } = await stripe.disputes.list({ charge: third.latest_charge });
  assert.equal(inquiry.status, 'warning_needs_response');
  const warned = await pay(stripe, { payment_method: 'pm_card_createIssuerFraudRecord' });
  const { data: [warning] } = await stripe.radar.earlyFraudWarnings.list({ charge: warned.latest_charge });
  assert.equal((await stripe.radar.earlyFraudWarnings.retrieve(warning.id, { expand: ['charge'] })).charge.id, warned.latest_charge);
}

async function searches(stripe) {
  const customer = await newCustomer(stripe, { email: 'find@example.com', name: "O'Hara \"Scarlett\"", metadata: { tag: 'search me' } });
  const paid = await pay(stripe, { customer: customer.id, amount: 7777, metadata: { tag: 'search me' } });
  const byMail = await stripe.customers.search({ query: 'email:"find@example.com" AND metadata["tag"]:"search me"', expand: ['total_count'] });
  assert.equal(byMail.data[0].id, customer.id);
  assert.equal(byMail.total_count, 1);
  const byName = await stripe.customers.search({ query: "name~'hara'" });
  assert.equal(byName.data[0].id, customer.id);
  const intents = await stripe.paymentIntents.search({ query: `amount>7000 amount<8000 customer:'${customer.id}' status:'succeeded'` });
  assert.deepEqual(intents.data.map(({ id }) => id), [paid.id]);
  const found = await stripe.charges.search({ query: `customer:"${customer.id}" -disputed:"true"` });
  assert.equal(found.data.length, 1);
  for (let n = 0; n < 3; n++) await newCustomer(stripe, { metadata: { batch: 'paged' } });
  const seen = [];
  for await (const { id } of stripe.customers.search({ query: 'metadata["batch"]:"paged"', limit: 2 })) seen.push(id);
  assert.equal(new Set(seen).size, 3);
  assert.equal((await refused(stripe.customers.search({ query: 'nonsense:"x"' }))).statusCode, 400);
}

async function accounts(stripe) {
  const account = await stripe.accounts.retrieveCurrent();
  assert.equal(account.object, 'account');
  assert.equal((await stripe.accounts.retrieve(account.id)).id, account.id);
}

/* Last, so that the log holds an event of each kind the others caused. */
async function events(stripe) {
  const customer = await newCustomer(stripe);
  const { data: [created] } = await stripe.events.list({ type: 'customer.created', limit: 1 });
  assert.equal(created.data.object.id, customer.id);
  assert.equal((await stripe.events.retrieve(created.id)).type, 'customer.created');
  await stripe.customers.update(customer.id, { name: 'Grace' });
  const { data: [updated] } = await stripe.events.list({ types: ['customer.updated', 'customer.deleted'], limit: 1 });
  assert.deepEqual(updated.data.previous_attributes, { name: 'Ada Lovelace' });
  assert.equal(typeof updated.request.id, 'string');
  const kinds = new Set();
  for await (const event of stripe.events.list({ limit: 100 })) kinds.add(event.type);
  for (const kind of ['payment_intent.created', 'payment_intent.succeeded', 'payment_intent.payment_failed',
    'payment_intent.requires_action', 'payment_intent.canceled', 'payment_intent.processing',
    'payment_intent.amount_capturable_updated', 'charge.succeeded', 'charge.failed', 'charge.captured',
    'charge.refunded', 'charge.dispute.created', 'refund.created', 'setup_intent.created', 'setup_intent.succeeded',
    'setup_intent.setup_failed', 'setup_intent.canceled', 'payment_method.attached', 'payment_method.updated',
    'payment_method.detached', 'customer.deleted']) {
    assert.ok(kinds.has(kind), `no ${kind} among ${[...kinds].sort().join(', ')}`);
  }
  const charged = await stripe.events.list({ type: 'charge.*', limit: 5 });
  assert.ok(charged.data.every(({ type }) => type.startsWith('charge.')));
}

export const scenarios = {
  customers, pages, paymentMethods, setupIntents, paymentIntents, captures, authentication, declines, debits,
  microdeposits, redirects, refunds, charges, balances, disputes, searches, accounts, events,
};

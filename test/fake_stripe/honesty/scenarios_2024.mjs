/*
 * The official SDK drives the fake at 2024-04-10, with the parameters that
 * version had.  The shapes are checked afterwards, by openapi2024.mjs.
 */
import assert from 'node:assert/strict';

const returnUrl = 'https://example.com/return';

async function payments(stripe) {
  const customer = await stripe.customers.create({ email: 'old@example.com', name: 'Old', metadata: { order: '1' } });
  await stripe.customers.update(customer.id, { phone: '+15555550100', invoice_settings: { footer: 'f' } });
  await stripe.customers.list({ email: 'old@example.com', limit: 1 });
  await stripe.customers.search({ query: 'email:"old@example.com"' });
  const intent = await stripe.paymentIntents.create({
    amount: 3000, currency: 'usd', customer: customer.id, payment_method_types: ['card'], capture_method: 'automatic',
    setup_future_usage: 'off_session', metadata: { order: '1' }, description: 'old',
  });
  assert.deepEqual(intent.payment_method_types, ['card']);
  assert.equal(intent.invoice, null, 'the invoice was still a member');
  await stripe.paymentIntents.update(intent.id, { amount: 3100 });
  const paid = await stripe.paymentIntents.confirm(intent.id, {
    payment_method: 'pm_card_visa', expand: ['latest_charge.balance_transaction', 'customer', 'payment_method'],
  });
  assert.equal(paid.status, 'succeeded', 'with the types named no return_url is needed');
  await stripe.paymentIntents.list({ customer: customer.id, created: { gte: 1 } });
  await stripe.paymentIntents.search({ query: `customer:"${customer.id}"` });
  await stripe.charges.retrieve(paid.latest_charge.id, { expand: ['refunds'] });
  await stripe.charges.list({ payment_intent: intent.id });
  await stripe.charges.search({ query: `customer:"${customer.id}"` });
  await stripe.charges.update(paid.latest_charge.id, { description: 'old charge' });
  const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 100, reason: 'duplicate', expand: ['charge'] });
  await stripe.refunds.update(refund.id, { metadata: { a: 'b' } });
  await stripe.refunds.list({ charge: paid.latest_charge.id });
  await stripe.balanceTransactions.list({ limit: 2, type: 'charge' });
  await stripe.balanceTransactions.retrieve(paid.latest_charge.balance_transaction.id);
  const held = await stripe.paymentIntents.create({
    amount: 800, currency: 'usd', payment_method: 'pm_card_visa', confirm: true, capture_method: 'manual', return_url: returnUrl,
  });
  await stripe.paymentIntents.capture(held.id, { amount_to_capture: 700 });
  const action = await stripe.paymentIntents.create({
    amount: 900, currency: 'usd', payment_method: 'pm_card_threeDSecure2Required', confirm: true, return_url: returnUrl,
  });
  assert.equal(action.status, 'requires_action');
  await stripe.paymentIntents.cancel(action.id, { cancellation_reason: 'abandoned' });
}

async function methods(stripe) {
  const customer = await stripe.customers.create({});
  const card = await stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  await stripe.paymentMethods.update(card.id, { card: { exp_month: 12, exp_year: 2040 } });
  await stripe.paymentMethods.list({ customer: customer.id, type: 'card' });
  await stripe.customers.listPaymentMethods(customer.id);
  await stripe.customers.retrievePaymentMethod(customer.id, card.id);
  await stripe.paymentMethods.create({
    type: 'us_bank_account', billing_details: { name: 'Old' },
    us_bank_account: { routing_number: '110000000', account_number: '000123456789', account_holder_type: 'company' },
  });
  const setup = await stripe.setupIntents.create({ customer: customer.id, payment_method_types: ['card'], usage: 'off_session' });
  const done = await stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_visa', expand: ['latest_attempt', 'payment_method'] });
  assert.equal(done.status, 'succeeded');
  await stripe.setupIntents.list({ customer: customer.id });
  const open = await stripe.setupIntents.create({ payment_method: 'pm_card_threeDSecure2Required', confirm: true, return_url: returnUrl });
  await stripe.setupIntents.retrieve(open.id);
  await stripe.setupIntents.cancel(open.id);
  await stripe.setupAttempts.list({ setup_intent: setup.id });
  await stripe.paymentMethods.detach(card.id);
  await stripe.customers.del(customer.id);
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
}

async function troubles(stripe) {
  const decline = stripe.paymentIntents.create({
    amount: 500, currency: 'usd', payment_method: 'pm_card_visa_chargeDeclined', confirm: true, payment_method_types: ['card'],
  });
  await assert.rejects(decline, { statusCode: 402, code: 'card_declined' });
  await assert.rejects(
    stripe.setupIntents.create({ payment_method: 'pm_card_visa_chargeDeclined', confirm: true, payment_method_types: ['card'] }),
    { statusCode: 402, code: 'card_declined' });
  await assert.rejects(stripe.customers.retrieve('cus_nobody'), { statusCode: 404, code: 'resource_missing' });
  await assert.rejects(
    stripe.paymentIntents.create({ amount: 500, currency: 'usd', allowed_payment_method_types: ['card'] }),
    { statusCode: 400, code: 'parameter_unknown' });
  const paid = await stripe.paymentIntents.create({
    amount: 500, currency: 'usd', payment_method: 'pm_card_createDispute', confirm: true, return_url: returnUrl,
  });
  const { data: [dispute] } = await stripe.disputes.list({ payment_intent: paid.id });
  await stripe.disputes.update(dispute.id, { evidence: { customer_name: 'Old' } });
  await stripe.disputes.retrieve(dispute.id, { expand: ['charge'] });
  await stripe.disputes.close(dispute.id);
  const debit = await stripe.paymentIntents.create({
    amount: 500, currency: 'eur', confirm: true, payment_method_types: ['sepa_debit'],
    payment_method_data: {
      type: 'sepa_debit', sepa_debit: { iban: 'AT611904300234573201' }, billing_details: { name: 'Old', email: 'old@example.com' },
    },
    mandate_data: { customer_acceptance: { type: 'offline' } }, expand: ['latest_charge', 'payment_method'],
  });
  assert.equal(debit.status, 'processing');
  const bank = await stripe.paymentIntents.create({
    amount: 500, currency: 'eur', confirm: true, payment_method_types: ['ideal'], return_url: returnUrl,
    payment_method_data: { type: 'ideal' },
  });
  assert.equal(bank.status, 'requires_action');
  await stripe.events.list({ limit: 20 });
  await stripe.accounts.retrieveCurrent();
}

export const scenarios2024 = { payments, methods, troubles };

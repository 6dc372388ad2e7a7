// club.mjs: what can happen to a membership: the requests and the deeds of
// Stripe's own that change objects, each with all its events.

import * as make from './objects.mjs';
import { DAY } from './objects.mjs';

export const MONTH = 30 * DAY;
export const HOUR = 3600;

const PRICES = { basic: 2500, gold: 4900 };

export class Club {
  constructor(world) {
    this.w = world;
    this.created = world.now - 400 * DAY;
    this.linkByCustomer = false;
    this.refunds = 0; // takes a cent off each, so that no two are alike
  }

  get membershipId() {
    return 'member_TTTTTTTT';
  }

  price(name) {
    return make.price(`price_TTTTTTTT${name}`, { created: this.created, amount: PRICES[name] });
  }

  // The customer, with a card or without.
  join({ card = true, linkByCustomer = false } = {}) {
    const { w } = this;
    this.linkByCustomer = linkByCustomer;
    this.customer = w.make(make.customer(w.id('cus'), {
      created: w.now, metadata: linkByCustomer ? { membership_id: this.membershipId } : {},
    }), ['customer.created']);
    if (card) this.addCard();
  }

  addCard() {
    const { w } = this;
    this.card = w.make(make.paymentMethod(w.id('pm'), { created: w.now, customer: this.customer }), ['payment_method.attached']);
    w.change(this.customer, { invoice_settings: { default_payment_method: this.card } }, ['customer.updated']);
  }

  changeEmail() {
    this.w.change(this.customer, { email: `m${this.w.random.below(1e6)}@example.com` }, ['customer.updated']);
  }

  #bill(reason, lines, fields = {}, types = ['invoice.created']) {
    const { w } = this;
    const id = w.id('in');
    const sub = w.get(this.sub);
    this.invoice = w.make(make.invoice(id, {
      created: w.now, billing_reason: reason, customer: this.customer, collection_method: sub.collection_method,
      _subscription: this.sub, _metadata: sub.metadata, ...fields,
    }, lines.map((entry) => make.line(w.id('il'), id, { subscription: this.sub, item: this.item, ...entry }))), types);
    return this.invoice;
  }

  // A subscription and its first invoice, still a draft.
  #start(fields, { price = 'basic', trialDays = 0, amount = PRICES[price] } = {}) {
    const { w } = this;
    const start = w.now;
    const end = trialDays > 0 ? start + trialDays * DAY : start + MONTH;
    this.sub = w.id('sub');
    this.item = w.id('si');
    this.plan = price;
    const metadata = this.linkByCustomer ? {} : { membership_id: this.membershipId, plan: price };
    const entry = make.item(this.item, this.sub, { created: start, start, end, price: this.price(price) });
    const object = make.subscription(this.sub, { created: start, customer: this.customer, metadata, ...fields }, [entry]);
    const invoiceId = w.id('in');
    w.make({ ...object, latest_invoice: invoiceId }, ['customer.subscription.created']);
    this.invoice = w.make(make.invoice(invoiceId, {
      created: start, billing_reason: 'subscription_create', customer: this.customer,
      collection_method: object.collection_method, _subscription: this.sub, _metadata: metadata,
      due_date: object.days_until_due ? start + object.days_until_due * DAY : null,
    }, [make.line(w.id('il'), invoiceId, {
      amount, period: { start, end }, price: this.price(price), subscription: this.sub, item: this.item,
    })]), ['invoice.created']);
  }

  finalize(types = ['invoice.finalized']) {
    const { w } = this;
    const byCard = w.get(this.invoice).collection_method === 'charge_automatically';
    this.payment = byCard ? w.id('pi') : null;
    w.change(this.invoice, {
      _paymentIntent: this.payment, status: 'open', number: `MPTEST-${w.random.below(9000) + 1000}`, effective_at: w.now,
      hosted_invoice_url: `https://invoice.stripe.com/i/${this.invoice}`, status_transitions: { finalized_at: w.now },
    }, types);
  }

  #intent() {
    const { w } = this;
    const amount = w.get(this.invoice).amount_due;
    w.make(make.paymentIntent(this.payment, {
      created: w.now, amount, customer: this.customer, _invoice: this.invoice, status: 'requires_confirmation',
      payment_method: this.card ?? null, metadata: { order_type: 'membership', order_id: 'order-TTTTTTTT' },
    }), ['payment_intent.created']);
    this.invoicePayment = w.make(make.invoicePayment(w.id('inpay'), {
      created: w.now, amount_requested: amount, invoice: this.invoice,
      payment: { type: 'payment_intent', payment_intent: this.payment },
    }));
  }

  #chargeOk() {
    const { w } = this;
    const { amount } = w.get(this.payment);
    this.charge = w.make(make.charge(w.id('ch'), {
      created: w.now, amount, amount_captured: amount, captured: true, paid: true, customer: this.customer,
      payment_intent: this.payment, payment_method: this.card, balance_transaction: w.id('txn'), _invoice: this.invoice,
    }), ['charge.succeeded']);
    w.change(this.payment, {
      status: 'succeeded', amount_received: amount, latest_charge: this.charge, last_payment_error: null, next_action: null,
      payment_method: this.card,
    }, ['payment_intent.succeeded']);
  }

  #paid(fields = {}, types = ['invoice.updated', 'invoice.paid', 'invoice.payment_succeeded']) {
    const { w } = this;
    const { amount_due: due, attempt_count: attempts } = w.get(this.invoice);
    w.change(this.invoice, {
      status: 'paid', amount_paid: due, amount_remaining: 0, attempted: true, attempt_count: attempts + 1,
      next_payment_attempt: null, status_transitions: { paid_at: w.now }, _charge: this.charge ?? null, ...fields,
    }, types);
    if (this.invoicePayment && w.get(this.invoicePayment).invoice === this.invoice) {
      w.change(this.invoicePayment, { status: 'paid', amount_paid: due, status_transitions: { paid_at: w.now } }, ['invoice_payment.paid']);
    }
  }

  #status(status, fields = {}, types = ['customer.subscription.updated']) {
    this.w.change(this.sub, { status, ...fields }, types);
  }

  // Scenario 1: the card is good.
  subscribe({ incomplete = true, price = 'basic' } = {}) {
    this.#start({ status: incomplete ? 'incomplete' : 'active' }, { price });
    this.finalize();
    this.#intent();
    this.#chargeOk();
    this.#paid();
    if (incomplete) this.#status('active', { default_payment_method: this.card });
  }

  // Scenario 1 through a hosted page: the session tells of both at the end.
  checkout() {
    const { w } = this;
    const session = w.make(make.checkoutSession(w.id('cs'), { created: w.now, customer: this.customer, expires_at: w.now + DAY }));
    w.wait(60);
    this.#start({ status: 'active' });
    this.finalize();
    this.#intent();
    this.#chargeOk();
    this.#paid();
    w.change(session, {
      status: 'complete', payment_status: 'paid', subscription: this.sub, invoice: this.invoice,
    }, ['checkout.session.completed']);
  }

  // Scenario 2: the bank wants a challenge.
  subscribeChallenged() {
    this.#start({ status: 'incomplete' });
    this.finalize();
    this.#intent();
    this.w.change(this.payment, { status: 'requires_action', next_action: { type: 'use_stripe_sdk' } }, ['payment_intent.requires_action']);
    this.w.change(this.invoice, { attempted: true }, ['invoice.updated', 'invoice.payment_action_required']);
  }

  passChallenge() {
    this.w.wait(90);
    this.#chargeOk();
    this.#paid();
    this.#status('active');
  }

  abandon() {
    const { w } = this;
    w.wait(23 * HOUR);
    w.change(this.invoice, { status: 'void', auto_advance: false, status_transitions: { voided_at: w.now } }, ['invoice.updated', 'invoice.voided']);
    w.change(this.payment, { status: 'canceled', canceled_at: w.now, cancellation_reason: 'void_invoice', next_action: null }, ['payment_intent.canceled']);
    this.#status('incomplete_expired', { canceled_at: w.now, ended_at: w.now });
  }

  // Scenario 3: a trial.
  tryOut(days = 7) {
    this.trialEnd = this.w.now + days * DAY;
    this.#start({ status: 'trialing', trial_start: this.w.now, trial_end: this.trialEnd }, { trialDays: days, amount: 0 });
    this.#paid({ status_transitions: { finalized_at: this.w.now, paid_at: this.w.now } }, ['invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded']);
    this.w.wait((days - 3) * DAY);
    this.w.tell(this.sub, ['customer.subscription.trial_will_end']);
    this.w.wait(3 * DAY);
  }

  #nextPeriod(status, price = this.plan) {
    const { w } = this;
    const period = { start: w.now, end: w.now + MONTH };
    this.#bill('subscription_cycle', [{ amount: PRICES[price], period, price: this.price(price) }]);
    const items = w.get(this.sub).items;
    const data = items.data.map((entry) => ({ ...entry, current_period_start: period.start, current_period_end: period.end }));
    this.#status(status, { items: { ...items, data }, latest_invoice: this.invoice });
  }

  endTrial({ card = true } = {}) {
    if (card) this.#nextPeriod('active');
    else this.#status('paused', {}, ['customer.subscription.updated', 'customer.subscription.paused']);
  }

  resume() {
    this.w.wait(2 * DAY);
    if (!this.card) this.addCard();
    this.#nextPeriod('active');
    this.w.tell(this.sub, ['customer.subscription.resumed']);
    this.payRenewal();
  }

  // Scenario 4: the period is over, and it is paid about an hour later.
  renew({ upcoming = true } = {}) {
    const { w } = this;
    w.wait(MONTH - 3 * DAY);
    if (upcoming) {
      const { id, ...draft } = make.invoice('none', { created: w.now, customer: this.customer, _subscription: this.sub }, []);
      w.announce('invoice.upcoming', draft);
    }
    w.wait(3 * DAY);
    this.#nextPeriod('active');
  }

  payRenewal() {
    this.w.wait(HOUR + 5);
    this.finalize(['invoice.finalized', 'invoice.updated']);
    this.#intent();
    this.#chargeOk();
    this.#paid();
  }

  // Scenario 5: it is declined.
  failRenewal() {
    this.w.wait(HOUR + 5);
    this.finalize();
    this.#intent();
    this.decline({ next: 3 });
    this.#status('past_due');
  }

  decline({ next }) {
    const { w } = this;
    const { amount } = w.get(this.payment);
    const error = { code: 'card_declined', decline_code: 'insufficient_funds', message: 'Your card has insufficient funds.', type: 'card_error' };
    const failed = w.make(make.charge(w.id('ch'), {
      created: w.now, amount, customer: this.customer, payment_intent: this.payment, status: 'failed',
      failure_code: 'card_declined', payment_method: this.card, _invoice: this.invoice,
    }), ['charge.failed']);
    w.change(this.payment, { status: 'requires_payment_method', last_payment_error: error, latest_charge: failed, payment_method: null }, ['payment_intent.payment_failed']);
    w.change(this.invoice, {
      attempted: true, attempt_count: w.get(this.invoice).attempt_count + 1, next_payment_attempt: next ? w.now + next * DAY : null,
    }, ['invoice.updated', 'invoice.payment_failed']);
  }

  retryDeclined({ last = false } = {}) {
    this.w.wait(3 * DAY);
    this.decline({ next: last ? 0 : 3 });
  }

  recover() {
    this.w.wait(2 * DAY);
    this.#chargeOk();
    this.#paid();
    this.#status('active');
  }

  // Scenario 6: it never is paid.
  giveUp(how) {
    const { w } = this;
    if (how === 'unpaid') this.#status('unpaid');
    else this.end('payment_failed');
    if (w.random.chance(0.5)) {
      w.change(this.invoice, { status: 'uncollectible', auto_advance: false, status_transitions: { marked_uncollectible_at: w.now } }, ['invoice.updated', 'invoice.marked_uncollectible']);
    }
  }

  end(reason) {
    const { w } = this;
    this.#status('canceled', {
      ended_at: w.now, canceled_at: w.get(this.sub).canceled_at ?? w.now, cancellation_details: { reason },
    }, ['customer.subscription.deleted']);
  }

  // Scenario 7: up, and paid at once.
  upgrade() {
    const { w } = this;
    const old = w.get(this.sub).items;
    const period = { start: w.now, end: old.data[0].current_period_end };
    const [was, is] = [this.price(this.plan), this.price('gold')];
    for (const amount of [-was.unit_amount, is.unit_amount]) {
      w.make(make.invoiceItem(w.id('ii'), { amount, customer: this.customer, date: w.now, period }), ['invoiceitem.created']);
    }
    this.#bill('subscription_update', [
      { amount: -was.unit_amount, period, price: was, proration: true }, { amount: is.unit_amount, period, price: is, proration: true }]);
    this.finalize();
    this.#intent();
    this.#chargeOk();
    this.#paid();
    this.plan = 'gold';
    this.w.change(this.sub, {
      items: { ...old, data: old.data.map((entry) => ({ ...entry, price: is })) }, latest_invoice: this.invoice,
      metadata: this.linkByCustomer ? {} : { plan: 'gold' },
    }, ['customer.subscription.updated']);
  }

  // Up without an invoice of its own.
  upgradeLater() {
    const { w } = this;
    const old = w.get(this.sub).items;
    const is = this.price('gold');
    this.plan = 'gold';
    w.change(this.sub, { items: { ...old, data: old.data.map((entry) => ({ ...entry, price: is })) } }, ['customer.subscription.updated']);
  }

  // Scenario 8: down, at the end of the period.
  scheduleDowngrade() {
    const { w } = this;
    const { start_date: start, items } = w.get(this.sub);
    const end = items.data[0].current_period_end;
    const phase = (price, from, until) => ({ items: [{ price, quantity: 1 }], start_date: from, end_date: until, proration_behavior: 'none' });
    this.schedule = w.make(make.schedule(w.id('sub_sched'), {
      created: w.now, customer: this.customer, subscription: this.sub, current_phase: { start_date: start, end_date: end },
      phases: [phase(items.data[0].price.id, start, end)],
    }), ['subscription_schedule.created']);
    w.change(this.sub, { schedule: this.schedule }, ['customer.subscription.updated']);
    w.change(this.schedule, {
      phases: [phase(items.data[0].price.id, start, end), phase('price_TTTTTTTTbasic', end, end + MONTH)],
    }, ['subscription_schedule.updated']);
  }

  downgrade() {
    const { w } = this;
    const { items } = w.get(this.sub);
    w.wait(Math.max(items.data[0].current_period_end - w.now, 1));
    this.plan = 'basic';
    const period = { start: w.now, end: w.now + MONTH };
    const is = this.price('basic');
    this.#bill('subscription_cycle', [{ amount: is.unit_amount, period, price: is }]);
    w.change(this.sub, {
      items: { ...items, data: items.data.map((entry) => ({ ...entry, price: is, current_period_start: period.start, current_period_end: period.end })) },
      latest_invoice: this.invoice,
    }, ['customer.subscription.updated']);
    w.change(this.schedule, { current_phase: { start_date: period.start, end_date: period.end } }, ['subscription_schedule.updated']);
    w.change(this.schedule, { status: 'released', released_at: w.now, released_subscription: this.sub, subscription: null }, ['subscription_schedule.released']);
    w.change(this.sub, { schedule: null }, ['customer.subscription.updated']);
  }

  // Scenario 9: off, at the end of the period; flexible billing sets the date alone.
  cancelAtEnd({ flexible = true } = {}) {
    const { w } = this;
    const end = w.get(this.sub).items.data[0].current_period_end;
    w.change(this.sub, {
      cancel_at: end, cancel_at_period_end: !flexible, canceled_at: w.now,
      cancellation_details: { reason: 'cancellation_requested' },
    }, ['customer.subscription.updated']);
  }

  keep() {
    this.w.change(this.sub, {
      cancel_at: null, cancel_at_period_end: false, canceled_at: null, cancellation_details: { reason: null },
    }, ['customer.subscription.updated']);
  }

  endOfPeriod() {
    this.w.wait(Math.max(this.w.get(this.sub).items.data[0].current_period_end - this.w.now, 1));
    this.end('cancellation_requested');
  }

  pauseCollection() {
    this.w.change(this.sub, { pause_collection: { behavior: 'void', resumes_at: null } }, ['customer.subscription.updated']);
  }

  resumeCollection() {
    this.w.change(this.sub, { pause_collection: null }, ['customer.subscription.updated']);
  }

  // Scenario 11: money goes back.  No two refunds are of one amount: a charge
  // that within one second is refunded, not refunded and again refunded alike
  // leaves two states, and nothing tells which came last.
  refund(amount) {
    const { w } = this;
    const { amount: all, amount_refunded: before } = w.get(this.charge);
    const part = Math.min(amount ?? all, all - before) - this.refunds++;
    this.lastRefund = w.make(make.refund(w.id('re'), {
      created: w.now, amount: part, charge: this.charge, payment_intent: this.payment,
    }), ['refund.created']);
    w.change(this.charge, { amount_refunded: before + part, refunded: before + part === all }, ['charge.refunded']);
  }

  settleRefund() {
    const { w } = this;
    w.change(this.lastRefund, { status: 'succeeded', balance_transaction: w.id('txn') }, ['refund.updated', 'charge.refund.updated']);
  }

  failRefund() {
    const { w } = this;
    const { amount_refunded: before } = w.get(this.charge);
    w.change(this.lastRefund, { status: 'failed', failure_reason: 'lost_or_stolen_card' }, ['refund.updated', 'refund.failed']);
    w.change(this.charge, { amount_refunded: before - w.get(this.lastRefund).amount, refunded: false }, ['charge.updated']);
  }

  contest() {
    const { w } = this;
    this.dispute = w.make(make.dispute(w.id('dp'), {
      created: w.now, amount: w.get(this.charge).amount, charge: this.charge, payment_intent: this.payment,
    }), ['charge.dispute.created']);
    w.change(this.charge, { disputed: true }, ['charge.updated']);
    w.change(this.dispute, { balance_transactions: [{ id: w.id('txn'), object: 'balance_transaction', amount: -2500 }] }, ['charge.dispute.funds_withdrawn']);
  }

  settleDispute(won) {
    const { w } = this;
    w.change(this.dispute, { status: 'under_review', evidence_details: { has_evidence: true, submission_count: 1 } }, ['charge.dispute.updated']);
    w.wait(9 * DAY);
    w.change(this.dispute, { status: won ? 'won' : 'lost' }, ['charge.dispute.closed']);
    if (won) w.tell(this.dispute, ['charge.dispute.funds_reinstated']);
  }

  // Scenario 12: by invoice.
  subscribeByInvoice() {
    this.#start({ status: 'active', collection_method: 'send_invoice', days_until_due: 14 });
    this.w.wait(HOUR + 2);
    this.finalize();
    this.w.tell(this.invoice, ['invoice.sent']);
  }

  payInvoiceElsewhere() {
    this.w.wait(2 * DAY);
    this.#paid({ _outOfBand: true, attempted: false, attempt_count: 0 }, ['invoice.updated', 'invoice.paid']);
  }

  overdue() {
    this.w.wait(14 * DAY);
    this.#status('past_due');
    this.w.tell(this.invoice, ['invoice.overdue']);
  }

  payLate() {
    this.w.wait(DAY);
    this.#paid({ _outOfBand: true, attempted: false, attempt_count: 0 }, ['invoice.updated', 'invoice.paid']);
    this.#status('active');
  }

  entitle(keys) {
    this.w.entitle(this.customer, keys);
  }

  leave() {
    const { w } = this;
    if (this.sub && !['canceled', 'incomplete_expired'].includes(w.get(this.sub).status)) this.end('cancellation_requested');
    w.remove(this.customer, 'customer.deleted');
  }
}

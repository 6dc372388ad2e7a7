// scenarios.mjs: lives of a membership: the known ones, and any others.

import { DAY } from './objects.mjs';

// The known ones; some in several ways.
export const SCENARIOS = {
  '1 new, card accepted': (c) => { c.join(); c.subscribe(); },
  '1 new, active at once': (c) => { c.join(); c.subscribe({ incomplete: false }); },
  '1 new, linked by its customer': (c) => { c.join({ linkByCustomer: true }); c.subscribe(); },
  '1 new, by a hosted page': (c) => { c.join(); c.checkout(); },
  '2 challenge passed': (c) => { c.join(); c.subscribeChallenged(); c.passChallenge(); },
  '2 challenge abandoned': (c) => { c.join(); c.subscribeChallenged(); c.abandon(); },
  '3 trial, then paid': (c) => { c.join(); c.tryOut(); c.endTrial(); c.payRenewal(); },
  '3 trial, then paused and resumed': (c) => { c.join({ card: false }); c.tryOut(); c.endTrial({ card: false }); c.resume(); },
  '3 trial, then over': (c) => { c.join({ card: false }); c.tryOut(); c.end('cancellation_requested'); },
  '4 renewal': (c) => { c.join(); c.subscribe(); c.renew(); c.payRenewal(); },
  '5 renewal fails and recovers': (c) => { c.join(); c.subscribe(); c.renew(); c.failRenewal(); c.recover(); },
  '6 renewal fails to the end': (c) => { c.join(); c.subscribe(); c.renew(); c.failRenewal(); c.retryDeclined(); c.retryDeclined({ last: true }); c.giveUp('canceled'); c.entitle([]); },
  '6 renewal stays unpaid': (c) => { c.join(); c.subscribe(); c.renew(); c.failRenewal(); c.retryDeclined({ last: true }); c.giveUp('unpaid'); },
  '7 upgrade, invoiced at once': (c) => { c.join(); c.subscribe(); c.w.wait(5 * DAY); c.upgrade(); },
  '7 upgrade, prorated later': (c) => { c.join(); c.subscribe(); c.w.wait(5 * DAY); c.upgradeLater(); },
  '8 downgrade at the period\'s end': (c) => { c.join(); c.subscribe({ price: 'gold' }); c.w.wait(3 * DAY); c.scheduleDowngrade(); c.downgrade(); },
  '9 cancelled at the period\'s end': (c) => { c.join(); c.subscribe(); c.w.wait(5 * DAY); c.cancelAtEnd(); c.endOfPeriod(); },
  '9 cancelled, kept, cancelled again': (c) => { c.join(); c.subscribe(); c.w.wait(DAY); c.cancelAtEnd({ flexible: false }); c.keep(); c.cancelAtEnd(); },
  '10 cancelled at once': (c) => { c.join(); c.subscribe(); c.w.wait(5 * DAY); c.end('cancellation_requested'); },
  '11 refunds': (c) => { c.join(); c.subscribe(); c.w.wait(DAY); c.refund(1000); c.settleRefund(); c.w.wait(60); c.refund(); c.w.wait(DAY); c.failRefund(); },
  '11 dispute won': (c) => { c.join(); c.subscribe(); c.w.wait(9 * DAY); c.contest(); c.settleDispute(true); },
  '11 dispute lost': (c) => { c.join(); c.subscribe(); c.w.wait(9 * DAY); c.contest(); c.settleDispute(false); c.end('payment_disputed'); },
  '12 by invoice': (c) => { c.join({ card: false }); c.subscribeByInvoice(); c.payInvoiceElsewhere(); },
  '12 by invoice, overdue': (c) => { c.join({ card: false }); c.subscribeByInvoice(); c.overdue(); c.payLate(); },
};

const BEGINNINGS = [
  (c) => c.subscribe(),
  (c) => c.subscribe({ incomplete: false, price: 'gold' }),
  (c) => c.checkout(),
  (c) => { c.subscribeChallenged(); c.passChallenge(); },
  (c) => { c.tryOut(3 + c.w.random.below(9)); c.endTrial(); c.payRenewal(); },
];

// Each leaves an active membership behind, whose last payment went well.
const EPISODES = [
  (c) => { c.renew(); c.payRenewal(); },
  (c) => { c.renew({ upcoming: false }); c.failRenewal(); c.recover(); },
  (c) => { c.renew(); c.failRenewal(); c.retryDeclined(); c.recover(); },
  (c) => c.upgrade(),
  (c) => c.upgradeLater(),
  (c) => { c.upgradeLater(); c.scheduleDowngrade(); c.downgrade(); c.payRenewal(); },
  (c) => { c.cancelAtEnd({ flexible: c.w.random.chance(0.5) }); c.w.wait(c.w.random.below(2)); c.keep(); },
  (c) => { c.pauseCollection(); c.w.wait(c.w.random.below(3)); c.resumeCollection(); },
  (c) => { c.refund(100 * (1 + c.w.random.below(9))); c.w.wait(c.w.random.below(2)); if (c.w.random.chance(0.6)) c.settleRefund(); else c.failRefund(); },
  (c) => { c.contest(); c.settleDispute(c.w.random.chance(0.5)); },
  (c) => c.changeEmail(),
  (c) => { c.changeEmail(); c.changeEmail(); c.changeEmail(); },
  (c) => { c.entitle(['library']); c.w.wait(c.w.random.below(2)); c.entitle(['library', 'workshop']); },
];

const ENDINGS = [
  () => {},
  (c) => c.cancelAtEnd(),
  (c) => { c.cancelAtEnd(); c.endOfPeriod(); },
  (c) => c.end('cancellation_requested'),
  (c) => { c.renew(); c.failRenewal(); },
  (c) => { c.renew(); c.failRenewal(); c.retryDeclined({ last: true }); c.giveUp(c.w.random.pick(['canceled', 'unpaid'])); },
  (c) => c.leave(),
  (c) => { c.entitle(['library']); c.entitle([]); },
];

export function anyLife(c) {
  const { random } = c.w;
  c.join({ linkByCustomer: random.chance(0.2) });
  random.pick(BEGINNINGS)(c);
  for (let n = random.below(4); n > 0; n--) {
    c.w.wait(random.pick([0, 0, 1, DAY]));
    random.pick(EPISODES)(c);
  }
  random.pick(ENDINGS)(c);
}

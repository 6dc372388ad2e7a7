// Balance transactions: one for each movement of money, with Stripe's fee.

import { list } from '../lists.mjs';
import { LIST } from '../params.mjs';
import { register } from '../view.mjs';
import { must } from './lookup.mjs';

register('balance_transaction', { source: 'charge|refund|dispute' });

// 2.9 % + 30: what Stripe charges in its examples.
export function feeOf(amount) {
  return Math.min(amount, Math.round(amount * 0.029) + 30);
}

const CATEGORY = { charge: 'charge', payment: 'charge', refund: 'refund', payment_refund: 'refund', refund_failure: 'refund_failure', adjustment: 'dispute' };

export function record(ctx, { amount, currency, fee = 0, type, source, description = null, category, available = 7 }) {
  return ctx.add({
    id: ctx.newId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: ctx.now + available * 86400,
    balance_type: 'payments',
    created: ctx.now,
    currency,
    description,
    exchange_rate: null,
    fee,
    fee_details: fee ? [{ amount: fee, application: null, currency, description: 'Stripe processing fees', type: 'stripe_fee' }] : [],
    net: amount - fee,
    reporting_category: category ?? CATEGORY[type] ?? type,
    source,
    status: available === 0 ? 'available' : 'pending',
    type,
  });
}

export const routes = [
  { method: 'GET', path: '/v1/balance_transactions', params: `${LIST} created:range currency payout source type`, returns: 'list:balance_transaction',
    run: (ctx, params) => list(ctx, 'balance_transaction', params, { url: '/v1/balance_transactions', equal: ['currency', 'source', 'type'], where: () => params.payout === undefined }) },
  { method: 'GET', path: '/v1/balance_transactions/:id', params: 'expand[]', returns: 'balance_transaction',
    run: (ctx, params, id) => must(ctx, 'balance_transaction', id) },
];

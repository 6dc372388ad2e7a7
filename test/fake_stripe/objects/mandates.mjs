// Mandates: a customer's permission to debit, made by a confirmation that
// carried mandate_data.

import { register } from '../view.mjs';
import { must } from './lookup.mjs';

register('mandate', { payment_method: 'payment_method' });

export const MANDATE_DATA = `mandate_data~{customer_acceptance!{accepted_at:ts type!:online|offline offline:any
  online{ip_address user_agent}}}`;

const DETAILS = {
  au_becs_debit: (id) => ({ url: `https://payments.stripe.com/au_becs_debit/mandate/${id}` }),
  sepa_debit: (id) => ({ reference: id.slice(-12).toUpperCase(), url: `https://hooks.stripe.com/adapter/sepa_debit/file/${id}` }),
  payto: () => ({ amount: null, amount_type: 'maximum', end_date: null, payment_schedule: 'adhoc', payments_per_period: null, purpose: null, start_date: null }),
};

// Only these types keep a mandate; for the others permission is not recorded.
const KEEPS_MANDATE = ['card', 'us_bank_account', ...Object.keys(DETAILS)];

// Returns null for a type without mandates.
export function createMandate(ctx, method, data, singleUse) {
  if (!KEEPS_MANDATE.includes(method.type)) return null;
  const given = data.customer_acceptance;
  const id = ctx.newId('mandate');
  const acceptance = { accepted_at: given.accepted_at ?? ctx.now, type: given.type };
  if (given.type === 'online') acceptance.online = { ip_address: given.online?.ip_address ?? null, user_agent: given.online?.user_agent ?? null };
  else acceptance.offline = {};
  const mandate = {
    id,
    object: 'mandate',
    customer_acceptance: acceptance,
    livemode: ctx.mode.livemode,
    payment_method: method.id,
    payment_method_details: { type: method.type, [method.type]: DETAILS[method.type]?.(id) ?? {} },
    status: 'active',
    type: singleUse ? 'single_use' : 'multi_use',
  };
  if (singleUse) mandate.single_use = singleUse;
  else mandate.multi_use = {};
  ctx.note(method.id).mandate = id;
  return ctx.add(mandate);
}

export const routes = [
  { method: 'GET', path: '/v1/mandates/:id', params: 'expand[]', returns: 'mandate',
    run: (ctx, params, id) => must(ctx, 'mandate', id) },
];

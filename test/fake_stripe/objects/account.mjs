// The account a key belongs to: what a client asks to see that its key works.

import { forbidden } from '../errors.mjs';
import { register } from '../view.mjs';

register('account', {});

function build(ctx, id) {
  return {
    id,
    object: 'account',
    business_profile: {
      annual_revenue: null, estimated_worker_count: null, mcc: '7997', minority_owned_business_designation: null, name: 'Fake Stripe Club',
      product_description: null, specified_commercial_transactions_act_url: null, support_address: null, support_email: null,
      support_phone: null, support_url: null, url: 'https://example.org',
    },
    business_type: 'company',
    capabilities: { card_payments: 'active', transfers: 'active' },
    charges_enabled: true,
    controller: { type: 'account' },
    country: 'AU',
    created: 1700000000,
    default_currency: 'aud',
    details_submitted: true,
    email: 'club@example.org',
    metadata: {},
    payouts_enabled: true,
    settings: {
      bacs_debit_payments: { display_name: null, service_user_number: null },
      branding: { icon: null, logo: null, primary_color: null, secondary_color: null },
      card_issuing: { tos_acceptance: { date: null, ip: null } },
      card_payments: { statement_descriptor_prefix: 'FAKE', statement_descriptor_prefix_kana: null, statement_descriptor_prefix_kanji: null },
      dashboard: { display_name: 'Fake Stripe Club', timezone: 'Etc/UTC' },
      payments: {
        statement_descriptor: 'FAKE STRIPE CLUB', statement_descriptor_kana: null, statement_descriptor_kanji: null,
        statement_descriptor_prefix_kana: null, statement_descriptor_prefix_kanji: null,
      },
      sepa_debit_payments: {},
    },
    type: 'standard',
  };
}

export const routes = [
  { method: 'GET', path: '/v1/account', params: 'expand[]', returns: 'account', resource: 'account', run: (ctx) => build(ctx, ctx.mode.account) },
  { method: 'GET', path: '/v1/accounts/:id', params: 'expand[]', returns: 'account', resource: 'account',
    run(ctx, params, id) {
      if (id !== ctx.mode.account) throw forbidden(`The provided key does not have access to account '${id}' (or that account does not exist). Application access may have been revoked.`, 'account_invalid');
      return build(ctx, id);
    } },
];

// What payment intents and setup intents have in common: which payment method
// types they offer, whose method may be used, and microdeposits.

import { badParam, invalid } from '../errors.mjs';
import { DEBIT_TYPES, REDIRECT_TYPES, USED_UP } from './payment_methods.mjs';

const BY_CURRENCY = {
  aud: ['afterpay_clearpay', 'klarna', 'alipay', 'au_becs_debit', 'payto'],
  eur: ['bancontact', 'ideal', 'klarna', 'alipay', 'sepa_debit', 'customer_balance'],
  usd: ['affirm', 'afterpay_clearpay', 'klarna', 'alipay', 'us_bank_account', 'customer_balance'],
  gbp: ['afterpay_clearpay', 'klarna', 'customer_balance'],
  cad: ['affirm', 'afterpay_clearpay', 'klarna'],
  nzd: ['afterpay_clearpay', 'klarna'],
  jpy: ['customer_balance'],
  mxn: ['customer_balance'],
};

const MANUAL_CAPTURE = ['card', 'affirm', 'afterpay_clearpay', 'klarna'];

// Methods that can be saved for later: all a setup intent offers.
export const REUSABLE = ['card', 'au_becs_debit', 'sepa_debit', 'us_bank_account', 'payto', 'bancontact', 'ideal'];

function dropRedirects(types) {
  return types.filter((type) => !REDIRECT_TYPES.includes(type));
}

// The types of an intent, and the parameters that chose them.
export function chooseTypes(params, { currency, manual = false, hasCustomer = true, only = null } = {}) {
  const filters = ['payment_method_types', 'allowed_payment_method_types', 'automatic_payment_methods'].filter((n) => params[n] !== undefined && params[n] !== '');
  if (filters.includes('allowed_payment_method_types') && params.excluded_payment_method_types) filters.push('excluded_payment_method_types');
  if (filters.length > 1) {
    throw badParam(`You may only specify one of these parameters: ${filters.join(', ')}.`, filters[0], 'parameters_exclusive');
  }
  const everywhere = currency ? ['card', ...BY_CURRENCY[currency] ?? []] : REUSABLE;
  let offered = everywhere.filter((type) => (!manual || MANUAL_CAPTURE.includes(type)) && (hasCustomer || type !== 'customer_balance') && (!only || only.includes(type)));
  if (params.payment_method_types !== undefined) {
    for (const type of params.payment_method_types) {
      if (!everywhere.includes(type)) {
        throw invalid(`The payment method type "${type}" is invalid. Please ensure the provided type is activated in your dashboard and your account is enabled for any preview features that you are trying to use.`, { param: 'payment_method_types' });
      }
    }
    return { types: [...params.payment_method_types], automatic: null };
  }
  if (params.allowed_payment_method_types) {
    offered = offered.filter((type) => params.allowed_payment_method_types.includes(type));
    if (offered.length === 0) throw invalid('None of the allowed payment method types can be used for this intent.', { param: 'allowed_payment_method_types' });
    return { types: offered, automatic: null };
  }
  const automatic = params.automatic_payment_methods ?? { enabled: true };
  if (!automatic.enabled) return { types: ['card'], automatic: null };
  const shown = { allow_redirects: automatic.allow_redirects ?? 'always', enabled: true };
  if (shown.allow_redirects === 'never') offered = dropRedirects(offered);
  if (params.excluded_payment_method_types) offered = offered.filter((type) => !params.excluded_payment_method_types.includes(type));
  if (offered.length === 0) throw invalid('No payment method type is left for this intent.', { param: 'excluded_payment_method_types' });
  return { types: offered, automatic: shown };
}

const OPTIONS = {
  card: { installments: null, mandate_options: null, network: null, request_three_d_secure: 'automatic' },
  customer_balance: { funding_type: null }, klarna: { preferred_locale: null }, afterpay_clearpay: { reference: null },
  bancontact: { preferred_language: 'en' }, us_bank_account: { verification_method: 'automatic' },
};
const SETUP_OPTIONS = {
  card: { mandate_options: null, network: null, request_three_d_secure: 'automatic' }, us_bank_account: { verification_method: 'automatic' },
};

// payment_method_options as shown: every offered type has an entry.
export function optionsOf(types, given = {}, old = {}, setup = false) {
  const out = {};
  for (const type of types) {
    if (setup && !['card', 'payto', 'sepa_debit', 'us_bank_account'].includes(type)) continue;
    out[type] = { ...(setup ? SETUP_OPTIONS : OPTIONS)[type], ...old[type], ...(given[type] || {}) };
  }
  return out;
}

// Refuses a method the intent can't use.
export function checkMethod(ctx, intent, method, what) {
  if (method.customer && method.customer !== intent.customer) {
    throw invalid(intent.customer
      ? `The PaymentMethod ${method.id} does not belong to the Customer you supplied ${intent.customer}. Please use this PaymentMethod with the Customer that it belongs to instead.`
      : `The payment method supplied (${method.id}) belongs to a Customer. Please include the Customer in the \`customer\` parameter on the ${what}.`, { param: 'payment_method' });
  }
  if (ctx.note(method.id).consumed) throw invalid(USED_UP, { param: 'payment_method' });
  if (!intent.payment_method_types.includes(method.type)) {
    throw invalid(`The PaymentMethod provided (${method.type}) is not allowed for this ${what}. Please attach a PaymentMethod of one of the following types: ${intent.payment_method_types.join(', ')}.`,
      { code: what === 'PaymentIntent' ? 'payment_intent_incompatible_payment_method' : 'setup_intent_invalid_parameter', param: 'payment_method' });
  }
}

export const RETURN_URL_NEEDED = (what) => `This ${what} is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a \`return_url\`. If you don't want to accept redirect-based payment methods, set \`automatic_payment_methods[enabled]\` to \`true\` and \`automatic_payment_methods[allow_redirects]\` to \`never\` when creating Setup Intents and Payment Intents.`;

export function redirect(intent, returnUrl) {
  const url = `https://hooks.stripe.com/3d_secure_2/hosted?intent=${intent.id}`;
  return { redirect_to_url: { return_url: returnUrl, url }, type: 'redirect_to_url' };
}

export function microdeposits(ctx, intent) {
  return {
    type: 'verify_with_microdeposits',
    verify_with_microdeposits: {
      arrival_date: ctx.now + 2 * 86400, hosted_verification_url: `https://payments.stripe.com/microdeposit/${intent.id}`, microdeposit_type: 'amounts',
    },
  };
}

// true when the amounts or the code are the test values that verify.
export function microdepositsVerify(params) {
  if (params.amounts === undefined && params.descriptor_code === undefined) {
    throw invalid('Provide amounts or descriptor_code.', { code: 'parameter_missing', param: 'amounts' });
  }
  if (params.amounts) {
    const given = [...params.amounts].sort((a, b) => a - b).join(',');
    if (given === '10,11') throw invalid('You have exceeded the number of allowed verification attempts.', { code: 'payment_method_microdeposit_verification_attempts_exceeded' });
    if (given === '40,41') throw invalid('The microdeposits were not verified in time.', { code: 'payment_method_microdeposit_verification_timeout' });
    if (given !== '32,45') throw invalid('The amounts provided do not match the amounts that were sent to the bank account.', { code: 'payment_method_microdeposit_verification_amounts_mismatch' });
    return true;
  }
  if (params.descriptor_code === 'SM33CC') throw invalid('You have exceeded the number of allowed verification attempts.', { code: 'payment_method_microdeposit_verification_attempts_exceeded' });
  if (params.descriptor_code === 'SM44DD') throw invalid('The microdeposits were not verified in time.', { code: 'payment_method_microdeposit_verification_timeout' });
  if (params.descriptor_code !== 'SM11AA') throw invalid('The code does not match the one that was sent.', { code: 'payment_method_microdeposit_verification_descriptor_code_mismatch' });
  return true;
}

export function isDebit(type) {
  return DEBIT_TYPES.includes(type);
}

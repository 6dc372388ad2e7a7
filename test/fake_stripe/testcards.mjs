// Stripe's test payment methods: which token or number behaves how.
//
// A behaviour says what happens when the method is charged, set up or attached:
//   decline     the refusal of a charge (and of attaching, unless attaches)
//   attaches    may be saved although charges are refused
//   auth        'always', 'setup' (unless set up), 'saved' (already set up), 'required'
//   after       the refusal that follows a passed authentication
//   then        what happens to the payment afterwards: dispute, warning
//   refund      'pending' or 'fail': what a refund does later
//   checks      what the issuer said of CVC and address
//   async       how a bank debit ends: { code } when it fails

const decline = (code, declineCode, message, extra = {}) => ({
  code, decline_code: declineCode, message: message ?? 'Your card was declined.',
  advice_code: ['lost_card', 'stolen_card', 'fraudulent'].includes(declineCode) ? 'do_not_try_again' : 'try_again_later', ...extra,
});

const INSUFFICIENT = decline('card_declined', 'insufficient_funds', 'Your card has insufficient funds.');
const GENERIC = decline('card_declined', 'generic_decline');
const PROCESSING = decline('processing_error', undefined, 'An error occurred while processing your card. Try again in a little bit.');

const BRANDS = {
  visa: { number: '4242424242424242' },
  visa_debit: { number: '4000056655665556', funding: 'debit' },
  mastercard: { brand: 'mastercard', number: '5555555555554444' },
  mastercard_debit: { brand: 'mastercard', number: '5200828282828210', funding: 'debit' },
  mastercard_prepaid: { brand: 'mastercard', number: '5105105105105100', funding: 'prepaid' },
  amex: { brand: 'amex', number: '378282246310005' },
  discover: { brand: 'discover', number: '6011111111111117' },
  diners: { brand: 'diners', number: '3056930009020004' },
  jcb: { brand: 'jcb', number: '3566002020360505' },
  unionpay: { brand: 'unionpay', number: '6200000000000005' },
  // Not Stripe's: wallets can't be made from a token there. Ours, for tests.
  visa_apple_pay: { number: '4242424242424242', wallet: 'apple_pay' },
  visa_google_pay: { number: '4242424242424242', wallet: 'google_pay' },
};

const SPECIAL = {
  chargeDeclined: { number: '4000000000000002', decline: GENERIC },
  chargeDeclinedInsufficientFunds: { number: '4000000000009995', decline: INSUFFICIENT },
  chargeDeclinedLostCard: { number: '4000000000009987', decline: decline('card_declined', 'lost_card') },
  chargeDeclinedStolenCard: { number: '4000000000009979', decline: decline('card_declined', 'stolen_card') },
  chargeDeclinedFraudulent: { number: '4100000000000019', decline: decline('card_declined', 'fraudulent'), risk: 'highest', blocked: true },
  chargeDeclinedVelocityLimitExceeded: { number: '4000000000006975', decline: decline('card_declined', 'card_velocity_exceeded', 'Your card was declined for making repeated attempts too frequently or exceeding its amount limit.') },
  chargeDeclinedExpiredCard: { number: '4000000000000069', decline: decline('expired_card', undefined, 'Your card has expired.') },
  chargeDeclinedIncorrectCvc: { number: '4000000000000127', decline: decline('incorrect_cvc', undefined, "Your card's security code is incorrect."), checks: { cvc_check: 'fail' } },
  chargeDeclinedProcessingError: { number: '4000000000000119', decline: PROCESSING },
  chargeCustomerFail: { number: '4000000000000341', decline: GENERIC, attaches: true },
  authenticationRequired: { number: '4000002760003184', auth: 'always' },
  authenticationRequiredOnSetup: { number: '4000002500003155', auth: 'setup' },
  authenticationRequiredSetupForOffSession: { number: '4000003800000446', auth: 'saved' },
  authenticationRequiredChargeDeclinedInsufficientFunds: { number: '4000008260003178', auth: 'always', after: INSUFFICIENT },
  threeDSecure2Required: { number: '4000000000003220', auth: 'always' },
  threeDSecureRequired: { number: '4000000000003063', auth: 'always' },
  threeDSecureRequiredChargeDeclined: { number: '4000008400001629', auth: 'always', after: GENERIC },
  threeDSecureRequiredProcessingError: { number: '4000008400001280', auth: 'always', after: PROCESSING },
  threeDSecureOptional: { number: '4000000000003055' },
  amex_threeDSecureNotSupported: { brand: 'amex', number: '378282246310005', threeDSecure: false },
  radarBlock: { number: '4000000000004954', decline: decline('card_declined', 'fraudulent'), risk: 'highest', blocked: true, attaches: true },
  riskLevelHighest: { number: '4000000000004954', decline: decline('card_declined', 'fraudulent'), risk: 'highest', blocked: true, attaches: true },
  riskLevelElevated: { number: '4000000000009235', risk: 'elevated' },
  cvcCheckFail: { number: '4000000000000101', checks: { cvc_check: 'fail' } },
  avsZipFail: { number: '4000000000000036', checks: { address_postal_code_check: 'fail' } },
  avsLine1Fail: { number: '4000000000000028', checks: { address_line1_check: 'fail' } },
  avsFail: { number: '4000000000000010', checks: { address_line1_check: 'fail', address_postal_code_check: 'fail' } },
  createDispute: { number: '4000000000000259', then: { dispute: 'fraudulent' } },
  createDisputeProductNotReceived: { number: '4000000000002685', then: { dispute: 'product_not_received' } },
  createDisputeInquiry: { number: '4000000000001976', then: { dispute: 'fraudulent', inquiry: true } },
  createMultipleDisputes: { number: '4000000404000079', then: { dispute: 'fraudulent', twice: true } },
  createIssuerFraudRecord: { number: '4000000000005423', then: { warning: true } },
  pendingRefund: { number: '4000000000007726', refund: 'pending' },
  refundFail: { number: '4000000000005126', refund: 'fail' },
  bypassPending: { number: '4000000000000077', settled: true },
  bypassPendingInternational: { number: '4000003720000278', settled: true, country: 'IN' },
};

const US_BANK = {
  success: { account: '000123456789' },
  accountClosed: { account: '000111111113', async: { code: 'account_closed', message: 'The customer\'s bank account has been closed.' } },
  noAccount: { account: '000111111116', async: { code: 'no_account', message: 'The customer\'s bank account could not be located.' } },
  insufficientFunds: { account: '000222222227', async: { code: 'insufficient_funds', message: 'The customer\'s account has insufficient funds to cover this payment.' } },
  debitNotAuthorized: { account: '000333333335', async: { code: 'debit_not_authorized', message: 'The customer has notified their bank that this payment was unauthorized.' } },
  invalidCurrency: { account: '000444444440', async: { code: 'invalid_currency', message: 'The bank account does not take this currency.' } },
  dispute: { account: '000555555559', then: { dispute: 'fraudulent' } },
  failMicrodeposits: { account: '000666666661', microdepositsFail: true },
  processing: { account: '000000000009' },
};

const BECS = {
  '000123456': {}, 900123456: {},
  111111113: { async: { code: 'account_closed', message: 'The customer\'s bank account has been closed.' } },
  111111116: { async: { code: 'no_account', message: 'The customer\'s bank account could not be located.' } },
  222222227: { async: { code: 'refer_to_customer', message: 'The payment was refused: refer to the customer.' } },
  922222227: { async: { code: 'refer_to_customer', message: 'The payment was refused: refer to the customer.' } },
  333333335: { async: { code: 'debit_not_authorized', message: 'The debit was not authorized.' } },
  666666660: { then: { dispute: 'fraudulent' } },
};

const SEPA = {
  AT611904300234573201: {}, AT321904300235473204: {}, DE89370400440532013000: {},
  AT861904300235473202: { async: { code: 'payment_intent_payment_attempt_failed', message: 'The payment failed.' } },
  AT051904300235473205: { async: { code: 'payment_intent_payment_attempt_failed', message: 'The payment failed.' } },
  AT591904300235473203: { then: { dispute: 'fraudulent' } },
};

const SEPA_TOKENS = {
  pm_success_at: 'AT611904300234573201', pm_delayedSuccess_at: 'AT321904300235473204',
  pm_failed_at: 'AT861904300235473202', pm_delayedFailure_at: 'AT051904300235473205', pm_disputed_at: 'AT591904300235473203',
};

const card = (spec) => ({ type: 'card', brand: 'visa', funding: 'credit', country: 'US', ...spec });

// What a test token stands for, or null when the id is not one.
export function lookUpToken(id) {
  if (Object.hasOwn(SEPA_TOKENS, id)) return lookUpIban(SEPA_TOKENS[id]);
  const bank = /^pm_usBankAccount(?:_(\w+))?$/.exec(id);
  if (bank) {
    const name = bank[1] ?? 'success';
    return Object.hasOwn(US_BANK, name) ? { type: 'us_bank_account', verified: true, ...US_BANK[name] } : null;
  }
  const name = /^pm_card_(\w+)$/.exec(id)?.[1];
  if (name === undefined) return null;
  if (Object.hasOwn(BRANDS, name)) return card(BRANDS[name]);
  for (const spelling of [name, name.replace(/^visa_/, '')]) {
    if (Object.hasOwn(SPECIAL, spelling)) return card(SPECIAL[spelling]);
  }
  return null;
}

// A raw card number: the test numbers behave as their tokens; any other is wrong.
export function lookUpNumber(number) {
  const spec = [...Object.values(BRANDS), ...Object.values(SPECIAL)].find((s) => s.number === number);
  return spec ? card({ ...spec, wallet: undefined }) : null;
}

export function lookUpUsAccount(account) {
  const spec = Object.values(US_BANK).find((s) => s.account === account);
  return { type: 'us_bank_account', account, ...spec };
}

export function lookUpBecs(bsb, account) {
  return { type: 'au_becs_debit', bsb, account, ...BECS[account] };
}

export function lookUpIban(iban) {
  return { type: 'sepa_debit', iban, ...SEPA[iban] };
}

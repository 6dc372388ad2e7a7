// What Stripe accepts as an amount: minimum and maximum of each currency.

import { badParam } from './errors.mjs';

const MINIMUM = {
  usd: 50, aud: 50, brl: 50, cad: 50, chf: 50, eur: 50, inr: 50, nzd: 50, sgd: 50, gbp: 30, dkk: 250,
  nok: 300, sek: 300, hkd: 400, aed: 200, myr: 200, pln: 200, ron: 200, bgn: 100, czk: 1500,
  huf: 17500, mxn: 1000, thb: 1000, jpy: 50,
};

const MAX_DIGITS = { idr: 12, inr: 9 };

const ZERO_DECIMAL = new Set(['bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf']);
const THREE_DECIMAL = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);
const WHOLE_ONLY = new Set(['ugx', 'isk']);

const OTHERS = 'afn all amd ang aoa ars awg azn bam bbd bdt bmd bnd bob bsd bwp byn bzd cdf cny cop crc cve dop dzd egp etb fjd fkp gel gip gmd gtq gyd hnl htg idr ils jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mzn nad ngn nio npr pab pen pgk php pkr qar rsd rub sar sbd scr shp sle sos srd std szl tjs top try ttd twd tzs uah uyu uzs wst xcd yer zar zmw';

export const CURRENCIES = new Set([
  ...Object.keys(MINIMUM), ...ZERO_DECIMAL, ...THREE_DECIMAL, ...WHOLE_ONLY, ...OTHERS.split(' ')]);

export function display(amount, currency) {
  const digits = ZERO_DECIMAL.has(currency) ? 0 : THREE_DECIMAL.has(currency) ? 3 : 2;
  return `${(amount / 10 ** digits).toFixed(digits)} ${currency}`;
}

export function checkCurrency(currency) {
  if (!CURRENCIES.has(currency)) {
    throw badParam(`Invalid currency: ${currency}. Stripe currently supports these currencies: ${[...CURRENCIES].sort().join(', ')}`, 'currency');
  }
}

export function checkAmount(amount, currency, param = 'amount') {
  checkCurrency(currency);
  if (amount < 1) {
    throw badParam('This value must be greater than or equal to 1.', param, 'parameter_invalid_integer');
  }
  if (amount >= 10 ** (MAX_DIGITS[currency] ?? 8)) {
    throw badParam(`Amount must be no more than ${display(10 ** (MAX_DIGITS[currency] ?? 8) - 1, currency)}`, param, 'amount_too_large');
  }
  if (amount < (MINIMUM[currency] ?? 1)) {
    throw badParam(`Amount must be at least ${display(MINIMUM[currency], currency)}`, param, 'amount_too_small');
  }
  if (THREE_DECIMAL.has(currency) && amount % 10 !== 0) {
    throw badParam(`Invalid amount: the last digit must be 0 in ${currency}.`, param, 'invalid_charge_amount');
  }
  if (WHOLE_ONLY.has(currency) && amount % 100 !== 0) {
    throw badParam(`Invalid amount: the last two digits must be 00 in ${currency}.`, param, 'invalid_charge_amount');
  }
}

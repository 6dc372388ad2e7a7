// What differs between API versions, newest first.
//
// Objects are kept in the newest shape. An answer for an older Stripe-Version
// is the newest one walked backwards through this list: each entry says which
// version brought the change, where that is written, and how to take it back.
// Between 2024-04-10 and the newest only; older eras are not served.
//
// Sources: "node N" is the changelog of the npm package stripe at version N;
// "document" is Stripe's OpenAPI document of 2024-04-10.

export const NEWEST = '2026-10-28.endive';
export const OLDEST = '2024-04-10';

const drop = (...keys) => (object) => {
  for (const key of keys) delete object[key];
};

// Applies to a member that is a hash, and only when it is there.
const within = (path, undo) => (object) => {
  let node = object;
  for (const key of path.split('.')) {
    if (typeof node !== 'object' || node === null) return;
    node = node[key];
  }
  if (typeof node === 'object' && node !== null) undo(node);
};

const cardDetails = 'payment_method_details.card';

export const CHANGES = [
  { since: '2026-10-28', source: 'node 23.1.0', object: 'dispute',
    undo: [drop('intended_submission_method'), within('evidence_details', drop('submission_method')), within('evidence', drop('appeal'))] },
  { since: '2026-09-30', source: 'node 23.0.0', object: 'payment_intent', undo: [drop('payment_record')] },
  { since: '2026-09-30', source: 'node 23.0.0', object: 'charge',
    undo: [within(cardDetails, drop('electronic_commerce_indicator'))] },
  { since: '2026-09-30', source: 'node 23.0.0', object: 'account',
    undo: [within('business_profile', drop('specified_commercial_transactions_act_url'))] },
  { since: '2026-07-29', source: 'node 22.4.0', object: 'payment_intent', undo: [drop('allowed_payment_method_types')] },
  { since: '2026-07-29', source: 'node 22.4.0', object: 'setup_intent', undo: [drop('allowed_payment_method_types')] },
  { since: '2026-07-29', source: 'node 22.4.0', object: 'refund', undo: [drop('customer', 'customer_account', 'payment_method')] },
  { since: '2026-07-29', source: 'node 22.4.0', object: 'dispute', undo: [within(cardDetails, drop('network'))] },
  { since: '2026-06-24', source: 'node 22.3.0', object: 'charge', undo: [within(cardDetails, drop('transaction_link_id'))] },
  { since: '2026-04-22', source: 'node 22.1.0', object: 'payment_intent', undo: [drop('managed_payments')] },
  { since: '2026-04-22', source: 'node 22.1.0', object: 'setup_intent', undo: [drop('managed_payments')] },
  ...['customer', 'cash_balance', 'payment_method', 'payment_intent', 'setup_intent', 'setup_attempt'].map((object) => (
    { since: '2025-12-15', source: 'node 20.1.0', object, undo: [drop('customer_account')] })),
  ...['payment_intent', 'setup_intent'].map((object) => (
    { since: '2025-12-15', source: 'node 20.1.0', object,
      undo: [within('payment_method_options', drop('payto')), (intent) => { intent.payment_method_types = intent.payment_method_types.filter((type) => type !== 'payto'); }] })),
  { since: '2025-11-17', source: 'node 20.0.0', object: 'charge', undo: [within('payment_method_details.ideal', drop('transaction_id'))] },
  { since: '2025-10-29', source: 'node 19.2.0', object: 'customer', undo: [within('tax', drop('provider'))] },
  { since: '2025-10-29', source: 'node 19.2.0', object: 'setup_intent', undo: [drop('excluded_payment_method_types')] },
  { since: '2025-08-27', source: 'node 18.5.0', object: 'payment_intent', undo: [drop('excluded_payment_method_types')] },
  { since: '2025-05-28', source: 'node 18.2.0', object: 'balance_transaction', undo: [drop('balance_type')] },
  { since: '2025-04-30', source: 'node 18.1.0', object: 'charge', undo: [within('billing_details', drop('tax_id'))] },
  { since: '2025-04-30', source: 'node 18.1.0', object: 'payment_method', undo: [within('billing_details', drop('tax_id'))] },
  { since: '2025-04-30', source: 'node 18.1.0', object: 'account', undo: [within('business_profile', drop('minority_owned_business_designation'))] },
  { since: '2025-03-31', source: 'node 18.0.0', object: 'charge', undo: [(charge) => { charge.invoice = null; }] },
  { since: '2025-03-31', source: 'node 18.0.0', object: 'payment_intent', undo: [(intent) => { intent.invoice = null; }] },
  { since: '2025-01-27', source: 'node 17.6.0', object: 'charge', undo: [within('outcome', drop('advice_code'))] },
  { since: '2025-01-27', source: 'node 17.6.0', object: 'payment_intent', undo: [within('last_payment_error', drop('advice_code'))] },
  { since: '2025-01-27', source: 'node 17.6.0', object: 'setup_intent', undo: [within('last_setup_error', drop('advice_code'))] },
  { since: '2025-01-27', source: 'node 17.6.0', object: 'setup_attempt', undo: [within('setup_error', drop('advice_code'))] },
  { since: '2025-01-27', source: 'node 17.6.0', object: 'error', undo: [drop('advice_code')] },
  { since: '2024-12-18', source: 'node 17.5.0', object: 'charge',
    undo: [within('outcome', drop('network_advice_code', 'network_decline_code')), within(cardDetails, drop('network_transaction_id', 'regulated_status'))] },
  { since: '2024-12-18', source: 'node 17.5.0', object: 'payment_intent',
    undo: [within('last_payment_error', drop('network_advice_code', 'network_decline_code'))] },
  { since: '2024-12-18', source: 'node 17.5.0', object: 'setup_intent',
    undo: [within('last_setup_error', drop('network_advice_code', 'network_decline_code'))] },
  { since: '2024-12-18', source: 'node 17.5.0', object: 'payment_method', undo: [within('card', drop('regulated_status'))] },
  { since: '2024-10-28', source: 'node 17.3.0', object: 'dispute',
    undo: [drop('enhanced_eligibility_types'), within('evidence', drop('enhanced_evidence')), within('evidence_details', drop('enhanced_eligibility'))] },
  // Before the trains had names: what the SDK's release of that day added.
  { since: '2024-09-18', source: 'node 16.12.0', object: 'charge', undo: [within('payment_method_details.klarna', drop('payer_details'))] },
  { since: '2024-08-15', source: 'node 16.8.0', object: 'charge', undo: [within(cardDetails, drop('authorization_code'))] },
  { since: '2024-07-25', source: 'node 16.5.0', object: 'charge', undo: [within('payment_method_details.affirm', drop('transaction_id'))] },
  { since: '2024-07-25', source: 'node 16.5.0', object: 'dispute', undo: [within(cardDetails, drop('case_type'))] },
  // Legacy members the official types list and the document leaves out.
  { since: '2024-06-20', source: 'document', object: 'charge', undo: [drop('source')] },
  { since: '2024-06-20', source: 'document', object: 'payment_intent', undo: [drop('source')] },
];

// Whether a Stripe-Version header names a version this fake can speak.
export function known(version) {
  const match = /^(\d{4}-\d{2}-\d{2})(\.[a-z]+)?$/.exec(version);
  return Boolean(match) && match[1] >= OLDEST && match[1] <= NEWEST.slice(0, 10);
}

// Turns one object (a copy that may be changed) into an older version's shape.
// An error has no `object` member and goes by the name "error".
export function downgrade(object, version, type = object.object) {
  const date = version.slice(0, 10);
  for (const change of CHANGES) {
    if (change.since <= date) break;
    if (change.object === type) for (const undo of change.undo) undo(object);
  }
}

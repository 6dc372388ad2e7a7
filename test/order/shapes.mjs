// shapes.mjs: how an object looks in an event of a version of the API, and
// what an event says of a change.

export const NEWEST = '2026-10-28.endive';
export const BASIL = '2025-06-30.basil';
export const ACACIA = '2024-10-28.acacia';
export const VERSIONS = [NEWEST, BASIL, ACACIA];

const isHash = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// Without the model's own members.
function strip(value) {
  if (Array.isArray(value)) return value.map(strip);
  if (!isHash(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key[0] !== '_').map(([key, v]) => [key, strip(v)]));
}

function plan(itsPrice) {
  return {
    id: itsPrice.id, object: 'plan', active: itsPrice.active, amount: itsPrice.unit_amount, currency: itsPrice.currency,
    interval: itsPrice.recurring.interval, interval_count: 1, product: itsPrice.product, usage_type: 'licensed',
  };
}

function oldSubscription(object) {
  const { billing_mode: mode, items, ...rest } = object;
  const first = items.data[0];
  return {
    ...rest, discount: null, plan: plan(first.price), quantity: first.quantity,
    current_period_start: first.current_period_start, current_period_end: first.current_period_end,
    items: {
      ...items,
      data: items.data.map(({ current_period_start: start, current_period_end: end, ...entry }) => ({ ...entry, plan: plan(entry.price) })),
    },
  };
}

function oldLine(entry) {
  const { parent, pricing, taxes, _price: itsPrice, ...rest } = entry;
  return {
    ...rest, price: itsPrice, plan: plan(itsPrice), proration: parent.subscription_item_details.proration,
    subscription: parent.subscription_item_details.subscription,
    subscription_item: parent.subscription_item_details.subscription_item, tax_amounts: [], type: 'subscription',
  };
}

function oldInvoice(object) {
  const { parent, total_taxes: taxes, amount_overpaid: over, lines, ...rest } = object;
  return {
    ...rest, charge: object._charge ?? null, lines: { ...lines, data: lines.data.map(oldLine) },
    paid: object.status === 'paid', paid_out_of_band: object._outOfBand ?? false,
    payment_intent: object._paymentIntent ?? null, subscription: parent.subscription_details.subscription,
    subscription_details: { metadata: parent.subscription_details.metadata }, tax: null, total_tax_amounts: [],
  };
}

// An object as events and answers of a version show it.
export function render(object, version) {
  let shaped = object;
  if (version === ACACIA) {
    if (object.object === 'subscription') shaped = oldSubscription(object);
    else if (object.object === 'invoice') shaped = oldInvoice(object);
    else if (['payment_intent', 'charge'].includes(object.object)) shaped = { ...object, invoice: object._invoice ?? null };
  }
  return strip(shaped);
}

// What previous_attributes says: only what changed, with the old values; hashes
// hold only members that changed, arrays come whole, what is new was null.
export function previousAttributes(before, after) {
  const previous = {};
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[key], after[key]];
    if (JSON.stringify(was) === JSON.stringify(is)) continue;
    previous[key] = isHash(was) && isHash(is) ? previousAttributes(was, is) : was ?? null;
  }
  return previous;
}

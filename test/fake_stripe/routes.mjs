// The table of endpoints: gathered from the object modules, matched by path.
//
// A route is { method, path, params, returns, run }. `:id` in a path is handed
// to run(ctx, params, id). Adding an object type is adding its module here.

import { compile } from './params.mjs';
import { routes as account } from './objects/account.mjs';
import { routes as balance } from './objects/balance_transactions.mjs';
import { routes as charges } from './objects/charges.mjs';
import { routes as customers } from './objects/customers.mjs';
import { routes as disputes } from './objects/disputes.mjs';
import { routes as events } from './objects/events.mjs';
import { routes as mandates } from './objects/mandates.mjs';
import { routes as paymentIntents } from './objects/payment_intents.mjs';
import { routes as paymentMethods } from './objects/payment_methods.mjs';
import { routes as refunds } from './objects/refunds.mjs';
import { routes as setupIntents } from './objects/setup_intents.mjs';

export const ROUTES = [
  ...customers, ...paymentMethods, ...setupIntents, ...paymentIntents, ...charges, ...refunds,
  ...disputes, ...balance, ...mandates, ...events, ...account,
].map((route) => ({
  ...route,
  name: `${route.method} ${route.path}`,
  parts: route.path.split('/'),
  resource: route.resource ?? route.path.split('/')[2],
  table: compile(route.params),
}));

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// A fixed word in a path beats an id, whatever the order of the table.
export function findRoute(method, path) {
  const parts = path.split('/');
  let best = null;
  for (const route of ROUTES) {
    if (route.method !== method || route.parts.length !== parts.length) continue;
    const ids = [];
    const fits = route.parts.every((part, i) => {
      if (!part.startsWith(':')) return part === parts[i];
      ids.push(decode(parts[i]));
      return parts[i] !== '';
    });
    if (fits && (!best || ids.length < best.ids.length)) best = { route, ids };
  }
  return best;
}

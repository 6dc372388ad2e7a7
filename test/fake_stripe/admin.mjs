// The admin listener: what a test uses to look inside the fake and to make
// things happen that no API call can. Plain HTTP and JSON, on loopback only.

import http from 'node:http';
import { ApiError } from './errors.mjs';
import { Context } from './world.mjs';
import { advanceIntent } from './objects/attempts.mjs';
import { settle } from './objects/charges.mjs';
import { advanceDispute, openDispute } from './objects/disputes.mjs';
import { cancelIntent } from './objects/payment_intents.mjs';
import { advanceRefund } from './objects/refunds.mjs';
import { advanceSetup } from './objects/setup_intents.mjs';

class AdminError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function locate(world, id) {
  const found = world.locate(id);
  if (!found) throw new AdminError(404, `no object ${id}`);
  return { ...found, ctx: new Context(world, found.mode) };
}

// RFC 7396: a null removes... except that a Stripe object keeps its members,
// so null is stored as null.
function merge(target, patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && typeof target[key] === 'object' && target[key] !== null) merge(target[key], value);
    else target[key] = value;
  }
}

function books(world) {
  const out = { totals: { charges: { count: 0, amount: 0 }, authorizations: { count: 0, amount: 0 }, refunds: { count: 0, amount: 0 } } };
  for (const mode of world.modes()) {
    for (const [type, objects] of mode.types) {
      if (type !== 'event') (out[type] ??= []).push(...objects.values());
    }
    for (const charge of mode.all('charge').values()) {
      if (charge.status !== 'succeeded') continue;
      const total = out.totals[charge.captured ? 'charges' : 'authorizations'];
      total.count++;
      total.amount += charge.captured ? charge.amount_captured : charge.amount;
    }
    for (const refund of mode.all('refund').values()) {
      if (mode.note(refund.id).release || ['failed', 'canceled'].includes(refund.status)) continue;
      out.totals.refunds.count++;
      out.totals.refunds.amount += refund.amount;
    }
  }
  return out;
}

// Lets everything that Stripe finishes by itself finish: balance transactions
// of automatic_async payments, refunds of the slow and failing cards.
function settleAll(world) {
  let settled = 0;
  for (const mode of world.modes()) {
    const ctx = new Context(world, mode);
    for (const charge of mode.all('charge').values()) {
      if (charge.captured && charge.status === 'succeeded' && !charge.balance_transaction) {
        settle(ctx, charge, { event: true });
        settled++;
      }
    }
    for (const refund of mode.all('refund').values()) {
      const { later } = ctx.note(refund.id);
      if (!later) continue;
      advanceRefund(ctx, refund, later);
      settled++;
    }
  }
  return { settled };
}

function events(world, query) {
  const all = [];
  for (const mode of world.modes()) all.push(...mode.all('event').values());
  const type = query.get('type');
  return type ? all.filter((event) => event.type === type) : all;
}

function advance({ world }, id, { to, code, decline_code, message }) {
  if (!to) throw new AdminError(400, 'to is missing');
  const { ctx, object } = locate(world, id);
  const failure = code ? { code, decline_code, message: message ?? 'The payment failed.' } : null;
  if (object.object === 'setup_intent') return advanceSetup(ctx, object, to, failure);
  if (object.object !== 'payment_intent') throw new AdminError(400, `${id} is a ${object.object}, not an intent`);
  if (to === 'canceled') return cancelIntent(ctx, object, 'automatic');
  return advanceIntent(ctx, object, to, failure);
}

function dispute({ world }, { id, charge, ...rest }) {
  if (id) {
    const { ctx, object } = locate(world, id);
    advanceDispute(ctx, object, rest.status);
    return object;
  }
  const found = charge ? locate(world, charge) : null;
  if (found?.object.object !== 'charge') throw new AdminError(400, 'charge is missing or not a charge');
  return openDispute(found.ctx, found.object, rest);
}

function mutate({ world }, id, { event, ...patch }) {
  const { ctx, object } = locate(world, id);
  const before = structuredClone(object);
  merge(object, patch);
  if (event) {
    const previous = Object.fromEntries(Object.keys(patch).map((key) => [key, before[key] ?? null]));
    ctx.emit(event, object, event.endsWith('.updated') ? previous : undefined);
  }
  return object;
}

const ROUTES = [
  ['POST', '/reset', (s) => {
    s.world.clear(); s.keys.clear(); s.faults.clear(); s.recorder.clear(); s.api.limiter.clear();
    return { ok: true };
  }],
  ['GET', '/requests', (s, body, query) => s.recorder.show(Number(query.get('after') ?? 0))],
  ['DELETE', '/requests', (s) => { s.recorder.clear(); return { ok: true }; }],
  ['POST', '/recording', (s, body) => { s.recorder.enabled = body.enabled !== false; return { enabled: s.recorder.enabled }; }],
  ['GET', '/connections', (s) => s.recorder.connections],
  ['DELETE', '/connections', (s) => { s.transport.disconnect(); return { ok: true }; }],
  ['GET', '/books', (s) => books(s.world)],
  ['GET', '/events', (s, body, query) => events(s.world, query)],
  ['GET', '/keys', (s) => [...s.keys.registered.values()]],
  ['POST', '/keys', (s, body) => s.keys.register(body)],
  ['GET', '/faults', (s) => s.faults.show()],
  ['POST', '/faults', (s, body) => { const { id } = s.faults.add(body); return { id }; }],
  ['DELETE', '/faults', (s) => { s.faults.clear(); return { ok: true }; }],
  ['GET', '/objects/:id', (s, body, query, id) => locate(s.world, id).object],
  ['POST', '/objects/:id', (s, body, query, id) => mutate(s, id, body)],
  ['POST', '/advance/:id', (s, body, query, id) => advance(s, id, body)],
  ['POST', '/refunds/:id', (s, body, query, id) => {
    const { ctx, object } = locate(s.world, id);
    if (object.object !== 'refund') throw new AdminError(400, `${id} is not a refund`);
    if (!['succeeded', 'failed', 'pending', 'requires_action', 'canceled'].includes(body.to)) throw new AdminError(400, 'to is not a refund status');
    advanceRefund(ctx, object, body.to, body.failure_reason);
    return object;
  }],
  ['POST', '/disputes', (s, body) => dispute(s, body)],
  ['POST', '/settle', (s) => settleAll(s.world)],
  ['GET', '/clock', (s) => ({ offset_ms: s.world.offset, now: s.world.nowMs() / 1000 })],
  ['POST', '/clock', (s, body) => {
    if (!Number.isFinite(body.offset_ms)) throw new AdminError(400, 'offset_ms is a number of milliseconds');
    s.world.offset = body.offset_ms;
    return { offset_ms: s.world.offset, now: s.world.nowMs() / 1000 };
  }],
  ['POST', '/cash/:id', (s, body, query, id) => {
    const { ctx } = locate(s.world, id);
    const note = ctx.note(id);
    note.cash = { ...note.cash, [body.currency]: (note.cash?.[body.currency] ?? 0) + body.amount };
    return note.cash;
  }],
  ['POST', '/rate', (s, body) => {
    s.api.limiter.clear();
    s.world.rate = body.limit_per_s || body.endpoint_per_s ? body : null;
    return { rate: s.world.rate };
  }],
].map(([method, path, run]) => ({ method, parts: path.split('/'), run }));

function find(method, path) {
  const parts = path.split('/');
  for (const route of ROUTES) {
    if (route.method !== method || route.parts.length !== parts.length) continue;
    if (route.parts.every((part, i) => part.startsWith(':') || part === parts[i])) {
      return { run: route.run, ids: parts.filter((part, i) => route.parts[i].startsWith(':')).map(decodeURIComponent) };
    }
  }
  throw new AdminError(404, `the admin does not know ${method} ${path}; see README.md`);
}

async function serve(state, req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  let body = {};
  try {
    if (text) body = JSON.parse(text);
  } catch (error) {
    throw new AdminError(400, `the body is not JSON: ${error.message}`);
  }
  const url = new URL(req.url, 'http://admin');
  const { run, ids } = find(req.method, url.pathname);
  try {
    return run(state, body, url.searchParams, ...ids);
  } catch (error) {
    if (error instanceof AdminError) throw error;
    throw new AdminError(error instanceof ApiError ? 409 : 400, error.message);
  }
}

export async function startAdmin(port, state) {
  const server = http.createServer((req, res) => {
    serve(state, req).then((value) => [200, value], (error) => [error.status ?? 500, { error: error.message }]).then(([status, value]) => {
      const text = Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
      res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length });
      res.end(text);
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server.address().port;
}

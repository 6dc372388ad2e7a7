// Faults on demand: what the admin asked to go wrong, and for which request.
//
// This module keeps the list and answers "does a fault apply now?". What a
// fault does to the bytes on the wire is transport.mjs.

// Applied when a connection is accepted, before any request is known.
const CONNECTION = new Set(['hang_accept', 'hang_tls', 'reset_accept']);

// For each type: is the work done before things go wrong? A fault may say
// otherwise with `work`, where both make sense.
const WORK = {
  hang_headers: false, hang_body: true, lost_answer: true, reset: false, reset_mid_body: true, slow: true, delay: true,
  status: false, status_after_work: true, garbage: true, wrong_content_type: true, empty: true, truncated: true,
  invalid_utf8: true, nul: true, deep: true, huge: true, redirect: false, close_idle: true, big_headers: true,
};

const BODY = (error) => ({ error: { type: 'invalid_request_error', ...error } });

// Short names for answers of Stripe's own: each becomes a `status`.
const PRESETS = {
  key_in_use: () => ({ status: 409, body: BODY({ type: 'idempotency_error', code: 'idempotency_key_in_use', message: 'There is currently another in-progress request using this Idempotent Key.' }) }),
  rate_limit: (f) => ({
    status: 429,
    headers: { ...(f.retry_after === undefined ? {} : { 'Retry-After': String(f.retry_after) }), 'Stripe-Rate-Limited-Reason': f.reason ?? 'global-rate' },
    body: BODY({ code: 'rate_limit', message: 'Request rate limit exceeded.' }),
  }),
  lock_timeout: () => ({
    status: 429, headers: { 'Stripe-Should-Retry': 'true' },
    body: BODY({ code: 'lock_timeout', message: 'This object cannot be accessed right now because another API request or Stripe process is currently accessing it.' }),
  }),
  server_error: (f) => ({
    status: f.status ?? 500,
    headers: f.should_retry === undefined ? {} : { 'Stripe-Should-Retry': String(f.should_retry) },
    body: { error: { type: 'api_error', message: 'An unknown error occurred' } },
  }),
};

export class Faults {
  constructor() {
    this.clear();
  }

  clear() {
    this.list = [];
    this.next = 1;
  }

  add({ match = {}, fault }) {
    if (!fault?.type) throw new Error('fault.type is missing');
    const { method, path, n, count = 1, ...rest } = match;
    if (Object.keys(rest).length > 0) throw new Error(`match does not know ${Object.keys(rest).join(', ')}`);
    let what = fault;
    if (PRESETS[fault.type]) what = { work: false, ...fault, ...PRESETS[fault.type](fault), type: 'status' };
    if (!CONNECTION.has(what.type) && !(what.type in WORK)) throw new Error(`unknown fault type ${fault.type}; known: ${[...CONNECTION, ...Object.keys(WORK), ...Object.keys(PRESETS)].join(', ')}`);
    const entry = {
      id: this.next++, match: { method, path, n, count }, fault: { work: WORK[what.type], ...what },
      seen: 0, left: n === undefined ? count : Math.min(count, 1), connection: CONNECTION.has(what.type),
      test: pathTest(path),
    };
    this.list.push(entry);
    return entry;
  }

  show() {
    return this.list.map(({ id, match, fault, seen, left }) => ({ id, match, fault, seen, left }));
  }

  forConnection() {
    const entry = this.list.find((e) => e.connection && e.left > 0);
    if (!entry) return null;
    entry.seen++;
    entry.left--;
    return entry.fault;
  }

  forRequest(method, path) {
    let chosen = null;
    for (const entry of this.list) {
      if (entry.connection || entry.left <= 0) continue;
      if (entry.match.method !== undefined && entry.match.method !== method) continue;
      if (!entry.test(path)) continue;
      entry.seen++;
      if (chosen || (entry.match.n !== undefined && entry.seen !== entry.match.n)) continue;
      entry.left--;
      chosen = entry.fault;
    }
    return chosen;
  }
}

// A path is a prefix, or a regular expression between slashes that is not
// itself an API path: /^\/v1\/refunds$/.
function pathTest(path) {
  if (path === undefined) return () => true;
  if (path.length > 2 && path.startsWith('/') && path.endsWith('/') && !path.startsWith('/v')) {
    const regex = new RegExp(path.slice(1, -1));
    return (actual) => regex.test(actual) || regex.test(actual.split('?')[0]);
  }
  return (actual) => actual.startsWith(path);
}

// Idempotency keys as Stripe keeps them: per account and mode, for 24 hours,
// the status and body of the first request whose endpoint began to execute.

import { keyInUse, keyMismatch } from './errors.mjs';

const DAY = 24 * 3600 * 1000;

// A key's entry is { fingerprint, at, running, status, body, requestId }.
// Returns null when the request is new, or the entry to replay.
export function lookUp(mode, key, fingerprint, nowMs, method, path) {
  const entry = mode.idempotency.get(key);
  if (!entry) return null;
  if (nowMs - entry.at >= DAY) {
    mode.idempotency.delete(key);
    return null;
  }
  if (entry.running) throw keyInUse(key);
  if (entry.fingerprint !== fingerprint) throw keyMismatch(key, method, path);
  return entry;
}

export function begin(mode, key, fingerprint, nowMs) {
  const entry = { fingerprint, at: nowMs, running: true };
  mode.idempotency.set(key, entry);
  return entry;
}

export function finish(entry, status, body, requestId) {
  Object.assign(entry, { running: false, status, body, requestId });
}

export function abandon(mode, key) {
  mode.idempotency.delete(key);
}

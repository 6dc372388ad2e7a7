// The rate limiter in front of the API: off until the admin turns it on.

export class Limiter {
  constructor() {
    this.windows = new Map();
  }

  clear() {
    this.windows.clear();
  }

  // rate: { limit_per_s, endpoint_per_s, retry_after }. Counts admitted
  // requests over the last second; says why a request is refused, or null.
  check(rate, account, livemode, endpoint, nowMs) {
    if (!rate) return null;
    const global = rate.limit_per_s && this.window(`${account} ${livemode}`, nowMs);
    const single = rate.endpoint_per_s && this.window(`${account} ${livemode} ${endpoint}`, nowMs);
    let reason = null;
    if (global && global.length >= rate.limit_per_s) reason = 'global-rate';
    else if (single && single.length >= rate.endpoint_per_s) reason = 'endpoint-rate';
    if (reason) return { reason, headers: rate.retry_after === undefined ? {} : { 'Retry-After': String(rate.retry_after) } };
    global && global.push(nowMs);
    single && single.push(nowMs);
    return null;
  }

  window(name, nowMs) {
    const old = this.windows.get(name) ?? [];
    const live = old.filter((t) => t > nowMs - 1000);
    this.windows.set(name, live);
    return live;
  }
}

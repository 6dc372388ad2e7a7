// One API request, from headers and bytes to status, headers and bytes.
//
// start() does what Stripe does before an endpoint runs: key, limiter, route,
// permission, idempotency, parameters. finish() runs the endpoint and stores
// the idempotent result. They are apart so that a fault can hold a request
// between the two, with its key in flight. No sockets here.

import { ApiError, badParam, forbidden, internal, rateLimited, unknownUrl } from './errors.mjs';
import { canonical, parseForm } from './form.mjs';
import { abandon, begin, finish, lookUp } from './idempotency.mjs';
import { authorize } from './keys.mjs';
import { check } from './params.mjs';
import { Limiter } from './limiter.mjs';
import { findRoute } from './routes.mjs';
import { downgrade, known, NEWEST } from './versions.mjs';
import { checkExpand, render } from './view.mjs';
import { Context, token } from './world.mjs';

export class Api {
  constructor(world, keys) {
    this.world = world;
    this.keys = keys;
    this.limiter = new Limiter();
  }

  // request: { method, path (with query), headers (lower case), body (utf8) }
  start(request) {
    const answer = new Answer(this, request);
    try {
      answer.prepare();
    } catch (error) {
      answer.fail(error);
    }
    return answer;
  }

  // For a caller with nothing to do in between.
  handle(request) {
    return this.start(request).finish();
  }
}

class Answer {
  constructor(api, request) {
    this.api = api;
    this.request = request;
    this.requestId = `req_${token(14)}`;
    this.headers = {};
    this.entry = null;
    this.status = 0;
    this.body = '';
  }

  prepare() {
    const { method, path, headers, body } = this.request;
    const question = path.indexOf('?');
    const bare = question < 0 ? path : path.slice(0, question);
    const query = question < 0 ? '' : path.slice(question + 1);

    this.version = headers['stripe-version'] ?? NEWEST;
    this.headers['Stripe-Version'] = this.version;
    if (method === 'POST' && headers['idempotency-key'] !== undefined) {
      this.headers['Idempotency-Key'] = headers['idempotency-key'];
    }
    const who = this.api.keys.authenticate(headers.authorization);
    this.who = who;
    let { account } = who;
    if (headers['stripe-account'] !== undefined) account = this.connected(headers['stripe-account']);
    if (!known(this.version)) {
      throw badParam(`Invalid Stripe API version: ${this.version}. You can view your current API version and upgrade to the latest version at https://dashboard.stripe.com/developers.`);
    }
    const found = findRoute(method, bare);
    const limited = this.api.limiter.check(this.api.world.rate, account, who.livemode, found?.route.name, Date.now());
    if (limited) throw rateLimited(limited.reason, limited.headers);
    if (!found) throw unknownUrl(method, bare);
    this.route = found.route;
    this.ids = found.ids;
    authorize(who, found.route.resource, method);

    const nowMs = this.api.world.nowMs();
    const mode = this.api.world.mode(account, who.livemode);
    const tree = this.readParams(method, query, body, headers['content-type']);
    this.context = new Context(this.api.world, mode, { version: this.version, requestId: this.requestId });
    const key = this.idempotencyKey(method, headers);
    if (key !== null) {
      const fingerprint = `${method} ${bare} ${canonical(tree)}`;
      const seen = lookUp(mode, key, fingerprint, nowMs, method, bare);
      if (seen) {
        this.replay(seen);
        return;
      }
      this.context.idempotencyKey = key;
      this.fingerprint = fingerprint;
    }
    this.params = check(this.route.table, tree, this.version);
    checkExpand(this.params.expand, this.route.returns);
    if (key !== null) this.entry = begin(mode, key, this.fingerprint, nowMs);
  }

  // Any well-formed account id is an account of the platform's.
  connected(id) {
    this.headers['Stripe-Account'] = id;
    if (!/^acct_[A-Za-z0-9]{4,}$/.test(id)) {
      throw forbidden(`The provided key does not have access to account '${id}' (or that account does not exist). Application access may have been revoked.`, 'account_invalid');
    }
    return id;
  }

  readParams(method, query, body, contentType) {
    const tree = parseForm(query);
    if (method !== 'POST' || body === '') return tree;
    if (contentType !== undefined && !/^application\/x-www-form-urlencoded\b/i.test(contentType)) {
      throw badParam(`Invalid request: the Content-Type ${contentType} is not supported here; send application/x-www-form-urlencoded.`);
    }
    return Object.assign(tree, parseForm(body));
  }

  idempotencyKey(method, headers) {
    const key = headers['idempotency-key'];
    if (method !== 'POST' || key === undefined || key === '') return null;
    if (key.length > 255) {
      throw badParam('Idempotency key is too long: it can be at most 255 characters.');
    }
    return key;
  }

  replay(seen) {
    this.done = true;
    this.status = seen.status;
    this.body = seen.body;
    this.headers['Idempotent-Replayed'] = 'true';
    this.headers['Original-Request'] = seen.requestId;
  }

  // An error before the endpoint ran, or out of it.
  fail(error) {
    let shown = error;
    if (!(error instanceof ApiError)) {
      process.stderr.write(`fake Stripe: ${error.stack}\n`);
      shown = internal('The fake Stripe failed: its own bug, see its standard error.');
    }
    this.done = true;
    this.failed = shown;
    this.status = shown.status;
    const body = { error: { ...shown.error } };
    // Objects inside an error are answers too, in the caller's version.
    for (const name of ['payment_intent', 'setup_intent', 'payment_method']) {
      if (body.error[name]) body.error[name] = render(this.context, body.error[name]);
    }
    downgrade(body.error, this.version ?? NEWEST, 'error');
    if (this.who) body.error.request_log_url = `https://dashboard.stripe.com/${this.who.livemode ? '' : 'test/'}logs/${this.requestId}?t=${this.api.world.now()}`;
    this.body = `${JSON.stringify(body, null, 2)}\n`;
    Object.assign(this.headers, shown.headers);
  }

  finish() {
    if (!this.done) {
      try {
        const result = this.route.run(this.context, this.params, ...this.ids);
        this.status = 200;
        this.body = `${JSON.stringify(render(this.context, result, this.params.expand), null, 2)}\n`;
        this.done = true;
      } catch (error) {
        this.fail(error);
      }
      if (this.entry) {
        if (this.failed && !this.failed.stored) abandon(this.context.mode, this.context.idempotencyKey);
        else finish(this.entry, this.status, this.body, this.requestId);
        if (!this.failed || this.failed.stored) this.headers['Original-Request'] = this.requestId;
      }
    }
    return this;
  }

  // Stripe answered 500 after the work: that is what the key remembers.
  storeFailure(status, body) {
    if (this.entry) finish(this.entry, status, body, this.requestId);
  }
}

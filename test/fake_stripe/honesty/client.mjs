/*
 * Starts the fake and makes official clients for it, over TLS with its CA.
 *
 * Each client keeps what went over the wire: the request as the SDK wrote it
 * and the JSON as the fake answered, before the SDK makes objects of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Stripe from 'stripe';
import { newestVersion } from './sdk.mjs';

const launcher = fileURLToPath(new URL('../../../script/fake-stripe', import.meta.url));

export const SECRET_KEY = 'sk_test_honesty';

export class Fake {
  /* A running fake; stop() ends it.  It also ends by itself when we do, since
   * it watches its standard input. */
  static async start() {
    const child = spawn(launcher, ['--quiet', '--exit-on-stdin-close'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const line = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line').then(([text]) => text),
      once(child, 'exit').then(([code]) => { throw new Error(`the fake ended with ${code} before it was ready`); }),
      once(child, 'error').then(([error]) => { throw error; }),
    ]);
    return new Fake(child, JSON.parse(line));
  }

  constructor(child, { https, admin, ca }) {
    this.child = child;
    this.https = new URL(https);
    this.admin = new URL(admin);
    this.ca = readFileSync(ca, 'utf8');
    /* Every exchange of every client: { method, path, headers, body, status, json }. */
    this.exchanges = [];
    this.agents = [];
  }

  async stop() {
    for (const agent of this.agents) agent.destroy();
    const ended = this.child.exitCode === null ? once(this.child, 'exit') : null;
    this.child.stdin.end();
    await ended;
  }

  /* The admin interface: call('GET', '/requests'), call('POST', '/faults', {…}). */
  async call(method, path, body) {
    const response = await fetch(new URL(path, this.admin), {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /* An official client.  Retries are off unless asked for. */
  client({ key = SECRET_KEY, apiVersion = newestVersion, ...config } = {}) {
    const agent = new Agent({ ca: this.ca, keepAlive: true });
    this.agents.push(agent);
    return new Stripe(key, {
      apiVersion,
      protocol: 'https',
      host: this.https.hostname,
      port: this.https.port,
      maxNetworkRetries: 0,
      telemetry: false,
      httpClient: recording(Stripe.createNodeHttpClient(agent), this.exchanges),
      ...config,
    });
  }
}

/* A copy of the SDK's own HTTP client that writes every exchange down. */
function recording(inner, exchanges) {
  return Object.assign(Object.create(Object.getPrototypeOf(inner)), inner, {
    async makeRequest(host, port, path, method, headers, data, ...rest) {
      const exchange = { method, path, headers: { ...headers }, body: data };
      exchanges.push(exchange);
      const response = await inner.makeRequest(host, port, path, method, headers, data, ...rest);
      exchange.status = response.getStatusCode();
      const toJSON = response.toJSON.bind(response);
      response.toJSON = async () => {
        const json = await toJSON();
        exchange.json = structuredClone(json);
        return json;
      };
      return response;
    },
  });
}

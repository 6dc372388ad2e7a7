// Starts a fake Stripe of its own for a test file, and talks to it.

import { spawn } from 'node:child_process';
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../server.mjs', import.meta.url));

export const KEY = 'sk_test_harness';

export function encode(value, prefix = '') {
  return Object.entries(value).map(([key, item]) => {
    const name = prefix ? `${prefix}[${key}]` : key;
    return typeof item === 'object' ? encode(item, name) : `${name}=${encodeURIComponent(item)}`;
  }).filter((part) => part !== '').join('&');
}

// Stops with the test process: its standard input closes.
export async function start() {
  const child = spawn(process.execPath, [SERVER, '--quiet', '--exit-on-stdin-close'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the fake stopped with ${code}`)));
  });
  const ready = JSON.parse(line);
  return new Fake(ready, child);
}

class Fake {
  constructor(ready, child) {
    const { admin, ...rest } = ready;
    Object.assign(this, rest, { adminUrl: admin, child });
    this.caText = readFileSync(ready.ca);
    this.agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true, ca: this.caText }) };
  }

  stop() {
    for (const agent of Object.values(this.agents)) agent.destroy();
    const gone = new Promise((resolve) => { this.child.once('exit', resolve); });
    this.child.stdin.end();
    return gone;
  }

  // Any request; resolves to { status, headers, bytes }, rejects as the socket does.
  raw(method, url, { headers = {}, body, timeout = 5000, agent } = {}) {
    const target = new URL(url);
    const client = target.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      const req = client.request(target, { method, headers, agent: agent ?? this.agents[target.protocol], timeout }, (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          if (res.complete) resolve({ status: res.statusCode, headers: res.headers, bytes: Buffer.concat(chunks), ended: performance.now() });
          else reject(new Error('answer cut short'));
        });
      });
      req.on('timeout', () => req.destroy(new Error('timeout')));
      req.on('error', reject);
      req.end(body);
    });
  }

  // An API call: params as Stripe nests them; resolves to the parsed answer,
  // with its status and headers beside it.
  async call(method, path, params = {}, { key = KEY, version, idempotency, headers = {}, base = this.http, timeout } = {}) {
    const form = encode(params);
    const read = method !== 'POST';
    const sent = {
      Authorization: `Bearer ${key}`, ...(version && { 'Stripe-Version': version }), ...(idempotency && { 'Idempotency-Key': idempotency }),
      ...(read ? {} : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(form) }), ...headers,
    };
    const answer = await this.raw(method, base + path + (read && form ? `?${form}` : ''), { headers: sent, body: read ? undefined : form, timeout });
    return { ...JSON.parse(answer.bytes), http: answer.status, headers: answer.headers };
  }

  get(path, params, options) { return this.call('GET', path, params, options); }

  post(path, params, options) { return this.call('POST', path, params, options); }

  async admin(method, path, body) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.raw(method, this.adminUrl + path, { body: text, headers: text ? { 'Content-Length': Buffer.byteLength(text) } : {} });
    const value = JSON.parse(answer.bytes);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${value.error}`);
    return value;
  }
}

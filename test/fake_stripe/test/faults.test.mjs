// Each fault, as a client sees it on the wire.

import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { after, before, beforeEach, test } from 'node:test';
import { KEY, start } from './harness.mjs';

let fake;
before(async () => { fake = await start(); });
after(() => fake.stop());
beforeEach(() => fake.admin('POST', '/reset'));

const AUTH = { Authorization: `Bearer ${KEY}` };
const fault = (what, match) => fake.admin('POST', '/faults', { match, fault: what });
const get = (options = {}) => fake.raw('GET', `${fake.https}/v1/account`, { headers: AUTH, ...options });
const create = (options = {}) => fake.raw('POST', `${fake.http}/v1/customers`, { headers: { ...AUTH, 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'name=Ada', ...options });
const customers = async () => (await fake.get('/v1/customers')).data.length;

// A client that asks nothing of the answer: every byte until the end, or what
// ended it.
function bytesOf(path, ms = 400) {
  return new Promise((resolve) => {
    const url = new URL(fake.http);
    const socket = net.connect(Number(url.port), url.hostname);
    const chunks = [];
    let reset = false;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (error) => { reset = error.code === 'ECONNRESET'; });
    const done = (closed) => {
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString('latin1'), closed, reset });
    };
    const timer = setTimeout(() => done(false), ms);
    socket.on('close', () => { clearTimeout(timer); done(true); });
  });
}

test('hang_accept and hang_tls: the handshake never ends', async () => {
  for (const type of ['hang_accept', 'hang_tls']) {
    await fault({ type });
    const started = performance.now();
    await assert.rejects(get({ timeout: 200, agent: new https.Agent({ ca: fake.caText }) }), /timeout|socket/);
    assert.ok(performance.now() - started >= 190, type);
    assert.equal((await get({ agent: new https.Agent({ ca: fake.caText }) })).status, 200);
  }
});

test('hang_headers: read, recorded, never answered; the work only when asked', async () => {
  await fault({ type: 'hang_headers' });
  await assert.rejects(create({ timeout: 150 }), /timeout/);
  assert.equal(await customers(), 0);
  await fault({ type: 'hang_headers', work: true });
  await assert.rejects(create({ timeout: 150 }), /timeout/);
  assert.equal(await customers(), 1);
});

test('hang_body, truncated and reset_mid_body send headers and half a body', async () => {
  await fault({ type: 'hang_body' });
  const hung = await bytesOf('/v1/account');
  assert.equal(hung.closed, false);
  await fault({ type: 'truncated' });
  const cut = await bytesOf('/v1/account');
  assert.equal(cut.closed && !cut.reset, true);
  await fault({ type: 'reset_mid_body' });
  const reset = await bytesOf('/v1/account');
  assert.equal(reset.reset, true);
  for (const { text } of [hung, cut, reset]) {
    const length = Number(/Content-Length: (\d+)/.exec(text)[1]);
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    assert.equal(body.length, Math.ceil(length / 2));
  }
});

test('lost_answer does the work, reset does not; neither sends a byte', async () => {
  await fault({ type: 'lost_answer' });
  await assert.rejects(create(), /socket hang up|ECONNRESET/);
  assert.equal(await customers(), 1);
  await fault({ type: 'reset' });
  await assert.rejects(create(), /ECONNRESET|socket hang up/);
  assert.equal(await customers(), 1);
  await fault({ type: 'reset' });
  const { text, reset } = await bytesOf('/v1/account');
  assert.equal(text, '');
  assert.equal(reset, true);
});

test('slow and delay take their time and end well', async () => {
  await fault({ type: 'slow', chunk: 200, delay_ms: 20 });
  const slow = performance.now();
  assert.equal(JSON.parse((await get()).bytes).object, 'account');
  assert.ok(performance.now() - slow > 60);
  await fault({ type: 'delay', ms: 150 });
  const late = performance.now();
  assert.equal((await get()).status, 200);
  assert.ok(performance.now() - late >= 145);
});

test('status and its short names answer verbatim without the work', async () => {
  await fault({ type: 'status', status: 503, headers: { 'X-Test': '1' }, body: 'not here' });
  const plain = await create();
  assert.equal(plain.status, 503);
  assert.equal(plain.headers['x-test'], '1');
  assert.equal(plain.bytes.toString(), 'not here');
  for (const [what, status, header, value] of [
    [{ type: 'key_in_use' }, 409], [{ type: 'rate_limit', retry_after: 2 }, 429, 'retry-after', '2'],
    [{ type: 'rate_limit' }, 429, 'stripe-rate-limited-reason', 'global-rate'], [{ type: 'lock_timeout' }, 429, 'stripe-should-retry', 'true'],
    [{ type: 'server_error' }, 500], [{ type: 'server_error', status: 503, should_retry: false }, 503, 'stripe-should-retry', 'false'],
  ]) {
    await fault(what);
    const answer = await create();
    assert.equal(answer.status, status);
    if (header) assert.equal(answer.headers[header], value);
    assert.ok(JSON.parse(answer.bytes).error.type);
    assert.match(answer.headers['request-id'], /^req_/);
  }
  assert.equal(await customers(), 0);
});

test('bodies that are not what they should be', async () => {
  await fault({ type: 'garbage' });
  const garbage = await get();
  assert.throws(() => JSON.parse(garbage.bytes));
  await fault({ type: 'wrong_content_type' });
  assert.match((await get()).headers['content-type'], /html/);
  await fault({ type: 'empty' });
  assert.equal((await get()).bytes.length, 0);
  await fault({ type: 'invalid_utf8' });
  const broken = await get();
  assert.throws(() => new TextDecoder('utf8', { fatal: true }).decode(broken.bytes));
  await fault({ type: 'nul' });
  assert.equal(JSON.parse((await get()).bytes).id, 'x\0y');
  await fault({ type: 'deep', depth: 5000 });
  assert.equal((await get()).bytes.toString().match(/\{/g).length, 5000);
  await fault({ type: 'redirect', location: 'https://example.org/elsewhere' });
  const redirect = await get();
  assert.equal(redirect.status, 302);
  assert.equal(redirect.headers.location, 'https://example.org/elsewhere');
  await fault({ type: 'big_headers', size: 12000 });
  assert.ok(JSON.stringify((await get()).headers).length > 12000);
});

test('huge: many bytes, or few that become many', async () => {
  await fault({ type: 'huge', size: 2_000_000 });
  assert.equal(JSON.parse((await get()).bytes).padding.length, 2_000_000 - 48);
  await fault({ type: 'huge', size: 2_000_000, gzip: true });
  const packed = await get();
  assert.ok(packed.bytes.length < 20_000);
  assert.equal(gunzipSync(packed.bytes).length, 2_000_000);
});

test('close_idle closes after a complete answer without announcing it', async () => {
  await fault({ type: 'close_idle' });
  const answer = await bytesOf('/v1/account');
  assert.equal(answer.closed && !answer.reset, true);
  assert.ok(!/Connection: close/i.test(answer.text));
  assert.equal(JSON.parse(answer.text.slice(answer.text.indexOf('\r\n\r\n') + 4)).object, 'account');
});

test('a fault is chosen by method, path and number, and used up', async () => {
  await fault({ type: 'status', status: 418 }, { method: 'POST', path: '/v1/customers', n: 2 });
  assert.equal((await create()).status, 200);
  assert.equal((await get()).status, 200);
  assert.equal((await create()).status, 418);
  assert.equal((await create()).status, 200);
  await fault({ type: 'status', status: 418 }, { path: '/account$/', count: 2 });
  assert.deepEqual([(await get()).status, (await create()).status, (await get()).status, (await get()).status], [418, 200, 418, 200]);
  const [first] = await fake.admin('GET', '/faults');
  assert.deepEqual([first.seen, first.left], [2, 0]);
  await assert.rejects(fake.admin('POST', '/faults', { fault: { type: 'nonsense' } }), /unknown fault/);
});

test('keep-alive and TLS session resumption are counted', async () => {
  const before = await fake.admin('GET', '/connections');
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: fake.caText });
  for (let i = 0; i < 5; i++) await get({ agent });
  const one = await fake.admin('GET', '/connections');
  assert.equal(one.tls_handshakes - before.tls_handshakes, 1);
  agent.destroy();
  const { port } = new URL(fake.https);
  const options = { port: Number(port), host: '127.0.0.1', servername: 'localhost', ca: fake.caText };
  const session = await new Promise((resolve, reject) => {
    const socket = tls.connect(options, () => socket.write(`GET /v1/account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`));
    socket.once('session', (value) => { socket.once('data', () => { socket.end(); resolve(value); }); });
    socket.once('error', reject);
  });
  await new Promise((resolve, reject) => {
    const socket = tls.connect({ ...options, session }, () => { socket.end(); resolve(); });
    socket.once('error', reject);
  });
  const after = await fake.admin('GET', '/connections');
  assert.equal(after.resumed - one.resumed, 1);
});

test('the certificates a client must refuse are refused', async () => {
  const agent = new https.Agent({ ca: fake.caText });
  for (const [name, code] of [['wrong_host', 'ERR_TLS_CERT_ALTNAME_INVALID'], ['expired', 'CERT_HAS_EXPIRED'], ['unknown_ca', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']]) {
    await assert.rejects(fake.raw('GET', `${fake[name]}/v1/account`, { agent }), { code });
  }
  assert.equal((await fake.raw('GET', `${fake.https}/v1/account`, { agent, headers: AUTH })).status, 200);
});

test('requests are recorded byte for byte', async () => {
  await create({ agent: new http.Agent(), body: 'name=%E2%9C%93&description=a+b%20c' });
  const [record] = await fake.admin('GET', '/requests');
  assert.equal(record.method, 'POST');
  assert.equal(record.path, '/v1/customers');
  assert.equal(record.body, 'name=%E2%9C%93&description=a+b%20c');
  assert.equal(Buffer.from(record.body_base64, 'base64').toString(), record.body);
  assert.equal(record.status, 200);
  assert.equal(record.tls, false);
  assert.match(record.request_id, /^req_/);
  await fake.admin('DELETE', '/requests');
  assert.deepEqual(await fake.admin('GET', '/requests'), []);
});

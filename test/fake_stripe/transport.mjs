// The listeners: TCP, TLS and HTTP/1.1 keep-alive, and what faults do to bytes.
//
// Every listener is a plain TCP server in front of Node's HTTP or HTTPS server,
// so that a connection can be left hanging before TLS, and a socket can be
// reset from below TLS.

import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { gzipSync } from 'node:zlib';

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Transport {
  constructor({ api, faults, recorder, world }) {
    Object.assign(this, { api, faults, recorder, world });
    this.sockets = new Map();
    this.servers = [];
    this.nextConnection = 1;
  }

  // pair: { key, cert } for TLS, or null for plain HTTP. Resolves to the port.
  async listen(port, pair) {
    const handler = (req, res) => {
      this.serve(req, res).catch((error) => {
        // A client that goes away in the middle of its request is no failure.
        if (error.code !== 'ECONNRESET') process.stderr.write(`fake Stripe: ${error.stack}\n`);
        req.socket.destroy();
      });
    };
    const options = { keepAliveTimeout: 3600_000, requestTimeout: 0, headersTimeout: 0, connectionsCheckingInterval: 3600_000 };
    const inner = pair
      ? https.createServer({ ...options, ...pair, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] }, handler)
      : http.createServer(options, handler);
    inner.on('secureConnection', (socket) => {
      this.recorder.connections.tls_handshakes++;
      if (socket.isSessionReused()) this.recorder.connections.resumed++;
    });
    inner.on('clientError', (error, socket) => {
      if (socket.writable && error.code !== 'ECONNRESET') socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      else socket.destroy();
    });
    const front = net.createServer({ noDelay: true }, (socket) => this.accept(socket, inner));
    this.servers.push(front);
    await new Promise((resolve, reject) => {
      front.once('error', reject);
      front.listen(port, '127.0.0.1', resolve);
    });
    return front.address().port;
  }

  accept(socket, inner) {
    const key = `${socket.localPort} ${socket.remotePort}`;
    this.sockets.set(key, { socket, id: this.nextConnection++ });
    this.recorder.connections.opened++;
    this.recorder.connections.open++;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(key);
      this.recorder.connections.open--;
    });
    const fault = this.faults.forConnection();
    if (!fault) inner.emit('connection', socket);
    else if (fault.type === 'reset_accept') socket.resetAndDestroy();
    else this.hang(socket, fault.type === 'hang_tls');
  }

  // Accepted and never answered; or a TLS record begun and never ended. What
  // the client sends is read, so that we see it go.
  hang(socket, midHandshake) {
    socket.on('data', () => {});
    if (midHandshake) socket.once('data', () => socket.write(Buffer.from([0x16, 0x03, 0x03, 0x00, 0x7a, 0x02, 0x00])));
  }

  // Ends every connection; the listeners stay.
  disconnect() {
    for (const { socket } of this.sockets.values()) socket.destroy();
  }

  close() {
    for (const server of this.servers) server.close();
    this.disconnect();
  }

  async serve(req, res) {
    const lower = this.sockets.get(`${req.socket.localPort} ${req.socket.remotePort}`);
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const record = this.recorder.add({
      at: Date.now() / 1000, method: req.method, path: req.url, headers: req.headers, raw,
      connection: lower?.id ?? 0, tls: Boolean(req.socket.encrypted),
    });
    const fault = this.faults.forRequest(req.method, req.url);
    record.fault = fault?.type ?? null;
    const exchange = { req, res, record, lower: lower?.socket, fault: fault ?? { type: 'none', work: true } };
    const request = { method: req.method, path: req.url, headers: req.headers, body: raw.toString('utf8') };

    let answer = null;
    if (exchange.fault.work) {
      answer = this.api.start(request);
      if (fault?.type === 'delay') await sleep(fault.ms ?? fault.delay_ms ?? 1000);
      answer.finish();
    }
    const normal = this.normal(answer);
    record.request_id = normal.headers['Request-Id'];
    record.status = normal.status;
    await this.answer(exchange, normal, answer);
  }

  // The answer as Stripe would give it; without work, an empty 200 to spoil.
  normal(answer) {
    return {
      status: answer?.status ?? 200,
      body: Buffer.from(answer?.body ?? '{}\n'),
      headers: {
        Server: 'nginx',
        Date: new Date(this.world.nowMs()).toUTCString(),
        'Content-Type': 'application/json',
        'Cache-Control': 'no-cache, no-store',
        'Request-Id': answer?.requestId ?? `req_${Math.random().toString(36).slice(2, 16).padEnd(14, '0')}`,
        ...answer?.headers,
      },
    };
  }

  async answer(exchange, normal, answer) {
    const { req, res, record, lower, fault } = exchange;
    switch (fault.type) {
      case 'hang_headers':
        record.status = null;
        return;
      case 'lost_answer':
        record.status = null;
        lower.destroy();
        return;
      case 'reset':
        record.status = null;
        lower.resetAndDestroy();
        return;
      case 'hang_body':
      case 'reset_mid_body':
      case 'truncated':
        await half(res, normal);
        if (fault.type === 'truncated') req.socket.end();
        if (fault.type === 'reset_mid_body') setTimeout(() => lower.resetAndDestroy(), 20);
        return;
      case 'slow':
        await drip(res, normal, fault);
        return;
      case 'close_idle':
        send(req, res, normal);
        res.once('finish', () => setTimeout(() => req.socket.end(), fault.ms ?? 0));
        return;
      case 'status_after_work': {
        const error = { error: { type: 'api_error', message: fault.message ?? 'An unknown error occurred' } };
        const spoiled = verbatim(normal, { status: 500, body: error, ...fault });
        if (fault.store) answer.storeFailure(spoiled.status, spoiled.body.toString());
        record.status = spoiled.status;
        send(req, res, spoiled);
        return;
      }
      default: {
        const spoiled = spoil(normal, fault);
        record.status = spoiled.status;
        send(req, res, spoiled);
      }
    }
  }
}

function verbatim(normal, { status = 200, headers = {}, body = '' }) {
  return {
    status, headers: { ...normal.headers, ...headers },
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  };
}

// Faults that are only another status, other headers or another body.
function spoil(normal, fault) {
  const body = (value, headers = {}) => ({ ...normal, body: value, headers: { ...normal.headers, ...headers } });
  switch (fault.type) {
    case 'status':
      return verbatim(normal, fault);
    case 'garbage':
      return { ...body(Buffer.from(fault.body ?? 'upstream said: ??? {"id": ')), status: 200 };
    case 'wrong_content_type':
      return { ...body(Buffer.from('<html><body><h1>Bad Gateway</h1></body></html>'), { 'Content-Type': 'text/html' }), status: 200 };
    case 'empty':
      return { ...body(Buffer.alloc(0)), status: 200 };
    case 'invalid_utf8':
      return body(Buffer.concat([Buffer.from('{"id": "x'), Buffer.from([0xff, 0xc0]), Buffer.from('y", "object": "customer"}\n')]));
    case 'nul':
      return body(Buffer.from('{"id": "x\\u0000y", "object": "customer"}\n'));
    case 'deep': {
      const depth = fault.depth ?? 100000;
      return body(Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`));
    }
    case 'huge': {
      const size = fault.size ?? 64 * 1024 * 1024;
      const padding = Buffer.alloc(size, 'a');
      padding.write('{"id": "x", "object": "customer", "padding": "');
      padding.write('"}', size - 2);
      return fault.gzip ? body(gzipSync(padding, { level: 6 }), { 'Content-Encoding': 'gzip' }) : body(padding);
    }
    case 'redirect':
      return { status: fault.status ?? 302, headers: { ...normal.headers, Location: fault.location ?? 'https://example.org/' }, body: Buffer.alloc(0) };
    case 'big_headers': {
      const headers = { ...normal.headers };
      const size = fault.size ?? 64 * 1024;
      for (let i = 0; i * 4000 < size; i++) headers[`X-Padding-${i}`] = 'h'.repeat(Math.min(4000, size - i * 4000));
      return { ...normal, headers };
    }
    default:
      return normal;
  }
}

function head(res, { status, headers, body }) {
  res.sendDate = false;
  res.writeHead(status, { ...headers, 'Content-Length': body.length });
}

function send(req, res, answer) {
  const { headers, body } = answer;
  if (body.length > 1024 && !headers['Content-Encoding'] && /\bgzip\b/.test(req.headers['accept-encoding'] ?? '') && headers['Content-Type'] === 'application/json') {
    const packed = { ...answer, body: gzipSync(body, { level: 1 }), headers: { ...headers, 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' } };
    head(res, packed);
    res.end(packed.body);
  } else {
    head(res, answer);
    res.end(body);
  }
}

// Headers and the first half of the body, flushed.
function half(res, answer) {
  head(res, answer);
  return new Promise((resolve) => {
    res.write(answer.body.subarray(0, Math.ceil(answer.body.length / 2)), () => resolve());
  });
}

async function drip(res, answer, { chunk = 16, delay_ms: delay = 20 }) {
  head(res, answer);
  for (let at = 0; at < answer.body.length && !res.destroyed; at += chunk) {
    res.write(answer.body.subarray(at, at + chunk));
    await sleep(delay);
  }
  res.end();
}

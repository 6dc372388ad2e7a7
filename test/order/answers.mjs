// answers.mjs: an HTTP server that answers for Stripe what it was told to.
//
// A request with the parameter "answer" gets the answer of that number, which
// holds what an object was at some moment, with that moment as its Date.  Any
// other gets what the object is at the end, or nothing, if it is not known.

import http from 'node:http';

export class Answers {
  #numbered = new Map();
  #final = new Map();
  #serial = 0;
  asked = 0;

  async start() {
    this.server = http.createServer((request, response) => this.#answer(request, response));
    this.server.keepAliveTimeout = 60000;
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }

  // The number under which an answer is kept until it was asked for.
  add(body, seconds) {
    this.#serial += 1;
    this.#numbered.set(String(this.#serial), { body, seconds });
    return this.#serial;
  }

  // What the path answers from now on: a text, or undefined for "no such object".
  setFinal(path, body, seconds) {
    this.#final.set(path, { body, seconds });
  }

  forget(path) {
    this.#final.delete(path);
  }

  #answer(request, response) {
    const url = new URL(request.url, 'http://localhost');
    const number = url.searchParams.get('answer');
    const customer = url.searchParams.get('customer');
    const path = customer ? `${url.pathname}?customer=${customer}` : url.pathname;
    const known = number ? this.#numbered.get(number) : this.#final.get(path);
    const body = known?.body ?? JSON.stringify({ error: { type: 'invalid_request_error', code: 'resource_missing', message: `No such object: ${url.pathname}` } });
    this.asked += 1;
    if (number) this.#numbered.delete(number);
    response.sendDate = false;
    response.writeHead(known?.body ? 200 : 404, {
      'content-type': 'application/json', 'content-length': Buffer.byteLength(body),
      date: new Date((known?.seconds ?? Date.now() / 1000) * 1000).toUTCString(), 'request-id': 'req_mpOrderTest',
    });
    response.end(body);
  }
}

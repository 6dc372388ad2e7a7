// Keeps what clients sent, byte for byte, and counts their connections.

export class Recorder {
  constructor(limit = 200000) {
    this.limit = limit;
    this.connections = { opened: 0, open: 0, tls_handshakes: 0, resumed: 0 };
    this.enabled = true;
    this.clear();
  }

  clear() {
    this.requests = [];
    this.n = 0;
  }

  add(fields) {
    const record = { n: ++this.n, ...fields, status: null, request_id: null, fault: null };
    if (this.enabled) {
      if (this.requests.length >= this.limit) this.requests.splice(0, this.limit / 10);
      this.requests.push(record);
    }
    return record;
  }

  // Each request with its body as text and in base64.
  show(after = 0) {
    return this.requests.filter((r) => r.n > after).map(({ raw, ...record }) => ({
      ...record, body: raw.toString('utf8'), body_base64: raw.toString('base64'),
    }));
  }
}

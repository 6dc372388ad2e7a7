// wire.mjs: the least of PostgreSQL's protocol that a test needs.
//
// Connects to a Unix socket that trusts its user, sends simple queries and
// returns the rows as texts.  Many thousands of short statements are what the
// test is made of, so there is no driver in between, and no package to install.

import net from 'node:net';

const cstring = (text) => Buffer.concat([Buffer.from(text, 'utf8'), Buffer.from([0])]);

function message(type, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(type ? 5 : 4);
  if (type) head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, type ? 1 : 0);
  return Buffer.concat([head, body]);
}

// A literal, whatever is in the text.
export const quote = (text) => `'${String(text).replaceAll("'", "''")}'`;

export const quoteArray = (texts, type) =>
  texts.length === 0 ? `'{}'::${type}[]` : `ARRAY[${texts.map(quote).join(', ')}]::${type}[]`;

export class ServerError extends Error {
  constructor(fields) {
    super(`${fields.C}: ${fields.M}${fields.D ? ` (${fields.D})` : ''}`);
    this.code = fields.C;
  }
}

function readFields(body) {
  const fields = {};
  for (const part of body.toString('utf8').split('\0')) {
    if (part !== '') fields[part[0]] = part.slice(1);
  }
  return fields;
}

function readRow(body) {
  const row = [];
  let at = 2;
  for (let n = body.readInt16BE(0); n > 0; n--) {
    const length = body.readInt32BE(at);
    at += 4;
    row.push(length < 0 ? null : body.toString('utf8', at, at + length));
    at += Math.max(length, 0);
  }
  return row;
}

export class Connection {
  #socket;
  #rest = Buffer.alloc(0);
  #waiting = null;
  #lost = null;

  static async open({ host, port, user, database }) {
    const connection = new Connection();
    connection.#socket = net.connect(`${host}/.s.PGSQL.${port}`);
    connection.#socket.on('data', (data) => connection.#read(data));
    connection.#socket.on('error', (error) => connection.#fail(error));
    connection.#socket.on('close', () => connection.#fail(new Error('the server closed the connection')));
    const version = Buffer.alloc(4);
    version.writeInt32BE(196608);
    await connection.#exchange(message('', version, cstring('user'), cstring(user),
      cstring('database'), cstring(database), Buffer.from([0])));
    return connection;
  }

  // Rows of the last statement of the query that has any.
  async query(sql) {
    return this.#exchange(message('Q', cstring(sql)));
  }

  // The single value that a query returns.
  async value(sql) {
    const rows = await this.query(sql);
    return rows[0]?.[0] ?? null;
  }

  close() {
    this.#lost = new Error('closed');
    this.#socket.end(message('X'));
  }

  #exchange(bytes) {
    if (this.#lost) return Promise.reject(this.#lost);
    if (this.#waiting) return Promise.reject(new Error('a query is under way'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject, rows: [], error: null };
      this.#socket.write(bytes);
    });
  }

  #fail(error) {
    this.#lost ??= error;
    this.#waiting?.reject(this.#waiting.error ?? error);
    this.#waiting = null;
  }

  #read(data) {
    let buffer = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    while (buffer.length >= 5) {
      const end = buffer.readInt32BE(1) + 1;
      if (buffer.length < end) break;
      this.#handle(String.fromCharCode(buffer[0]), buffer.subarray(5, end));
      buffer = buffer.subarray(end);
    }
    this.#rest = buffer;
  }

  #handle(type, body) {
    const waiting = this.#waiting;
    if (type === 'T') waiting.rows = [];
    else if (type === 'D') waiting.rows.push(readRow(body));
    else if (type === 'E') waiting.error = new ServerError(readFields(body));
    else if (type === 'R' && body.readInt32BE(0) !== 0) waiting.error = new Error('the server wants a password');
    else if (type === 'Z') {
      this.#waiting = null;
      if (waiting.error) waiting.reject(waiting.error);
      else waiting.resolve(waiting.rows);
    }
  }
}

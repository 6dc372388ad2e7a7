/*
 * Reads recorded requests, whether the fake's admin call GET /requests gave
 * them or our own client wrote them down, and brings them into one form.
 */
import { readFileSync } from 'node:fs';

/* The records of several files. */
export function readRecords(files) {
  return files.flatMap((file) => {
    const records = JSON.parse(readFileSync(file, 'utf8'));
    if (!Array.isArray(records)) throw new Error(`${file}: not an array of recorded requests`);
    return records;
  });
}

const header = (headers, name) => {
  const found = Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name);
  return found === undefined ? undefined : String(found[1]);
};

/* { method, path, query, body, contentType, version, status } */
export function normalize(record) {
  const [path, query = ''] = record.path.split(/\?(.*)/s);
  return {
    method: record.method,
    path,
    query,
    body: record.body ?? '',
    contentType: header(record.headers, 'content-type') ?? '',
    version: header(record.headers, 'stripe-version'),
    status: record.status,
  };
}

/*
 * A request answered 400 is left out: that is how Stripe says that the
 * parameters are wrong, so a test that sends wrong ones on purpose, and looks
 * at the message, is not a fault of the suite.  All others are in, 402, 404,
 * 409, 429, 5xx and those whose answer was lost too: their parameters were
 * right.  An unknown path answered 404 is left out for the same reason.
 */
export function isRefused(request, isKnown) {
  return request.status === 400 || (request.status === 404 && !isKnown);
}

/* How a request is named in a message. */
export function describe(request) {
  const parameters = [request.query, request.body].filter(Boolean).join(' ');
  return `${request.method} ${request.path} ${parameters.length > 300 ? `${parameters.slice(0, 300)}…` : parameters}`.trim();
}

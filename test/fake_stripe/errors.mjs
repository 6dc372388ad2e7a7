// Stripe's error envelope, and one constructor for each error the fake can raise.
//
// An ApiError carries the HTTP status, the members of `error`, and whether the
// idempotency layer may remember it: a request refused before its endpoint
// began to execute (a parameter of the wrong shape, no permission, a rate
// limit) leaves nothing behind, so a corrected retry with the same key runs.

export class ApiError extends Error {
  constructor(status, error, { stored = true, headers = {} } = {}) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.stored = stored;
    this.headers = headers;
  }
}

const DOC = 'https://docs.stripe.com/error-codes#';

function docUrl(code) {
  return DOC + code.replaceAll('_', '-');
}

function build(status, fields, options) {
  const error = {};
  if (fields.code) {
    error.code = fields.code;
    error.doc_url = docUrl(fields.code);
  }
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined && key !== 'code') error[key] = value;
  }
  error.type ??= 'invalid_request_error';
  return new ApiError(status, error, options);
}

// Refused while reading the parameters: never remembered by an idempotency key.
export function badParam(message, param, code) {
  return build(400, { code, message, param }, { stored: false });
}

// Refused by the endpoint itself: remembered.
export function invalid(message, { code, param, ...rest } = {}) {
  return build(400, { code, message, param, ...rest });
}

export function missingParam(param) {
  return badParam(`Missing required param: ${param}.`, param, 'parameter_missing');
}

export function unknownParam(param) {
  return badParam(`Received unknown parameter: ${param}`, param, 'parameter_unknown');
}

export function emptyParam(param) {
  return badParam(
    `You passed an empty string for '${param}'. We assume empty values are an attempt to unset a ` +
    `parameter; however '${param}' cannot be unset. You should remove '${param}' from your request ` +
    'or supply a non-empty value.', param, 'parameter_invalid_empty');
}

// An id that names nothing: 404 when it stands in the path, 400 in a parameter.
export function noSuch(what, id, { param = 'id', inPath = false, otherMode } = {}) {
  let message = `No such ${what}: '${id}'`;
  if (otherMode) {
    const [here, there] = otherMode === 'live' ? ['test', 'live'] : ['live', 'test'];
    message += `; a similar object exists in ${there} mode, but a ${here} mode key was used to make this request.`;
  }
  return build(inPath ? 404 : 400, { code: 'resource_missing', message, param });
}

export function unknownUrl(method, path) {
  return build(404, {
    message: `Unrecognized request URL (${method}: ${path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
  }, { stored: false });
}

export function unauthorized(message, code) {
  return build(401, { code, message }, { stored: false, headers: { 'WWW-Authenticate': 'Basic realm="Stripe"' } });
}

export function forbidden(message, code) {
  return build(403, { code, message }, { stored: false });
}

export function rateLimited(reason, headers = {}) {
  return build(429, {
    code: 'rate_limit',
    message: 'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.',
  }, { stored: false, headers: { 'Stripe-Rate-Limited-Reason': reason, ...headers } });
}

export function keyInUse(key) {
  return build(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. If you are retrying after a failed request, try again later.`,
  }, { stored: false });
}

export function keyMismatch(key, method, path) {
  return build(400, {
    type: 'idempotency_error',
    message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request (${method} ${path}).`,
  }, { stored: false });
}

// A valid request whose payment was refused: 402.
export function cardError(fields) {
  return build(402, { ...fields, type: 'card_error' });
}

export function internal(message) {
  return build(500, { type: 'api_error', message });
}

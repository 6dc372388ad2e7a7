/*
 * Holds the fake's own table of endpoints against the official package: what
 * it serves has to exist, and of parameters it may take none, at the newest
 * version, that the package doesn't know, nor words that are not among the
 * package's.  (Whether it takes all of them is no question of honesty.)
 */
import { ROUTES } from '../routes.mjs';
import { schemaOf } from './request_schemas.mjs';
import { findEndpoints, newestVersion } from './sdk.mjs';

const today = newestVersion.slice(0, 10);

/* The branches of a schema: references followed, unions taken apart. */
function branches(schema, root) {
  if (schema.$ref) return branches(root.definitions[schema.$ref.replace('#/definitions/', '')], root);
  if (schema.anyOf) return schema.anyOf.flatMap((part) => branches(part, root));
  return [schema];
}

/* Compares the members a table of the fake takes with those of a schema. */
function compare(table, schema, root, at) {
  const hashes = branches(schema, root).filter(({ type }) => type === 'object');
  const problems = [];
  for (const [name, spec] of table) {
    if ((spec.from && today < spec.from) || (spec.before && today >= spec.before)) continue;
    const where = at ? `${at}[${name}]` : name;
    const found = hashes.flatMap((hash) => {
      if (name === '*') return hash.additionalProperties ? [hash.additionalProperties] : [];
      return hash.properties?.[name] ?? hash.additionalProperties ?? [];
    });
    if (found.length === 0) {
      problems.push(`takes ${where}, which is not a parameter`);
      continue;
    }
    problems.push(...compareValue(spec, { anyOf: found }, root, where));
  }
  return problems;
}

function compareValue(spec, schema, root, where) {
  const kinds = branches(schema, root);
  if (spec.array) {
    const lists = kinds.filter(({ type }) => type === 'array');
    if (lists.length === 0) return [`takes a list for ${where}, which is none`];
    return compareValue({ ...spec, array: false }, { anyOf: lists.map(({ items }) => items) }, root, `${where}[]`);
  }
  if (spec.members) {
    if (!kinds.some(({ type }) => type === 'object')) return [`takes a hash for ${where}, which is none`];
    return compare(spec.members, schema, root, where);
  }
  if (!spec.words) return [];
  const known = kinds.flatMap((kind) => kind.enum ?? (kind.const === undefined ? [] : [kind.const]));
  const isOpen = kinds.some((kind) => kind.type === 'string' && !kind.enum && kind.const === undefined);
  if (isOpen) return [];
  return spec.words.filter((word) => word !== 'bool' && !known.includes(word))
    .map((word) => `takes ${where}=${word}, which is not one of its ${known.length} words`);
}

/* [line]: one for each way in which the table is wider than Stripe. */
export function checkRoutes() {
  return ROUTES.flatMap(({ method, path, table }) => {
    const [endpoint] = findEndpoints(method, path.replaceAll(/:[a-z_]+/g, '{}'));
    if (!endpoint) return [`${method} ${path}: no such endpoint`];
    const schema = schemaOf(endpoint.params);
    return compare(table, schema, schema, '').map((line) => `${method} ${path}: ${line}`);
  });
}

/* The endpoints of the fake that none of these exchanges answered with 200. */
export function untried(exchanges) {
  const tried = new Set(exchanges.filter(({ status }) => status === 200)
    .flatMap(({ method, path }) => findEndpoints(method, path.split('?')[0])));
  return ROUTES.filter(({ method, path }) =>
    !findEndpoints(method, path.replaceAll(/:[a-z_]+/g, '{}')).some((endpoint) => tried.has(endpoint)))
    .map(({ method, path }) => `${method} ${path}`);
}

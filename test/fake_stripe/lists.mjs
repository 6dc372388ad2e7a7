// Lists by cursor and searches by query, over the objects of one mode.

import { badParam, invalid, noSuch } from './errors.mjs';

function limitOf(params) {
  const limit = params.limit ?? 10;
  if (limit < 1 || limit > 100) {
    throw badParam(limit > 100
      ? `This value must be less than or equal to 100 (it currently is '${limit}').`
      : `This value must be greater than or equal to 1 (it currently is '${limit}').`,
    'limit', 'parameter_invalid_integer');
  }
  return limit;
}

function inRange(value, range) {
  if (range === undefined) return true;
  if (typeof range !== 'object') return value === range;
  return (range.gt === undefined || value > range.gt) && (range.gte === undefined || value >= range.gte) &&
    (range.lt === undefined || value < range.lt) && (range.lte === undefined || value <= range.lte);
}

// Newest first; within a second, last made first.
function newestFirst(mode, objects) {
  return objects.sort((a, b) => b.created - a.created || mode.note(b.id).sequence - mode.note(a.id).sequence);
}

// equal names the parameters that filter by a member of the same name.
export function list(ctx, type, params, { url, equal = [], where = () => true } = {}) {
  const limit = limitOf(params);
  if (params.starting_after && params.ending_before) {
    throw badParam("You can't use both starting_after and ending_before; they are exclusive.", 'starting_after', 'parameters_exclusive');
  }
  const matching = [];
  for (const object of ctx.mode.all(type).values()) {
    if (object.deleted || !inRange(object.created, params.created)) continue;
    if (equal.every((name) => params[name] === undefined || object[name] === params[name]) && where(object)) matching.push(object);
  }
  newestFirst(ctx.mode, matching);

  const cursor = params.starting_after ?? params.ending_before;
  let from = 0;
  let data;
  let more;
  if (cursor !== undefined) {
    from = matching.findIndex((object) => object.id === cursor);
    if (from < 0) {
      const known = ctx.mode.get(type, cursor);
      if (!known || known.deleted) throw noSuch(type, cursor, { param: params.starting_after ? 'starting_after' : 'ending_before' });
      throw invalid(`The cursor '${cursor}' is not in the filtered list.`, { param: 'starting_after' });
    }
  }
  if (params.ending_before) {
    data = matching.slice(Math.max(0, from - limit), from);
    more = from > limit;
  } else {
    const start = cursor === undefined ? 0 : from + 1;
    data = matching.slice(start, start + limit);
    more = matching.length > start + limit;
  }
  return { object: 'list', data, has_more: more, url };
}

// A list that sits inside an object, such as charge.refunds.
export function sublist(ctx, type, url, where) {
  const data = newestFirst(ctx.mode, [...ctx.mode.all(type).values()].filter(where));
  return { object: 'list', data: structuredClone(data.slice(0, 10)), has_more: data.length > 10, url };
}

// ---- search -------------------------------------------------------------

const CLAUSE = /^(-)?([a-z_.]+)(?:\[(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')\])?(>=|<=|[:~><=])(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s"']+))/;

function unquote(text) {
  return text?.replace(/\\(.)/g, '$1');
}

function parseQuery(query, fields) {
  const clauses = [];
  let joiner = null;
  let rest = query.trim();
  while (rest !== '') {
    const match = CLAUSE.exec(rest);
    if (!match) throw badParam(`We were unable to parse your search query. The problem is near: ${rest.slice(0, 30)}`, 'query');
    const [whole, negated, field, key1, key2, op, quoted1, quoted2, bare] = match;
    const key = unquote(key1 ?? key2);
    if (!Object.hasOwn(fields, field)) throw badParam(`Field \`${field}\` is an unsupported search field for this resource.`, 'query');
    if ((field === 'metadata') !== (key !== undefined)) throw badParam(`Field \`${field}\` takes ${field === 'metadata' ? 'a key in brackets' : 'no key'}.`, 'query');
    const value = unquote(quoted1 ?? quoted2) ?? bare;
    const kind = fields[field];
    if (op === '~' && kind !== 'text') throw badParam(`Field \`${field}\` does not support the operator \`~\`.`, 'query');
    if (op === '~' && value.length < 3) throw badParam('Substring search needs at least 3 characters.', 'query');
    if (!':~'.includes(op) && kind !== 'number') throw badParam(`Field \`${field}\` does not support the operator \`${op}\`.`, 'query');
    clauses.push({ negated: Boolean(negated), field, key, op, value, isNull: bare === 'null', kind });
    rest = rest.slice(whole.length);
    if (rest === '') break;
    const join = /^\s+(?:(AND|OR|and|or)\s+)?/.exec(rest);
    if (!join) throw badParam(`We were unable to parse your search query. The problem is near: ${rest.slice(0, 30)}`, 'query');
    rest = rest.slice(join[0].length);
    const word = (join[1] ?? 'AND').toUpperCase();
    if (joiner && joiner !== word) throw badParam('AND and OR can\'t be mixed in one query.', 'query');
    if (rest !== '') joiner = word;
  }
  if (clauses.length === 0) throw badParam('The search query is empty.', 'query');
  if (clauses.length > 10) throw badParam('A search query can have at most 10 clauses.', 'query');
  return { clauses, any: joiner === 'OR' };
}

function holds(clause, object) {
  let actual = object;
  if (clause.field === 'metadata') actual = object.metadata?.[clause.key];
  else for (const part of clause.field.split('.')) actual = actual?.[part];
  let result;
  if (clause.isNull) result = actual === undefined || actual === null;
  else if (actual === undefined || actual === null) result = false;
  else if (clause.kind === 'number') {
    const n = Number(clause.value);
    result = { ':': actual === n, '=': actual === n, '>': actual > n, '<': actual < n, '>=': actual >= n, '<=': actual <= n }[clause.op];
  } else if (clause.op === '~') result = String(actual).toLowerCase().includes(clause.value.toLowerCase());
  else result = String(actual).toLowerCase() === clause.value.toLowerCase();
  return result !== clause.negated;
}

// fields: name -> 'text', 'exact' or 'number'.
export function search(ctx, type, params, url, fields) {
  const limit = limitOf(params);
  const { clauses, any } = parseQuery(params.query, { metadata: 'exact', ...fields });
  const found = [...ctx.mode.all(type).values()].filter((object) => !object.deleted &&
    (any ? clauses.some((c) => holds(c, object)) : clauses.every((c) => holds(c, object))));
  newestFirst(ctx.mode, found);
  let start = 0;
  if (params.page !== undefined) {
    const match = /^pg_(\d+)$/.exec(Buffer.from(params.page, 'base64url').toString());
    if (!match) throw badParam(`Invalid page: ${params.page}`, 'page');
    start = Number(match[1]);
  }
  const more = found.length > start + limit;
  const result = {
    object: 'search_result', data: found.slice(start, start + limit), has_more: more,
    next_page: more ? Buffer.from(`pg_${start + limit}`).toString('base64url') : null, url,
  };
  if (params.expand?.includes('total_count')) result.total_count = found.length;
  return result;
}

// Turns stored objects into answers: a copy, in the shape of the request's
// version, with the asked-for references expanded.
//
// Which references can be expanded, and which lists can be included, each
// object module states in a table; an expand path is checked against those
// tables before the endpoint runs, so that a path that can't be expanded
// changes nothing.

import { badParam } from './errors.mjs';
import { downgrade } from './versions.mjs';

const references = new Map();
const includable = new Map();

// fields: path of the member -> type it names. lists: member -> function.
export function register(type, fields, lists = {}) {
  references.set(type, fields);
  includable.set(type, lists);
}

function unexpandable(path) {
  return badParam(`This property cannot be expanded (${path}).`, 'expand');
}

// Splits the first expandable member off a path: `a.b.c` -> [`a.b`, `c`].
function firstMember(type, path) {
  const parts = path.split('.');
  for (let n = parts.length; n > 0; n--) {
    const head = parts.slice(0, n).join('.');
    if (Object.hasOwn(references.get(type) ?? {}, head) || Object.hasOwn(includable.get(type) ?? {}, head)) {
      return [head, parts.slice(n).join('.')];
    }
  }
  return null;
}

// returns: 'customer', or 'list:customer', 'search:customer'.
export function checkExpand(paths, returns) {
  for (const path of paths ?? []) {
    if (path.split('.').length > 4) {
      throw badParam(`You cannot expand more than 4 levels of a property. Property: ${path}`, 'expand');
    }
    let type = returns;
    let rest = path;
    if (returns.startsWith('search:') && path === 'total_count') continue;
    if (returns.includes(':')) {
      if (!path.startsWith('data.')) throw badParam(`This property cannot be expanded (${path}). You may want to try expanding 'data.${path}' instead.`, 'expand');
      type = returns.slice(returns.indexOf(':') + 1);
      rest = path.slice(5);
    }
    checkPath(type, rest, path);
  }
}

function checkPath(type, rest, whole) {
  const found = firstMember(type, rest);
  if (!found) throw unexpandable(whole);
  const [head, tail] = found;
  if (tail === '') return;
  const target = references.get(type)[head];
  if (!target) throw unexpandable(whole);
  // A reference may name one of several types; any that fits will do.
  const fits = target.split('|').some((t) => firstMember(t, tail));
  if (!fits) throw unexpandable(whole);
}

export function render(ctx, value, expand = []) {
  if (value.object === 'list' || value.object === 'search_result') {
    const inner = expand.filter((p) => p.startsWith('data.')).map((p) => p.slice(5));
    return { ...value, data: value.data.map((item) => render(ctx, item, inner)) };
  }
  const copy = structuredClone(value);
  if (expand.length > 0) expandInto(ctx, copy, expand);
  return reshape(copy, ctx.version, copy.object === 'event');
}

function expandInto(ctx, copy, expand) {
  const byHead = new Map();
  for (const path of expand) {
    const found = firstMember(copy.object, path);
    if (!found) continue;
    if (!byHead.has(found[0])) byHead.set(found[0], []);
    if (found[1]) byHead.get(found[0]).push(found[1]);
  }
  for (const [head, deeper] of byHead) {
    const parts = head.split('.');
    let node = copy;
    for (const part of parts.slice(0, -1)) node = node?.[part];
    if (!node) continue;
    const last = parts.at(-1);
    const list = includable.get(copy.object)?.[head];
    if (list) {
      node[last] = list(ctx, copy);
    } else if (typeof node[last] === 'string') {
      const target = ctx.mode.find(node[last]);
      if (target) {
        node[last] = structuredClone(target);
        if (deeper.length > 0) expandInto(ctx, node[last], deeper);
      }
    }
  }
}

// Downgrades an object and every object inside it. An event's data was
// rendered when it happened and stays as it is.
function reshape(value, version, frozen) {
  if (Array.isArray(value)) {
    for (const item of value) reshape(item, version, frozen);
  } else if (typeof value === 'object' && value !== null) {
    if (typeof value.object === 'string' && !frozen) downgrade(value, version);
    for (const item of Object.values(value)) if (typeof item === 'object' && item !== null && !frozen) reshape(item, version, false);
  }
  return value;
}

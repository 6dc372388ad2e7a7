// Reads application/x-www-form-urlencoded bytes into a tree, the way Stripe
// nests them: a[b][0]=x. It only reads: meaning (types, required, unknown) is
// params.mjs. Every level is an object without a prototype, its members in the
// order they arrived; whether one is an array is known only to the parameter
// table, since metadata[0] is a member and items[0] an element.

import { badParam } from './errors.mjs';

// Percent-decoding that refuses what is not UTF-8 instead of guessing.
function unescape(text) {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw badParam('Invalid request: the body or the query string is not valid percent-encoded UTF-8.');
  }
}

// a[b][c[d]] -> a, b, c[d: like Stripe, a segment ends at the first bracket.
function segments(key) {
  const open = key.indexOf('[');
  if (open <= 0) return [key];
  const path = [key.slice(0, open)];
  let at = open;
  while (at < key.length && key[at] === '[') {
    const close = key.indexOf(']', at);
    if (close < 0) {
      path.push(key.slice(at + 1));
      return path;
    }
    path.push(key.slice(at + 1, close));
    at = close + 1;
  }
  return path;
}

function nextIndex(node) {
  let n = 0;
  while (String(n) in node) n++;
  return String(n);
}

export function parseForm(text) {
  const root = Object.create(null);
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const eq = pair.indexOf('=');
    const key = unescape(eq < 0 ? pair : pair.slice(0, eq));
    const value = eq < 0 ? '' : unescape(pair.slice(eq + 1));
    const path = segments(key);
    let node = root;
    for (let i = 0; i < path.length; i++) {
      const name = path[i] === '' && i > 0 ? nextIndex(node) : path[i];
      if (i === path.length - 1) {
        node[name] = value;
      } else {
        if (typeof node[name] !== 'object') node[name] = Object.create(null);
        node = node[name];
      }
    }
  }
  return root;
}

// The same parameters in any order are the same request.
export function canonical(value) {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((k) => `${JSON.stringify(k)}:${canonical(value[k])}`).join(',')}}`;
}

/*
 * Decodes a form-encoded body or query string into the value it stands for.
 *
 * Strict on purpose, and not the decoder of the fake: what this one refuses,
 * no recorded request may contain.  Every leaf stays a string, since on the
 * wire nothing else exists; giving it a type is the schema's business.
 */

/* Parameters whose members are named by the user: never a list, even if the
 * names are 0, 1, 2. */
const MAPS = new Set(['metadata', 'currency_options']);

function decodeText(text, what) {
  if (/[^\x21-\x7e]/.test(text)) throw new Error(`${what}: a byte that is not escaped in ${JSON.stringify(text)}`);
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Error(`${what}: not percent-encoded UTF-8: ${text}`);
  }
}

/* `a[b][0]` -> ['a', 'b', '0']; an empty segment appends. */
function splitKey(key) {
  const match = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(key);
  if (!match) throw new Error(`a key with unpaired or nested brackets: ${key}`);
  return [match[1], ...[...match[2].matchAll(/\[([^[\]]*)\]/g)].map((part) => part[1])];
}

/* A branch whose names are 0, 1, 2, … becomes a list. */
function finish(node, name) {
  if (!(node instanceof Map)) return node;
  const names = [...node.keys()];
  const numbered = names.every((part) => /^(0|[1-9]\d*)$/.test(part));
  if (numbered && !MAPS.has(name)) {
    if (!names.every((part, index) => Number(part) === index)) {
      throw new Error(`the indexes of ${name} are not 0, 1, 2, … but ${names.join(', ')}`);
    }
    return names.map((part) => finish(node.get(part), part));
  }
  /* Without a prototype, so that a member may be called __proto__. */
  const value = Object.create(null);
  for (const part of names) value[part] = finish(node.get(part), part);
  return value;
}

export function decodeForm(...texts) {
  const root = new Map();
  for (const pair of texts.flatMap((text) => (text ? text.split('&') : []))) {
    const [, rawKey, rawValue] = /^([^=]*)=?(.*)$/s.exec(pair);
    if (!pair.includes('=')) throw new Error(`a parameter without a value: ${pair}`);
    const key = decodeText(rawKey, 'a key');
    const value = decodeText(rawValue, key);
    const path = splitKey(key);
    let node = root;
    path.forEach((part, depth) => {
      const name = part === '' ? String(node.size) : part;
      if (part === '' && depth < path.length - 1) throw new Error(`an unnumbered list of hashes: ${key}`);
      if (depth === path.length - 1) {
        if (node.has(name)) throw new Error(`given twice: ${key}`);
        node.set(name, value);
        return;
      }
      if (!node.has(name)) node.set(name, new Map());
      node = node.get(name);
      if (!(node instanceof Map)) throw new Error(`both a value and a hash: ${key}`);
    });
  }
  const value = Object.create(null);
  for (const [name, node] of root) value[name] = finish(node, name);
  return value;
}

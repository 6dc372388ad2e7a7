// The parameter table's language, and the checker that runs it.
//
// An endpoint states what it accepts in one string:
//
//   amount!:int currency!:currency shipping~{name! address!{line1}} expand[]
//   payment_method_types[]@<2026-09-30 metadata~:meta capture_method:manual|automatic
//
//   name!            required          name~          "" unsets it
//   name:type        str (default), int, bool, ts, num, currency, email, meta,
//                    range (created), any, or the allowed words joined by |
//   name{…}          a hash of these   name[], name[]{…}   an array
//   name@>=date      only from that API version on; name@<date only before it
//
// Whatever is not in the table is refused, as Stripe does.

import { badParam, emptyParam, missingParam, unknownParam } from './errors.mjs';

const compiled = new Map();

export function compile(source) {
  let table = compiled.get(source);
  if (!table) {
    const reader = { text: source, at: 0 };
    table = readTable(reader, false);
    compiled.set(source, table);
  }
  return table;
}

function readTable(reader, nested) {
  const table = new Map();
  for (;;) {
    while (/\s/.test(reader.text[reader.at] ?? '')) reader.at++;
    if (reader.at >= reader.text.length) {
      if (nested) throw new Error(`unclosed { in ${reader.text}`);
      return table;
    }
    if (reader.text[reader.at] === '}') {
      reader.at++;
      return table;
    }
    const match = /^([a-z0-9_*]+)(\[\])?([!~]?)(?::([a-z0-9_|.-]+))?/.exec(reader.text.slice(reader.at));
    if (!match) throw new Error(`cannot read parameter table at: ${reader.text.slice(reader.at, reader.at + 40)}`);
    reader.at += match[0].length;
    const spec = {
      array: Boolean(match[2]), required: match[3] === '!', emptyable: match[3] === '~',
      type: match[4] ?? 'str', members: null, from: null, before: null,
    };
    if (spec.type.includes('|')) {
      spec.words = spec.type.split('|');
      spec.type = 'enum';
    }
    if (reader.text[reader.at] === '{') {
      reader.at++;
      spec.members = readTable(reader, true);
    }
    const gate = /^@(>=|<)(\d{4}-\d\d-\d\d)/.exec(reader.text.slice(reader.at));
    if (gate) {
      reader.at += gate[0].length;
      spec[gate[1] === '<' ? 'before' : 'from'] = gate[2];
    }
    table.set(match[1], spec);
  }
}

// Checks a tree from parseForm against a table and returns typed values.
export function check(table, tree, version, prefix = '') {
  const out = {};
  const date = version.slice(0, 10);
  for (const [key, value] of Object.entries(tree)) {
    const name = prefix ? `${prefix}[${key}]` : key;
    const spec = table.get(key) ?? table.get('*');
    if (!spec) throw unknownParam(name);
    if (spec.before && date >= spec.before) throw goneParam(key, name, version);
    if (spec.from && date < spec.from) throw unknownParam(name);
    out[key] = value === '' && spec.emptyable ? '' : checkValue(spec, value, version, name);
  }
  for (const [key, spec] of table) {
    if (spec.required && !(key in out)) throw missingParam(prefix ? `${prefix}[${key}]` : key);
  }
  return out;
}

// What a version took away: one has a code of its own.
function goneParam(key, name, version) {
  if (key === 'payment_method_types') {
    return badParam(
      `The parameter payment_method_types is no longer supported as of API version 2026-09-30.endive (this request uses ${version}). Remove it, or use allowed_payment_method_types or excluded_payment_method_types.`,
      name, 'payment_method_types_no_longer_supported');
  }
  return unknownParam(name);
}

function checkValue(spec, value, version, name) {
  if (spec.array) {
    if (typeof value !== 'object') throw badParam('Invalid array', name);
    const one = { ...spec, array: false };
    return Object.entries(value).map(([i, v]) => checkValue(one, v, version, `${name}[${i}]`));
  }
  if (spec.members) {
    if (typeof value !== 'object') throw badParam('Invalid object', name);
    return check(spec.members, value, version, name);
  }
  if (spec.type === 'any') return plain(value);
  if (spec.type === 'meta') return checkMetadata(value, name);
  if (spec.type === 'range' && typeof value === 'object') return checkRange(value, name);
  if (typeof value === 'object') throw badParam(`Invalid string: ${JSON.stringify(value)}`, name);
  if (value === '') throw emptyParam(name);
  return scalar[spec.type](value, name, spec);
}

function checkInt(value, name) {
  if (!/^-?\d{1,15}$/.test(value)) throw badParam(`Invalid integer: ${value}`, name, 'parameter_invalid_integer');
  return Number(value);
}

const scalar = {
  str(value, name) {
    if (value.includes('\0')) throw badParam('Invalid string: contains a NUL byte', name);
    if (value.length > 5000) throw badParam(`Invalid string: ${value.slice(0, 20)}...${value.slice(-10)}; must be at most 5000 characters`, name);
    return value;
  },
  int: checkInt,
  ts(value, name) {
    return value === 'now' ? value : checkInt(value, name);
  },
  num(value, name) {
    if (!/^-?\d+(\.\d{1,12})?$/.test(value)) throw badParam(`Invalid decimal: ${value}`, name);
    return value;
  },
  bool(value, name) {
    if (value !== 'true' && value !== 'false') throw badParam(`Invalid boolean: ${value}`, name);
    return value === 'true';
  },
  range: checkInt,
  currency(value, name) {
    if (!/^[A-Za-z]{3}$/.test(value)) throw badParam(`Invalid currency: ${value}. Stripe currently supports these currencies: usd, aud, …`, name);
    return value.toLowerCase();
  },
  email(value, name) {
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value)) throw badParam(`Invalid email address: ${value}`, name, 'email_invalid');
    if (value.length > 512) throw badParam('Invalid string: must be at most 512 characters', name);
    return value;
  },
  enum(value, name, spec) {
    if (spec.words.includes(value)) return value;
    // off_session and tax_exempt mix words and booleans.
    if (spec.words.includes('bool') && (value === 'true' || value === 'false')) return value === 'true';
    const words = spec.words.filter((w) => w !== 'bool');
    const list = words.length > 1 ? `${words.slice(0, -1).join(', ')}, or ${words.at(-1)}` : words[0];
    throw badParam(`Invalid ${name}: must be one of ${list}`, name);
  },
};

function checkMetadata(value, name) {
  if (typeof value !== 'object') throw badParam('Invalid object', name);
  const keys = Object.keys(value);
  if (keys.length > 50) throw badParam(`Metadata can have at most 50 keys; ${keys.length} were given.`, name);
  const out = Object.create(null);
  for (const key of keys) {
    const item = value[key];
    if (typeof item === 'object') throw badParam(`Metadata values must be strings, but for key '${key}' you passed in a value of type hash`, `${name}[${key}]`);
    if ([...key].length > 40) throw badParam(`Metadata keys must be 40 characters or less. The key you provided was '${key}'.`, name);
    if ([...item].length > 500) throw badParam(`Metadata values can have up to 500 characters, but you passed in a value that is ${[...item].length} characters. Invalid value: ${item.slice(0, 40)}...`, `${name}[${key}]`);
    out[key] = item;
  }
  return out;
}

function checkRange(value, name) {
  const out = {};
  for (const [op, v] of Object.entries(value)) {
    if (!['gt', 'gte', 'lt', 'lte'].includes(op)) throw unknownParam(`${name}[${op}]`);
    out[op] = checkInt(v, `${name}[${op}]`);
  }
  return out;
}

function plain(value) {
  return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
}

// Pieces that many endpoints share.
export const ADDRESS = 'city~ country~ line1~ line2~ postal_code~ state~';
export const LIST = 'limit:int starting_after ending_before expand[]';
export const SEARCH = 'query! limit:int page expand[]';

// Random request parameters with what the official SDK's encoder makes of
// them, for comparing ours byte by byte.
//
//   node sdk_form.mjs [--count 2000] [--seed N]
//
// Prints one line per input, {"json": "<JSON text>", "expected": "<encoded>"},
// and the seed on stderr, so that a failure can be run again.
//
// Inputs keep to where the two are meant to agree. Members come in jsonb's
// order (shorter keys first, then by bytes) and keys are unique. Numbers are
// ones JavaScript prints as they were written: integers within 2^53 and plain
// decimals without exponent; longer ones are strings. A null member is in the
// JSON but not in what the SDK gets, because we leave it out where the SDK
// would unset the field; null array elements, which we refuse, never occur.
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const SDK = new URL('../fake_stripe/node_modules/stripe/', import.meta.url);
const SDK_VERSION = '23.1.0';

const STRINGS = [
  '', ' ', 'a b+c&d=e', 'joe+test@example.com', "-_.~!*'()", '[x]', 'a[0]',
  '/?#:;,@$%"<>\\^`{|}', 'line1\nline2\ttab\r', '\u0001\u001f\u007f', '%5B%5D',
  'https://x.test/ok?session_id={CHECKOUT_SESSION_ID}', 'null', 'true', '0',
  '日本語', 'clé é', 'e\u0301', '🎉👩‍👩‍👧', 'שלום', '\u00a0\u2028\ufeff\uffff', '𝄞',
  '99999999999999999999', '0.000000000001', '-12345678901234567890.5', '1e21',
  "email:'a@b.co' AND metadata['k']:'v'",
];
const KEYS = [
  'amount', 'currency', 'metadata', 'description', 'expand', 'items', 'price',
  'automatic_payment_methods', 'created', 'gte', 'Amount', '_', '-', 'a b',
  'order_id', 'a[b]', '[]', 'clé', '日本語', '🎉', 'k&v=1', '%41', "it's", 'x.y',
];
const ALPHABET = [...'abzAZ019-_.~!*\'()[]{}<>/?#@:;,&=+$% "\\\n\té日🎉ß\u0080\u07ff\u0800'];

// A small seeded generator (mulberry32); Math.random cannot be repeated.
function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// The generator of whole inputs, over a generator of numbers in [0, 1).
class Inputs {
  constructor(random) {
    this.random = random;
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  text(length) {
    return Array.from({ length: this.below(length + 1) }, () => this.pick(ALPHABET)).join('');
  }

  string() {
    if (this.below(2) === 0) return this.pick(STRINGS);
    return this.text(this.below(40) === 0 ? 2000 : 24);
  }

  // Digits first, then a check that JavaScript would print the same.
  number() {
    const digits = 1 + this.below(16);
    let text = String(1 + this.below(9));
    while (text.length < digits) text += this.below(10);
    if (!Number.isSafeInteger(Number(text))) text = String(Number.MAX_SAFE_INTEGER);
    switch (this.below(6)) {
      case 0: return 0;
      case 1: return -Number(text);
      case 2: return this.decimal();
      default: return Number(text);
    }
  }

  decimal() {
    return this.pick([1, -1]) * (1 + this.below(1e6)) / 1000;
  }

  scalar() {
    switch (this.below(6)) {
      case 0: return this.below(2) === 0;
      case 1: case 2: return this.number();
      default: return this.string();
    }
  }

  // Not one that looks like an array index, which JavaScript moves to the
  // front of an object, nor an empty one, which has no meaning in a form.
  key() {
    for (;;) {
      const key = this.below(3) > 0 ? this.pick(KEYS) : this.text(10);
      if (key !== '' && key !== '__proto__' && !/^\d+$/.test(key)) return key;
    }
  }

  object(depth) {
    const entries = new Map();
    for (let n = this.below(depth === 0 ? 8 : 5); n >= 0; n--) {
      entries.set(this.key(), this.below(10) === 0 ? null : this.value(depth + 1));
    }
    return Object.fromEntries([...entries].sort(([a], [b]) => compareKeys(a, b)));
  }

  // Longer than ten now and then, for indexes of two digits.
  array(depth) {
    const length = this.below(8) === 0 ? 10 + this.below(5) : this.below(4);
    return Array.from({ length }, () => (length > 4 ? this.scalar() : this.value(depth + 1)));
  }

  value(depth) {
    const kind = this.below(10);
    if (depth < 6 && kind < 2) return this.object(depth);
    if (depth < 6 && kind < 4) return this.array(depth);
    if (kind === 4) return this.pick([{}, [], '']);
    return this.scalar();
  }
}

// jsonb's order of keys: by length in bytes, then by bytes.
function compareKeys(a, b) {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length - y.length || Buffer.compare(x, y);
}

// What the SDK is given: null members left out.
function withoutNulls(value) {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNulls(member)]),
  );
}

// Some texts have every character outside ASCII escaped, as some clients do.
function escapeUnicode(json) {
  const escape = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return json.replace(/[^\x00-\x7e]/g, escape);
}

async function loadEncoder() {
  const manifest = new URL('package.json', SDK);
  if (!existsSync(manifest)) {
    throw new Error('the official SDK is not installed: run npm ci in test/fake_stripe');
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  if (version !== SDK_VERSION) {
    throw new Error(`the SDK is version ${version}, expected ${SDK_VERSION}`);
  }
  const { queryStringifyRequestData } = await import(new URL('esm/utils.js', SDK));
  return queryStringifyRequestData;
}

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
  },
});
const count = Number(options.count);
const seed = Number(options.seed);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  throw new Error('--count and --seed take whole numbers');
}

const encode = await loadEncoder();
const inputs = new Inputs(makeRandom(seed));
process.stderr.write(`# seed ${seed}\n`);
for (let i = 0; i < count; i++) {
  const input = inputs.object(0);
  const json = JSON.stringify(input);
  const expected = encode(withoutNulls(input));
  process.stdout.write(
    `${JSON.stringify({ json: i % 4 === 0 ? escapeUnicode(json) : json, expected })}\n`,
  );
}

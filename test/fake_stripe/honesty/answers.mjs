/*
 * Checks answers at the newest version: each is written down as a literal of
 * the official type its endpoint answers with, and the TypeScript compiler,
 * as strict as it gets, refuses missing, excess and mistyped properties.
 *
 *   node answers.mjs FILE...
 *
 * FILE: [{ method, path, status, json }], all at the newest version.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { readRecords } from './recordings.mjs';
import { cacheDir, createProgram, findEndpoints, typeText, virtualFile } from './sdk.mjs';

/* The type of an answer; of an error, whatever the endpoint. */
function typeOf({ method, path, status }) {
  if (status >= 400) return '{ error: Stripe.StripeRawError }';
  const [endpoint] = findEndpoints(method, path.split('?')[0]);
  return endpoint && typeText(endpoint.answer);
}

/* Where in the JSON a position of the source is: `data[0].customer`. */
function pathAt(sourceFile, position) {
  const parts = [];
  const visit = (node) => {
    if (position < node.getStart(sourceFile) || position >= node.getEnd()) return;
    if (ts.isPropertyAssignment(node)) parts.push(`.${node.name.text}`);
    else if (node.parent && ts.isArrayLiteralExpression(node.parent)) {
      parts.push(`[${node.parent.elements.indexOf(node)}]`);
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  return parts.join('').replace(/^\./, '') || 'the whole answer';
}

/* The first lines of a message; those on large unions go on for pages. */
function shorten(text) {
  const lines = text.split('\n').map((line) => (line.length > 240 ? `${line.slice(0, 240)}…` : line));
  return lines.length > 8 ? [...lines.slice(0, 6), '…', lines.at(-1)] : lines;
}

/*
 * Returns { checked, problems: [{ answer, lines }] }.  Equal answers of one
 * type are compiled once.
 */
export function checkAnswers(answers) {
  const problems = [];
  const literals = new Map();
  for (const answer of answers) {
    const type = typeOf(answer);
    if (!type) {
      problems.push({ answer, lines: ['no such endpoint in the official package'] });
      continue;
    }
    const declared = `${type} = ${JSON.stringify(answer.json, null, 1)}`;
    if (!literals.has(declared)) literals.set(declared, answer);
  }
  const file = virtualFile('answers');
  const entries = [...literals.entries()];
  const text = ["import { Stripe } from 'stripe';\n",
    ...entries.map(([declared, { method, path, status }], index) =>
      `/* ${method} ${path.replaceAll('*/', '')} ${status} */\nexport const x${index}: ${declared};\n`)].join('');
  const program = createProgram({ [file]: text });
  const source = program.getSourceFile(file);
  const unresolved = [...program.getGlobalDiagnostics(), ...program.getOptionsDiagnostics(),
    ...program.getSyntacticDiagnostics(source)];
  if (unresolved.length) throw new Error(ts.flattenDiagnosticMessageText(unresolved[0].messageText, '\n'));

  const found = new Map();
  for (const diagnostic of program.getSemanticDiagnostics(source)) {
    const statement = source.statements.findIndex((node) => diagnostic.start < node.getEnd());
    const lines = shorten(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
    lines[0] = `${pathAt(source, diagnostic.start)}: ${lines[0]}`;
    /* Statement 0 is the import. */
    const answer = entries[statement - 1]?.[1];
    if (!answer) throw new Error(lines.join('\n'));
    found.set(answer, [...(found.get(answer) ?? []), ...lines]);
  }
  for (const [answer, lines] of found) problems.push({ answer, lines });
  if (problems.length) {
    mkdirSync(cacheDir, { recursive: true });
    const kept = join(dirname(cacheDir), `failed-answers.mts`);
    writeFileSync(kept, text);
    problems.at(-1).lines.push(`(all literals: ${kept})`);
  }
  return { checked: entries.length, problems };
}

export function report({ problems }) {
  return problems.map(({ answer, lines }) =>
    [`${answer.method} ${answer.path} ${answer.status}`, ...lines.map((line) => `    ${line}`)].join('\n')).join('\n');
}

function main(files) {
  if (files.length === 0) {
    console.error('usage: answers.mjs FILE...');
    return 2;
  }
  const result = checkAnswers(readRecords(files));
  if (result.problems.length) console.log(report(result));
  console.log(`${result.checked} different answers compiled, ${result.problems.length} wrong`);
  return result.problems.length || result.checked === 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));

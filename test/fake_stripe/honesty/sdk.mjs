/*
 * Reads the official `stripe` package: which endpoints there are, and the
 * names of the types that describe each one's parameters and answer.
 *
 * Nothing here is written by hand about Stripe's API.  The table comes from
 * the package's own resource classes: the .js file says method and path, the
 * .d.ts file beside it says the types.  Whoever changes the fake cannot
 * change this table; a new version of the package changes it by itself.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));

/* The package's folder; its types and its code both live in esm/. */
export const sdkDir = dirname(dirname(require.resolve('stripe')));
export const sdkVersion = JSON.parse(readFileSync(join(sdkDir, 'package.json'), 'utf8')).version;
export const newestVersion = /ApiVersion = '([^']+)'/.exec(
  readFileSync(join(sdkDir, 'esm', 'apiVersion.js'), 'utf8'))[1];

/*
 * What is derived depends on the packages and on the sources here that derive
 * it; the cache folder's name says both, so nothing stale can be read.
 */
const derivedFrom = createHash('sha256');
for (const file of ['../package-lock.json', 'sdk.mjs', 'request_schemas.mjs', 'differences.mjs']) {
  derivedFrom.update(readFileSync(join(here, file)));
}
export const cacheDir = join(here, '.cache', `stripe-${sdkVersion}-${derivedFrom.digest('hex').slice(0, 12)}`);

/* Reads a cached value, or makes it and keeps it.  Written by rename, so that
 * two runs at once never see half a file.  Where nothing may be written, it is
 * made each time. */
export function cached(name, make) {
  const file = join(cacheDir, name);
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  const value = make();
  try {
    mkdirSync(dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(value));
    renameSync(temporary, file);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
  }
  return value;
}

export const compilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
};

/*
 * The name under which a generated source may be given to the compiler.  It
 * has to sit where `import 'stripe'` is found; nothing is written there.
 */
export const virtualFile = (name) => join(here, `${name}.generated.mts`);

/*
 * Where the package's types describe its client rather than the wire, or are
 * wider than what this version of the API documents, they are narrowed while
 * they are read:
 * - a decimal is a string in JSON; only the client turns it into an object;
 * - enumerations are open (`'a' | 'b' | OtherString`) so that programs bear
 *   values to come; a test that sends or returns one has misspelt it;
 * - an update event's previous attributes hold, of a nested hash, only the
 *   keys that changed, and null for one that was not there before.
 */
const narrowed = {
  'Decimal.d.ts': () => 'export type Decimal = string;\nexport declare const Decimal: unknown;\n',
  'shared.d.ts': (text) => replaced(text, /export type OtherString = [^;]+;/, 'export type OtherString = never;'),
  'resources/Events.d.ts': (text) => `${replaced(text, /previous_attributes\?: Partial</g, 'previous_attributes?: Previous<')}
type Previous<T> = T extends Array<unknown> ? T
  : T extends object ? { [K in keyof T]?: Previous<T[K]> | null } : T;\n`,
};

/* A replacement that must find what it replaces: the package may change. */
function replaced(text, pattern, by) {
  const result = text.replace(pattern, by);
  if (result === text) throw new Error(`the package no longer has ${pattern}`);
  return result;
}

/* A program over generated sources and the narrowed package. */
export function createProgram(sources) {
  const host = ts.createCompilerHost(compilerOptions);
  const readFile = host.readFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  const edits = new Map(Object.entries(narrowed).map(([file, edit]) => [join(sdkDir, 'esm', file), edit]));
  host.fileExists = (file) => sources[file] !== undefined || fileExists(file);
  host.readFile = (file) => {
    if (sources[file] !== undefined) return sources[file];
    const text = readFile(file);
    return edits.has(file) ? edits.get(file)(text) : text;
  };
  host.getSourceFile = (file, languageVersion) => {
    const text = host.readFile(file);
    return text === undefined ? undefined : ts.createSourceFile(file, text, languageVersion, true);
  };
  return ts.createProgram(Object.keys(sources), compilerOptions, host);
}

/* Every exported name below `Stripe`, by the symbol it stands for. */
function publicNames(checker, sourceFile) {
  const names = new Map();
  const walk = (symbol, name, depth) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const isSpace = target.flags & ts.SymbolFlags.Namespace;
    if (name !== 'Stripe' && target.flags & ts.SymbolFlags.Type && !names.has(target)) {
      names.set(target, name);
    }
    /* Deeper than Stripe.TestHelpers.Issuing.X are only parts of types. */
    if (isSpace && depth < 4 && !(name !== 'Stripe' && target.flags & ts.SymbolFlags.Interface)) {
      for (const member of checker.getExportsOfModule(target)) {
        if (member.name !== 'prototype') walk(member, `${name}.${member.name}`, depth + 1);
      }
    }
  };
  const stripe = checker.getExportsOfModule(checker.getSymbolAtLocation(sourceFile))
    .find((symbol) => symbol.name === 'Stripe');
  walk(stripe, 'Stripe', 0);
  return names;
}

/* The method and path in `this._makeRequest('GET', `/v1/x/${…}`, …)`, by
 * the class method that contains it. */
function readRoutes(file) {
  const routes = new Map();
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const pathOf = (node) => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (!ts.isTemplateExpression(node)) return null;
    return node.head.text + node.templateSpans.map((span) => `{}${span.literal.text}`).join('');
  };
  const visit = (node, owner) => {
    let inside = owner;
    if (ts.isMethodDeclaration(node) && ts.isClassDeclaration(node.parent)) {
      inside = `${node.parent.name.text}.${node.name.text}`;
    }
    if (inside && ts.isCallExpression(node) && /\._makeRequest$/.test(node.expression.getText())) {
      const path = pathOf(node.arguments[1]);
      if (path && !routes.has(inside)) routes.set(inside, { method: node.arguments[0].text, path });
    }
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, null);
  return routes;
}

/* All .d.ts files of resources with a .js file beside them. */
function resourceFiles(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return resourceFiles(path);
    return entry.name.endsWith('.d.ts') && entry.name !== 'index.d.ts' ? [path] : [];
  }).sort();
}

/* Stands for the package's folder in what is cached; see typeText(). */
const PACKAGE = '@package@';

/* TypeScript for a type named by the table. */
export const typeText = (name) => name.replaceAll(PACKAGE, sdkDir);

/*
 * Makes the table: [{ method, path, params, answer, from }], where path has
 * {} for each id, params and answer are TypeScript for typeText().
 */
function readEndpoints() {
  const entry = virtualFile('endpoints');
  const files = resourceFiles(join(sdkDir, 'esm', 'resources'));
  const program = createProgram({ [entry]: "import { Stripe } from 'stripe';\nexport { Stripe };\n" });
  const checker = program.getTypeChecker();
  const names = publicNames(checker, program.getSourceFile(entry));

  /* A few types are not exported below `Stripe`; those are named by file. */
  const byFile = (symbol, name) => {
    const file = symbol.declarations[0].getSourceFile().fileName;
    if (!file.startsWith(sdkDir)) return name;
    return `import("${PACKAGE}${file.slice(sdkDir.length).replace(/\.d\.ts$/, '.js')}").${name}`;
  };

  /* Writes a type as it stands, with each name made public. */
  const write = (node) => {
    if (ts.isTypeReferenceNode(node)) {
      let symbol = checker.getSymbolAtLocation(node.typeName);
      if (symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      const name = names.get(symbol) ?? byFile(symbol, node.typeName.getText());
      const given = node.typeArguments?.map(write) ?? [];
      if (/^(Stripe\.)?(Promise|Response)$/.test(name)) return given[0];
      if (/^(Stripe\.)?ApiListPromise$/.test(name)) return `Stripe.ApiList<${given[0]}>`;
      if (/^(Stripe\.)?ApiSearchResultPromise$/.test(name)) return `Stripe.ApiSearchResult<${given[0]}>`;
      if (/^(Stripe\.)?V2ListPromise$/.test(name)) return `Stripe.V2List<${given[0]}>`;
      return given.length ? `${name}<${given.join(', ')}>` : name;
    }
    if (ts.isUnionTypeNode(node)) return node.types.map(write).join(' | ');
    return node.getText();
  };

  const table = [];
  for (const file of files) {
    const routes = readRoutes(file.replace(/\.d\.ts$/, '.js'));
    const source = program.getSourceFile(file);
    if (routes.size === 0) continue;
    if (!source) throw new Error(`${file} is not part of the package's types`);
    const visit = (node) => {
      if (ts.isMethodDeclaration(node) && ts.isClassDeclaration(node.parent)) {
        const from = `${node.parent.name.text}.${node.name.text}`;
        const route = routes.get(from);
        if (!route) return;
        const params = node.parameters.find((parameter) => parameter.name.text === 'params');
        table.push({
          ...route,
          params: params ? write(params.type) : null,
          answer: write(node.type),
          from,
        });
        return;
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return table;
}

let table;

/* The table, made once for each version of the package. */
export function endpoints() {
  table ??= cached('endpoints.json', readEndpoints);
  return table;
}

/*
 * The entries for a request; several resources may share one path.  A written
 * segment wins over an id, as /v1/customers/search does over /v1/customers/{}.
 */
export function findEndpoints(method, path) {
  const segments = path.split('/');
  let best = [];
  let bestScore = -1;
  for (const endpoint of endpoints()) {
    if (endpoint.method !== method) continue;
    const pattern = endpoint.path.split('/');
    if (pattern.length !== segments.length) continue;
    let score = 0;
    const fits = pattern.every((part, index) => {
      if (part === '{}') return segments[index] !== '';
      score += 2 ** (pattern.length - index);
      return part === segments[index];
    });
    if (!fits || score < bestScore) continue;
    best = score === bestScore ? [...best, endpoint] : [endpoint];
    bestScore = score;
  }
  return best;
}

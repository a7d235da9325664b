/** Enforces who may import whom. The rules are `forbidden` below; each returns why an import is not allowed. */
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';

interface Import {
  /** The importing file, from the root of the project. */
  readonly from: string;
  /** A file from the root of the project, or the name of a package as it was written. */
  readonly to: string;
  readonly kind: 'value' | 'type' | 'dynamic';
  readonly line: number;
  /** An import() that stands in a `try`, and in no function within it. */
  readonly caught: boolean;
}

const COMPUTED = 'a computed name';
const ours = (path: string): boolean => /^(src|adapters)\//.test(path);
const folder = (path: string): string | undefined => /^adapters\/[^/]+\//.exec(path)?.[0];
/** From the lowest to the highest: a shelf imports those below it, and itself. */
const shelves = [
  'src/base/',
  'src/transport/',
  'src/adapter-kit/',
  'src/store/',
  'src/query/',
  'src/sync/conflict/',
  'src/observe/',
  'src/config/',
  'src/sync/',
  'src/',
  'src/compose/',
  'src/server/',
  'src/migrate/',
  'src/testing/',
  'src/cli/',
];
const shelfOf = (path: string): number => {
  const name = shelves.filter((shelf) => path.startsWith(shelf)).sort((a, b) => b.length - a.length)[0];
  return name === undefined ? -1 : shelves.indexOf(name);
};
/** All that an adapter may import of ours. */
const isKit = (path: string): boolean => path.startsWith('src/adapter-kit/') || path === 'src/base/is-object.ts';
const registries = ['src/transport/registry.ts', 'src/cli/backends.ts'];
const standalone = ['src/base/change.ts', 'src/base/errors.ts', 'src/base/protocol.ts'];
const outside = (to: string): boolean => /^(\.\.|synclayer|test|scripts|examples|bench)(\/|$)/.test(to);
const mayUseNode = (path: string): boolean =>
  /^src\/(server|cli|migrate|testing\/node)\//.test(path) || path === 'src/store/sqlite.ts';

function forbidden({ from, to, kind, caught }: Import): string | undefined {
  // The user's own configuration file.
  if (to === COMPUTED && from === 'src/cli/load-config.ts') return undefined;
  if (to === COMPUTED) return 'neither bundlers nor this check can follow it';
  if (kind === 'dynamic' && !ours(to) && !isBuiltin(to) && !caught)
    return 'a package may be missing: await import() directly in a try, or webpack, Turbopack and Metro refuse to build the app';
  const adapter = folder(from);
  if (adapter !== undefined) {
    if (isBuiltin(to)) return 'an adapter runs in browsers too, and imports nothing of Node';
    if (outside(to) || (ours(to) && !isKit(to) && !to.startsWith(adapter)))
      return 'an adapter imports only src/adapter-kit, its own folder and packages';
    return undefined;
  }
  if (standalone.includes(from) && ours(to)) return `${from} imports nothing of ours`;
  if (to.startsWith('adapters/') && !(registries.includes(from) && kind === 'dynamic'))
    return `src reaches adapters only from ${registries.join(' and ')}, by import()`;
  if (from.startsWith('src/sync/') && to === 'src/transport/registry.ts' && kind !== 'type')
    return 'src/sync is given its transport and knows none by name';
  if (isBuiltin(to) && kind !== 'type' && !mayUseNode(from))
    return 'only src/server, src/cli, src/migrate, src/testing/node and src/store/sqlite.ts may import Node: the rest runs in browsers';
  if (outside(to)) return 'src imports nothing from outside src';
  if (ours(to) && shelfOf(to) > shelfOf(from))
    return `${shelves[shelfOf(to)]} is a higher shelf than ${shelves[shelfOf(from)]}`;
  return undefined;
}

const target = (from: string, specifier: string): string =>
  specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts') : specifier;

function importsOf(from: string): Import[] {
  const source = ts.createSourceFile(from, readFileSync(from, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const isCaught = (node: ts.Node): boolean => {
    const { parent } = node;
    if (parent === undefined || ts.isFunctionLike(parent)) return false;
    return (ts.isTryStatement(parent) && parent.tryBlock === node) || isCaught(parent);
  };
  const add = (node: ts.Node, specifier: ts.Node | undefined, kind: Import['kind']): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    if (specifier === undefined) return;
    const to = ts.isStringLiteralLike(specifier) ? target(from, specifier.text) : COMPUTED;
    found.push({ from, to, kind, line, caught: isCaught(node) });
  };
  const typeOnly = (node: ts.ImportDeclaration | ts.ExportDeclaration): boolean =>
    ts.isExportDeclaration(node) ? node.isTypeOnly : node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
      add(node, node.moduleSpecifier, typeOnly(node) ? 'type' : 'value');
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, 'type');
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], 'dynamic');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const files = globSync(['src/**/*.ts', 'adapters/**/*.ts']).map((path) => path.replaceAll('\\', '/'));
const imports = files.flatMap(importsOf);
const offences = imports.flatMap((each) => {
  const reason = forbidden(each);
  return reason === undefined ? [] : [`${each.from}:${each.line}: imports ${each.to}: ${reason}.`];
});
for (const offence of offences) console.error(offence);
if (offences.length > 0) process.exit(1);
console.log(`Import rules hold: ${imports.length} imports in ${files.length} files.`);

import { relative } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { entries } from '../../scripts/entries.js';

/** Every `any` in the declarations that these files publish, with what it is in. */
function findAny(roots: readonly string[], readFile = ts.sys.readFile): string[] {
  const config = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, '.');
  const host = ts.createCompilerHost(options);
  host.readFile = readFile;
  const program = ts.createProgram({
    rootNames: [...roots],
    options: { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true },
    host,
  });
  const found: string[] = [];
  program.emit(undefined, (file, text) => {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.AnyKeyword)
        found.push(`${relative('.', file)}: ${node.parent.getText().slice(0, 120)}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  });
  return found;
}

test('no public type is any', () => {
  expect(findAny(Object.values(entries))).toEqual([]);
});

test('an any that is only inferred is found too', () => {
  const sample = 'sample.ts';
  const text = 'export const parse = (text: string) => ({ value: JSON.parse(text) });';
  const found = findAny([sample], (name) => (name === sample ? text : ts.sys.readFile(name)));
  expect(found).toEqual(['sample.d.ts: value: any;']);
});

import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as synclayer from '../../../src/index.js';
import { createSyncServer, type SyncServer } from '../../../src/server/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

const page = readFileSync('docs/api.md', 'utf8');

/** The names in the first column of the table under a heading, as they are without their arguments. */
function listed(heading: string, table = 0): string[] {
  const [, section = ''] = page.split(new RegExp(`^#+ ${heading}\n`, 'm'));
  const [own = ''] = section.split(/^#/m);
  const rows =
    own
      .trim()
      .split(/\n\n+/)
      .filter((part) => part.startsWith('|'))[table] ?? '';
  return rows
    .split('\n')
    .slice(2)
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`(]+)[^`]*`/g)].map(([, name = '']) => name));
}

/** The names of a type of the sources: a union's strings, or an interface's members. */
function declared(file: string, name: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = source.statements.find(
    (node): node is ts.InterfaceDeclaration | ts.TypeAliasDeclaration =>
      (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && node.name.text === name,
  );
  if (!found) throw new Error(`${file} has no ${name}`);
  if (ts.isInterfaceDeclaration(found)) return found.members.map((member) => member.name?.getText() ?? '');
  if (ts.isUnionTypeNode(found.type)) return found.type.types.map((type) => type.getText().slice(1, -1));
  throw new Error(`${name} is neither an interface nor a union`);
}

let sync: synclayer.SyncLayerInstance;
let server: SyncServer;
beforeAll(async () => {
  sync = await synclayer.createSyncLayer({ transport: memoryTransport(), collections: ['todos'] });
  server = await createSyncServer();
});
afterAll(async () => {
  await sync.close();
  await server.close();
});

describe('docs/api.md names all there is, and nothing else', () => {
  const same = (heading: string, names: readonly string[], table = 0): void =>
    expect(listed(heading, table).sort()).toEqual([...names].sort());

  test('what synclayer exports', () => same('What `synclayer` exports', Object.keys(synclayer)));
  test('SyncLayer', () => {
    const row = page.split('\n').find((line) => line.startsWith('| `SyncLayer`')) ?? '';
    const names = [...row.matchAll(/`(\w+)(?:\(\w*\))?`/g)].map(([, name]) => name);
    expect(names.sort()).toEqual(['SyncLayer', ...Object.keys(synclayer.SyncLayer)].sort());
  });
  test('a collection and a query', () => {
    const collection = sync.collection('todos');
    same('A collection', Object.keys(collection));
    const [, of = ''] = /A query has ([^.]*)\./.exec(page) ?? [];
    const names = [...of.matchAll(/`(\w+)/g)].map(([, name]) => name);
    expect(names.sort()).toEqual(Object.keys(collection.where('a', 'isNull')).sort());
  });
  test('operators', () => same('Operators', declared('src/query/types.ts', 'Operator')));
  test('a SyncLayer', () => same('A SyncLayer', Object.keys(sync)));
  test.each(['realtime', 'events', 'outbox'] as const)('sync.%s', (part) => {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${part}\``)) ?? '';
    const names = [...row.matchAll(/`(\w+)(?:\([^`]*)?`/g)].map(([, name]) => name);
    const { clear, emit, has, ...real } = sync[part] as unknown as Record<string, unknown>;
    expect(names.sort()).toEqual([part, ...Object.keys(real)].sort());
  });
  test('metrics', () => {
    const row = page.split('\n').find((line) => line.startsWith('| `metrics()`')) ?? '';
    const names = (row.split(': ')[1] ?? '').replace(' |', '').split(', ');
    expect(names.sort()).toEqual(Object.keys(sync.metrics()).sort());
  });
  test('phases', () => {
    const source = readFileSync('src/observe/events.ts', 'utf8');
    const [, union = ''] = /readonly phase: ([^;]+);/.exec(source) ?? [];
    same(
      'Phases',
      [...union.matchAll(/'([^']+)'/g)].map(([, name = '']) => name),
    );
  });
  test('events', () => same('Events', declared('src/observe/events.ts', 'SyncEvents')));
  test('resolvers', () => same('ConflictResolvers', Object.keys(synclayer.ConflictResolvers)));
  test('the server', () => same('The server', Object.keys(server)));
  test("the server's collections", () => {
    const row = page.split('\n').find((line) => line.includes('the records as the server sees them')) ?? '';
    const names = [...row.matchAll(/`(\w+)\([^`]*`/g)].map(([, name]) => name).slice(1);
    expect(names.sort()).toEqual(Object.keys(server.collection('todos')).sort());
  });
  test("the server's options", () => same('The server', declared('src/server/options.ts', 'SyncServerOptions'), 1));
});

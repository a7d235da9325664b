import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { isSurelyRight } from '../../../src/config/check.js';
import { checkConfig, schemaFor } from '../../../src/config/rules.js';
import { memoryStore, type SyncLayerConfig } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

const isRight = (config: unknown): boolean => {
  try {
    checkConfig(config as SyncLayerConfig);
    return true;
  } catch {
    return false;
  }
};

describe('what most apps write needs no rules', () => {
  const resolve = () => null;
  test.each<[string, SyncLayerConfig]>([
    ['a socket', { websocketUrl: 'wss://api.example.com/ws', collections: ['todos'] }],
    ['polling', { baseUrl: 'https://api.example.com', enableRealtimeSync: false, collections: ['todos'] }],
    ['a transport', { transport: memoryTransport(), collections: ['todos'] }],
    ['a transport by name', { transport: { type: 'supabase', url: 'x', key: 'y' }, collections: ['todos'] }],
    [
      'schemas, filters, a store and a token',
      {
        websocketUrl: 'wss://api.example.com/ws',
        baseUrl: 'https://api.example.com',
        authToken: async () => undefined,
        collections: { todos: { schema: z.object({}), filter: { where: { done: false }, limit: 50 } }, notes: {} },
        store: { type: 'indexeddb', name: 'user-1' },
        conflictStrategy: 'serverWins',
      },
    ],
    ['a store of its own', { websocketUrl: 'ws://127.0.0.1', collections: ['todos'], store: memoryStore() }],
    [
      'times and counts',
      {
        websocketUrl: 'ws://127.0.0.1',
        collections: { todos: { customConflictResolver: resolve } },
        authToken: undefined,
        syncInterval: 60_000,
        enableAutoSync: true,
        maxRetries: 3,
        customConflictResolver: resolve,
        enableRealtimeSync: () => true,
        websocketReconnectDelay: 1000,
        maxReconnectDelay: 30_000,
        maxWebsocketReconnectAttempts: 5,
        connectTimeout: 10_000,
        answerTimeout: 300_000,
        auditInterval: 300_000,
        pageSize: 500,
        bufferLimit: 10_000,
        disconnectInBackground: 60_000,
      },
    ],
  ])('%s', (_, config) => {
    expect(isSurelyRight(config)).toBe(true);
    expect(isRight(config)).toBe(true);
  });
});

/** For each key of the rules a valid configuration that has it. */
const samples: Readonly<Record<string, object>> = (() => {
  const resolve = () => null;
  const own = (settings: object) => ({ collections: { todos: settings } });
  const filter = { where: { done: false }, since: '2026-01-01', limit: 50, fields: ['text'] };
  const excluding = { since: 1_767_225_600_000, excludeFields: ['blob'] };
  const logger = { enabled: true, minLevel: 'debug', customLogger: () => undefined };
  const store = { type: 'sqlite', path: 'app.db', synchronous: 'normal' };
  return {
    transport: { transport: { type: 'supabase', url: 'x', key: 'y' }, websocketUrl: undefined },
    collections: {},
    'collections.todos.schema': own({ schema: z.object({}) }),
    'collections.todos.filter.where': own({ filter }),
    'collections.todos.filter.since': own({ filter: excluding }),
    'collections.todos.filter.limit': own({ filter }),
    'collections.todos.filter.fields': own({ filter }),
    'collections.todos.filter.excludeFields': own({ filter: excluding }),
    'collections.todos.conflictStrategy': own({ conflictStrategy: 'custom', customConflictResolver: resolve }),
    'collections.todos.customConflictResolver': own({ customConflictResolver: resolve }),
    store: { store: memoryStore() },
    'store.memory.type': { store: { type: 'memory' } },
    'store.indexeddb.type': { store: { type: 'indexeddb' } },
    'store.indexeddb.name': { store: { type: 'indexeddb', name: 'user-1' } },
    'store.sqlite.type': { store },
    'store.sqlite.path': { store },
    'store.sqlite.synchronous': { store },
    baseUrl: { baseUrl: 'http://127.0.0.1:8080' },
    websocketUrl: { websocketUrl: 'wss://api.example.com/ws' },
    authToken: { authToken: 'token' },
    user: { user: () => 'user-1' },
    editsBeforeSignIn: { editsBeforeSignIn: 'send' },
    syncInterval: { syncInterval: 100 },
    enableAutoSync: { enableAutoSync: false },
    maxRetries: { maxRetries: 0 },
    'syncFilters.todos.where': { syncFilters: { todos: filter } },
    'syncFilters.todos.since': { syncFilters: { todos: filter } },
    'syncFilters.todos.limit': { syncFilters: { todos: filter } },
    'syncFilters.todos.fields': { syncFilters: { todos: filter } },
    'syncFilters.todos.excludeFields': { syncFilters: { todos: excluding } },
    conflictStrategy: { conflictStrategy: 'custom', customConflictResolver: resolve },
    customConflictResolver: { customConflictResolver: resolve },
    enableRealtimeSync: { enableRealtimeSync: async () => true },
    websocketReconnectDelay: { websocketReconnectDelay: 0 },
    maxReconnectDelay: { maxReconnectDelay: 0 },
    maxWebsocketReconnectAttempts: { maxWebsocketReconnectAttempts: 0 },
    connectTimeout: { connectTimeout: 1 },
    answerTimeout: { answerTimeout: 1 },
    auditInterval: { auditInterval: 1000 },
    pageSize: { pageSize: 1 },
    bufferLimit: { bufferLimit: 1 },
    disconnectInBackground: { disconnectInBackground: false },
    'logger.enabled': { logger },
    'logger.minLevel': { logger },
    'logger.customLogger': { logger },
  };
})();

/** The paths of all keys that the rules know of this configuration. */
function keysOf(schema: unknown, path: readonly string[] = []): string[] {
  const { shape, innerType } = Object((schema as { def?: unknown } | undefined)?.def);
  if (innerType) return keysOf(innerType, path);
  return shape ? Object.entries(shape).flatMap(([key, inner]) => keysOf(inner, [...path, key])) : [path.join('.')];
}

describe('each setting, as it may be, needs no rules', () => {
  const base = { websocketUrl: 'ws://127.0.0.1', collections: ['todos'] };

  test.each(Object.entries(samples))('%s', (_, sample) => {
    const config = { ...base, ...sample };
    expect(isRight(config)).toBe(true);
    expect(isSurelyRight(config)).toBe(true);
  });

  test('there is a sample of every key', () => {
    const stores = ['memory', 'indexeddb', 'sqlite'].flatMap((type) =>
      keysOf(schemaFor({ ...base, store: { type } }))
        .filter((key) => key.startsWith('store.'))
        .map((key) => key.replace('store.', `store.${type}.`)),
    );
    const others = [['todos'], { todos: {} }].flatMap((collections) => keysOf(schemaFor({ ...base, collections })));
    expect(Object.keys(samples).sort()).toEqual([...new Set([...stores, ...others])].sort());
  });
});

const bad: unknown[] = [
  null,
  undefined,
  '',
  'x',
  0,
  -1,
  0.5,
  1,
  999,
  1000,
  2 ** 31 - 1,
  2 ** 31,
  90 * 86_400_000,
  Number.POSITIVE_INFINITY,
  Number.NaN,
];
bad.push(true, false, [], ['a'], ['a', ''], [1], {}, { a: 1 }, () => 1, new Date(0), 'https://', 'ws://x', 'http://x');
bad.push({ type: '' }, { type: 'x' }, { type: 'memory', name: 'x' }, { type: 'indexeddb', name: '' }, memoryStore());
bad.push({ ...memoryStore(), type: 'memory' }, { a: { conflictStrategy: 'custom' } }, { a: { filter: { where: 1 } } });
bad.push({ a: { filter: { fields: [1] } } }, { a: { filter: { limit: 0 } } }, { a: { shema: {} } }, { a: [] });
bad.push(
  { type: 'websocket', url: 'ws://y' },
  { a: { conflictStrategy: 'serverWins', customConflictResolver: () => 1 } },
);
bad.push('custom', 'lastWriteWins', memoryTransport(), { a: { schema: {} } }, { a: { filter: { limit: 1 } } });
bad.push({ type: 'sqlite' }, { type: 'sqlite', path: '' }, { type: 'sqlite', path: 'x', synchronous: 'off' }, 'keep');
bad.push(
  { type: 'memory' },
  { type: 'toString' },
  { enabled: 1 },
  { minLevel: 'all' },
  { customLogger: 'x' },
  { b: {} },
);
bad.push(
  { a: { since: 'x' } },
  { a: { since: 1 } },
  { a: { fields: ['x'], excludeFields: ['y'] } },
  { a: { where: 1 } },
);
const value = fc.constantFrom(...bad);

/** The quick look may be unsure; it must never be wrong. */
test('whatever it lets pass keeps every rule', () => {
  const keys = [
    'transport collections store baseUrl websocketUrl authToken syncInterval enableAutoSync maxRetries syncFilters',
    'conflictStrategy customConflictResolver enableRealtimeSync websocketReconnectDelay maxReconnectDelay connectTimeout',
    'maxWebsocketReconnectAttempts auditInterval pageSize bufferLimit disconnectInBackground logger colections user',
    'answerTimeout editsBeforeSignIn',
  ].flatMap((line) => line.split(' '));
  // Every value for every key alone, then some together, over bases that need them or not.
  const bases: object[] = [{}, { collections: ['a'] }, { websocketUrl: 'ws://x', collections: ['a'] }];
  bases.push({ conflictStrategy: 'serverWins', baseUrl: 'http://x', collections: ['a'] });
  bases.push({ transport: { type: 'x' }, collections: { a: {} } }, { baseUrl: 'http://x', collections: ['a'] });
  let passed = 0;
  const agree = (config: unknown): void => {
    if (!isSurelyRight(config)) return;
    passed += 1;
    if (!isRight(config)) throw new Error(`passed, though it is wrong: ${JSON.stringify(config)}`);
  };
  for (const base of bases) for (const key of keys) for (const one of bad) agree({ ...base, [key]: one });
  expect(passed).toBeGreaterThan(100);
  const some = fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...bases), some, (base, extra) => agree({ ...base, ...extra })),
    {
      numRuns: 3000,
    },
  );
  for (const one of bad) agree(one);
});

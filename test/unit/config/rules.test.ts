import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { isSurelyRight } from '../../../src/config/check.js';
import { checkConfig } from '../../../src/config/rules.js';
import { type SyncLayerConfig, SyncLayerError } from '../../../src/index.js';
import { memoryStore } from '../../../src/store/memory.js';
import { memoryBackend, memoryTransport } from '../../../src/testing/index.js';

const base = { baseUrl: 'http://127.0.0.1', collections: ['todos'] };

/** The problems of a configuration, without the frame around them. */
function problems(config: unknown): string[] {
  try {
    checkConfig(config as SyncLayerConfig);
  } catch (error) {
    if (!(error instanceof SyncLayerError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    expect(isSurelyRight(config)).toBe(false);
    const list = error.details.problems as string[];
    expect(error.message).toBe(
      ['createSyncLayer cannot use its options:', ...list.map((one) => `- ${one}`)].join('\n'),
    );
    return list;
  }
  return [];
}
const problem = (extra: object): string[] => problems({ ...base, ...extra });

describe('accepted', () => {
  test('every key, as the Flutter package names them', () => {
    const config: SyncLayerConfig = {
      baseUrl: 'https://api.example.com',
      websocketUrl: 'wss://api.example.com/ws',
      authToken: 'secret',
      syncInterval: 300_000,
      enableAutoSync: true,
      maxRetries: 3,
      collections: ['todos', 'users', 'notes'],
      syncFilters: { todos: { where: { done: false }, since: '2026-01-01', limit: 10, fields: ['text'] } },
      conflictStrategy: 'custom',
      customConflictResolver: ({ remote }) => remote,
      enableRealtimeSync: true,
      websocketReconnectDelay: 5000,
      maxWebsocketReconnectAttempts: 5,
      maxReconnectDelay: 30_000,
      connectTimeout: 10_000,
      answerTimeout: 300_000,
      auditInterval: 300_000,
      pageSize: 500,
      bufferLimit: 10_000,
      disconnectInBackground: 60_000,
      store: { type: 'memory' },
      logger: { enabled: true, minLevel: 'debug', customLogger: () => undefined },
    };
    expect(problems(config)).toEqual([]);
  });

  test.each<[string, object]>([
    ['a token from a function', { authToken: async () => 'secret' }],
    ['a flag from a function', { enableRealtimeSync: () => true }],
    ['polling only', { enableRealtimeSync: false }],
    ['a transport by name', { baseUrl: undefined, transport: { type: 'websocket', url: 'ws://127.0.0.1' } }],
    ['a transport', { baseUrl: undefined, transport: memoryTransport({ backend: memoryBackend() }) }],
    ['live sync through a transport', { enableRealtimeSync: true, transport: { type: 'mqtt' } }],
    ['IndexedDB', { store: { type: 'indexeddb' } }],
    ['IndexedDB with a name', { store: { type: 'indexeddb', name: 'user-1' } }],
    ['SQLite', { store: { type: 'sqlite', path: 'app.db', synchronous: 'normal' } }],
    ["the app's own store", { store: memoryStore() }],
    ['no limit in the background', { disconnectInBackground: false }],
    ['zod', { collections: { todos: { schema: z.object({ text: z.string() }) } } }],
    ['valibot', { collections: { todos: { schema: v.object({ text: v.string() }) } } }],
    ['a collection without settings', { collections: { todos: {} } }],
    [
      'a resolver for one',
      { collections: { todos: { conflictStrategy: 'custom', customConflictResolver: () => null } } },
    ],
    [
      'the general resolver for one',
      { customConflictResolver: () => null, collections: { todos: { conflictStrategy: 'custom' } } },
    ],
    ['a resolver that implies its strategy', { customConflictResolver: () => null }],
    [
      'a general resolver that one collection takes',
      {
        conflictStrategy: 'serverWins',
        customConflictResolver: () => null,
        collections: { todos: { conflictStrategy: 'custom' }, notes: {} },
      },
    ],
    [
      'a transport that has the same address',
      { websocketUrl: 'ws://127.0.0.1', transport: { type: 'websocket', url: 'ws://127.0.0.1' } },
    ],
    ['the address of a transport', { websocketUrl: 'ws://127.0.0.1', transport: { type: 'websocket' } }],
    [
      'settings that are undefined',
      { authToken: undefined, store: undefined, logger: undefined, syncFilters: undefined },
    ],
    ['a filter by number', { collections: { todos: { filter: { since: 0, excludeFields: ['blob'] } } } }],
  ])('%s', (_, extra) => {
    expect(problem(extra)).toEqual([]);
  });
});

describe('unknown keys', () => {
  test.each<[object, string]>([
    [{ colections: [] }, 'colections is not an option; did you mean "collections"?'],
    [{ authtoken: 'x' }, 'authtoken is not an option; did you mean "authToken"?'],
    [{ websocketURL: 'x' }, 'websocketURL is not an option; did you mean "websocketUrl"?'],
    [{ token: 'x' }, 'token is not an option; did you mean "authToken"?'],
    [{ url: 'x' }, 'url is not an option; did you mean "baseUrl" or "websocketUrl"?'],
    [{ collections: { todos: { shema: {} } } }, 'collections.todos.shema is not an option; did you mean "schema"?'],
    [
      { collections: { todos: { filter: { feilds: [] } } } },
      'collections.todos.filter.feilds is not an option; did you mean "fields"?',
    ],
    [{ syncFilters: { todoos: {} } }, 'syncFilters.todoos is not an option; did you mean "todos"?'],
    [{ syncFilters: { todos: { were: {} } } }, 'syncFilters.todos.were is not an option; did you mean "where"?'],
    [{ logger: { minlevel: 'info' } }, 'logger.minlevel is not an option; did you mean "minLevel"?'],
    [{ logger: { colour: true } }, 'logger.colour is not an option; known are enabled, minLevel, customLogger'],
    [{ store: { type: 'memory', path: 'x' } }, 'store.path is not an option; known are type'],
    [
      { store: { type: 'sqlite', path: 'x', nmae: 'y' } },
      'store.nmae is not an option; known are type, path, synchronous',
    ],
  ])('%o', (extra, expected) => {
    expect(problem(extra)).toEqual([expected]);
  });
});

const millis = 'a whole number of milliseconds';
const longest = 2_147_483_647;

describe('values that do not fit', () => {
  test.each<[object, string]>([
    [{ syncInterval: '5m' }, `syncInterval must be ${millis}, 100 to ${longest} (got a string)`],
    [{ syncInterval: 5 }, `syncInterval must be ${millis}, 100 to ${longest} (got a number)`],
    [{ syncInterval: Number.NaN }, `syncInterval must be ${millis}, 100 to ${longest} (got NaN)`],
    // A timer that is set for longer fires at once.
    [{ syncInterval: longest + 1 }, `syncInterval must be ${millis}, 100 to ${longest} (got a number)`],
    [
      { websocketReconnectDelay: -1 },
      `websocketReconnectDelay must be ${millis}, 0 to ${longest} (got a negative number)`,
    ],
    [{ maxReconnectDelay: 0.5 }, `maxReconnectDelay must be ${millis}, 0 to ${longest} (got a number)`],
    [{ connectTimeout: 0 }, `connectTimeout must be ${millis}, 1 to ${longest} (got a number)`],
    [{ auditInterval: 999 }, `auditInterval must be ${millis}, 1000 to ${longest} (got a number)`],
    [
      { disconnectInBackground: true },
      `disconnectInBackground must be ${millis}, 0 to ${longest}, or false (got a boolean)`,
    ],
    [{ maxRetries: 1.5 }, 'maxRetries must be a whole number of retries, 0 or more (got a number)'],
    [
      { maxWebsocketReconnectAttempts: null },
      'maxWebsocketReconnectAttempts must be a whole number of attempts, 0 or more (got null)',
    ],
    [{ pageSize: 0 }, 'pageSize must be a whole number of rows, 1 or more (got a number)'],
    [{ bufferLimit: '9' }, 'bufferLimit must be a whole number of changes, 1 or more (got a string)'],
    [{ enableAutoSync: 'yes' }, 'enableAutoSync must be true or false (got a string)'],
    [
      { enableRealtimeSync: 1 },
      'enableRealtimeSync must be true, false, or a function that returns one (got a number)',
    ],
    [{ authToken: {} }, 'authToken must be a string, or a function that returns one (got an object)'],
    [{ baseUrl: '' }, 'baseUrl must be a URL that begins with http:// or https:// (got an empty string)'],
    [{ baseUrl: 'api.example.com' }, 'baseUrl must be a URL that begins with http:// or https:// (got a string)'],
    [{ baseUrl: 'ws://api.example.com' }, 'baseUrl must be a URL that begins with http:// or https:// (got a string)'],
    [
      { websocketUrl: 'https://api.example.com' },
      'websocketUrl must be a URL that begins with ws:// or wss:// (got a string)',
    ],
    [{ websocketUrl: 'wss://' }, 'websocketUrl must be a URL that begins with ws:// or wss:// (got a string)'],
    [
      { conflictStrategy: 'lww' },
      'conflictStrategy must be one of "lastWriteWins", "serverWins", "clientWins", "custom" (got a string)',
    ],
    [
      { conflictStrategy: 'serverWin' },
      'conflictStrategy must be one of "lastWriteWins", "serverWins", "clientWins", "custom"; did you mean "serverWins"? (got a string)',
    ],
    [
      { collections: { todos: { conflictStrategy: 'last-write-wins' } } },
      'collections.todos.conflictStrategy must be one of "lastWriteWins", "serverWins", "clientWins", "custom"; did you mean "lastWriteWins"? (got a string)',
    ],
    [
      { conflictStrategy: 'serverWins', customConflictResolver: () => null },
      'customConflictResolver must be left out: it is called only if conflictStrategy is "custom", or left out too (got a function)',
    ],
    [
      { collections: { todos: { conflictStrategy: 'clientWins', customConflictResolver: () => null } } },
      'collections.todos.customConflictResolver must be left out: it is called only if conflictStrategy is "custom", or left out too (got a function)',
    ],
    [
      { websocketUrl: 'ws://127.0.0.1/a', transport: { type: 'websocket', url: 'ws://127.0.0.1/b' } },
      'websocketUrl must be left out, or the same as transport.url (got a string)',
    ],
    [
      { transport: { type: 'websocket', url: 'ws://127.0.0.1', baseUrl: 'http://127.0.0.1:2' } },
      'baseUrl must be left out, or the same as transport.baseUrl (got a string)',
    ],
    [
      { websocketUrl: 'ws://127.0.0.1', transport: { type: 'supabase' } },
      'websocketUrl must be left out: the transport is another one, and would not use it (got a string)',
    ],
    [
      { websocketUrl: 'ws://127.0.0.1', transport: memoryTransport({ backend: memoryBackend() }) },
      'websocketUrl must be left out: the transport is another one, and would not use it (got a string)',
    ],
    [{ customConflictResolver: 'merge' }, 'customConflictResolver must be a function (conflict) => row (got a string)'],
    [{ logger: true }, 'logger must be an object (got a boolean)'],
    [
      { logger: { minLevel: 'verbose' } },
      'logger.minLevel must be one of "debug", "info", "warn", "error" (got a string)',
    ],
    [
      { logger: { customLogger: console } },
      'logger.customLogger must be a function (level, message, details) => void (got an object)',
    ],
    [{ syncFilters: [] }, 'syncFilters must be an object (got an array)'],
    [
      { syncFilters: { todos: { limit: 0 } } },
      'syncFilters.todos.limit must be a whole number of rows, 1 or more (got a number)',
    ],
    [
      { syncFilters: { todos: { since: 'yesterday' } } },
      'syncFilters.todos.since must be ms since 1970, or an ISO date (got a string)',
    ],
    [
      { syncFilters: { todos: { where: 'done' } } },
      'syncFilters.todos.where must be an object of fields and their values (got a string)',
    ],
    [
      { syncFilters: { todos: { fields: 'text' } } },
      'syncFilters.todos.fields must be an array of field names (got a string)',
    ],
    [
      { syncFilters: { todos: { fields: ['a'], excludeFields: ['b'] } } },
      'syncFilters.todos.excludeFields must be left out where "fields" is given (got an array)',
    ],
    [
      { collections: {} },
      'collections must be an array of names or an object { name: { schema } }, with at least one (got an object)',
    ],
    [
      { collections: [] },
      'collections must be an array of names or an object { name: { schema } }, with at least one (got an array)',
    ],
    [
      { collections: ['todos', ''] },
      'collections must be an array of names or an object { name: { schema } }, with at least one (got an array)',
    ],
    [
      { collections: 'todos' },
      'collections must be an array of names or an object { name: { schema } }, with at least one (got a string)',
    ],
    [{ collections: { todos: [] } }, 'collections.todos must be an object (got an array)'],
    [
      { collections: { todos: { schema: { text: 'string' } } } },
      'collections.todos.schema must be a Standard Schema, such as z.object({ ... }) (got an object)',
    ],
  ])('%o', (extra, expected) => {
    expect(problem(extra)).toEqual([expected]);
  });

  const storeKinds = '{ type: "memory" }, { type: "indexeddb", name }, { type: "sqlite", path }, or a LocalStore';
  test.each<[unknown, string]>([
    ['memory', `store must be ${storeKinds} (got a string)`],
    [{ type: 'localstorage' }, `store must be ${storeKinds} (got an object)`],
    [{ type: 'constructor' }, `store must be ${storeKinds} (got an object)`],
    [{ ...memoryStore(), read: undefined }, `store must be ${storeKinds} (got an object)`],
    [{ type: 'sqlite' }, 'store.path must be the path of a file (it is missing)'],
    [{ type: 'sqlite', path: '' }, 'store.path must be the path of a file (got an empty string)'],
    [
      { type: 'sqlite', path: 'x', synchronous: true },
      'store.synchronous must be one of "full", "normal" (got a boolean)',
    ],
    [{ type: 'indexeddb', name: 7 }, 'store.name must be a name (got a number)'],
  ])('store %o', (store, expected) => {
    expect(problem({ store })).toEqual([expected]);
  });

  const backend = '{ type: "websocket", url } or another transport, unless websocketUrl or baseUrl is set';
  test.each<[unknown, string]>([
    ['websocket', `transport must be ${backend} (got a string)`],
    [{ url: 'ws://127.0.0.1' }, `transport must be ${backend} (got an object)`],
    [{ type: 7 }, `transport must be ${backend} (got an object)`],
    [() => undefined, `transport must be ${backend} (got a function)`],
    [{ pull: () => undefined, push: () => undefined }, `transport must be ${backend} (got an object)`],
  ])('transport %o', (transport, expected) => {
    expect(problem({ transport })).toEqual([expected]);
  });
});

describe('what is missing', () => {
  test('everything', () => {
    const all = [
      'transport must be { type: "websocket", url } or another transport, unless websocketUrl or baseUrl is set (it is missing)',
      'collections must be an array of names or an object { name: { schema } }, with at least one (it is missing)',
    ];
    expect(problems({})).toEqual(all);
    expect(problems(undefined)).toEqual(['the argument must be an object (it is missing)']);
    expect(problems(null)).toEqual(['the argument must be an object (got null)']);
    expect(problems('wss://api.example.com')).toEqual(['the argument must be an object (got a string)']);
  });

  test('the address of the live link', () => {
    expect(problem({ enableRealtimeSync: true })).toEqual([
      'websocketUrl must be a URL that begins with ws:// or wss:// (it is missing)',
    ]);
  });

  test('the resolver of the strategy "custom", the general one or a collection’s own', () => {
    const needed = 'must be a function (conflict) => row, since conflictStrategy is "custom" (it is missing)';
    expect(problem({ conflictStrategy: 'custom' })).toEqual([`customConflictResolver ${needed}`]);
    expect(problem({ collections: { todos: { conflictStrategy: 'custom' } } })).toEqual([
      `collections.todos.customConflictResolver ${needed}`,
    ]);
  });

  test('all problems are told at once', () => {
    expect(problem({ syncInterval: 1, pageSize: -1, colections: 1, logger: { minLevel: 1 } })).toHaveLength(4);
  });
});

describe('nothing that could be secret is repeated', () => {
  const secret = 'eyJhbGciOi.secret.token';
  test.each<[string, object]>([
    ['as a URL', { websocketUrl: `https://user:${secret}@example.com/?token=${secret}`, baseUrl: secret }],
    ['as a number of ms', { syncInterval: secret }],
    ['as a strategy', { conflictStrategy: secret }],
    ['as a transport', { transport: secret }],
    ['in an unknown option', { apiKey: secret }],
    ['in a store', { store: { type: secret } }],
    ['in a list', { collections: { todos: { filter: { fields: [secret, 1], limit: secret } } } }],
    ['in a logger', { logger: { minLevel: secret } }],
  ])('%s', (_, extra) => {
    let thrown: unknown;
    try {
      checkConfig({ ...base, ...extra } as SyncLayerConfig);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SyncLayerError);
    const { message, stack, details, cause } = thrown as SyncLayerError;
    expect(JSON.stringify([message, stack, details, cause ?? null])).not.toContain('secret');
  });
});

test('an address that is given as undefined is the setting that is named', () => {
  const unset = { websocketUrl: undefined, collections: ['todos'] };
  expect(problems(unset)).toEqual(['websocketUrl must be a URL that begins with ws:// or wss:// (it is missing)']);
  expect(problems({ ...unset, baseUrl: 'http://127.0.0.1' })).toEqual([]);
  expect(problems({ collections: ['todos'] })).toEqual([expect.stringMatching(/^transport must be/)]);
});

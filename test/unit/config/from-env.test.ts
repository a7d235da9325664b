import { describe, expect, test } from 'vitest';
import { createSyncLayer, fromEnv, registerTransport, SyncLayerError } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

const failure = (env: Record<string, unknown>): string => {
  try {
    fromEnv(env);
  } catch (error) {
    if (!(error instanceof SyncLayerError)) throw error;
    expect(error.code).toBe('CONFIG_INVALID');
    return error.message;
  }
  return '';
};

test('every setting that a text can hold', () => {
  const env = {
    SYNCLAYER_COLLECTIONS: 'todos, users,notes',
    SYNCLAYER_BASE_URL: 'https://api.example.com',
    SYNCLAYER_WEBSOCKET_URL: 'wss://api.example.com/ws',
    SYNCLAYER_AUTH_TOKEN: '123456',
    SYNCLAYER_SYNC_INTERVAL: '300000',
    SYNCLAYER_ENABLE_AUTO_SYNC: 'no',
    SYNCLAYER_MAX_RETRIES: '5',
    SYNCLAYER_SYNC_FILTERS: '{"todos":{"where":{"done":false}}}',
    SYNCLAYER_CONFLICT_STRATEGY: 'serverWins',
    SYNCLAYER_ENABLE_REALTIME_SYNC: 'TRUE',
    SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '2000',
    SYNCLAYER_MAX_RECONNECT_DELAY: '20000',
    SYNCLAYER_MAX_WEBSOCKET_RECONNECT_ATTEMPTS: '10',
    SYNCLAYER_CONNECT_TIMEOUT: '5000',
    SYNCLAYER_AUDIT_INTERVAL: '60000',
    SYNCLAYER_PAGE_SIZE: '100',
    SYNCLAYER_BUFFER_LIMIT: '1000',
    SYNCLAYER_DISCONNECT_IN_BACKGROUND: '30000',
    SYNCLAYER_STORE: 'sqlite',
    SYNCLAYER_STORE_PATH: '42',
    SYNCLAYER_STORE_SYNCHRONOUS: 'normal',
    SYNCLAYER_LOGGER_ENABLED: 'off',
    SYNCLAYER_LOGGER_MIN_LEVEL: 'debug',
    SYNCLAYER_TRANSPORT: '',
    PATH: '/bin',
  };
  expect(fromEnv(env)).toEqual({
    collections: ['todos', 'users', 'notes'],
    baseUrl: 'https://api.example.com',
    websocketUrl: 'wss://api.example.com/ws',
    authToken: '123456',
    syncInterval: 300_000,
    enableAutoSync: false,
    maxRetries: 5,
    syncFilters: { todos: { where: { done: false } } },
    conflictStrategy: 'serverWins',
    enableRealtimeSync: true,
    websocketReconnectDelay: 2000,
    maxReconnectDelay: 20_000,
    maxWebsocketReconnectAttempts: 10,
    connectTimeout: 5000,
    auditInterval: 60_000,
    pageSize: 100,
    bufferLimit: 1000,
    disconnectInBackground: 30_000,
    store: { type: 'sqlite', path: '42', synchronous: 'normal' },
    logger: { enabled: false, minLevel: 'debug' },
  });
  expect(fromEnv({ SYNCLAYER_DISCONNECT_IN_BACKGROUND: 'false' })).toEqual({ disconnectInBackground: false });
  expect(fromEnv({ SYNCLAYER_STORE: 'indexeddb', SYNCLAYER_STORE_NAME: 'u1' })).toEqual({
    store: { type: 'indexeddb', name: 'u1' },
  });
});

describe('the options of a transport', () => {
  test('are read for what they look like', () => {
    const env = {
      SYNCLAYER_TRANSPORT: 'my-backend',
      SYNCLAYER_MY_BACKEND_URL: 'https://x.example.com',
      SYNCLAYER_MY_BACKEND_PAGE_SIZE: '50',
      SYNCLAYER_MY_BACKEND_REALTIME: 'true',
      SYNCLAYER_MY_BACKEND_TABLES: '{"todos":"t_todos"}',
      SYNCLAYER_MY_BACKEND_PROJECT_ID: '12345678901234567890',
      SYNCLAYER_MY_BACKEND_ACCOUNT: '007',
      SYNCLAYER_MY_BACKEND_PIN: '"123"',
      SYNCLAYER_MY_BACKEND_KEY: 'abc.def',
    };
    expect(fromEnv(env)).toEqual({
      transport: {
        type: 'my-backend',
        url: 'https://x.example.com',
        pageSize: 50,
        realtime: true,
        tables: { todos: 't_todos' },
        projectId: '12345678901234567890',
        account: '007',
        pin: '123',
        key: 'abc.def',
      },
    });
  });

  test('do not hide the general settings that begin alike', () => {
    const env = {
      SYNCLAYER_TRANSPORT: 'websocket',
      SYNCLAYER_WEBSOCKET_URL: 'ws://127.0.0.1:1/ws',
      SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '2000',
      SYNCLAYER_WEBSOCKET_HEARTBEAT_INTERVAL: '9000',
    };
    expect(fromEnv(env)).toEqual({
      websocketUrl: 'ws://127.0.0.1:1/ws',
      websocketReconnectDelay: 2000,
      transport: { type: 'websocket', heartbeatInterval: 9000 },
    });
  });

  test('of another backend wait in the same file until that one is chosen', () => {
    const env = {
      SYNCLAYER_WEBSOCKET_URL: 'ws://127.0.0.1:1/ws',
      SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '2000',
      SYNCLAYER_SUPABASE_URL: 'https://abc.supabase.co',
      SYNCLAYER_SUPABASE_KEY: 'sb_publishable_abc',
    };
    expect(fromEnv({ ...env, SYNCLAYER_TRANSPORT: 'supabase' })).toEqual({
      transport: { type: 'supabase', url: 'https://abc.supabase.co', key: 'sb_publishable_abc' },
      websocketReconnectDelay: 2000,
    });
    expect(fromEnv({ ...env, SYNCLAYER_TRANSPORT: 'websocket' })).toEqual({
      transport: { type: 'websocket' },
      websocketUrl: 'ws://127.0.0.1:1/ws',
      websocketReconnectDelay: 2000,
    });
  });

  test('reach the factory of that name', async () => {
    let given: unknown;
    const unregister = registerTransport('env-test', (options: object) => {
      given = options;
      return memoryTransport();
    });
    const env = { SYNCLAYER_TRANSPORT: 'env-test', SYNCLAYER_ENV_TEST_REGION: 'eu-1' };
    const sync = await createSyncLayer({ ...fromEnv(env), collections: ['todos'] });
    await sync.close();
    unregister();
    expect(given).toEqual({ region: 'eu-1' });
  });
});

describe('mistakes name the variable', () => {
  test.each<[Record<string, string>, string]>([
    [{ SYNCLAYER_COLECTIONS: 'todos' }, 'SYNCLAYER_COLECTIONS is not a setting; did you mean "SYNCLAYER_COLLECTIONS"?'],
    [
      { SYNCLAYER_TRANSPORT: 'supabase', SYNCLAYER_SUPERBASE_KEY: 'x' },
      'SYNCLAYER_SUPERBASE_KEY is not a setting; did you mean "SYNCLAYER_SUPABASE_..."?',
    ],
    [
      { SYNCLAYER_SUPABASE_KEY: 'x' },
      'SYNCLAYER_SUPABASE_KEY is not a setting; it belongs to SYNCLAYER_TRANSPORT=supabase, which is not set',
    ],
    [{ SYNCLAYER_SYNC_INTERVAL: '5m' }, 'SYNCLAYER_SYNC_INTERVAL must be a number.'],
    [{ SYNCLAYER_ENABLE_REALTIME_SYNC: 'maybe' }, 'SYNCLAYER_ENABLE_REALTIME_SYNC must be true or false.'],
    [{ SYNCLAYER_SYNC_FILTERS: '{todos}' }, 'SYNCLAYER_SYNC_FILTERS must be JSON.'],
    [{ SYNCLAYER_DISCONNECT_IN_BACKGROUND: 'never' }, 'SYNCLAYER_DISCONNECT_IN_BACKGROUND must be a number or false.'],
  ])('%o', (env, message) => {
    expect(failure(env)).toBe(message);
  });

  test('an unknown one lists those that exist, and says no value', () => {
    const message = failure({ SYNCLAYER_FROBNICATE: 'secret', SYNCLAYER_AUTH_TOKEN: 'secret' });
    expect(message).toContain('SYNCLAYER_FROBNICATE is not a setting; known are SYNCLAYER_TRANSPORT, ');
    expect(message).toContain(', SYNCLAYER_BASE_URL, ');
    expect(message).not.toContain('secret');
  });

  test('a path without a kind of store is not passed over', async () => {
    const config = {
      ...fromEnv({ SYNCLAYER_STORE_PATH: 'app.db' }),
      collections: ['todos'],
      baseUrl: 'http://127.0.0.1',
    };
    await expect(createSyncLayer(config)).rejects.toThrow('store must be { type: "memory" }');
  });
});

test('reads the process’s own environment, and what a bundler has', () => {
  process.env.SYNCLAYER_PAGE_SIZE = '77';
  try {
    expect(fromEnv()).toMatchObject({ pageSize: 77 });
  } finally {
    delete process.env.SYNCLAYER_PAGE_SIZE;
  }
  expect(fromEnv({ DEV: true, MODE: 'production', SYNCLAYER_PAGE_SIZE: '5' })).toEqual({ pageSize: 5 });
});

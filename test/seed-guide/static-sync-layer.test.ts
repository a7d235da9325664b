import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { type LogLevel, SyncLayer } from '../../src/index.js';
import { addressesOf, connections, hasText, shows, startServer, type Todo } from './setup.js';

afterEach(async () => {
  await SyncLayer.dispose();
  SyncLayer.configureLogger({ enabled: false });
});

test('init, collection, syncNow, getMetrics, configureLogger, dispose: as in a Flutter app', async () => {
  const server = await startServer({ authenticate: (token) => (token === 'token' ? { id: 'u' } : null) });
  const lines: [LogLevel, string][] = [];
  SyncLayer.configureLogger({
    enabled: true,
    minLevel: 'debug',
    customLogger: (level, message) => lines.push([level, message]),
  });
  await SyncLayer.init({
    ...addressesOf(server),
    authToken: 'token',
    syncInterval: 300_000,
    enableAutoSync: true,
    enableRealtimeSync: true,
    websocketReconnectDelay: 5000,
    maxWebsocketReconnectAttempts: 5,
    collections: ['todos', 'users', 'notes'],
  });
  const todos = SyncLayer.collection<Todo>('todos');
  const id = await todos.save({ text: 'Buy milk', done: false });
  const [row] = await shows(todos, hasText('Buy milk'));
  expect(row).toEqual({ id, text: 'Buy milk', done: false });
  await SyncLayer.syncNow();
  expect(server.collection('todos').get(id)).toMatchObject({ text: 'Buy milk' });
  expect(SyncLayer.getMetrics().operations).toEqual({ queued: 1, synced: 1, failed: 0 });
  expect(SyncLayer.getMetrics().sync.attempts).toBeGreaterThanOrEqual(1);
  expect(SyncLayer.instance.realtime.enabled).toBe(true);
  expect(lines).toContainEqual(['debug', 'connection: connected']);
  await SyncLayer.dispose();
  await connections(server, 0);
  expect(() => SyncLayer.collection('todos')).toThrow(
    'SyncLayer is not initialised; await SyncLayer.init(config) first.',
  );
});

test('before init, and after dispose, it says what to do', async () => {
  const missing = {
    code: 'INVALID_STATE',
    message: 'SyncLayer is not initialised; await SyncLayer.init(config) first.',
  };
  expect(() => SyncLayer.instance).toThrow(expect.objectContaining(missing));
  expect(() => SyncLayer.getMetrics()).toThrow(expect.objectContaining(missing));
  expect(() => SyncLayer.collection('todos')).toThrow(expect.objectContaining(missing));
  await expect(SyncLayer.syncNow()).rejects.toMatchObject(missing);
  await SyncLayer.dispose();
});

test('one at a time, also when init is called twice in one turn; again after dispose or a failure', async () => {
  const server = await startServer();
  const config = { ...addressesOf(server), collections: ['todos'] };
  await expect(SyncLayer.init({ ...config, websocketUrl: 'nowhere' })).rejects.toThrow('websocketUrl must be a URL');
  const [first, second] = await Promise.allSettled([SyncLayer.init(config), SyncLayer.init(config)]);
  expect(first.status).toBe('fulfilled');
  expect(second).toMatchObject({
    status: 'rejected',
    reason: { code: 'INVALID_STATE', message: 'SyncLayer is initialised already; await SyncLayer.dispose() first.' },
  });
  await expect(SyncLayer.init(config)).rejects.toThrow('initialised already');
  await SyncLayer.dispose();
  const sync = await SyncLayer.init(config);
  expect(SyncLayer.instance).toBe(sync);
  await sync.collection('todos').save({ text: 'Milk' });
});

test('dispose while init is under way closes what comes of it', async () => {
  const server = await startServer();
  const starting = SyncLayer.init({ ...addressesOf(server), collections: ['todos'] });
  const disposing = SyncLayer.dispose();
  const sync = await starting;
  await disposing;
  expect(sync.status.phase).toBe('closed');
  await connections(server, 0);
  expect(() => SyncLayer.instance).toThrow('not initialised');
});

test('init, dispose and init in one turn, as an effect of React in StrictMode: the second one has the store', async () => {
  const server = await startServer();
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-strict-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const config = {
    ...addressesOf(server),
    collections: ['todos'],
    store: { type: 'sqlite', path: join(folder, 'app.db') },
  } as const;
  const first = SyncLayer.init(config);
  const disposed = SyncLayer.dispose();
  const second = SyncLayer.init(config);
  await disposed;
  expect((await first).status.phase).toBe('closed');
  const sync = await second;
  expect(SyncLayer.instance).toBe(sync);
  await SyncLayer.collection('todos').save({ text: 'Milk' });
  await SyncLayer.syncNow();
  expect(server.collection('todos').count()).toBe(1);
});

test('a logger that was set before init stays, unless the configuration has its own', async () => {
  const server = await startServer();
  const heard: string[] = [];
  SyncLayer.configureLogger({ minLevel: 'debug', customLogger: () => heard.push('static') });
  await SyncLayer.init({
    ...addressesOf(server),
    collections: ['todos'],
    logger: { minLevel: 'debug', customLogger: () => heard.push('config') },
  });
  await SyncLayer.syncNow();
  expect(new Set(heard)).toEqual(new Set(['config']));
  SyncLayer.configureLogger({ customLogger: () => heard.push('later') });
  await SyncLayer.dispose();
  expect(heard.at(-1)).toBe('later');
});

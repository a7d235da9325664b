import { describe, expect, test } from 'vitest';
import type { SyncLayerConfig } from '../../src/index.js';
import type { SyncServer } from '../../src/server/index.js';
import {
  type App,
  addressesOf,
  collections,
  connections,
  hasText,
  openDevice,
  phase,
  record,
  sent,
  shows,
  startNetwork,
  startServer,
  type Todo,
} from './setup.js';

/** An app, written before there was real-time sync. It is the same function in every test below. */
function app(sync: App) {
  const todos = sync.collection<Todo>('todos');
  const screens: string[][] = [];
  todos.orderBy('text').watch((rows) => void screens.push(rows.map(({ text }) => text)));
  return {
    todos,
    screens,
    add: (text: string) => todos.save({ text, done: false }),
    tick: (id: string) => todos.update(id, { done: true }),
  };
}

type Config = Partial<SyncLayerConfig<typeof collections>>;

/** Step 3 of the guide: before. */
const polling = (server: SyncServer): Config => ({
  baseUrl: server.httpUrl,
  authToken: 'token',
  syncInterval: 100,
  enableAutoSync: true,
  collections,
});

/** Step 3 of the guide: after. */
const realtime = (server: SyncServer): Config => ({
  baseUrl: server.httpUrl,
  authToken: 'token',
  // Polling stays as the fallback.
  syncInterval: 300_000,
  enableAutoSync: true,
  enableRealtimeSync: true,
  websocketUrl: server.url,
  websocketReconnectDelay: 5000,
  maxWebsocketReconnectAttempts: 5,
  collections,
});

const authenticate = (token: string | undefined) => (token === 'token' ? { id: 'u1' } : null);

/** What the app does, and what must come of it, whatever the configuration. */
async function useApp(config: Config) {
  const [one, two] = [app(await openDevice(config)), app(await openDevice(config))];
  const milk = await one.add('Milk');
  await shows(two.todos, hasText('Milk'));
  await two.tick(milk);
  await two.add('Bread');
  const rows = await shows(one.todos, (all) => hasText('Bread')(all) && all.some(({ done }) => done));
  expect(rows.map(({ text, done }) => ({ text, done })).sort((a, b) => a.text.localeCompare(b.text))).toEqual([
    { text: 'Bread', done: false },
    { text: 'Milk', done: true },
  ]);
  await two.todos.delete(milk);
  await shows(one.todos, (all) => all.length === 1);
  expect(one.screens.at(-1)).toEqual(['Bread']);
}

describe('step 3: the configuration', () => {
  test.each<[string, Config]>([
    ['no websocketUrl', {}],
    ['enableRealtimeSync: false', { enableRealtimeSync: false }],
  ])('before: polling only, with %s', async (_, extra) => {
    const server = await startServer({ authenticate });
    let peak = 0;
    const sync = await openDevice({ ...polling(server), ...extra });
    sync.events.on('statusChanged', () => {
      peak = Math.max(peak, server.connections);
    });
    expect(sync.realtime.enabled).toBe(false);
    expect(sync.status.phase).toBe('polling');
    await useApp({ ...polling(server), ...extra });
    expect([peak, server.connections]).toEqual([0, 0]);
    expect(sync.metrics().connection.attempts).toBe(0);
  });

  test('after: a live link beside it', async () => {
    const server = await startServer({ authenticate });
    const sync = await openDevice(realtime(server));
    await phase(sync, 'live');
    expect(server.connections).toBe(1);
    expect(sync.realtime).toMatchObject({ enabled: true, state: { status: 'connected' } });
  });

  test('an address without the flag is a live link too; the flag without an address is a mistake', async () => {
    const server = await startServer({ authenticate });
    const { enableRealtimeSync, ...rest } = realtime(server);
    await phase(await openDevice(rest), 'live');
    await expect(openDevice({ ...polling(server), enableRealtimeSync })).rejects.toThrow(
      'websocketUrl must be a URL that begins with ws:// or wss:// (it is missing)',
    );
  });

  test('an address that is switched off makes no connection', async () => {
    const server = await startServer({ authenticate });
    const sync = await openDevice({ ...realtime(server), enableRealtimeSync: false });
    await sync.syncNow();
    expect([sync.status.phase, sync.realtime.state.status, server.connections]).toEqual(['polling', 'idle', 0]);
  });
});

describe('step 4: no code changes', () => {
  test('the app works with polling', async () => {
    const server = await startServer({ authenticate });
    await useApp(polling(server));
    expect(server.stats().messagesIn).toBe(0);
  });

  test('the same app works with real-time sync', async () => {
    const server = await startServer({ authenticate });
    await useApp(realtime(server));
    expect(server.stats().messagesIn).toBeGreaterThan(0);
  });

  test('and on both at once: one device polls, the other is live', async () => {
    const server = await startServer({ authenticate });
    const [old, fresh] = [app(await openDevice(polling(server))), app(await openDevice(realtime(server)))];
    await old.add('From polling');
    await shows(fresh.todos, hasText('From polling'));
    await fresh.add('From live');
    await shows(old.todos, hasText('From live'));
  });
});

describe('step 5: an indicator', () => {
  test('realtimeConnected and realtimeDisconnected tell Live from Syncing', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const sync = await openDevice({ ...network.addresses, syncInterval: 100 });
    let indicator = 'Syncing';
    const heard = record(sync, 'realtimeConnected', 'realtimeDisconnected');
    sync.events.on('realtimeConnected', ({ collections: names }) => {
      indicator = `Live: ${names.join(', ')}`;
    });
    sync.events.on('realtimeDisconnected', ({ state }) => {
      indicator = `Syncing: ${state.status}`;
    });
    await phase(sync, 'live');
    expect(indicator).toBe('Live: todos, users, notes');
    const down = sync.events.once('realtimeDisconnected');
    await network.refuse();
    network.cut();
    await down;
    expect(indicator).toBe('Syncing: disconnected');
    await network.accept();
    await phase(sync, 'live');
    expect(indicator).toBe('Live: todos, users, notes');
    expect(heard).toEqual(['realtimeConnected', 'realtimeDisconnected', 'realtimeConnected']);
  });

  test('statusChanged tells all of it, with what waits to be sent', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const sync = await openDevice(network.addresses);
    const shown: string[] = [];
    sync.events.on('statusChanged', ({ phase: now, pending }) => {
      const text = `${now} ${pending}`;
      if (shown.at(-1) !== text) shown.push(text);
    });
    await phase(sync, 'live');
    expect(shown.at(-1)).toBe('live 0');
    const offline = sync.events.once('statusChanged', (status) => status.phase === 'offline');
    await network.refuse();
    network.cut();
    await offline;
    await sync.collection('todos').save({ text: 'Milk' });
    expect(sync.status.pending).toBe(1);
    expect(shown).toContain('offline 1');
    await network.accept();
    await phase(sync, 'live');
    expect(sync.status).toEqual({ phase: 'live', pending: 0 });
    await sync.realtime.disable();
    expect(sync.status.phase).toBe('polling');
    await sync.pause();
    expect(sync.status.phase).toBe('paused');
    await sync.close();
    expect(sync.status.phase).toBe('closed');
    expect(shown.slice(-3)).toEqual(['polling 0', 'paused 0', 'closed 0']);
  });
});

test('step 2: the server takes several devices, and nothing of theirs stays behind', async () => {
  const server = await startServer({ authenticate });
  const devices = await Promise.all([1, 2, 3].map(() => openDevice({ ...addressesOf(server), authToken: 'token' })));
  await Promise.all(devices.map((device) => phase(device, 'live')));
  expect(server.connections).toBe(3);
  await devices[0]?.collection('todos').save({ text: 'Milk' });
  await sent(devices[0] as App);
  await Promise.all(devices.map((device) => device.close()));
  await connections(server, 0);
});

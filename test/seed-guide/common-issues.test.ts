import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import type { LogLevel, SyncEvents } from '../../src/index.js';
import {
  addressesOf,
  becomePage,
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

describe('issue 1: the socket does not connect', () => {
  test('debug logging tells the story', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const lines: [LogLevel, string][] = [];
    const sync = await openDevice({ ...network.addresses, enableRealtimeSync: false });
    sync.configureLogger({
      enabled: true,
      minLevel: 'debug',
      customLogger: (level, message) => lines.push([level, message]),
    });
    await sync.realtime.enable();
    await phase(sync, 'live');
    const offline = sync.events.once('statusChanged', (status) => status.phase === 'offline');
    await network.refuse();
    network.cut();
    await offline;
    expect(lines).toContainEqual(['debug', 'connection: connecting']);
    expect(lines).toContainEqual(['debug', 'connection: connected']);
    expect(lines).toContainEqual(['debug', 'connection: disconnected']);
    expect(lines).toContainEqual(['warn', expect.stringContaining('closed the connection')]);
    sync.configureLogger({ enabled: false });
    const quiet = lines.length;
    await network.accept();
    await phase(sync, 'live');
    expect(lines).toHaveLength(quiet);
  });

  test('the level decides what is said', async () => {
    const server = await startServer();
    const heard = new Map<LogLevel, LogLevel[]>();
    for (const minLevel of ['debug', 'info', 'warn', 'error'] as const) {
      const levels: LogLevel[] = [];
      heard.set(minLevel, levels);
      const sync = await openDevice({
        ...addressesOf(server),
        logger: { minLevel, customLogger: (level) => levels.push(level) },
      });
      await phase(sync, 'live');
      await sync.close();
    }
    expect(heard.get('debug')).toContain('debug');
    expect(heard.get('info')).not.toContain('debug');
    expect(heard.get('error')).toEqual([]);
  });

  test.each(['message', 'query'] as const)(
    'no token is in any line, event or inspection (authMode %s)',
    async (authMode) => {
      const secrets = ['good-token-1', 'refused-token-2', 'next-token-3', 'url-secret-4'];
      const valid = new Set(['good-token-1', 'next-token-3']);
      const server = await startServer({ authenticate: (token) => (valid.has(token ?? '') ? { id: 'u' } : null) });
      const network = await startNetwork(server);
      const said: unknown[] = [];
      const events: unknown[] = [];
      const output = (['debug', 'info', 'log', 'warn', 'error'] as const).map((level) =>
        vi.spyOn(console, level).mockImplementation((...all) => void said.push(all)),
      );
      const sync = await openDevice({
        transport: { type: 'websocket', authMode },
        ...network.addresses,
        websocketUrl: `${network.addresses.websocketUrl}?key=url-secret-4`,
        authToken: 'good-token-1',
        logger: { minLevel: 'debug', customLogger: (...line) => said.push(line) },
      });
      for (const name of ['error', 'syncFailed', 'realtimeDisconnected', 'statusChanged', 'operationFailed'] as const)
        sync.events.on(name, (event: SyncEvents[typeof name]) => void events.push(event));
      await phase(sync, 'live');
      valid.delete('good-token-1');
      const refused = phase(sync, 'needs-auth');
      network.cut();
      await refused;
      sync.setAuthToken('refused-token-2');
      await sync.events.once('error', ({ error }) => error.code === 'AUTH_REQUIRED');
      await sync.syncNow().catch((error: unknown) => void said.push(error));
      sync.setAuthToken('next-token-3');
      await phase(sync, 'live');
      await network.refuse();
      network.cut();
      await sync.syncNow().catch((error: unknown) => void said.push(error));
      for (const spy of output) spy.mockRestore();
      expect(said.length).toBeGreaterThan(8);
      expect(events.length).toBeGreaterThan(4);
      const all = inspect([said, events, sync.inspect(), sync.metrics()], {
        depth: 20,
        showHidden: true,
        maxStringLength: null,
      });
      for (const secret of secrets) expect(all).not.toContain(secret);
      expect(all).toContain('needs-auth');
    },
  );

  test('inspect() shows the state', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const sync = await openDevice(network.addresses);
    await phase(sync, 'live');
    await sync.collection('todos').saveMany([{ text: 'Milk' }, { text: 'Bread' }]);
    await sent(sync);
    const state = sync.inspect();
    expect(state).toMatchObject({
      status: { phase: 'live', pending: 0 },
      realtime: { status: 'connected', since: expect.any(Number) },
      transport: 'websocket',
      store: 'memory',
      collections: {
        todos: { rows: 2, pending: 0, failed: 0, phase: 'live' },
        users: { rows: 0, pending: 0, failed: 0, phase: 'live' },
        notes: { rows: 0, pending: 0, failed: 0, phase: 'live' },
      },
    });
    expect(Math.abs(state.clockOffset)).toBeLessThan(1000);
    expect(JSON.stringify(state)).not.toContain('Milk');
    await network.refuse();
    network.cut();
    await phase(sync, 'offline');
    await sync.collection('todos').save({ text: 'Eggs' });
    expect(sync.inspect()).toMatchObject({
      status: { phase: 'offline', pending: 1 },
      collections: { todos: { rows: 3, pending: 1 } },
    });
    expect(['disconnected', 'connecting']).toContain(sync.inspect().realtime.status);
  });

  test('a wrong address says what to look at', async () => {
    const server = await startServer();
    const sync = await openDevice({ websocketUrl: server.url.replace('/ws', '/wrong'), baseUrl: server.httpUrl });
    const { error } = await sync.events.once('error');
    expect(error.code).toBe('CONNECT_FAILED');
    expect(error.message).toContain('Is the server up, and its address right?');
    expect(sync.status.phase).toBe('offline');
  });
});

describe('issue 2: frequent disconnections', () => {
  test('the link comes back each time, and what was made meanwhile arrives once', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const sync = await openDevice(network.addresses);
    const inserts = record(sync, 'remoteInsert');
    await phase(sync, 'live');
    for (let round = 0; round < 5; round++) {
      const lost = sync.events.once('realtimeDisconnected');
      network.cut({ reset: round % 2 === 0 });
      server.collection('todos').save(`${round}`, { text: `Round ${round}`, done: false });
      await lost;
      await phase(sync, 'live');
    }
    const todos = sync.collection<Todo>('todos');
    await shows(todos, (rows) => rows.length === 5);
    expect(inserts).toHaveLength(5);
    expect(sync.metrics().connection).toMatchObject({ attempts: 6, failures: 0, reconnects: 5 });
    expect(server.connections).toBe(1);
  });

  test('after maxWebsocketReconnectAttempts it polls, and starts again when told to', async () => {
    const server = await startServer();
    const network = await startNetwork(server);
    const sync = await openDevice({
      websocketUrl: network.addresses.websocketUrl,
      baseUrl: server.httpUrl,
      maxWebsocketReconnectAttempts: 2,
      websocketReconnectDelay: 1,
      syncInterval: 100,
    });
    await phase(sync, 'live');
    const failed = phase(sync, 'failed');
    await network.refuse();
    network.cut();
    await failed;
    expect(sync.realtime.state).toMatchObject({ status: 'failed', reason: { code: 'CONNECT_FAILED' } });
    expect(sync.metrics().connection).toMatchObject({ attempts: 3, failures: 2 });
    server.collection('todos').save('1', { text: 'Polled', done: false });
    await shows(sync.collection<Todo>('todos'), hasText('Polled'));
    expect(sync.metrics().connection.attempts).toBe(3);
    await network.accept();
    await sync.realtime.enable();
    await phase(sync, 'live');
  });
});

describe('issue 3: battery', () => {
  test('the link goes down in the background and comes back in the foreground, with what was missed', async () => {
    const server = await startServer();
    const page = becomePage();
    const sync = await openDevice({ ...addressesOf(server), disconnectInBackground: 0 });
    const todos = sync.collection<Todo>('todos');
    await phase(sync, 'live');
    const down = sync.events.once('realtimeDisconnected');
    page.show('hidden');
    expect((await down).state.status).toBe('idle');
    await connections(server, 0);
    expect(sync.realtime.enabled).toBe(true);
    server.collection('todos').save('1', { text: 'Meanwhile', done: false });
    page.show('visible');
    await phase(sync, 'live');
    await shows(todos, hasText('Meanwhile'));
    expect(server.connections).toBe(1);
  });

  test('a short look elsewhere keeps the link, and so does the default', async () => {
    const server = await startServer();
    const page = becomePage();
    const patient = await openDevice({ ...addressesOf(server), disconnectInBackground: 60_000 });
    const always = await openDevice(addressesOf(server));
    await Promise.all([phase(patient, 'live'), phase(always, 'live')]);
    const heard = [record(patient, 'realtimeDisconnected'), record(always, 'realtimeDisconnected')];
    page.show('hidden');
    server.collection('todos').save('1', { text: 'In the background', done: false });
    await Promise.all(
      [patient, always].map((sync) => shows(sync.collection<Todo>('todos'), hasText('In the background'))),
    );
    page.show('visible');
    await Promise.all([patient.syncNow(), always.syncNow()]);
    expect(heard.flat()).toEqual([]);
    expect(server.connections).toBe(2);
  });

  test('an app that starts in the background connects when it is looked at', async () => {
    const server = await startServer();
    const page = becomePage();
    page.show('hidden');
    const sync = await openDevice({ ...addressesOf(server), disconnectInBackground: 0 });
    await sync.syncNow();
    expect(server.connections).toBe(0);
    page.show('visible');
    await phase(sync, 'live');
  });

  test('offline and online, as the platform tells them', async () => {
    const server = await startServer();
    const page = becomePage();
    const sync = await openDevice(addressesOf(server));
    const heard: boolean[] = [];
    sync.events.on('connectivityChanged', ({ online }) => heard.push(online));
    await phase(sync, 'live');
    page.say('offline');
    expect(sync.status.phase).toBe('offline');
    await connections(server, 0);
    await sync.collection('todos').save({ text: 'Milk' });
    server.collection('todos').save('1', { text: 'Bread', done: false });
    expect(sync.status).toEqual({ phase: 'offline', pending: 1 });
    page.say('offline');
    page.say('online');
    await phase(sync, 'live');
    await shows(sync.collection<Todo>('todos'), hasText('Milk', 'Bread'));
    expect(server.collection('todos').count()).toBe(2);
    expect(heard).toEqual([false, true]);
  });
});

describe('issue 4: changes do not reach the other device', () => {
  test('who may not read a collection is told so, and the others go on', async () => {
    const server = await startServer({
      authenticate: (token) => (token ? { id: token } : null),
      authorize: ({ action, user, collection }) =>
        action !== 'subscribe' || collection !== 'notes' || user?.id === 'boss',
    });
    const boss = await openDevice({ ...addressesOf(server), authToken: 'boss' });
    const clerk = await openDevice({ ...addressesOf(server), authToken: 'clerk' });
    const { collection, error } = await clerk.events.once('error');
    expect([collection, error.code]).toEqual(['notes', 'SUBSCRIBE_REJECTED']);
    await phase(boss, 'live');
    await boss.collection('notes').save({ text: 'Secret' });
    await boss.collection('todos').save({ text: 'Shared', done: false });
    await shows(clerk.collection<Todo>('todos'), hasText('Shared'));
    expect(await clerk.collection('notes').count()).toBe(0);
    expect(clerk.inspect().collections.notes?.phase).toBe('failed');
  });

  test('the server tells how many it talks to, and how much', async () => {
    const server = await startServer();
    const [one, two] = [await openDevice(addressesOf(server)), await openDevice(addressesOf(server))];
    await Promise.all([phase(one, 'live'), phase(two, 'live')]);
    const before = server.stats();
    expect(before.connections).toBe(2);
    await one.collection('todos').save({ text: 'Milk', done: false });
    await shows(two.collection<Todo>('todos'), hasText('Milk'));
    const after = server.stats();
    expect(after.messagesIn - before.messagesIn).toBe(1);
    // An answer to the one, an event to the other.
    expect(after.messagesOut - before.messagesOut).toBe(2);
  });
});

describe('issue 5: authentication', () => {
  const withTokens = async (...tokens: readonly string[]) => {
    const valid = new Set(tokens);
    const asked: (string | undefined)[] = [];
    const authenticate = (token: string | undefined) => {
      asked.push(token);
      return valid.has(token ?? '') ? { id: 'u' } : null;
    };
    return { server: await startServer({ authenticate }), valid, asked };
  };

  test('a refused token waits for a new one, which works without a restart', async () => {
    const { server, valid, asked } = await withTokens('new');
    const sync = await openDevice({ ...addressesOf(server), authToken: 'old', syncInterval: 100 });
    await phase(sync, 'needs-auth');
    expect(sync.realtime.state).toMatchObject({ status: 'needs-auth', reason: { code: 'AUTH_REQUIRED' } });
    await sync.collection('todos').save({ text: 'Milk', done: false });
    const before = asked.filter((token) => token !== undefined).length;
    sync.setAuthToken('new');
    await phase(sync, 'live');
    await sent(sync);
    expect(server.collection('todos').count()).toBe(1);
    expect(before).toBeLessThanOrEqual(2);
    expect(asked.at(-1)).toBe('new');
    expect(valid.has('old')).toBe(false);
  });

  test('a new token while the link is up is used for the next one, at once', async () => {
    const { server, valid, asked } = await withTokens('one', 'two');
    const sync = await openDevice({ ...addressesOf(server), authToken: 'one' });
    const todos = sync.collection<Todo>('todos');
    await phase(sync, 'live');
    const again = sync.events.once('realtimeConnected');
    sync.setAuthToken('two');
    valid.delete('one');
    await todos.save({ text: 'Under way', done: false });
    await again;
    await phase(sync, 'live');
    await sent(sync);
    expect(asked.at(-1)).toBe('two');
    expect(server.collection('todos').count()).toBe(1);
    await connections(server, 1);
  });

  test('a function is asked again when the server refuses what it gave', async () => {
    const { server, valid } = await withTokens('t1');
    let current = 't1';
    const sync = await openDevice({ ...addressesOf(server), authToken: async () => current });
    await phase(sync, 'live');
    current = 't2';
    valid.clear();
    valid.add('t2');
    const lost = sync.events.once('realtimeDisconnected');
    server.dropConnections({ code: 4401 });
    await lost;
    await phase(sync, 'live');
    expect(server.connections).toBe(1);
  });
});

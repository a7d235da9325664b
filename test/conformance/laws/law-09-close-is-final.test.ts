import { describe, expect, test, vi } from 'vitest';
import type { EventName, LocalStore } from '../../../src/index.js';
import { memoryStore } from '../../../src/index.js';
import type { MemoryWire } from '../../../src/testing/index.js';
import {
  backendWith,
  type Client,
  change,
  fakeTimers,
  type Gate,
  gate,
  live,
  lost,
  open,
  openLive,
  pass,
  record,
  settle,
  until,
  watchedStore,
} from './harness.js';

const EVENTS: readonly EventName[] = [
  'syncStarted',
  'syncCompleted',
  'syncFailed',
  'operationQueued',
  'operationSynced',
  'operationFailed',
  'conflictDetected',
  'conflictResolved',
  'connectivityChanged',
  'realtimeConnected',
  'realtimeDisconnected',
  'remoteInsert',
  'remoteUpdate',
  'remoteDelete',
  'realtimeSync',
  'statusChanged',
  'error',
];

interface Watched extends Client {
  readonly store: ReturnType<typeof watchedStore>;
  /** The signals that the transport was given. */
  readonly signals: { readonly connect: AbortSignal[]; readonly work: AbortSignal[] };
  disconnects(): number;
}

async function watched(options: Parameters<typeof open>[0] = {}): Promise<Watched> {
  const store = watchedStore(memoryStore());
  const signals: Watched['signals'] = { connect: [], work: [] };
  let disconnects = 0;
  const client = await open({
    ...options,
    config: { store: store as LocalStore, ...options.config },
    wrap: (transport) => ({
      ...(options.wrap ?? ((same) => same))(transport),
      connect: (how) => {
        signals.connect.push(how.signal);
        return transport.connect(how);
      },
      pull: (request) => {
        signals.work.push(request.signal);
        return transport.pull(request);
      },
      push: (changes, how) => {
        signals.work.push(how.signal);
        return transport.push(changes, how);
      },
      disconnect: async () => {
        disconnects += 1;
      },
    }),
  });
  return { ...client, store, signals, disconnects: () => disconnects };
}

/** Closes, then lets everything that was under way come to its end, and a day pass: nothing may happen any more. */
async function closesForGood(client: Watched, release: () => void = () => undefined): Promise<void> {
  const { sync, wire, todos, store, signals } = client;
  await sync.close();
  expect(vi.getTimerCount(), 'timers').toBe(0);
  expect(wire.subscriptions, 'subscriptions').toBe(0);
  expect(
    signals.work.every(({ aborted }) => aborted),
    'the transport is told',
  ).toBe(true);
  expect(sync.status.phase).toBe('closed');
  expect(sync.realtime.state.status).toBe('closed');
  const events = record(sync, ...EVENTS);
  expect(() => todos.watch(() => undefined)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  expect(() => todos.watch()).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  const calls = { ...wire.calls };
  const commits = store.commits.length;
  release();
  wire.inject(change('insert', 'late', 99, { data: { n: 1 } }));
  await settle();
  await pass(24 * 3_600_000);
  expect(events).toEqual([]);
  expect(wire.calls, 'calls of the transport').toEqual(calls);
  expect(store.commits.length, 'commits').toBe(commits);
  expect(vi.getTimerCount(), 'timers afterwards').toBe(0);
}

/** Where a close can come in: how to get there. `held` is waited for by that step. */
const steps: readonly [string, (held: Gate) => Promise<Watched>][] = [
  [
    'connect',
    async (held) => {
      const client = await watched({ wire: holding('connect', held) });
      await until(() => client.wire.calls.connect >= 1);
      return client;
    },
  ],
  [
    'the wait for the next attempt to connect',
    async () => {
      const client = await watched({
        config: { websocketReconnectDelay: 60_000 },
        wire: (wire) => Object.assign(wire, { before: () => Promise.reject(lost()) }),
      });
      await until(() => client.sync.realtime.state.status === 'disconnected');
      return client;
    },
  ],
  [
    'the wait for live',
    async () => {
      const client = await watched({ wire: (wire) => Object.assign(wire, { ack: 'manual' }) });
      await until(() => client.wire.subscriptions === 1);
      return client;
    },
  ],
  [
    'the first pull',
    async (held) => {
      const client = await watched({ backend: backendWith({ a: { n: 1 } }), wire: holding('pull', held) });
      await until(() => client.wire.calls.pull >= 1);
      client.backend.write('todos', 'b', { n: 1 });
      return client;
    },
  ],
  [
    'a later page',
    async (held) => {
      const client = await watched({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
        pageCap: 1,
        wire: (wire) => {
          wire.before = (step) => (step === 'pull' && wire.calls.pull === 2 ? held.opened : undefined);
        },
      });
      await until(() => client.wire.calls.pull >= 2);
      return client;
    },
  ],
  [
    'the wait for the next catch-up',
    async () => {
      const client = await watched({
        config: { websocketReconnectDelay: 60_000 },
        wire: (wire) => {
          wire.before = (step) => (step === 'pull' ? Promise.reject(lost()) : undefined);
        },
      });
      await until(() => client.sync.metrics().errors.CONNECTION_LOST !== undefined);
      return client;
    },
  ],
  [
    'a push',
    async (held) => {
      const client = await watched({ wire: holding('push', held) });
      await live(client);
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.wire.calls.push >= 1);
      await client.todos.save({ n: 2 }, 'a');
      return client;
    },
  ],
  [
    'the wait for the next push',
    async () => {
      const client = await watched({
        config: { websocketReconnectDelay: 60_000 },
        wire: (wire) => {
          wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
        },
      });
      await live(client);
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.sync.metrics().errors.CONNECTION_LOST !== undefined);
      return client;
    },
  ],
  [
    'the fetch for a partial event',
    async (held) => {
      const client = await watched({ backend: backendWith({ a: { n: 1, text: 'A' } }), wire: holding('fetch', held) });
      await live(client);
      client.wire.partialFields = ['n'];
      client.backend.write('todos', 'a', { n: 2, text: 'B' });
      await until(() => client.wire.calls.fetch >= 1);
      return client;
    },
  ],
  [
    'an event that has just come in',
    async () => {
      const client = await watched({ backend: backendWith({ a: { n: 1, text: 'A' } }) });
      await live(client);
      client.wire.partialFields = ['n'];
      client.backend.write('todos', 'a', { n: 2, text: 'B' });
      client.backend.write('todos', 'b', { n: 2, text: 'B' });
      return client;
    },
  ],
  [
    'a comparison of keys',
    async (held) => {
      const client = await watched({
        backend: backendWith({ a: { n: 1 } }),
        deletes: 'none',
        wire: holding('keys', held),
      });
      await live(client);
      client.wire.gap();
      await until(() => client.wire.calls.keys >= 1);
      return client;
    },
  ],
  [
    'syncNow()',
    async (held) => {
      const client = await watched({ config: { enableRealtimeSync: false }, wire: holding('pull', held) });
      void client.sync.syncNow().catch(() => undefined);
      await until(() => client.wire.calls.pull >= 1);
      return client;
    },
  ],
  [
    'syncNow() that waits for the link',
    async (held) => {
      const client = await watched({ wire: holding('connect', held) });
      void client.sync.syncNow().catch(() => undefined);
      await until(() => client.wire.calls.connect >= 1);
      return client;
    },
  ],
  [
    'pause()',
    async () => {
      const client = await watched();
      await live(client);
      void client.sync.pause();
      return client;
    },
  ],
  [
    'failed',
    async () => {
      const client = await watched({
        config: { maxWebsocketReconnectAttempts: 0 },
        wire: (wire) => Object.assign(wire, { before: () => Promise.reject(lost()) }),
      });
      await until(() => client.sync.realtime.state.status === 'failed');
      return client;
    },
  ],
  [
    'live',
    async () => {
      const client = await watched();
      await live(client);
      return client;
    },
  ],
];

function holding(what: string, held: Gate): (wire: MemoryWire) => void {
  return (wire) => {
    wire.before = (step) => (step === what ? held.opened : undefined);
  };
}

describe('law 9: close is final', () => {
  test.each(steps)('during %s, which ends well later', async (_, reach) => {
    fakeTimers();
    const held = gate();
    const client = await reach(held);
    await closesForGood(client, held.open);
  });

  test.each(steps)('during %s, which fails later', async (_, reach) => {
    fakeTimers();
    let fail = (): void => undefined;
    const opened = new Promise<void>((_resolve, reject) => {
      fail = () => reject(lost());
    });
    opened.catch(() => undefined);
    const client = await reach({ opened, open: fail });
    await closesForGood(client, fail);
  });

  test('in the very moment in which it was opened', async () => {
    fakeTimers();
    await closesForGood(await watched());
  });

  test('while an edit is on its way to the disk: it is neither lost nor pushed', async () => {
    fakeTimers();
    const client = await watched();
    await live(client);
    const saved = client.todos.save({ n: 1 }, 'a');
    await closesForGood(client);
    await saved;
    expect(client.store.commits.flat().some(({ table, key }) => table === 'rows' || key[0] === 'todos')).toBe(true);
    expect(client.wire.calls.push).toBe(0);
  });

  const reactions: readonly EventName[] = [
    'statusChanged',
    'syncStarted',
    'syncCompleted',
    'operationQueued',
    'operationSynced',
    'operationFailed',
    'conflictDetected',
    'realtimeConnected',
    'realtimeDisconnected',
    'remoteInsert',
    'remoteUpdate',
    'remoteDelete',
    'realtimeSync',
    'error',
  ];
  test.each(reactions)('by a listener of %s', async (name) => {
    fakeTimers();
    const client = await watched({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), config: { maxRetries: 0 } });
    await live(client);
    let closing: Promise<void> | undefined;
    client.sync.events.on(name, () => {
      closing ??= client.sync.close();
    });
    let refuse = false;
    client.wire.decide = () => (refuse ? { type: 'rejected', error: lost() } : undefined);
    const actions: (() => unknown)[] = [
      () => client.sync.syncNow(),
      () => client.backend.write('todos', 'c', { n: 1 }),
      () => client.backend.write('todos', 'a', { n: 2 }),
      () => client.backend.delete('todos', 'b'),
      () => client.todos.save({ n: 1 }, 'mine'),
      async () => {
        client.wire.deliver = false;
        client.backend.write('todos', 'a', { n: 3 });
        await client.todos.update('a', { n: 4 });
      },
      async () => {
        refuse = true;
        await client.todos.save({ n: 1 }, 'refused');
      },
      () => client.wire.cut(),
    ];
    for (const action of actions) {
      if (closing !== undefined) break;
      await Promise.resolve(action()).catch(() => undefined);
      await pass(10);
    }
    expect(closing, `${name} was told`).toBeDefined();
    await closesForGood(client);
  });

  test('by a listener that hears of the attempt to connect: the attempt is not made', async () => {
    fakeTimers();
    const client = await watched();
    await live(client);
    client.sync.events.on('statusChanged', ({ phase }) => {
      if (phase === 'syncing' || phase === 'offline') void client.sync.close();
    });
    const { connect } = client.wire.calls;
    client.wire.cut();
    await closesForGood(client);
    expect(client.wire.calls.connect).toBe(connect);
  });

  test('twice is once', async () => {
    const client = await openLive();
    await Promise.all([client.sync.close(), client.sync.close()]);
    await client.sync.close();
    expect(client.wire.calls.close).toBe(1);
  });

  test('what is asked afterwards is refused, and wakes nothing', async () => {
    fakeTimers();
    const client = await watched();
    await live(client);
    await client.sync.close();
    const calls = { ...client.wire.calls };
    const disconnects = client.disconnects();
    await expect(client.todos.save({ n: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.todos.update('a', { n: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.todos.delete('a')).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.sync.syncNow()).rejects.toMatchObject({ code: 'CLOSED' });
    client.sync.setAuthToken('new');
    client.sync.resume();
    await client.sync.realtime.enable();
    await client.sync.realtime.disable();
    await client.sync.pause();
    client.sync.resume();
    await expect(client.sync.clear()).rejects.toMatchObject({ code: 'CLOSED' });
    await pass(24 * 3_600_000);
    expect(client.wire.calls).toEqual(calls);
    expect(client.disconnects()).toBe(disconnects);
    expect(client.sync.status.phase).toBe('closed');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a transport that fails to close does not keep the store open, nor what was saved from the disk', async () => {
    const store = watchedStore(memoryStore());
    let closes = 0;
    const client = await openLive({
      config: {
        store: {
          ...store,
          close: async () => {
            closes += 1;
          },
        },
      },
      wrap: (transport) => ({
        ...transport,
        close: () => Promise.reject('a string'),
      }),
    });
    const errors = record(client.sync, 'error');
    await client.sync.pause();
    const saved = client.todos.save({ n: 1 }, 'a');
    await client.sync.close();
    await saved;
    expect(closes).toBe(1);
    expect(errors).toMatchObject([{ event: { error: { code: 'CONNECTION_LOST' } } }]);
  });
});

describe('law 9: connect settles', () => {
  test('one that never answers ends with CONNECT_TIMEOUT, and is tried again', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const client = await watched({
      config: { connectTimeout: 5000, websocketReconnectDelay: 1000 },
      wire: (wire) => {
        wire.before = (step) => (step === 'connect' ? new Promise(() => {}) : undefined);
      },
    });
    const errors = record(client.sync, 'error');
    await pass(4999);
    expect(client.sync.realtime.state).toEqual({ status: 'connecting', attempt: 1 });
    await pass(1);
    expect(client.sync.realtime.state).toMatchObject({ status: 'disconnected', reason: { code: 'CONNECT_TIMEOUT' } });
    expect(errors.length).toBe(1);
    expect(client.signals.connect[0]?.aborted, 'the transport is told').toBe(true);
    client.wire.before = () => undefined;
    await pass(500);
    await live(client);
    await closesForGood(client);
  });

  test('an answer after the timeout connects nothing', async () => {
    fakeTimers();
    const held = gate();
    const client = await watched({
      config: { connectTimeout: 5000, websocketReconnectDelay: 60_000, maxReconnectDelay: 60_000 },
      wire: holding('connect', held),
    });
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    await pass(5000);
    held.open();
    await settle();
    expect(client.sync.realtime.state.status).toBe('disconnected');
    expect(client.wire.subscriptions).toBe(0);
    expect(client.sync.metrics().connection).toMatchObject({ attempts: 1, failures: 1 });
  });

  test('a connection made before its timeout is not ended by it', async () => {
    fakeTimers();
    const client = await watched({ config: { connectTimeout: 5000 } });
    await live(client);
    await pass(60_000);
    expect(client.sync.realtime.state.status).toBe('connected');
    expect(client.wire.calls.connect).toBe(1);
  });

  test('pause() ends an attempt, resume() begins another', async () => {
    const held = gate();
    const client = await watched({ wire: holding('connect', held) });
    await until(() => client.wire.calls.connect >= 1);
    await client.sync.pause();
    expect(client.sync.realtime.state.status).toBe('idle');
    expect(client.signals.connect[0]?.aborted).toBe(true);
    held.open();
    await settle();
    expect(client.sync.realtime.state.status).toBe('idle');
    expect(client.wire.subscriptions).toBe(0);
    client.wire.before = () => undefined;
    client.sync.resume();
    await live(client);
    expect(client.wire.calls.connect).toBe(2);
  });
});

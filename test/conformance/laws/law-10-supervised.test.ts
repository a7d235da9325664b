import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { kindOf, SyncLayerError } from '../../../src/base/errors.js';
import type { ConnectionState } from '../../../src/index.js';
import type { MemoryWire } from '../../../src/testing/index.js';
import type { PullRequest } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  caughtUpAfter,
  fakeTimers,
  gate,
  live,
  lost,
  open,
  openLive,
  pass,
  record,
  rowsOf,
  settle,
  until,
} from './harness.js';

const problem = (code: ConstructorParameters<typeof SyncLayerError>[0]): SyncLayerError =>
  new SyncLayerError(code, `${code}, made by the test.`);

/** Every wait for the next attempt, as a share of its upper bound would be: the bounds themselves, with `random` 1. */
function waits(client: Client): number[] {
  const list: number[] = [];
  let last: ConnectionState | undefined;
  const look = (): void => {
    const { state } = client.sync.realtime;
    if (state !== last && state.status === 'disconnected') list.push(state.retryAt - Date.now());
    last = state;
  };
  client.sync.events.on('error', look);
  return list;
}

function failing(step: string, failures = Number.POSITIVE_INFINITY): (wire: MemoryWire) => void {
  let left = failures;
  return (wire) => {
    wire.before = (current) => {
      if (current === step && left-- > 0) throw lost();
    };
  };
}

describe('law 10: backoff', () => {
  const backoff = { websocketReconnectDelay: 1000, maxReconnectDelay: 30_000 };

  test.each([
    ['all of it', 1 - Number.EPSILON, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]],
    ['half of it', 0.5, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]],
    ['nothing', 0, [0, 0, 0, 0, 0, 0, 0, 0]],
  ])('doubles up to its cap, and the jitter is taken of the capped bound: %s', async (_, random, expected) => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(random);
    onTestFinished(() => void vi.restoreAllMocks());
    const client = await open({ config: { ...backoff, enableAutoSync: false }, wire: failing('connect', 9) });
    const list = waits(client);
    for (let attempt = 0; attempt < 9; attempt++) await pass(30_000);
    await live(client);
    expect(list.slice(0, 8)).toEqual(expected);
  });

  test('starts over once all is caught up, not before', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON);
    onTestFinished(() => void vi.restoreAllMocks());
    // It connects each time, and loses the line before anything was read.
    const client = await open({ config: { ...backoff, enableAutoSync: false } });
    const list = waits(client);
    let failures = 3;
    client.wire.before = (step) => {
      if (step === 'pull' && failures-- > 0) client.wire.cut();
    };
    for (let attempt = 0; attempt < 4; attempt++) await pass(8000);
    await live(client);
    expect(list).toEqual([1000, 2000, 4000]);
    client.wire.cut();
    await pass(1000);
    await live(client);
    expect(list.at(-1)).toBe(1000);
  });

  test('does not start over while one collection keeps losing the line', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON);
    onTestFinished(() => void vi.restoreAllMocks());
    const client = await open({ config: { ...backoff, enableAutoSync: false, collections: ['todos', 'notes'] } });
    const list = waits(client);
    let failures = 4;
    client.wire.before = async (step, request) => {
      if (step !== 'pull' || (request as PullRequest).collection !== 'notes') return;
      // Later than the other one, which is live by then.
      await settle(5);
      if (failures-- > 0) client.wire.cut();
    };
    for (let attempt = 0; attempt < 6; attempt++) await pass(16_000);
    await live(client);
    expect(list).toEqual([1000, 2000, 4000, 8000]);
  });

  test('of a failing pull', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON);
    onTestFinished(() => void vi.restoreAllMocks());
    const client = await open({ config: { ...backoff, enableAutoSync: false }, wire: failing('pull', 4) });
    await settle();
    const pulls: number[] = [client.wire.calls.pull];
    for (const wait of [999, 1, 1999, 1, 3999, 1]) {
      await pass(wait);
      pulls.push(client.wire.calls.pull);
    }
    expect(pulls).toEqual([1, 1, 2, 2, 3, 3, 4]);
    await pass(8000);
    await live(client);
  });

  test('of a failing push, which an edit does not cut short', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON);
    onTestFinished(() => void vi.restoreAllMocks());
    const client = await openLive({ config: backoff, wire: failing('push', 3) });
    await client.todos.save({ n: 1 }, 'a');
    await settle();
    const pushes: number[] = [client.wire.calls.push];
    for (const wait of [999, 1, 1999, 1, 3999, 1]) {
      await client.todos.save({ n: pushes.length }, 'b');
      await pass(wait);
      pushes.push(client.wire.calls.push);
    }
    expect(pushes).toEqual([1, 1, 2, 2, 3, 3, 5]);
    expect(client.backend.rows('todos').size).toBe(2);
  });
});

describe('law 10: what was lost comes back by itself', () => {
  for (const code of ['CONNECTION_LOST', 'HEARTBEAT_TIMEOUT'] as const) {
    test(`a link that ended with ${code} is made anew`, async () => {
      const client = await openLive();
      const seen = record(client.sync, 'realtimeDisconnected', 'realtimeConnected', 'error');
      await caughtUpAfter(client, () => client.wire.cut(problem(code)));
      expect(seen.map(({ name }) => name)).toEqual(['realtimeDisconnected', 'error', 'realtimeConnected']);
      expect(seen[1]).toMatchObject({ event: { error: { code } } });
      expect(client.wire.calls.connect).toBe(2);
      expect(client.wire.subscriptions).toBe(1);
      client.backend.write('todos', 'a', { n: 1 });
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  }

  test('one loss of several subscriptions is one loss', async () => {
    const client = await openLive({ config: { collections: ['todos', 'notes', 'lists'] } });
    const seen = record(client.sync, 'realtimeDisconnected', 'error');
    await caughtUpAfter(client, () => client.wire.cut());
    expect(seen.map(({ name }) => name)).toEqual(['realtimeDisconnected', 'error']);
    expect(client.wire.calls.connect).toBe(2);
    expect(client.wire.subscriptions).toBe(3);
  });

  test('a subscription that its SDK let die is made anew, without the link', async () => {
    const client = await openLive({ config: { collections: ['todos', 'notes'] } });
    const errors = record(client.sync, 'error');
    const { subscribe } = client.wire.calls;
    client.wire.deliver = false;
    client.backend.write('todos', 'a', { n: 1 });
    await caughtUpAfter(client, () => client.wire.cut(problem('PROTOCOL_VIOLATION')));
    expect(client.wire.calls.connect).toBe(1);
    expect(client.wire.calls.subscribe).toBe(subscribe + 2);
    expect(errors.length).toBe(2);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  /** A client of two collections, whose backend refuses to have one of them subscribed to, until it is `allowed`. */
  async function openRefused() {
    let refused = true;
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { collections: ['todos', 'notes'], syncInterval: 60_000 },
      wrap: (transport) => ({
        ...transport,
        subscribe: (request, sink) => {
          if (refused && request.collection === 'todos')
            queueMicrotask(() => sink.error(problem('SUBSCRIBE_REJECTED')));
          return transport.subscribe(request, sink);
        },
      }),
    });
    const errors = record(client.sync, 'error');
    await settle();
    const phases = () => Object.values(client.sync.inspect().collections).map(({ phase }) => phase);
    const allow = () => {
      refused = false;
    };
    return { client, errors, phases, allow };
  }

  test('a subscription that is refused for good says so; the others live, and polling reads it all the same', async () => {
    fakeTimers();
    const { client, errors, phases } = await openRefused();
    expect(phases()).toEqual(['failed', 'live']);
    expect(client.sync.status.phase).toBe('failed');
    expect(errors).toMatchObject([{ event: { collection: 'todos', error: { code: 'SUBSCRIBE_REJECTED' } } }]);
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(phases(), 'a poll does not make it well').toEqual(['failed', 'live']);
    client.backend.write('todos', 'b', { n: 1 });
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.calls.subscribe).toBe(2);
    await client.todos.save({ n: 2 }, 'mine');
    await settle();
    expect(client.sync.status).toEqual({ phase: 'failed', pending: 0 });
    expect(backendRows(client).mine).toMatchObject({ n: 2 });
  });

  test('a subscription that was refused is asked for again at each audit', async () => {
    fakeTimers();
    const { client, errors, phases, allow } = await openRefused();
    await pass(300_000);
    expect(client.wire.calls.subscribe, 'still refused').toBe(3);
    expect([phases()[0], errors.length]).toEqual(['failed', 2]);
    allow();
    await pass(300_000);
    expect(phases()).toEqual(['live', 'live']);
    expect(client.sync.status.phase).toBe('live');
    client.backend.write('todos', 'b', { n: 1 });
    await settle();
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('edits of a refused collection are sent, though it was never read', async () => {
    fakeTimers();
    const { client } = await openRefused();
    const loading: boolean[] = [];
    client.todos.watch((_, info) => loading.push(info.loading));
    await client.todos.save({ n: 2 }, 'mine');
    await settle();
    expect(client.sync.status).toEqual({ phase: 'failed', pending: 0 });
    expect(backendRows(client).mine).toMatchObject({ n: 2 });
    expect(loading.at(-1)).toBe(true);
    await pass(60_000);
    expect(loading.at(-1)).toBe(false);
  });

  test.each<[string, boolean, (sync: Client['sync']) => unknown]>([
    ['a new token', true, (sync) => sync.setAuthToken('another')],
    ['a pause', true, (sync) => sync.pause().then(sync.resume)],
    ['realtime.enable() with the link up', false, (sync) => sync.realtime.enable()],
  ])('%s has a refused collection subscribed again: %s', async (_, again, act) => {
    fakeTimers();
    const { client, phases, allow } = await openRefused();
    allow();
    await act(client.sync);
    await settle();
    expect(phases()).toEqual([again ? 'live' : 'failed', 'live']);
    expect(client.sync.status.phase).toBe(again ? 'live' : 'failed');
  });

  test.each([
    ['an Error', new TypeError('not a function')],
    ['a string', 'boom'],
    ['an error of ours', problem('PROTOCOL_VIOLATION')],
  ])('a subscribe that throws %s is tried again', async (_, thrown) => {
    let failures = 2;
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { collections: ['todos', 'notes'] },
      wire: (wire) => {
        wire.before = (step) => {
          if (step === 'subscribe' && failures-- > 0) throw thrown;
        };
      },
    });
    const errors = record(client.sync, 'error');
    await live(client);
    expect(errors.map(({ event }) => (event as { error: SyncLayerError }).error.code)).toEqual([
      'PROTOCOL_VIOLATION',
      'PROTOCOL_VIOLATION',
    ]);
    expect(client.wire.calls.connect).toBe(1);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an error within subscribe ends that subscription in the transport as well', async () => {
    let first = true;
    const client = await openLive({
      wrap: (transport) => ({
        ...transport,
        subscribe: (request, sink) => {
          const end = transport.subscribe(request, sink);
          if (first) sink.error(problem('PROTOCOL_VIOLATION'));
          first = false;
          return end;
        },
      }),
    });
    expect(client.wire.calls.subscribe).toBe(2);
    expect(client.wire.subscriptions).toBe(1);
  });

  test('events of an ended subscription are nobody`s', async () => {
    const sinks: { change(change: never): void; live(): void; gap(reason: string): void; error(e: Error): void }[] = [];
    const client = await openLive({
      wrap: (transport) => ({
        ...transport,
        subscribe: (request, sink) => {
          sinks.push(sink as never);
          return transport.subscribe(request, sink);
        },
      }),
    });
    await caughtUpAfter(client, () => client.wire.cut());
    const calls = { ...client.wire.calls };
    const [old] = sinks;
    old?.change({ type: 'insert', collection: 'todos', recordId: 'x', version: 9, data: {} } as never);
    old?.gap('late');
    old?.live();
    old?.error(lost());
    await settle();
    expect(client.wire.calls).toEqual(calls);
    expect(await rowsOf(client)).toEqual({});
    expect(client.sync.status.phase).toBe('live');
  });
});

describe('law 10: or ends in a state that says why', () => {
  test('attempts that came to their end are `failed`, with the reason; polling goes on', async () => {
    fakeTimers();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { maxWebsocketReconnectAttempts: 2, syncInterval: 60_000 },
      wire: failing('connect'),
    });
    await pass(10);
    expect(client.wire.calls.connect).toBe(3);
    expect(client.sync.realtime.state).toMatchObject({ status: 'failed', reason: { code: 'CONNECTION_LOST' } });
    expect(client.sync.status.phase).toBe('failed');
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    await client.todos.save({ n: 1 }, 'mine');
    await pass(0);
    expect(client.backend.rows('todos').size).toBe(2);
    expect(client.wire.calls.connect).toBe(3);
    // Somebody can get it out of there.
    client.wire.before = () => undefined;
    await client.sync.syncNow();
    await live(client);
  });

  for (const code of ['CONFIG_INVALID', 'UNSUPPORTED', 'PEER_MISSING'] as const) {
    test(`an error that no retry can cure (${code}) is \`failed\` at once`, async () => {
      expect(kindOf(code)).toBe('fatal');
      const client = await open({
        wire: (wire) => {
          wire.before = (step) => {
            if (step === 'connect') throw problem(code);
          };
        },
      });
      const errors = record(client.sync, 'error');
      await settle();
      expect(client.sync.realtime.state).toMatchObject({ status: 'failed', reason: { code } });
      expect(client.wire.calls.connect).toBe(1);
      expect(errors.length).toBe(1);
    });
  }

  test('a transport that throws a string in connect is a connection that failed', async () => {
    const client = await open({
      config: { websocketReconnectDelay: 60_000 },
      wire: (wire) => {
        wire.before = (step) => (step === 'connect' ? Promise.reject('boom') : undefined);
      },
    });
    await settle();
    expect(client.sync.realtime.state).toMatchObject({
      status: 'disconnected',
      reason: { code: 'CONNECT_FAILED', cause: 'boom' },
    });
  });
});

describe('law 10: polling', () => {
  test('carries on while there is no link, and stops being needed when live', async () => {
    fakeTimers();
    const down = gate();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: {
        syncInterval: 60_000,
        connectTimeout: 1000,
        websocketReconnectDelay: 500,
        maxReconnectDelay: 500,
        auditInterval: 3_600_000,
      },
      wire: (wire) => {
        wire.before = (step) => (step === 'connect' ? down.opened : undefined);
      },
    });
    await pass(61_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    client.backend.write('todos', 'b', { n: 1 });
    await client.todos.save({ n: 1 }, 'mine');
    await pass(61_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.backend.rows('todos').size).toBe(3);
    down.open();
    await pass(2000);
    await live(client);
    const { pull } = client.wire.calls;
    await pass(600_000);
    expect(client.wire.calls.pull).toBe(pull);
  });

  test('alone, without a live link: reads, writes and finds deletes, and never connects', async () => {
    fakeTimers();
    const client = await open({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      deletes: 'none',
      config: { enableRealtimeSync: false, syncInterval: 60_000 },
    });
    const synced = record(client.sync, 'syncStarted', 'syncCompleted');
    await pass(0);
    expect(client.sync.status.phase).toBe('polling');
    expect(await rowsOf(client)).toEqual(backendRows(client));
    client.backend.delete('todos', 'b', { hard: true });
    client.backend.write('todos', 'c', { n: 1 });
    await client.todos.save({ n: 1 }, 'mine');
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(Object.keys(backendRows(client)).sort()).toEqual(['a', 'c', 'mine']);
    expect(synced.map(({ name }) => name)).toEqual(['syncStarted', 'syncCompleted', 'syncStarted', 'syncCompleted']);
    expect(client.wire.calls.connect).toBe(0);
  });

  test('that fails is `offline`, and goes on at its pace', async () => {
    fakeTimers();
    const client = await open({
      config: { enableRealtimeSync: false, syncInterval: 60_000 },
      wire: failing('pull', 2),
    });
    const failed = record(client.sync, 'syncFailed');
    await pass(0);
    expect(client.sync.status.phase).toBe('offline');
    await pass(60_000);
    expect(failed.length).toBe(2);
    await pass(60_000);
    expect(client.sync.status.phase).toBe('polling');
  });

  test('realtime.disable() and enable() at run time: nothing is lost on the way', async () => {
    fakeTimers();
    const client = await openLive({ config: { syncInterval: 60_000 } });
    await client.sync.realtime.disable();
    expect(client.sync.realtime.enabled).toBe(false);
    expect(client.sync.status.phase).toBe('polling');
    expect(client.wire.subscriptions).toBe(0);
    client.backend.write('todos', 'a', { n: 1 });
    await settle();
    expect(await rowsOf(client)).toEqual({});
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    client.backend.write('todos', 'b', { n: 1 });
    await client.sync.realtime.enable();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.subscriptions).toBe(1);
  });

  test('a flag that is a function is asked again at each poll', async () => {
    fakeTimers();
    let flag = false;
    const client = await open({ config: { enableRealtimeSync: () => flag, syncInterval: 60_000 } });
    await pass(0);
    expect(client.sync.status.phase).toBe('polling');
    flag = true;
    await pass(60_000);
    await live(client);
    flag = false;
    await pass(60_000);
    expect(client.sync.status.phase).toBe('polling');
    expect(client.wire.subscriptions).toBe(0);
  });

  test('without enableAutoSync an edit that waits for syncNow() is not "syncing"', async () => {
    const client = await openLive({ config: { enableAutoSync: false } });
    const phases = record(client.sync, 'statusChanged');
    await client.todos.save({ n: 1 }, 'a');
    await settle();
    expect(client.sync.status).toEqual({ phase: 'live', pending: 1 });
    expect(client.backend.rows('todos').size).toBe(0);
    await client.sync.syncNow();
    expect(client.sync.status).toEqual({ phase: 'live', pending: 0 });
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(phases.map(({ event }) => event)[0]).toEqual({ phase: 'live', pending: 1 });
  });

  test('without enableAutoSync nothing is polled or pushed by itself, until syncNow()', async () => {
    fakeTimers();
    const client = await open({ config: { enableRealtimeSync: false, enableAutoSync: false } });
    await client.todos.save({ n: 1 }, 'mine');
    await pass(3_600_000);
    expect(client.wire.calls).toMatchObject({ pull: 0, push: 0 });
    await client.sync.syncNow();
    expect(client.backend.rows('todos').size).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('law 10: pause and resume', () => {
  test('paused there is no traffic, saving goes on, and resume() brings all up to date', async () => {
    fakeTimers();
    const client = await openLive({ config: { syncInterval: 60_000 } });
    await client.sync.pause();
    expect(client.sync.status.phase).toBe('paused');
    const calls = { ...client.wire.calls };
    client.backend.write('todos', 'theirs', { n: 1 });
    await client.todos.save({ n: 1 }, 'mine');
    await pass(3_600_000);
    expect(client.wire.calls).toEqual(calls);
    await expect(client.sync.syncNow()).rejects.toMatchObject({ code: 'INVALID_STATE' });
    client.sync.resume();
    await pass(0);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.backend.rows('todos').size).toBe(2);
  });

  test('resume() reads at once where there is only polling', async () => {
    fakeTimers();
    const client = await open({ config: { enableRealtimeSync: false, syncInterval: 3_600_000 } });
    await pass(0);
    await client.sync.pause();
    client.backend.write('todos', 'theirs', { n: 1 });
    client.sync.resume();
    await pass(0);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a pull that never ends is given up by pause(), and holds nobody up after resume()', async () => {
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      wire: (wire) => {
        wire.before = (step) => (step === 'pull' ? new Promise(() => {}) : undefined);
      },
    });
    const syncing = client.sync.syncNow();
    await until(() => client.wire.calls.pull > 0);
    await Promise.all([expect(syncing).rejects.toMatchObject({ code: 'CLOSED' }), client.sync.pause()]);
    client.wire.before = () => undefined;
    client.sync.resume();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });
});

describe('law 10: the platform', () => {
  /** A browser's globals, as far as they are listened to. */
  function platform() {
    const target = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    let listeners = 0;
    const count =
      (on: EventTarget, name: 'addEventListener' | 'removeEventListener', step: number) =>
      (...args: never[]): void => {
        listeners += step;
        (on[name] as (...all: never[]) => void)(...args);
      };
    const own = {
      addEventListener: count(document, 'addEventListener', 1),
      removeEventListener: count(document, 'removeEventListener', -1),
    };
    const page = {
      document: Object.assign(Object.create(document) as object, own),
      addEventListener: count(target, 'addEventListener', 1),
      removeEventListener: count(target, 'removeEventListener', -1),
      navigator: { onLine: true },
    };
    Object.defineProperty(page.document, 'visibilityState', { get: () => document.visibilityState });
    for (const [name, value] of Object.entries(page)) vi.stubGlobal(name, value);
    onTestFinished(() => void vi.unstubAllGlobals());
    return {
      online: (on: boolean) => target.dispatchEvent(new Event(on ? 'online' : 'offline')),
      visible: (on: boolean) => {
        document.visibilityState = on ? 'visible' : 'hidden';
        document.dispatchEvent(new Event('visibilitychange'));
      },
      listeners: () => listeners,
    };
  }

  test.each([true, false])(
    'a page that is shown asks at once for a token that was refused (live link: %s)',
    async (live) => {
      fakeTimers();
      const page = platform();
      let refuses = true;
      const client = await open({
        config: { enableRealtimeSync: live, authToken: () => (refuses ? 'stale' : 'good') },
        wire: (wire) => {
          wire.before = (step) => {
            if ((step === 'connect' || step === 'pull') && refuses)
              throw new SyncLayerError('AUTH_REQUIRED', 'It was refused.');
          };
        },
      });
      await pass(300_000);
      expect(client.sync.status.phase).toBe('needs-auth');
      page.visible(false);
      refuses = false;
      page.visible(true);
      await pass(0);
      expect(client.sync.status.phase).toBe(live ? 'live' : 'polling');
    },
  );

  test('offline ends the link; it is looked for slowly, in silence, and at once when the platform says online', async () => {
    fakeTimers();
    const page = platform();
    const client = await openLive({ config: { websocketReconnectDelay: 0, syncInterval: 60_000 } });
    const told = record(client.sync, 'connectivityChanged');
    const errors = record(client.sync, 'error');
    client.wire.before = () => Promise.reject(lost());
    page.online(false);
    expect(client.sync.status.phase).toBe('offline');
    const calls = { ...client.wire.calls };
    client.backend.write('todos', 'a', { n: 1 });
    for (let n = 0; n < 20; n++) await client.todos.save({ n }, 'mine');
    await pass(600_000);
    expect(client.sync.status.phase).toBe('offline');
    expect(client.wire.calls.connect - calls.connect).toBe(20);
    expect(client.wire.calls.pull - calls.pull).toBeLessThanOrEqual(12);
    expect(client.wire.calls.push - calls.push).toBe(0);
    expect(errors).toEqual([]);
    client.wire.before = () => undefined;
    page.online(true);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(told.map(({ event }) => event)).toEqual([{ online: false }, { online: true }]);
    await client.sync.close();
    expect(page.listeners(), 'listeners left').toBe(0);
  });

  test.each([true, false])(
    '"offline" is a hint, and can be wrong for ever (live link: %s)',
    async (enableRealtimeSync) => {
      fakeTimers();
      const page = platform();
      const config = { enableRealtimeSync, syncInterval: 1000 };
      const client = await open({ config });
      const phase = enableRealtimeSync ? 'live' : 'polling';
      await until(() => client.sync.status.phase === phase);
      page.online(false);
      client.backend.write('todos', 'a', { n: 1 });
      await client.todos.save({ n: 1 }, 'mine');
      await pass(30_000);
      expect(client.sync.status).toEqual({ phase, pending: 0 });
      expect(await rowsOf(client)).toEqual(backendRows(client));

      page.online(false);
      client.backend.write('todos', 'b', { n: 1 });
      await client.todos.save({ n: 1 }, 'mine too');
      await client.sync.syncNow();
      expect(await rowsOf(client), 'syncNow() does not wait').toEqual(backendRows(client));
      expect(Object.keys(backendRows(client)).length).toBe(4);
      await until(() => client.sync.status.phase === phase);
    },
  );

  test('one that begins "offline" is looked for at once', async () => {
    fakeTimers();
    vi.stubGlobal('navigator', { onLine: false });
    onTestFinished(() => void vi.unstubAllGlobals());
    await live(await open());
  });

  test('a page that comes back looks whether it missed anything on a link that looks well', async () => {
    const page = platform();
    const client = await openLive();
    page.visible(false);
    client.wire.deliver = false;
    client.backend.write('todos', 'a', { n: 1 });
    await caughtUpAfter(client, () => page.visible(true));
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.calls.connect).toBe(1);
  });

  test('disconnectInBackground ends the link after its time, and a look at the page brings it back', async () => {
    fakeTimers();
    const page = platform();
    const client = await openLive({ config: { disconnectInBackground: 5000 } });
    page.visible(false);
    await pass(4999);
    page.visible(true);
    await pass(10_000);
    expect(client.sync.realtime.state.status).toBe('connected');
    const errors = record(client.sync, 'error', 'syncFailed');
    page.visible(false);
    await client.todos.save({ n: 1 }, 'on its way');
    await pass(5000);
    expect(client.sync.realtime.state.status).toBe('idle');
    client.backend.write('todos', 'a', { n: 1 });
    // Without its link this backend cannot be asked: nobody does.
    client.wire.before = () => Promise.reject(lost());
    await client.todos.save({ n: 1 }, 'mine');
    await pass(3_600_000);
    expect(errors).toEqual([]);
    client.wire.before = () => undefined;
    page.visible(true);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(Object.keys(backendRows(client)).sort()).toEqual(['a', 'mine', 'on its way']);
  });

  test('without a link that comes up, the first poll is at once', async () => {
    fakeTimers();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      config: { websocketReconnectDelay: 30_000 },
      wire: failing('connect'),
    });
    await pass(0);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('one failed round is one failure, however many collections it had', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON);
    onTestFinished(() => void vi.restoreAllMocks());
    const collections = ['todos', ...Array.from({ length: 9 }, (_, n) => `c${n}`)];
    for (const step of ['pull', 'subscribe'] as const) {
      const client = await open({ config: { websocketReconnectDelay: 100, enableAutoSync: false, collections } });
      await live(client);
      client.wire.cut();
      let failures = 10;
      client.wire.before = (current) => {
        if (current === step && failures-- > 0) throw step === 'pull' ? lost() : problem('CONNECT_FAILED');
      };
      await pass(100);
      expect(client.sync.status.phase).toBe('syncing');
      await pass(100);
      expect(client.sync.status.phase, step).toBe('live');
    }
  });
});

describe('law 10: a link that never says live', () => {
  test('is helped out by polling, and not called live', async () => {
    fakeTimers();
    const requests: PullRequest[] = [];
    const client = await open({
      config: { syncInterval: 60_000 },
      wire: (wire) => {
        wire.ack = 'manual';
        wire.deliver = false;
        wire.before = (step, request) => void (step === 'pull' && requests.push(request as PullRequest));
      },
    });
    client.backend.write('todos', 'a', { n: 1 });
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.sync.status.phase).toBe('syncing');
    client.backend.write('todos', 'b', { n: 1 });
    await pass(60_000);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });
});

describe('law 10: a bug of a transport is no trouble of the network', () => {
  const bug = (step: string) => (wire: MemoryWire) => {
    wire.before = (current) => {
      if (current === step) throw new TypeError("Cannot read properties of undefined (reading 'length')");
    };
  };

  test('in connect: it is told once, and no attempt follows', async () => {
    fakeTimers();
    const client = await open({ wire: bug('connect') });
    const errors = record(client.sync, 'error');
    await pass(60_000);
    expect(client.sync.realtime.state).toMatchObject({ status: 'failed', reason: { code: 'INTERNAL' } });
    expect(client.wire.calls.connect).toBe(1);
    expect(errors.map(({ event }) => (event as { error: SyncLayerError }).error.code)).toEqual(['INTERNAL']);
  });

  test('in pull: the collection has failed, and no backoff begins', async () => {
    fakeTimers();
    const client = await open({ wire: bug('pull') });
    await settle();
    await pass(59_000);
    expect(client.wire.calls.pull).toBe(1);
    expect(client.sync.status.phase).toBe('failed');
    client.wire.before = () => undefined;
    // The poll.
    await pass(1000);
    await live(client);
  });

  test('in push: the edit stays in the outbox', async () => {
    fakeTimers();
    const client = await openLive({ wire: bug('push') });
    const errors = record(client.sync, 'error');
    await client.todos.save({ n: 1 }, 'a');
    await pass(60_000);
    expect(client.wire.calls.push).toBe(1);
    expect(client.sync.status.pending).toBe(1);
    expect(errors.map(({ event }) => (event as { error: SyncLayerError }).error.code)).toEqual(['INTERNAL']);
    client.wire.before = () => undefined;
    await client.sync.syncNow();
    expect(client.sync.status.pending).toBe(0);
  });
});

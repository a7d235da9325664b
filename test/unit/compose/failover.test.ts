import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { failoverTransport, pollingTransport } from '../../../src/compose/index.js';
import type { SyncLayerConfig } from '../../../src/index.js';
import { createSyncLayer, SyncLayerError } from '../../../src/index.js';
import { type MemoryBackend, memoryTransport } from '../../../src/testing/index.js';
import type { PullRequest, RealtimeTransport } from '../../../src/transport/transport.js';
import { backendWith, closed, fakeTimers, lost, pass, settle } from '../../conformance/laws/harness.js';

const refused = (): Promise<never> => Promise.reject(new SyncLayerError('CONNECT_FAILED', 'Nobody is there.'));

/** A transport with a source, that can be put out of order. */
function door(source: string, backend: MemoryBackend) {
  const memory = memoryTransport({ backend });
  let disconnects = 0;
  const transport = Object.assign(memory, {
    source,
    disconnect: async () => void disconnects++,
  }) as RealtimeTransport;
  const { wire } = memory;
  return {
    transport,
    wire,
    backend,
    get disconnects() {
      return disconnects;
    },
    /** Nothing gets through, from now on. */
    down(): void {
      wire.before = (step) => (step === 'subscribe' ? undefined : refused());
      wire.cut();
    },
    up(): void {
      wire.before = () => undefined;
    },
  };
}

const dwell = 60_000;

async function opened(
  options: Parameters<typeof failoverTransport>[1] = {},
  config: Partial<SyncLayerConfig> = {},
  second?: MemoryBackend,
) {
  fakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  onTestFinished(() => void vi.restoreAllMocks());
  const first = backendWith({ a: { n: 'A' }, both: { n: 1 } });
  for (let n = 0; n < 100; n++) first.write('other', 'x', { n });
  first.write('todos', 'late', { n: 'A' });
  const a = door('A', first);
  const b = door('B', second ?? backendWith({ b: { n: 'B' }, both: { n: 2 } }));
  const transport = failoverTransport([a.transport, b.transport], { dwell, ...options });
  const sync = await createSyncLayer({ websocketReconnectDelay: 1000, ...config, transport, collections: ['todos'] });
  onTestFinished(() => closed(sync as never));
  await pass(0);
  const todos = sync.collection('todos');
  const rows = async () => Object.fromEntries((await todos.getAll()).map((row) => [row.id, row]));
  const equals = async (backend: MemoryBackend): Promise<void> =>
    expect(await rows()).toEqual(Object.fromEntries(backend.rows('todos')));
  return { a, b, transport, sync, todos, rows, equals };
}

describe('replicas', () => {
  test('the second takes over when the first is lost: all of it, and what was not sent', async () => {
    const { a, b, transport, sync, todos, equals } = await opened();
    expect(sync.status.phase).toBe('live');
    await equals(a.backend);
    // The edit is the later write.
    await pass(10);
    a.down();
    await todos.save({ n: 'mine' }, 'mine');
    await todos.update('both', { n: 3 });
    await pass(500);
    expect(transport.report()).toEqual({ active: 1, since: Date.now(), switches: 1 });
    expect(sync.status).toEqual({ phase: 'live', pending: 0 });
    expect(Object.fromEntries(b.backend.rows('todos'))).toEqual({
      b: { id: 'b', n: 'B' },
      both: { id: 'both', n: 3 },
      mine: { id: 'mine', n: 'mine' },
    });
    await equals(b.backend);
    b.backend.write('todos', 'both', { n: 4 });
    await settle();
    await equals(b.backend);
    expect(a.backend.rows('todos').get('both'), 'nothing was sent to the first').toEqual({ id: 'both', n: 1 });
  });

  test('it goes back when the first is well, after its stay, and not before', async () => {
    const { a, b, transport, sync, equals } = await opened();
    a.down();
    await pass(500);
    expect(transport.report().active).toBe(1);
    const attempts = a.wire.calls.connect;
    a.up();
    // Half of the random part of the wait: 60 s and 0.5 * 60 s.
    await pass(dwell * 1.5 - 1);
    expect([a.wire.calls.connect, transport.report().active], 'left alone').toEqual([attempts, 1]);
    await pass(1);
    expect(a.wire.calls.connect).toBeGreaterThan(attempts);
    await pass(500);
    expect(transport.report()).toMatchObject({ active: 0, switches: 2 });
    expect(sync.status.phase).toBe('live');
    await equals(a.backend);
    expect(b.disconnects).toBe(1);
  });

  test('while the first stays down it is asked ever more rarely', async () => {
    const { a, transport } = await opened();
    a.down();
    await pass(500);
    const attempts: number[] = [];
    const begun = Date.now();
    const { before } = a.wire;
    a.wire.before = (step, detail) => {
      if (step === 'connect') attempts.push((Date.now() - begun) / dwell);
      return before(step, detail);
    };
    for (let minute = 0; minute < 60; minute++) await pass(dwell);
    // dwell + 0.5 * dwell * 2^n, at most dwell + 0.5 * 10 * dwell.
    const waits = attempts.map((at, index) => Math.round((at - (attempts[index - 1] ?? 0)) * 100) / 100);
    expect(waits.slice(0, 8)).toEqual([1.5, 2, 3, 5, 6, 6, 6, 6]);
    expect(transport.report()).toMatchObject({ active: 1, switches: 1 });
  });

  test('offline, nothing is switched, and the first is the first again', async () => {
    const { a, b, transport, sync } = await opened();
    b.down();
    a.down();
    await pass(600_000);
    expect(transport.report().switches).toBe(0);
    a.up();
    b.up();
    await pass(30_000);
    expect([sync.status.phase, transport.report().active]).toEqual(['live', 0]);
  });

  test('one that accepts and says nothing is left in time', async () => {
    const { a, transport, sync } = await opened({ connectTimeout: 4000 });
    a.wire.before = () => new Promise(() => undefined);
    a.wire.cut();
    await pass(500 + 3999);
    expect(transport.report().active).toBe(0);
    await pass(1);
    expect([sync.status.phase, transport.report().active]).toEqual(['live', 1]);
  });

  test('where the configuration gives up earlier, the next attempt begins with the other', async () => {
    const { a, transport, sync } = await opened({}, { connectTimeout: 1000 });
    a.wire.before = () => new Promise(() => undefined);
    a.wire.cut();
    await pass(500 + 1000 + 1000);
    expect([sync.status.phase, transport.report().active]).toEqual(['live', 1]);
  });

  test('a link that stands while all pulls fail is no link', async () => {
    const { a, transport, sync, equals, b } = await opened({ failAfter: 5000 });
    a.wire.before = (step) => (step === 'pull' ? Promise.reject(lost()) : undefined);
    a.wire.gap();
    await pass(4000);
    expect(transport.report().active).toBe(0);
    await pass(30_000);
    expect([sync.status.phase, transport.report().active]).toEqual(['live', 1]);
    await equals(b.backend);
  });

  test('one that connects and fails each read is left alone for longer each time, and the app stays where it is', async () => {
    const { a, b, transport, sync, equals } = await opened({ failAfter: 5000 });
    const connected: number[] = [];
    a.wire.before = (step) => {
      if (step === 'pull') throw lost();
      if (step === 'connect') connected.push(Date.now());
    };
    a.wire.gap();
    await pass(40_000);
    expect(transport.report()).toMatchObject({ active: 1, switches: 1 });
    connected.length = 0;
    const begun = Date.now();
    for (let minute = 0; minute < 60; minute++) {
      await pass(dwell);
      expect([sync.status.phase, transport.report().switches]).toEqual(['live', 1]);
    }
    const waits = connected.map((at, index) => Math.round((at - (connected[index - 1] ?? begun)) / dwell));
    // As often as one that does not connect at all: after 2, 3, 5, 6, 6 times `dwell`.
    expect(waits.slice(1, 6)).toEqual([2, 3, 5, 6, 6]);
    await equals(b.backend);
    a.wire.before = () => undefined;
    await pass(10 * dwell);
    expect(transport.report()).toMatchObject({ active: 0, switches: 2 });
    await equals(a.backend);
  });

  test('a new door that connects and fails each read is not entered; one that refuses a collection is', async () => {
    const { a, b, transport, sync } = await opened();
    b.wire.before = (step) => {
      if (step === 'pull') throw lost();
    };
    a.down();
    await pass(30_000);
    expect(b.wire.calls.connect).toBeGreaterThan(0);
    expect(transport.report().switches).toBe(0);
    b.wire.before = (step) => {
      if (step === 'pull') throw new SyncLayerError('SUBSCRIBE_REJECTED', 'Not for you.');
    };
    await pass(60_000);
    expect(transport.report()).toMatchObject({ active: 1, switches: 1 });
    expect(sync.status.phase).not.toBe('offline');
  });

  test('pushes that get no answer for long are a reason too; "not now" is an answer', async () => {
    const { a, transport, todos, b } = await opened({ failAfter: 5000 });
    a.wire.decide = ({ recordId }) => {
      const error = new SyncLayerError('CONNECTION_LOST', 'Not now.');
      return recordId === 'x' ? { type: 'retry', error } : undefined;
    };
    await todos.save({ n: 1 }, 'x');
    await pass(60_000);
    expect(transport.report().switches).toBe(0);
    a.wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
    await todos.save({ n: 2 }, 'y');
    await pass(60_000);
    expect(transport.report().active).toBe(1);
    expect(b.backend.rows('todos').get('y')).toEqual({ id: 'y', n: 2 });
  });

  test('a refused token is no reason to leave', async () => {
    const { a, b, transport, sync } = await opened();
    a.wire.before = (step) =>
      step === 'connect' ? Promise.reject(new SyncLayerError('AUTH_REQUIRED', 'Who are you?')) : undefined;
    a.wire.cut();
    await pass(5000);
    expect(sync.status.phase).toBe('needs-auth');
    expect([transport.report().switches, b.wire.calls.connect]).toEqual([0, 0]);
  });

  test('an earlier door that refuses its token is not gone back to', async () => {
    const { a, b, transport, sync, todos } = await opened();
    a.down();
    await pass(10_000);
    a.wire.before = (step) => {
      if (step === 'pull') throw new SyncLayerError('AUTH_REQUIRED', 'Who are you?');
    };
    await pass(10 * dwell);
    expect([transport.report().active, sync.status.phase]).toEqual([1, 'live']);
    await todos.save({ n: 1 }, 'x');
    await pass(0);
    expect(b.backend.rows('todos').has('x')).toBe(true);
  });

  test('a stay without end sets no timer that is over at once', async () => {
    const { a, transport } = await opened({ dwell: Number.POSITIVE_INFINITY });
    a.down();
    await pass(10_000);
    expect(transport.report().active).toBe(1);
    const set = vi.spyOn(globalThis, 'setTimeout');
    a.up();
    await pass(10_000);
    const longest = Math.max(...set.mock.calls.map(([, ms]) => ms ?? 0));
    set.mockRestore();
    expect(longest).toBeLessThan(2 ** 31);
    expect(transport.report().active).toBe(1);
  });

  test('without a link the polls decide', async () => {
    const { a, b, transport, equals } = await opened({}, { enableRealtimeSync: false, syncInterval: 10_000 });
    await equals(a.backend);
    a.down();
    await pass(10_000);
    expect(transport.report().active, 'one failure is none').toBe(0);
    await pass(10_000);
    expect(transport.report().active).toBe(1);
    // Read at once, not at the next poll.
    await pass(1);
    await equals(b.backend);
    a.up();
    await pass(dwell * 2.5);
    expect(transport.report()).toMatchObject({ active: 0, switches: 2 });
    await pass(1);
    await equals(a.backend);
  });

  test('polls that fail now and then are no reason to leave', async () => {
    const { a, transport } = await opened({}, { enableRealtimeSync: false, syncInterval: 10_000 });
    let polls = 0;
    a.wire.before = (step) => (step === 'pull' && polls++ % 2 === 0 ? Promise.reject(lost()) : undefined);
    await pass(200_000);
    expect(polls).toBeGreaterThan(15);
    expect(transport.report().switches).toBe(0);
  });

  test('two that do not name their backend are two backends', async () => {
    fakeTimers();
    const [first, second] = [
      backendWith({ a: { n: 1 }, both: { n: 1 } }),
      backendWith({ b: { n: 2 }, both: { n: 2 } }),
    ];
    // The place in the first is far behind what the second has.
    for (let n = 0; n < 100; n++) first.write('other', 'x', { n });
    first.write('todos', 'late', { n: 1 });
    const [a, b] = [memoryTransport({ backend: first }), memoryTransport({ backend: second })];
    expect([a.name, a.source]).toEqual([b.name, b.source]);
    const transport = failoverTransport([a, b], { dwell });
    const sync = await createSyncLayer({ websocketReconnectDelay: 0, transport, collections: ['todos'] });
    onTestFinished(() => closed(sync as never));
    await settle();
    const ids = async () => (await sync.collection('todos').getAll()).map(({ id }) => id).sort();
    expect(await ids()).toEqual(['a', 'both', 'late']);
    a.wire.before = refused;
    a.wire.cut();
    await pass(500);
    expect(transport.report().active).toBe(1);
    expect(await ids()).toEqual(['b', 'both']);
  });

  test('polled, the first is gone back to when it answers, and not before', async () => {
    fakeTimers();
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    onTestFinished(() => void vi.restoreAllMocks());
    const [a, b] = [door('A', backendWith({ a: { n: 1 } })), door('B', backendWith({ b: { n: 1 } }))];
    const transport = failoverTransport([pollingTransport(a.transport), pollingTransport(b.transport)], { dwell });
    const sync = await createSyncLayer({ transport, syncInterval: 10_000, collections: ['todos'] });
    onTestFinished(() => closed(sync as never));
    await pass(0);
    const asked: number[] = [];
    a.wire.before = (step) => {
      if (step === 'pull' && transport.report().active === 1) asked.push(Date.now());
      return refused();
    };
    await pass(20_000);
    for (let minute = 0; minute < 30; minute++) await pass(dwell);
    expect(transport.report()).toMatchObject({ active: 1, switches: 1 });
    // Ever more rarely: after 1.5, 2, 3, 5, 6, 6, 6 times `dwell`.
    expect(asked).toHaveLength(7);
    // One that says nothing is no better.
    a.wire.before = () => new Promise(() => undefined);
    await pass(dwell * 10);
    expect(transport.report()).toMatchObject({ active: 1, switches: 1 });
    a.up();
    await pass(dwell * 7);
    expect(transport.report()).toMatchObject({ active: 0, switches: 2 });
    expect(await sync.collection('todos').getAll()).toEqual([{ id: 'a', n: 1 }]);
  });

  test('paused or closed it looks at nothing', async () => {
    const { a, transport, sync } = await opened();
    a.down();
    await pass(500);
    expect(transport.report().active).toBe(1);
    await sync.pause();
    const attempts = a.wire.calls.connect;
    await pass(dwell * 10);
    expect(a.wire.calls.connect).toBe(attempts);
    sync.resume();
    await settle();
    await sync.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('doors to one backend', () => {
  test('that keep a collection in two tables are two backends', async () => {
    fakeTimers();
    const [first, second] = [backendWith({ a: { n: 1 } }), backendWith({ b: { n: 2 } })];
    for (let n = 0; n < 100; n++) first.write('other', 'x', { n });
    first.write('todos', 'late', { n: 1 });
    const doors = [first, second].map((backend, index) =>
      Object.assign(memoryTransport({ backend }), { source: 'db', mapping: () => ({ table: `todos_${index}` }) }),
    );
    const transport = failoverTransport(doors, { dwell });
    const sync = await createSyncLayer({ websocketReconnectDelay: 0, transport, collections: ['todos'] });
    onTestFinished(() => closed(sync as never));
    await settle();
    const { wire } = doors[0] as (typeof doors)[number];
    wire.before = refused;
    wire.cut();
    await pass(500);
    expect(transport.report().active).toBe(1);
    expect((await sync.collection('todos').getAll()).map(({ id }) => id)).toEqual(['b']);
  });

  test('cursors and versions go along: nothing is read anew', async () => {
    const shared = backendWith({ a: { n: 1 }, b: { n: 1 } });
    fakeTimers();
    const [a, b] = [door('A', shared), door('B', shared)];
    const transport = failoverTransport([a.transport, b.transport], { source: 'cluster', dwell });
    const sync = await createSyncLayer({ websocketReconnectDelay: 0, transport, collections: ['todos'] });
    onTestFinished(() => closed(sync as never));
    await settle();
    const { cursor } = sync.inspect().collections.todos ?? {};
    const cursors: unknown[] = [];
    b.wire.before = (step, detail) => {
      const { cursor, limit } = (detail ?? {}) as Partial<PullRequest>;
      // One row is read to try the door.
      if (step === 'pull' && limit !== 1) cursors.push(cursor);
    };
    a.down();
    shared.write('todos', 'c', { n: 1 });
    await pass(0);
    expect(transport.report().active).toBe(1);
    expect(cursors[0]).toEqual(cursor);
    expect(await sync.collection('todos').count()).toBe(3);
    expect([transport.name, transport.source]).toEqual(['failover', 'cluster']);
  });
});

test('each is asked with its own token, or with the app`s', async () => {
  const tokens: unknown[] = [];
  const asking = (own?: string) => {
    const memory = memoryTransport();
    return Object.assign(memory, {
      attach: (host: Parameters<NonNullable<RealtimeTransport['attach']>>[0]) =>
        void host.authToken(own).then((token) => tokens.push(token)),
    }) as RealtimeTransport;
  };
  const sync = await createSyncLayer({
    transport: failoverTransport([asking(), asking('of B')]),
    collections: ['todos'],
    authToken: 'of the app',
  });
  onTestFinished(() => sync.close());
  await settle();
  expect(tokens.sort()).toEqual(['of B', 'of the app']);
});

test('one transport is no choice', () => {
  expect(() => failoverTransport([memoryTransport()])).toThrow('two or more');
});

test('a connectTimeout without end is not over at once', async () => {
  fakeTimers();
  const [first, second] = [door('a', backendWith({})), door('b', backendWith({}))];
  let arrive = (): void => undefined;
  first.wire.before = (step) =>
    step === 'connect'
      ? new Promise<void>((resolve) => {
          arrive = resolve;
        })
      : undefined;
  const transport = failoverTransport([first.transport, second.transport], {
    source: 'one',
    connectTimeout: Number.POSITIVE_INFINITY,
  });
  const connecting = transport.connect({ signal: new AbortController().signal });
  await pass(1000);
  arrive();
  await connecting;
  expect(transport.report().active).toBe(0);
  await transport.close();
});

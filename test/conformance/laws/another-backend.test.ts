import { describe, expect, test } from 'vitest';
import { memoryStore } from '../../../src/store/memory.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import { type MemoryBackend, type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import type {
  OutgoingChange,
  PullRequest,
  RealtimeTransport,
  TransportHost,
} from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  gate,
  live,
  lost,
  type OpenOptions,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);

/** A client of the backend called `source`, with its data in the file. */
const at = (path: string, source: string, backend: MemoryBackend, more: OpenOptions = {}): OpenOptions => ({
  ...more,
  backend,
  config: { store: sqliteStore({ path }), ...more.config },
  wrap: (transport) => ({ ...(more.wrap ?? ((same) => same))(transport), source }),
});

/** A backend whose versions are far behind those of any other. */
const young = (rows: Parameters<typeof backendWith>[0]): MemoryBackend => backendWith(rows);
/** One whose versions are far ahead. */
function old(rows: Parameters<typeof backendWith>[0]): MemoryBackend {
  const backend = backendWith({});
  for (let n = 0; n < 100; n++) backend.write('other', 'x', { n });
  for (const [id, row] of Object.entries(rows)) backend.write('todos', id, row);
  return backend;
}

let sqlitePath = '';
let memory = memoryStore();

describe('another backend than last time', () => {
  test('its rows are taken whatever their versions, the cursor is not used, and what it lacks is gone', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({ a: { n: 'A' }, onlyA: { n: 'A' } })));
    await first.sync.close();
    const requests: PullRequest[] = [];
    const second = await openLive(
      at(path, 'B', young({ a: { n: 'B' }, onlyB: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = (step, request) => void (step === 'pull' && requests.push(request as PullRequest));
        },
      }),
    );
    expect(requests[0]?.cursor).toBeNull();
    expect(await rowsOf(second)).toEqual(backendRows(second));
    await second.sync.close();

    const again = await openLive(at(path, 'B', second.backend));
    expect(again.wire.calls.pull, 'once: after that its cursor is used').toBe(1);
  });

  test('another table of the same backend is read anew, and the others are not', async () => {
    const path = temporaryPath();
    const backend = old({ a: { n: 1 } });
    const started: unknown[] = [];
    const mapped = (table: string): OpenOptions => ({
      backend,
      config: { store: sqliteStore({ path }), collections: ['todos', 'other'] },
      wire: (wire) => {
        wire.before = (step, request) => {
          if (step === 'pull' && (request as PullRequest).start) started.push((request as PullRequest).cursor === null);
        };
      },
      // The table of the todos, as the app has set it.
      wrap: (transport) => ({ ...transport, mapping: (name) => (name === 'todos' ? { table } : undefined) }),
    });
    for (const [table, todos] of [
      ['todos', true],
      ['todos', false],
      ['tasks', true],
      ['tasks', false],
    ] as const) {
      started.length = 0;
      const client = await openLive(mapped(table));
      expect(started, table).toEqual([todos, todos && table === 'todos']);
      await client.sync.close();
    }
  });

  test('its rows are shown at once, until the new ones come', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({ a: { n: 'A' } })));
    await first.sync.close();
    const hold = gate();
    const second = await open(
      at(path, 'B', young({ a: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = () => hold.opened;
        },
      }),
    );
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'A' } });
    hold.open();
    await live(second);
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('unsent edits are kept and reach it: inserts, updates and deletes, with no false conflict', async () => {
    const path = temporaryPath();
    const rows = { update: { n: 1, text: 'x' }, delete: { n: 1 }, onlyA: { n: 1 } };
    const first = await openLive(at(path, 'A', old(rows)));
    await first.sync.pause();
    await first.todos.save({ n: 1 }, 'insert');
    await first.todos.update('update', { n: 2 });
    await first.todos.delete('delete');
    await first.todos.update('onlyA', { n: 2 });
    await first.sync.close();

    const second = await open(at(path, 'B', young({ update: { n: 1, text: 'B' }, delete: { n: 1 } })));
    const conflicts = record(second.sync, 'conflictDetected');
    await live(second);
    await synced(second);
    expect(backendRows(second)).toEqual({
      insert: { id: 'insert', n: 1 },
      update: { id: 'update', n: 2, text: 'B' },
      onlyA: { id: 'onlyA', n: 2 },
    });
    expect(await rowsOf(second)).toEqual(backendRows(second));
    expect(conflicts).toEqual([]);
  });

  for (const [kind, store] of [
    ['sqlite', () => sqliteStore({ path: sqlitePath })],
    ['memory', () => memory],
  ] as const) {
    test(`edits of the old one's rows are settled on the new one's, in ${kind}`, async () => {
      sqlitePath = temporaryPath();
      memory = memoryStore();
      const row = { n: 1, x: 1 };
      const first = await openLive({
        ...at('', 'A', old({ equal: row, both: row, other: row, onlyA: row, gone: row })),
        config: { store: store() },
      });
      // Deleted by another device while the edit of it was on its way: its answer never came.
      first.wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
      await first.todos.update('gone', { n: 2 });
      await until(() => first.wire.calls.push > 0);
      first.backend.delete('todos', 'gone');
      await settle();
      for (const id of ['equal', 'both', 'other', 'onlyA']) await first.todos.update(id, { n: 2 });
      await first.sync.close();

      const pushed: OutgoingChange[] = [];
      const options = at('', 'B', young({ equal: { n: 2, x: 1 }, both: { n: 3, x: 3 }, other: { n: 1, x: 3 } }), {
        wire: (wire) => {
          wire.before = (step, detail) => void (step === 'push' && pushed.push(...(detail as OutgoingChange[])));
        },
      });
      const second = await open({ ...options, config: { store: store(), conflictStrategy: 'clientWins' } });
      const conflicts = record(second.sync, 'conflictDetected');
      await live(second);
      await synced(second);
      expect(backendRows(second)).toEqual({
        equal: { id: 'equal', n: 2, x: 1 },
        both: { id: 'both', n: 2, x: 3 },
        other: { id: 'other', n: 2, x: 3 },
        onlyA: { id: 'onlyA', n: 2, x: 1 },
        gone: { id: 'gone', n: 2, x: 1 },
      });
      expect(await rowsOf(second)).toEqual(backendRows(second));
      expect(conflicts.map(({ event }) => (event as { conflict: unknown }).conflict)).toMatchObject([
        { recordId: 'both', base: { id: 'both', ...row }, local: { id: 'both', n: 2, x: 1 }, fields: ['n'] },
      ]);
      const sent = pushed.map(({ type, recordId, baseVersion }) => [recordId, type, baseVersion]);
      expect(sent.sort()).toEqual([
        ['both', 'update', 2],
        ['gone', 'insert', null],
        ['onlyA', 'insert', null],
        ['other', 'update', 3],
      ]);
      expect(second.backend.get('todos', 'equal')?.seq, 'an equal row is done').toBe(1);
      await second.sync.close();
    });
  }

  test('nothing is pushed before its rows are known', async () => {
    const path = temporaryPath();
    // The same version in both, of different rows: a compare-and-set would hit the wrong one.
    const first = await openLive(at(path, 'A', backendWith({ a: { n: 'A' } })));
    await first.sync.pause();
    await first.todos.update('a', { mine: true });
    await first.sync.close();
    const hold = gate();
    const steps: string[] = [];
    const second = await open(
      at(path, 'B', backendWith({ a: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = (step) => {
            steps.push(step);
            return step === 'pull' ? hold.opened : undefined;
          };
        },
      }),
    );
    await until(() => steps.includes('pull'));
    await second.todos.update('a', { more: true });
    hold.open();
    await live(second);
    await synced(second);
    expect(steps.indexOf('push')).toBeGreaterThan(steps.lastIndexOf('pull') - 1);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 'B', mine: true, more: true } });
  });

  test('an edit that was on its way to the old one is sent to the new one', async () => {
    const path = temporaryPath();
    const first = await openLive(
      at(path, 'A', old({}), {
        wire: (wire) => {
          wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
        },
      }),
    );
    await first.todos.save({ n: 1 }, 'a');
    await until(() => first.wire.calls.push > 0);
    await first.sync.close();
    const pushed: OutgoingChange[] = [];
    const second = await openLive(
      at(path, 'B', young({}), {
        wire: (wire) => {
          wire.before = (step, detail) => void (step === 'push' && pushed.push(...(detail as OutgoingChange[])));
        },
      }),
    );
    await synced(second);
    expect(pushed).toMatchObject([{ type: 'insert', recordId: 'a', baseVersion: null }]);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 1 } });
  });

  test('an edit that reached the old one and was brought along by a migration is no conflict with the later one', async () => {
    const path = temporaryPath();
    const hold = gate();
    const first = await openLive(
      at(path, 'A', old({ a: { n: 0 } }), {
        wire: (wire) => {
          wire.before = (step) => (step === 'push' ? hold.opened : undefined);
        },
      }),
    );
    await first.todos.update('a', { n: 1 });
    await until(() => first.wire.calls.push > 0);
    await first.todos.update('a', { n: 2 });
    const closed = first.sync.close();
    hold.open();
    await closed;
    // Written later than both edits, as a migration does.
    const b = young({});
    const second = await open(at(path, 'B', b));
    b.write('todos', 'a', { n: 1 });
    const conflicts = record(second.sync, 'conflictDetected');
    second.sync.resume();
    await live(second);
    await synced(second);
    expect(conflicts).toEqual([]);
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 2 } });
    expect(b.get('todos', 'a')?.data).toEqual({ id: 'a', n: 2 });
  });

  for (const [way, next] of [
    ['never reached: the next start does not take the old versions for its own', 'B'],
    ['half read, and then back to the first: nothing of it is taken for the first`s', 'A'],
  ] as const) {
    test(way, async () => {
      const path = temporaryPath();
      const a = old({ a: { n: 'A' }, b: { n: 'A' }, onlyA: { n: 'A' } });
      const b = young({ a: { n: 'B' }, b: { n: 'B' }, onlyB: { n: 'B' } });
      const first = await openLive(at(path, 'A', a));
      await first.sync.pause();
      await first.todos.update('a', { mine: true });
      await first.sync.close();

      const hold = gate();
      const second = await open(
        at(path, 'B', b, {
          pageCap: 1,
          wire: (wire) => {
            wire.before = (step) => (step === 'pull' && wire.calls.pull > 2 ? hold.opened : undefined);
          },
        }),
      );
      if (next === 'A') await until(() => second.wire.calls.pull >= 3);
      await second.sync.close();

      const third = await openLive(at(path, next, next === 'A' ? a : b));
      await synced(third);
      expect(await rowsOf(third)).toEqual(backendRows(third));
      expect(backendRows(third).a).toEqual({ id: 'a', n: next, mine: true });
    });
  }

  test('deletes that the old one knew say nothing about the new one`s rows', async () => {
    const path = temporaryPath();
    const a = old({ a: { n: 'A' } });
    const first = await openLive(at(path, 'A', a));
    a.delete('todos', 'a');
    await until(() => first.backend.get('todos', 'a')?.data === null);
    await first.sync.syncNow();
    await first.sync.close();
    const second = await openLive(at(path, 'B', young({ a: { n: 'B' } })));
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('refused edits are still there', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({})));
    first.wire.decide = () => ({ type: 'rejected', error: lost() });
    await first.todos.save({ n: 1 }, 'a');
    await until(() => first.sync.outbox.failed().length === 1);
    await first.sync.close();
    const second = await openLive(at(path, 'B', young({})));
    const [entry] = second.sync.outbox.failed();
    await second.sync.outbox.retry(entry?.opId ?? '');
    await synced(second);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 1 } });
  });
});

describe('clear()', () => {
  test('forgets rows, edits and cursors, in memory and on disk, and reads all anew', async () => {
    const path = temporaryPath();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      config: { store: sqliteStore({ path }) },
    });
    await client.sync.pause();
    await client.todos.save({ n: 1 }, 'unsent');
    await client.todos.update('a', { n: 2 });
    const shown: [number, boolean][] = [];
    client.todos.watch((rows, { loading }) => void shown.push([rows.length, loading]));
    await until(() => shown.length >= 1);
    expect(await client.sync.clear()).toEqual({ discarded: 2 });
    expect(await rowsOf(client)).toEqual({});
    expect(client.sync.status).toEqual({ phase: 'paused', pending: 0 });
    expect(shown).toEqual([
      [3, false],
      [0, true],
    ]);
    await client.sync.close();

    const again = await openLive({ backend: client.backend, config: { store: sqliteStore({ path }) } });
    expect(again.wire.calls.push).toBe(0);
    expect(again.wire.calls.pull).toBeGreaterThan(1);
    expect(await rowsOf(again)).toEqual({ a: { id: 'a', n: 1 }, b: { id: 'b', n: 1 } });
  });

  test('on a live link it reads all again by itself', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), pageCap: 1 });
    await client.sync.clear();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('during a snapshot and a push: neither comes back', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
      cursor: 'snapshot',
      deletes: 'none',
      pageCap: 1,
    });
    let pulls = 0;
    client.wire.before = (step) => (step === 'push' || (step === 'pull' && ++pulls === 3) ? hold.opened : undefined);
    client.wire.gap();
    await until(() => pulls >= 3);
    await client.todos.save({ n: 1 }, 'unsent');
    const clearing = client.sync.clear();
    client.wire.before = () => undefined;
    hold.open();
    await clearing;
    client.backend.delete('todos', 'a', { hard: true });
    await live(client);
    expect(client.sync.outbox.pending()).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an edit made while it is under way is either gone or sent, not half of each', async () => {
    const path = temporaryPath();
    const client = await openLive({ config: { store: sqliteStore({ path }) } });
    await client.sync.pause();
    const clearing = client.sync.clear();
    const saved = client.todos.save({ n: 1 }, 'a');
    await Promise.all([clearing, saved]);
    const here = client.sync.outbox.pending().length;
    await client.sync.close();
    const again = await openLive({
      backend: client.backend,
      config: { store: sqliteStore({ path }), enableAutoSync: false },
    });
    expect(again.sync.outbox.pending().length).toBe(here);
  });
});

/** A transport that can be led to another backend while it runs, as a failover does. */
function switchable(first: MemoryBackend, more: Omit<MemoryTransportOptions, 'backend'> = {}, from = 'A') {
  let host: TransportHost | undefined;
  let current = memoryTransport({ ...more, backend: first });
  let source = from;
  const transport: RealtimeTransport = {
    name: 'switchable',
    get source() {
      return source;
    },
    get capabilities() {
      return current.capabilities;
    },
    attach(given) {
      host = given;
    },
    connect: (options) => current.connect(options),
    subscribe: (request, sink) => current.subscribe(request, sink),
    pull: (request) => current.pull(request),
    push: (changes, options) => current.push(changes, options),
    get fetch() {
      return current.fetch;
    },
    get keys() {
      return current.keys;
    },
    close: () => current.close(),
  };
  return {
    transport,
    get wire() {
      return current.wire;
    },
    /** Leads to this backend from now on. */
    lead(name: string, backend: MemoryBackend): void {
      current = memoryTransport({ ...more, backend });
      source = name;
      host?.moved?.();
    },
  };
}

describe('another backend while it runs', () => {
  const opened = async (first: MemoryBackend, options: OpenOptions = {}) => {
    const line = switchable(first, options);
    const client = await openLive({ ...options, wrap: () => line.transport });
    const same = (backend: MemoryBackend): Promise<void> =>
      until(
        () =>
          client.sync.status.phase === 'live' &&
          client.sync.status.pending === 0 &&
          client.sync.inspect().collections.todos?.rows === backend.rows('todos').size,
      );
    return { ...client, line, same };
  };

  for (const deletes of ['tombstones', 'none'] as const) {
    test(`its rows are taken whatever their versions, what it lacks is gone, and live changes come from it: deletes ${deletes}`, async () => {
      const a = old({ a: { n: 'A' }, onlyA: { n: 'A' }, gone: { n: 'A' } });
      const client = await opened(a, { deletes });
      a.delete('todos', 'gone', { hard: deletes === 'none' });
      await until(() => client.sync.inspect().collections.todos?.rows === 2);
      const b = young({ a: { n: 'B' }, onlyB: { n: 'B' }, gone: { n: 'B' } });
      client.line.lead('B', b);
      await client.same(b);
      expect(await rowsOf(client)).toEqual(Object.fromEntries(b.rows('todos')));
      b.write('todos', 'a', { n: 'B2' });
      a.write('todos', 'a', { n: 'late, from A' });
      await settle();
      expect((await rowsOf(client)).a).toEqual({ id: 'a', n: 'B2' });
      // And back, to versions that are older again.
      client.line.lead('A', a);
      await client.same(a);
      expect(await rowsOf(client)).toEqual(Object.fromEntries(a.rows('todos')));
    });
  }

  test('unsent edits come along: equal, changed on both sides, missing there, and on their way', async () => {
    const a = old({ equal: { n: 1 }, both: { n: 1, x: 1 }, onlyA: { n: 1 }, way: { n: 1 } });
    const client = await opened(a, { config: { conflictStrategy: 'clientWins' } });
    const hold = gate();
    client.line.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
    await client.todos.update('way', { n: 2 });
    await until(() => client.line.wire.calls.push > 0);
    await client.todos.update('equal', { n: 2 });
    await client.todos.update('both', { n: 2 });
    await client.todos.update('onlyA', { n: 2 });
    await client.todos.save({ n: 2 }, 'new');
    const conflicts = record(client.sync, 'conflictDetected');
    const b = young({ equal: { n: 2 }, both: { n: 3, x: 3 }, way: { n: 1 } });
    const pushed: OutgoingChange[] = [];
    client.line.lead('B', b);
    client.line.wire.before = (step, detail) => void (step === 'push' && pushed.push(...(detail as OutgoingChange[])));
    await client.same(b);
    hold.open();
    expect(await rowsOf(client)).toEqual({
      equal: { id: 'equal', n: 2 },
      both: { id: 'both', n: 2, x: 3 },
      onlyA: { id: 'onlyA', n: 2 },
      way: { id: 'way', n: 2 },
      new: { id: 'new', n: 2 },
    });
    expect(Object.fromEntries(b.rows('todos'))).toEqual(await rowsOf(client));
    expect(pushed.map(({ recordId }) => recordId).sort(), 'what is equal is not sent').toEqual([
      'both',
      'new',
      'onlyA',
      'way',
    ]);
    for (const { type, recordId, baseVersion } of pushed)
      expect([type, baseVersion]).toEqual(
        recordId === 'new' || recordId === 'onlyA' ? ['insert', null] : ['update', expect.any(Number)],
      );
    expect(conflicts.map(({ event }) => (event as { conflict: unknown }).conflict)).toMatchObject([
      { recordId: 'both', base: { n: 1, x: 1 }, local: { n: 2, x: 1 }, remote: { n: 3, x: 3 }, fields: ['n'] },
    ]);
  });

  test('an edit made after the switch is another one than the edit that the old one may have', async () => {
    const a = old({ a: { n: 0 } });
    const client = await opened(a);
    const hold = gate();
    client.line.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
    await client.todos.update('a', { n: 1 });
    await until(() => client.line.wire.calls.push > 0);
    const b = young({ a: { n: 1 } });
    const reading = gate();
    client.line.lead('B', b);
    client.line.wire.before = (step) => (step === 'pull' ? reading.opened : undefined);
    const conflicts = record(client.sync, 'conflictDetected');
    await client.todos.update('a', { n: 2 });
    const opIds = client.sync.outbox.pending().map(({ opId }) => opId);
    expect(new Set(opIds).size).toBe(opIds.length);
    reading.open();
    await client.same(b);
    hold.open();
    expect(conflicts).toEqual([]);
    expect(b.get('todos', 'a')?.data).toEqual({ id: 'a', n: 2 });
  });

  test('what was gone in the old one is not hidden in the new one, also after a restart', async () => {
    const path = temporaryPath();
    const a = old({ a: { n: 'A' } });
    const client = await opened(a, { config: { store: sqliteStore({ path }) } });
    a.delete('todos', 'a');
    await until(() => client.sync.inspect().collections.todos?.rows === 0);
    const b = young({});
    client.line.lead('B', b);
    await client.same(b);
    await client.sync.close();
    b.write('todos', 'a', { n: 'B' });
    const again = await openLive({
      config: { store: sqliteStore({ path }) },
      wrap: () => switchable(b, {}, 'B').transport,
    });
    expect(await rowsOf(again)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('what the old one answers afterwards says nothing', async () => {
    const a = old({ a: { n: 'A' } });
    const client = await opened(a);
    const hold = gate();
    const { wire } = client.line;
    wire.before = (step) => (step === 'pull' || step === 'push' ? hold.opened : undefined);
    await client.todos.save({ n: 'mine' }, 'mine');
    wire.gap();
    await until(() => wire.calls.push > 0 && client.sync.status.phase !== 'live');
    for (let n = 0; n < 50; n++) a.write('todos', `late ${n}`, { n });
    const b = young({ a: { n: 'B' } });
    client.line.lead('B', b);
    hold.open();
    await client.same(b);
    await client.sync.syncNow();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 'B' }, mine: { id: 'mine', n: 'mine' } });
    expect(Object.fromEntries(b.rows('todos'))).toEqual(await rowsOf(client));
  });

  test('closed before all is read, it is of neither: the next start reads all anew', async () => {
    for (const next of ['A', 'B']) {
      const path = temporaryPath();
      const a = old({ a: { n: 'A' }, b: { n: 'A' }, onlyA: { n: 'A' } });
      const b = young({ a: { n: 'B' }, b: { n: 'B' }, onlyB: { n: 'B' } });
      const client = await opened(a, { pageCap: 1, config: { store: sqliteStore({ path }) } });
      client.line.lead('B', b);
      const { wire } = client.line;
      const hold = gate();
      wire.before = (step) => (step === 'pull' && wire.calls.pull > 2 ? hold.opened : undefined);
      await until(() => wire.calls.pull > 2);
      await client.sync.close();

      const line = switchable(next === 'A' ? a : b);
      if (next === 'B') line.lead('B', b);
      const again = await openLive({ config: { store: sqliteStore({ path }) }, wrap: () => line.transport });
      expect(await rowsOf(again), next).toEqual(Object.fromEntries((next === 'A' ? a : b).rows('todos')));
      await again.sync.close();
    }
  });

  test('without a link it is read at once, not at the next poll', async () => {
    const line = switchable(old({ a: { n: 'A' } }));
    const b = young({ a: { n: 'B' } });
    // As a failover does it: in the middle of a poll.
    line.wire.before = (step) => {
      if (step !== 'pull') return;
      line.lead('B', b);
      throw lost();
    };
    const client = await open({
      config: { enableRealtimeSync: false, syncInterval: 3_600_000 },
      wrap: () => line.transport,
    });
    await until(() => client.sync.inspect().collections.todos?.rows === 1);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('in the middle of reading the one before, nothing of that is taken for its own', async () => {
    const client = await opened(old({ a: { n: 'A' } }), { pageCap: 1 });
    client.line.lead('B', young({ a: { n: 'B' }, b: { n: 'B' }, c: { n: 'B' } }));
    const { wire } = client.line;
    const hold = gate();
    wire.before = (step) => (step === 'pull' && wire.calls.pull > 2 ? hold.opened : undefined);
    await until(() => wire.calls.pull > 2);
    const c = young({ d: { n: 'C' } });
    client.line.lead('C', c);
    await client.same(c);
    expect(await rowsOf(client)).toEqual(Object.fromEntries(c.rows('todos')));
  });

  test('once all is read it is the one that the store knows', async () => {
    const path = temporaryPath();
    const a = old({ a: { n: 'A' }, onlyA: { n: 'A' } });
    const b = old({ a: { n: 'B' }, b: { n: 'B' } });
    const client = await opened(a, { config: { store: sqliteStore({ path }) } });
    client.line.lead('B', b);
    await client.same(b);
    await client.sync.close();
    for (const [name, backend, pulls] of [
      ['B', b, 1],
      ['A', a, 2],
    ] as const) {
      const line = switchable(a);
      if (name === 'B') line.lead('B', b);
      const again = await openLive({ config: { store: sqliteStore({ path }) }, wrap: () => line.transport });
      expect(await rowsOf(again)).toEqual(Object.fromEntries(backend.rows('todos')));
      expect(line.wire.calls.pull, `a whole read only of another than ${name}`).toBe(pulls);
      await again.sync.close();
    }
  });
});

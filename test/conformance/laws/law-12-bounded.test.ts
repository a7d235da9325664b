import { describe, expect, test } from 'vitest';
import { type LocalStore, memoryStore } from '../../../src/index.js';
import { memoryBackend } from '../../../src/testing/index.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  gate,
  holdAnswers,
  live,
  lost,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  until,
  watchedStore,
} from './harness.js';

describe('law 12: buffers are bounded, and what overflows is not lost', () => {
  test('more events during a pull than the buffer holds: the pull is repeated', async () => {
    let hold: ReturnType<typeof gate> | undefined;
    const client = await openLive({ config: { bufferLimit: 10 }, wrap: holdAnswers('pull', () => hold?.opened) });
    const { pull } = client.wire.calls;
    const first = gate();
    hold = first;
    client.wire.gap();
    await until(() => client.wire.calls.pull > pull);
    for (let n = 0; n < 57; n++) client.backend.write('todos', `row ${n}`, { n });
    hold = undefined;
    first.open();
    await live(client);
    expect((await client.todos.getAll()).length).toBe(57);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('as many as it holds need no second pull', async () => {
    let hold: ReturnType<typeof gate> | undefined;
    const client = await openLive({ config: { bufferLimit: 10 }, wrap: holdAnswers('pull', () => hold?.opened) });
    const { pull } = client.wire.calls;
    const first = gate();
    hold = first;
    client.wire.gap();
    await until(() => client.wire.calls.pull > pull);
    for (let n = 0; n < 10; n++) client.backend.write('todos', `row ${n}`, { n });
    hold = undefined;
    first.open();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.calls.pull).toBe(pull + 1);
  });

  test('more events in one turn than the buffer holds, on a live link', async () => {
    const client = await openLive({ config: { bufferLimit: 10 } });
    await caughtUpAfter(client, () => {
      for (let n = 0; n < 57; n++) client.backend.write('todos', `row ${n}`, { n });
    });
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.backend.rows('todos').size).toBe(57);
  });

  test('an overflow whose pull fails is tried again', async () => {
    const client = await openLive({ config: { bufferLimit: 3 } });
    let failures = 2;
    client.wire.before = (step) => {
      if (step === 'pull' && failures-- > 0) throw lost();
    };
    await caughtUpAfter(client, () => {
      for (let n = 0; n < 7; n++) client.backend.write('todos', `row ${n}`, { n });
    });
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an overflow does not run behind: what comes during its pull is there as well', async () => {
    const client = await openLive({ config: { bufferLimit: 5, pageSize: 3 } });
    let more = 30;
    client.wire.before = (step) => {
      if (step === 'pull' && more > 0)
        for (let n = 0; n < 6; n++) client.backend.write('todos', `late ${--more}`, { n });
    };
    client.wire.gap();
    await until(() => more <= 0);
    await live(client);
    await settle();
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });
});

describe('law 12: a batch is one store commit and one notification', () => {
  async function counted(options: Parameters<typeof open>[0] = {}) {
    const store = watchedStore(memoryStore());
    const client = await open({ ...options, config: { store: store as LocalStore, ...options.config } });
    const shown: string[] = [];
    client.todos.watch((rows, { loading }) => void shown.push(`${rows.length}${loading ? ', loading' : ''}`));
    const rowCommits = (): number[] =>
      store.commits.map((writes) => writes.filter(({ table }) => table === 'rows').length).filter((count) => count > 0);
    return { ...client, store, shown, rowCommits };
  }

  test('a pulled page, with its cursor in the same commit', async () => {
    const backend = memoryBackend();
    for (let n = 0; n < 1000; n++) backend.write('todos', `row ${n}`, { n });
    const client = await counted({
      backend,
      config: { pageSize: 250 },
      // Slow enough for a commit per page.
      wire: (wire) => Object.assign(wire, { before: () => settle(3) }),
    });
    await live(client);
    await settle();
    expect(client.rowCommits()).toEqual([250, 250, 250, 250]);
    for (const commit of client.store.commits)
      if (commit.some(({ table }) => table === 'rows'))
        expect(commit.filter(({ table, key }) => table === 'meta' && key[1] === 'cursor').length).toBe(1);
    const pages = ['0, loading', '250, loading', '500, loading', '750, loading', '1000, loading', '1000'];
    expect(client.shown).toEqual(pages);
  });

  test('the events of one turn', async () => {
    const client = await counted();
    await live(client);
    await settle();
    client.shown.length = 0;
    for (let n = 0; n < 500; n++) client.backend.write('todos', `row ${n}`, { n });
    await settle();
    expect(client.rowCommits()).toEqual([500]);
    expect(client.shown).toEqual(['500']);
  });

  test('the events held during a catch-up', async () => {
    const hold = gate();
    const client = await counted({
      backend: backendWith({ a: { n: 1 } }),
      wrap: holdAnswers('pull', () => hold.opened),
    });
    await until(() => client.wire.calls.pull >= 1);
    for (let n = 0; n < 100; n++) client.backend.write('todos', `row ${n}`, { n });
    hold.open();
    await live(client);
    expect(client.shown).toEqual(['0, loading', '1, loading', '101, loading', '101']);
  });

  test('saveMany and deleteMany', async () => {
    const client = await counted();
    await live(client);
    await client.sync.pause();
    await settle();
    client.shown.length = 0;
    client.store.commits.length = 0;
    const ids = await client.todos.saveMany(Array.from({ length: 100 }, (_, n) => ({ n })));
    await client.todos.deleteMany(ids);
    expect(client.shown).toEqual(['100', '0']);
    expect(client.store.commits.map((writes) => writes.length)).toEqual([100, 100]);
  });

  test('the answers to a push', async () => {
    const hold = gate();
    const client = await counted({ wire: (wire) => Object.assign(wire, { deliver: false }) });
    await live(client);
    client.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
    await client.todos.saveMany(Array.from({ length: 100 }, (_, n) => ({ n })));
    await until(() => client.wire.calls.push >= 1);
    client.store.commits.length = 0;
    hold.open();
    await until(() => client.sync.status.pending === 0);
    await settle();
    expect(client.rowCommits()).toEqual([100]);
    expect(client.store.commits.length).toBe(1);
  });

  test('the rows that a snapshot took away', async () => {
    const rows = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`row ${n}`, { n }]));
    const client = await counted({ backend: backendWith(rows), deletes: 'none' });
    await live(client);
    await settle();
    client.wire.deliver = false;
    for (const id of Object.keys(rows)) client.backend.delete('todos', id, { hard: true });
    client.shown.length = 0;
    await caughtUpAfter(client, () => client.wire.gap());
    expect(client.shown).toEqual(['0']);
  });

  test('events are told after the batch: whoever looks sees all of it', async () => {
    const client = await openLive();
    const seen: number[] = [];
    client.sync.events.on('remoteInsert', () => {
      seen.push(client.sync.inspect().collections.todos?.rows ?? 0);
    });
    for (const id of ['a', 'b', 'c']) client.wire.inject(change('insert', id, 1, { data: { n: 1 } }));
    await settle();
    expect(seen).toEqual([3, 3, 3]);
  });

  test('watchers that edit get every batch in its order', async () => {
    const client = await openLive();
    const todos = client.sync.collection<{ readonly id: string; readonly n: number }>('todos');
    const seen: number[][][] = [[], []];
    let edited = false;
    todos.orderBy('n').watch((rows) => {
      seen[0]?.push(rows.map(({ n }) => n));
      if (rows.length === 0 || edited) return;
      edited = true;
      void todos.update('a', { n: 7 });
    });
    todos.orderBy('n').watch((rows) => void seen[1]?.push(rows.map(({ n }) => n)));
    await settle();
    client.backend.write('todos', 'a', { n: 1 });
    await settle();
    expect(seen).toEqual([
      [[], [1], [7]],
      [[], [1], [7]],
    ]);
  });
});

describe('law 12: what is told fits what happened', () => {
  test('realtimeSync counts the changes of a catch-up', async () => {
    const client = await open({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), pageCap: 1 });
    const told = record(client.sync, 'realtimeSync');
    await live(client);
    expect(told.map(({ event }) => event)).toEqual([{ collection: 'todos', records: 2 }]);
  });

  test('status counts the records with edits, at every moment', async () => {
    const client = await openLive();
    const told: unknown[] = [];
    client.sync.events.on('statusChanged', ({ pending, phase }) => told.push([phase, pending]));
    await client.todos.saveMany([{ n: 1 }, { n: 2 }]);
    await until(() => client.sync.status.pending === 0);
    expect(told).toEqual([
      ['syncing', 2],
      ['live', 0],
    ]);
  });
});

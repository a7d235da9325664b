import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import type { SyncLayerConfig } from '../../../src/index.js';
import { type Conflict, type ConflictResolver, ConflictResolvers } from '../../../src/index.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import {
  backendRows,
  backendWith,
  type Client,
  caughtUpAfter,
  gate,
  live,
  open,
  openLive,
  record,
  rowsOf,
  temporaryPath,
  until,
} from './harness.js';

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);

interface Case {
  readonly base: Row;
  readonly local: (client: Client) => Promise<unknown>;
  readonly remote: (client: Client) => unknown;
  readonly config?: Partial<SyncLayerConfig>;
  readonly idempotent?: boolean;
  /** The other side's write is seen before ours leaves, or only as the answer to our push. */
  readonly seen: 'by event' | 'by answer' | 'after restart';
}

/** Both sides change record `a`, neither knowing of the other. */
async function collide({ base, local, remote, config, idempotent = true, seen }: Case) {
  const path = temporaryPath();
  const store = seen === 'after restart' ? { store: sqliteStore({ path }) } : {};
  let client = await openLive({ backend: backendWith({ a: base }), idempotent, config: { ...config, ...store } });
  if (seen === 'by answer') client.wire.deliver = false;
  else await client.sync.pause();
  if (seen === 'by answer') {
    // The edit is on its way when the other write comes in.
    const hold = gate();
    client.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
    await local(client);
    await until(() => client.wire.calls.push >= 1);
    remote(client);
    hold.open();
  } else {
    await local(client);
    remote(client);
    if (seen === 'after restart') {
      await client.sync.close();
      const { backend } = client;
      client = await open({ backend, idempotent, config: { ...config, store: sqliteStore({ path }) } });
    } else client.sync.resume();
  }
  await live(client);
  await synced(client);
  const rows = await rowsOf(client);
  expect(rows, 'both sides hold the same').toEqual(backendRows(client));
  return { row: rows.a, client };
}

function fakeDate(): void {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
}

const ways = ['by event', 'by answer', 'after restart'] as const;
const HOUR = 3_600_000;
const custom = (customConflictResolver: ConflictResolver): Partial<SyncLayerConfig> => ({
  conflictStrategy: 'custom',
  customConflictResolver,
});

describe.each(ways)('law 8: conflicts are three-way (the other write is seen %s)', (seen) => {
  for (const conflictStrategy of ['lastWriteWins', 'serverWins', 'clientWins'] as const) {
    test(`${conflictStrategy}: fields that only one side changed are kept from that side, and that is no conflict`, async () => {
      const { row, client } = await collide({
        base: { title: 'base', text: 'base', gone: true, same: 1 },
        local: ({ todos }) => todos.update('a', { title: 'local', same: 2 }),
        remote: ({ backend }) => backend.write('todos', 'a', { title: 'base', text: 'remote', same: 2 }),
        config: { conflictStrategy },
        seen,
      });
      expect(row).toEqual({ id: 'a', title: 'local', text: 'remote', same: 2 });
      expect(client.sync.metrics().conflicts).toBe(0);
    });
  }

  const both: Omit<Case, 'seen' | 'remote'> = {
    base: { n: 0, text: 'base' },
    local: ({ todos }) => todos.update('a', { n: 1, text: 'local' }),
  };
  const at =
    (offset: number) =>
    ({ backend }: Client) =>
      backend.write('todos', 'a', { n: 2, text: 'base' }, { time: Date.now() + offset });

  test('lastWriteWins: the later write wins the field, the other fields are merged', async () => {
    const later = await collide({ ...both, remote: at(HOUR), seen });
    expect(later.row).toEqual({ id: 'a', n: 2, text: 'local' });
    const earlier = await collide({ ...both, remote: at(-HOUR), seen });
    expect(earlier.row).toEqual({ id: 'a', n: 1, text: 'local' });
  });

  test('lastWriteWins compares when edits were made, not when they were committed', async () => {
    const made =
      (offset: number) =>
      ({ backend }: Client) => {
        const time = Date.now() + HOUR;
        backend.write('todos', 'a', { n: 2, text: 'base' }, { time, editedAt: Date.now() + offset });
      };
    const earlier = await collide({ ...both, remote: made(-HOUR), seen });
    expect(earlier.row, 'edited before ours, committed after it').toEqual({ id: 'a', n: 1, text: 'local' });
    const later = await collide({ ...both, remote: made(HOUR / 2), seen });
    expect(later.row).toEqual({ id: 'a', n: 2, text: 'local' });
  });

  test('edits that are sent as one keep the times of their fields', async () => {
    fakeDate();
    const { row } = await collide({
      base: { first: 0, second: 0, both: 0 },
      local: async ({ todos }) => {
        await todos.update('a', { first: 1, both: 1 });
        vi.setSystemTime(Date.now() + HOUR);
        await todos.update('a', { second: 1, both: 2 });
      },
      remote: ({ backend }) =>
        backend.write('todos', 'a', { first: 9, second: 9, both: 9 }, { editedAt: Date.now() - HOUR / 2 }),
      seen,
    });
    expect(row).toEqual({ id: 'a', first: 9, second: 1, both: 2 });
  });

  test('serverWins and clientWins', async () => {
    const server = await collide({ ...both, remote: at(-HOUR), config: { conflictStrategy: 'serverWins' }, seen });
    expect(server.row).toEqual({ id: 'a', n: 2, text: 'local' });
    const client = await collide({ ...both, remote: at(HOUR), config: { conflictStrategy: 'clientWins' }, seen });
    expect(client.row).toEqual({ id: 'a', n: 1, text: 'local' });
  });

  test('a custom resolver gets local, remote and base, and what it returns is the row', async () => {
    const asked: Conflict[] = [];
    const { row } = await collide({
      ...both,
      remote: at(0),
      config: custom((conflict) => {
        asked.push(conflict);
        return { ...conflict.merged, n: 12, by: 'resolver' };
      }),
      seen,
    });
    expect(asked).toMatchObject([
      {
        collection: 'todos',
        recordId: 'a',
        base: { id: 'a', n: 0, text: 'base' },
        local: { id: 'a', n: 1, text: 'local' },
        remote: { id: 'a', n: 2, text: 'base' },
        fields: ['n'],
        merged: { id: 'a', n: 2, text: 'local' },
      },
    ]);
    expect(row).toEqual({ id: 'a', n: 12, text: 'local', by: 'resolver' });
  });

  test('sumNumbers: both sides +1 is +2, though both wrote the same number', async () => {
    const { row } = await collide({
      base: { likes: 5, title: 'x' },
      local: ({ todos }) => todos.update('a', { likes: 6 }),
      remote: ({ backend }) => backend.write('todos', 'a', { likes: 6, title: 'x' }),
      config: custom(ConflictResolvers.sumNumbers(['likes'])),
      seen,
    });
    expect(row).toEqual({ id: 'a', likes: 7, title: 'x' });
  });

  const resolvers: readonly [string, ConflictResolver, Row, Row, Row, Row][] = [
    [
      'mergeArrays',
      ConflictResolvers.mergeArrays(['tags']),
      { tags: ['a', 'b'] },
      { tags: ['b', 'mine'] },
      { tags: ['a', 'b', 'theirs'] },
      { tags: ['b', 'theirs', 'mine'] },
    ],
    ['sumNumbers', ConflictResolvers.sumNumbers(['n']), { n: 10 }, { n: 12 }, { n: 7 }, { n: 9 }],
    [
      'mergeFields',
      ConflictResolvers.mergeFields(['mine']),
      { mine: 0, theirs: 0 },
      { mine: 1, theirs: 1 },
      { mine: 2, theirs: 2 },
      { mine: 1, theirs: 2 },
    ],
    ['maxValue', ConflictResolvers.maxValue(['n']), { n: 1 }, { n: 5 }, { n: 3 }, { n: 5 }],
    [
      'fieldLevelLastWriteWins',
      ConflictResolvers.fieldLevelLastWriteWins(),
      { a: 0, a_updatedAt: '2026-01-01T00:00:00Z', b: 0, b_updatedAt: 0 },
      { a: 1, a_updatedAt: '2026-01-03T00:00:00Z', b: 1, b_updatedAt: 10 },
      { a: 2, a_updatedAt: '2026-01-02T00:00:00Z', b: 2, b_updatedAt: 20 },
      { a: 1, a_updatedAt: '2026-01-03T00:00:00Z', b: 2, b_updatedAt: 20 },
    ],
    [
      'deepMerge',
      ConflictResolvers.deepMerge(),
      { at: { city: 'Rome', zip: 1, tags: ['x'] } },
      { at: { city: 'Oslo', zip: 1, tags: ['x', 'mine'] } },
      { at: { city: 'Rome', zip: 2, tags: ['theirs'] } },
      { at: { city: 'Oslo', zip: 2, tags: ['theirs', 'mine'] } },
    ],
  ];
  test.each(resolvers)('%s', async (_, resolver, base, mine, theirs, result) => {
    const { row } = await collide({
      base,
      local: ({ todos }) => todos.save(mine, 'a'),
      remote: ({ backend }) => backend.write('todos', 'a', theirs),
      config: custom(resolver),
      seen,
    });
    expect(row).toEqual({ id: 'a', ...result });
  });

  describe('a delete against an edit', () => {
    const edited: Omit<Case, 'seen' | 'remote'> = {
      base: { n: 0 },
      local: ({ todos }) => todos.update('a', { n: 1 }),
    };
    const deletedThere =
      (offset: number) =>
      ({ backend }: Client) =>
        backend.delete('todos', 'a', { time: Date.now() + offset });
    const deleted: Omit<Case, 'seen' | 'remote'> = { base: { n: 0 }, local: ({ todos }) => todos.delete('a') };

    test('edited here, deleted there', async () => {
      expect((await collide({ ...edited, remote: deletedThere(HOUR), seen })).row).toBeUndefined();
      expect((await collide({ ...edited, remote: deletedThere(-HOUR), seen })).row).toEqual({ id: 'a', n: 1 });
      const serverWins = { conflictStrategy: 'serverWins' } as const;
      expect((await collide({ ...edited, remote: deletedThere(-HOUR), config: serverWins, seen })).row).toBeUndefined();
      const clientWins = { conflictStrategy: 'clientWins' } as const;
      const kept = await collide({ ...edited, remote: deletedThere(HOUR), config: clientWins, seen });
      expect(kept.row).toEqual({ id: 'a', n: 1 });
    });

    test('deleted here, edited there', async () => {
      expect((await collide({ ...deleted, remote: at(HOUR), seen })).row).toEqual({ id: 'a', n: 2, text: 'base' });
      expect((await collide({ ...deleted, remote: at(-HOUR), seen })).row).toBeUndefined();
      const serverWins = { conflictStrategy: 'serverWins' } as const;
      expect((await collide({ ...deleted, remote: at(-HOUR), config: serverWins, seen })).row).toMatchObject({ n: 2 });
      const clientWins = { conflictStrategy: 'clientWins' } as const;
      expect((await collide({ ...deleted, remote: at(HOUR), config: clientWins, seen })).row).toBeUndefined();
    });

    test('a resolver decides it with null for the side that is gone', async () => {
      const asked: Conflict[] = [];
      const resolve: ConflictResolver = (conflict) => {
        asked.push(conflict);
        return conflict.local ?? conflict.remote;
      };
      await collide({ ...edited, remote: deletedThere(0), config: custom(resolve), seen });
      await collide({ ...deleted, remote: at(0), config: custom(resolve), seen });
      expect(asked).toMatchObject([
        { local: { n: 1 }, remote: null, base: { n: 0 }, merged: null, fields: [] },
        { local: null, remote: { n: 2 }, base: { n: 0 }, merged: null, fields: [] },
      ]);
    });

    test('deleted on both sides is no conflict', async () => {
      const { row, client } = await collide({ ...deleted, remote: deletedThere(0), seen });
      expect(row).toBeUndefined();
      expect(client.sync.metrics().conflicts).toBe(0);
    });
  });

  test('created on both sides under one id: merged, as neither had it before', async () => {
    const { client } = await collide({
      base: { n: 0 },
      local: ({ todos }) => todos.save({ mine: 1, both: 'mine' }, 'b'),
      remote: ({ backend }) => backend.write('todos', 'b', { theirs: 1, both: 'theirs' }, { time: Date.now() + HOUR }),
      seen,
    });
    expect((await rowsOf(client)).b).toEqual({ id: 'b', mine: 1, theirs: 1, both: 'theirs' });
  });

  test('the conflict is told once, with its outcome', async () => {
    const told: unknown[] = [];
    const { row } = await collide({
      ...both,
      local: (client) => {
        for (const name of ['conflictDetected', 'conflictResolved'] as const)
          client.sync.events.on(name, (event) => told.push([name, 'result' in event ? event.result : undefined]));
        return client.todos.update('a', { n: 1, text: 'local' });
      },
      remote: at(HOUR),
      seen: seen === 'after restart' ? 'by event' : seen,
    });
    expect(told).toEqual([
      ['conflictDetected', undefined],
      ['conflictResolved', row],
    ]);
  });
});

describe('law 8: the base is the row that the edit started from', () => {
  test('through several edits and several remote writes', async () => {
    const client = await openLive({
      backend: backendWith({ a: { n: 10 } }),
      config: custom(ConflictResolvers.sumNumbers(['n'])),
    });
    await client.sync.pause();
    await client.todos.update('a', { n: 11 });
    await client.todos.update('a', { n: 13 });
    client.backend.write('todos', 'a', { n: 15 });
    client.sync.resume();
    await live(client);
    await client.sync.pause();
    await client.todos.update('a', { n: 20 });
    client.backend.write('todos', 'a', { n: 100 });
    client.sync.resume();
    await live(client);
    // 10 +3 here +5 there = 18; +2 here, +82 there.
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 102 } });
    expect(backendRows(client)).toEqual(await rowsOf(client));
  });

  test('a conflict during the push of an edit that has a follower takes both along', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 10, text: 'x' } }),
      config: custom(ConflictResolvers.sumNumbers(['n'])),
    });
    client.wire.before = (step) => (step === 'push' ? hold.opened : undefined);
    await client.todos.update('a', { n: 11 });
    await until(() => client.wire.calls.push >= 1);
    client.backend.write('todos', 'a', { n: 20, text: 'x' });
    await client.todos.update('a', { n: 12, text: 'mine' });
    hold.open();
    await synced(client);
    expect(backendRows(client)).toEqual({ a: { id: 'a', n: 22, text: 'mine' } });
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('three clients that each count ten times give thirty', async () => {
    const backend = backendWith({ a: { n: 0 } });
    const config = custom(ConflictResolvers.sumNumbers(['n']));
    const clients = await Promise.all([1, 2, 3].map(() => openLive({ backend, config })));
    await Promise.all(
      clients.map(async (client) => {
        // What get() resolves with may be changed by the backend before the next line runs.
        let n = 0;
        client.todos.watch(([row]) => {
          n = (row as { n?: number } | undefined)?.n ?? 0;
        });
        for (let count = 0; count < 10; count++) await client.todos.update('a', { n: n + 1 });
      }),
    );
    await Promise.all(clients.map(synced));
    expect(backend.get('todos', 'a')?.data).toEqual({ id: 'a', n: 30 });
  });
});

describe('law 8: last-write-wins with a wrong device clock', () => {
  for (const skew of [HOUR, -HOUR]) {
    const now = (): number => Date.now() + skew;
    const backend = () => backendWith({ a: { n: 0 } }, { now });

    test(`server ${skew > 0 ? 'ahead' : 'behind'}: an edit made after the other write wins, one made before loses`, async () => {
      const client = await openLive({ backend: backend() });
      expect(Math.abs(client.sync.inspect().clockOffset - skew)).toBeLessThan(1000);
      await client.sync.pause();
      client.backend.write('todos', 'a', { n: 'theirs, a minute ago' }, { time: now() - 60_000 });
      await client.todos.update('a', { n: 'mine, now' });
      client.sync.resume();
      await live(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 'mine, now' } });

      await client.sync.pause();
      await client.todos.update('a', { n: 'mine, before' });
      client.backend.write('todos', 'a', { n: 'theirs, a minute later' }, { time: now() + 60_000 });
      client.sync.resume();
      await live(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 'theirs, a minute later' } });
    });

    test(`server ${skew > 0 ? 'ahead' : 'behind'}: what is sent carries the server's time`, async () => {
      const client = await openLive({ backend: backend() });
      const times: number[] = [];
      client.wire.decide = ({ timestamp }) => void times.push(timestamp);
      await client.todos.update('a', { n: 1 });
      await synced(client);
      expect(Math.abs((times[0] ?? 0) - now())).toBeLessThan(5000);
    });
  }
});

describe('law 8: a resolver of the app that goes wrong', () => {
  const wrongs: readonly [string, () => never | unknown][] = [
    [
      'throws',
      () => {
        throw new Error('a bug in the app');
      },
    ],
    ['returns nothing', () => undefined],
    ['returns no row', () => 'text'],
    ['returns a Date in a row', () => ({ n: new Date() })],
    ['changes the rows that it was given', null as never],
  ];
  test.each(wrongs)('%s: reported, the later write wins, and the rest goes on', async (_, wrong) => {
    const client = await openLive({
      backend: backendWith({ a: { n: 0 }, b: { n: 0 } }),
      config: custom((conflict) => {
        if (wrong) return wrong() as Row;
        Object.assign(conflict.local as object, { n: 'changed' });
        return conflict.local;
      }),
    });
    const errors = record(client.sync, 'error');
    await client.sync.pause();
    await client.todos.update('a', { n: 1 });
    client.backend.write('todos', 'a', { n: 2 }, { time: Date.now() + HOUR });
    client.backend.write('todos', 'b', { n: 2 });
    client.sync.resume();
    await live(client);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2 }, b: { id: 'b', n: 2 } });
    expect(errors).toMatchObject([{ event: { collection: 'todos', error: { code: 'VALIDATION_FAILED' } } }]);
    await caughtUpAfter(client, () => client.wire.gap());
  });

  test('what it returns gets the id of the record', async () => {
    const client = await openLive({
      backend: backendWith({ a: { n: 0 } }),
      config: custom(() => ({ id: 'other', n: 3 })),
    });
    await client.sync.pause();
    await client.todos.update('a', { n: 1 });
    client.backend.write('todos', 'a', { n: 2 });
    client.sync.resume();
    await live(client);
    expect(backendRows(client)).toEqual({ a: { id: 'a', n: 3 } });
  });
});

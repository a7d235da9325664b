import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { OutgoingChange, SyncFilter } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  caughtUpAfter,
  change,
  DATA_EVENTS,
  gate,
  live,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const filtered = (filter: SyncFilter, config: object = {}) => ({ collections: { todos: { filter } }, ...config });
const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);
const ids = async (client: Client): Promise<string[]> => Object.keys(await rowsOf(client)).sort();

describe('filters: where', () => {
  const mine = filtered({ where: { owner: 'me', 'at.city': 'Oslo' } });
  const row = (owner: string, city: string, n = 1) => ({ owner, at: { city }, n });
  const backend = () => backendWith({ a: row('me', 'Oslo'), b: row('you', 'Oslo'), c: row('me', 'Rome') });

  test('only rows that fit are kept, from pulls and from events', async () => {
    const client = await openLive({ backend: backend(), config: mine });
    expect(await ids(client)).toEqual(['a']);
    client.backend.write('todos', 'd', row('me', 'Oslo'));
    client.backend.write('todos', 'e', row('you', 'Oslo'));
    await settle();
    expect(await ids(client)).toEqual(['a', 'd']);
  });

  test('a row that leaves the filter goes away, one that enters it comes', async () => {
    const client = await openLive({ backend: backend(), config: mine });
    const events = record(client.sync, ...DATA_EVENTS);
    client.backend.write('todos', 'a', row('you', 'Oslo'));
    client.backend.write('todos', 'b', row('me', 'Oslo'));
    await settle();
    expect(await ids(client)).toEqual(['b']);
    expect(events.map(({ name, event }) => [name, (event as { recordId: string }).recordId])).toEqual([
      ['remoteDelete', 'a'],
      ['remoteInsert', 'b'],
    ]);
    client.wire.inject(change('update', 'a', 1, { data: row('me', 'Oslo') }));
    await settle();
    expect(await ids(client), 'an older event does not bring it back').toEqual(['b']);
  });

  test('a row that the app moves out of the filter goes away once the backend has it', async () => {
    const client = await openLive({ backend: backend(), config: mine });
    await client.todos.update('a', { owner: 'you' });
    await synced(client);
    await settle();
    expect(await ids(client)).toEqual([]);
    expect(client.backend.get('todos', 'a')?.data).toMatchObject({ owner: 'you' });
  });

  for (const conflictStrategy of ['lastWriteWins', 'serverWins', 'clientWins'] as const) {
    for (const seen of ['by event', 'by answer'] as const) {
      test(`an edit of a row that somebody else moves out is merged there (${conflictStrategy}, ${seen})`, async () => {
        const hold = gate();
        const client = await openLive({
          backend: backend(),
          config: filtered({ where: { owner: 'me' } }, { conflictStrategy }),
          wire: (wire) => Object.assign(wire, { deliver: seen === 'by event' }),
        });
        const pushed: OutgoingChange[] = [];
        client.wire.before = (step, detail) => {
          if (step === 'push') pushed.push(...(detail as OutgoingChange[]));
          return step === 'push' && pushed.length === 1 && seen === 'by answer' ? hold.opened : undefined;
        };
        if (seen === 'by event') await client.sync.pause();
        await client.todos.update('a', { n: 2 });
        if (seen === 'by answer') await until(() => pushed.length >= 1);
        client.backend.write('todos', 'a', row('you', 'Oslo'));
        hold.open();
        if (seen === 'by event') client.sync.resume();
        await synced(client);
        await live(client);
        expect(client.backend.get('todos', 'a')?.data).toEqual({ id: 'a', ...row('you', 'Oslo', 2) });
        expect(await ids(client)).toEqual(['c']);
        expect(pushed.length).toBeLessThan(4);
      });
    }
  }

  test('a row saved under the id of one that is filtered out meets it', async () => {
    const client = await openLive({ backend: backend(), config: filtered({ where: { owner: 'me' } }) });
    await client.todos.save({ owner: 'me', n: 9 }, 'b');
    await synced(client);
    expect(await rowsOf(client)).toMatchObject({ b: { owner: 'me', n: 9, at: { city: 'Oslo' } } });
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an edit of a row that left the filter survives a restart', async () => {
    const path = temporaryPath();
    const first = await openLive({
      backend: backend(),
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    first.wire.decide = () => ({ type: 'retry', error: new Error('not now') as never });
    first.backend.write('todos', 'a', row('me', 'Oslo', 5));
    await settle();
    await first.todos.update('a', { n: 6 });
    await until(() => first.wire.calls.push > 0);
    await first.sync.pause();
    first.backend.write('todos', 'a', row('you', 'Oslo', 5));
    await first.sync.close();

    const second = await openLive({
      backend: first.backend,
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    expect(second.backend.get('todos', 'a')?.data).toEqual({ id: 'a', ...row('you', 'Oslo', 6) });
    expect(await ids(second)).toEqual(['c']);
  });

  test('a row that is taken back by the app after it left the filter goes away', async () => {
    const client = await openLive({ backend: backend(), config: filtered({ where: { owner: 'me' } }) });
    client.wire.before = (step) => (step === 'push' ? Promise.reject(new Error('no push')) : undefined);
    await client.sync.pause();
    await client.todos.update('a', { n: 2 });
    client.backend.write('todos', 'a', row('you', 'Oslo'));
    client.sync.resume();
    await until(() => client.sync.inspect().collections.todos?.phase === 'live');
    client.wire.before = () => undefined;
    // It may join a push that has failed already.
    await client.sync.syncNow().catch(() => undefined);
    await synced(client);
    expect(await ids(client)).toEqual(['c']);
  });
});

describe('filters: since', () => {
  const T = Date.parse('2026-01-02T00:00:00Z');
  test.each([T, '2026-01-02T00:00:00Z'])('only rows that the server changed at or after %s', async (since) => {
    const backend = backendWith({});
    backend.write('todos', 'old', { n: 1 }, { time: T - 1 });
    backend.write('todos', 'new', { n: 1 }, { time: T });
    const client = await openLive({ backend, config: filtered({ since }) });
    expect(await ids(client)).toEqual(['new']);
    await client.todos.save({ n: 1 }, 'mine');
    backend.write('todos', 'old', { n: 2 }, { time: T + 1 });
    await synced(client);
    await settle();
    expect(await ids(client)).toEqual(['mine', 'new', 'old']);
  });
});

describe('filters: limit', () => {
  test('the newest changes are kept, by the server`s time', async () => {
    const backend = backendWith({});
    // Versions count each record`s own changes, as some backends do: they say nothing about another record's age.
    const write = (id: string, time: number) => backend.write('todos', id, { time }, { time });
    for (const [id, time] of [
      ['d', 4],
      ['a', 1],
      ['c', 3],
      ['b', 2],
    ] as const)
      write(id, time);
    const client = await openLive({ backend, config: filtered({ limit: 2 }) });
    expect(await ids(client)).toEqual(['c', 'd']);
    write('e', 5);
    await settle();
    expect(await ids(client)).toEqual(['d', 'e']);
    write('a', 6);
    await settle();
    expect(await ids(client)).toEqual(['a', 'e']);
  });

  test('by version where the server tells no time', async () => {
    const client = await openLive({ config: filtered({ limit: 2 }) });
    for (const version of [3, 1, 4, 2])
      client.wire.inject(change('insert', `row ${version}`, version, { data: { version } }));
    await settle();
    expect(await ids(client)).toEqual(['row 3', 'row 4']);
  });

  test('own edits stay until the backend has them', async () => {
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      config: filtered({ limit: 2 }),
    });
    await client.sync.pause();
    await client.todos.update('a', { n: 2 });
    client.backend.write('todos', 'c', { n: 1 });
    client.backend.write('todos', 'd', { n: 1 });
    client.sync.resume();
    await live(client);
    await synced(client);
    expect(backendRows(client).a).toEqual({ id: 'a', n: 2 });
    expect(await ids(client)).toEqual(['a', 'd']);
  });

  test('neither the next snapshot nor a comparison of keys brings back what was let go of', async () => {
    for (const options of [{ cursor: 'snapshot', deletes: 'none' }, { deletes: 'none' }] as const) {
      const rows = Object.fromEntries(
        Array.from({ length: 20 }, (_, n) => [`row ${String(n).padStart(2, '0')}`, { n }]),
      );
      const client = await openLive({ ...options, backend: backendWith(rows), config: filtered({ limit: 3 }) });
      const kept = await ids(client);
      expect(kept).toEqual(['row 17', 'row 18', 'row 19']);
      const events = record(client.sync, ...DATA_EVENTS);
      await caughtUpAfter(client, () => client.wire.gap());
      expect(events).toEqual([]);
      expect(client.wire.calls.fetch).toBe(0);
      expect(await ids(client)).toEqual(kept);
    }
  });

  test('holds after a restart as well', async () => {
    const path = temporaryPath();
    const config = () => filtered({ limit: 2 }, { store: sqliteStore({ path }) });
    const first = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }), config: config() });
    await first.sync.close();
    first.backend.write('todos', 'd', { n: 1 });
    const second = await openLive({ backend: first.backend, config: config() });
    expect(await ids(second)).toEqual(['c', 'd']);
  });
});

describe('filters: fields', () => {
  const whole = { text: 'A', secret: 'S', n: 1 };
  for (const [name, filter] of [
    ['fields', { fields: ['text', 'n'] }],
    ['excludeFields', { excludeFields: ['secret'] }],
  ] as const) {
    test(`${name}: the others are not kept, and no write of ours wipes them in the backend`, async () => {
      const path = temporaryPath();
      const client = await openLive({
        backend: backendWith({ a: whole, b: whole }),
        config: filtered(filter, { store: sqliteStore({ path }) }),
      });
      expect((await rowsOf(client)).a).toEqual({ id: 'a', text: 'A', n: 1 });
      await client.todos.update('a', { n: 2 });
      await client.todos.save({ text: 'B', n: 3 }, 'b');
      await synced(client);
      await client.todos.update('b', { text: undefined });
      await synced(client);
      expect(backendRows(client)).toEqual({
        a: { id: 'a', text: 'A', secret: 'S', n: 2 },
        b: { id: 'b', secret: 'S', n: 3 },
      });
      await settle();
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', text: 'A', n: 2 }, b: { id: 'b', n: 3 } });
    });

    test(`${name}: nor does a conflict`, async () => {
      const client = await openLive({ backend: backendWith({ a: whole }), config: filtered(filter) });
      client.wire.deliver = false;
      client.backend.write('todos', 'a', { text: 'theirs', secret: 'S2', n: 1 });
      await client.todos.update('a', { n: 2 });
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', text: 'theirs', secret: 'S2', n: 2 } });
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', text: 'theirs', n: 2 } });
    });

    test(`${name}: a change of the others alone is no event`, async () => {
      const client = await openLive({ backend: backendWith({ a: whole }), config: filtered(filter) });
      const events = record(client.sync, ...DATA_EVENTS);
      client.backend.write('todos', 'a', { ...whole, secret: 'S2' });
      await settle();
      expect(events).toEqual([]);
    });

    test(`${name}: with a condition on a field that is not kept`, async () => {
      const client = await openLive({
        backend: backendWith({ a: whole, b: { ...whole, secret: 'other' } }),
        config: filtered({ ...filter, where: { secret: 'S' } }),
      });
      expect(await ids(client)).toEqual(['a']);
      await client.todos.update('a', { n: 2 });
      await synced(client);
      expect(await ids(client), 'the own write does not take it away').toEqual(['a']);
      client.wire.inject(change('update', 'a', 99, { data: { n: 3 }, partial: true, baseVersion: 3 }));
      await settle();
      expect(await rowsOf(client), 'nor does a patch').toEqual({ a: { id: 'a', text: 'A', n: 3 } });
      client.wire.inject(change('update', 'a', 100, { data: { secret: 'other' }, partial: true, baseVersion: 99 }));
      await settle();
      expect(await ids(client), 'unless it says so').toEqual([]);
    });
  }
});

describe('filters: a changed one re-reads', () => {
  const backend = () =>
    backendWith({ a: { owner: 'me', text: 'A' }, b: { owner: 'you', text: 'B' }, c: { owner: 'me', text: 'C' } });

  const steps: readonly [string, SyncFilter, SyncFilter, Record<string, object>][] = [
    ['to other rows', { where: { owner: 'me' } }, { where: { owner: 'you' } }, { b: { owner: 'you', text: 'B' } }],
    [
      'to more rows',
      { where: { owner: 'me' } },
      {},
      { a: { owner: 'me', text: 'A' }, b: { owner: 'you', text: 'B' }, c: { owner: 'me', text: 'C' } },
    ],
    ['to fewer rows', {}, { where: { owner: 'you' } }, { b: { owner: 'you', text: 'B' } }],
    [
      'to more fields',
      { fields: ['text'], where: { owner: 'you' } },
      { where: { owner: 'you' } },
      { b: { owner: 'you', text: 'B' } },
    ],
    [
      'to fewer fields',
      { where: { owner: 'you' } },
      { fields: ['text'], where: { owner: 'you' } },
      { b: { text: 'B' } },
    ],
  ];
  for (const deletes of ['tombstones', 'none'] as const) {
    test.each(steps)(`%s (deletes: ${deletes})`, async (_, before, after, expected) => {
      const path = temporaryPath();
      const first = await openLive({
        backend: backend(),
        deletes,
        config: filtered(before, { store: sqliteStore({ path }) }),
      });
      await first.sync.close();
      const second = await openLive({
        backend: first.backend,
        deletes,
        config: filtered(after, { store: sqliteStore({ path }) }),
      });
      const rows = Object.fromEntries(Object.entries(expected).map(([id, row]) => [id, { id, ...row }]));
      expect(await rowsOf(second)).toEqual(rows);
      await second.sync.close();
      // Once only: after that the cursor is used again.
      const third = await openLive({
        backend: first.backend,
        deletes,
        config: filtered(after, { store: sqliteStore({ path }) }),
      });
      expect(third.wire.calls.pull).toBe(1);
      expect(await rowsOf(third)).toEqual(rows);
    });
  }

  test('also if the first try with it came to nothing', async () => {
    const path = temporaryPath();
    const shared = backend();
    const first = await openLive({
      backend: shared,
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    await first.sync.close();
    // One page comes, then the app is closed.
    const hold = gate();
    const second = await open({
      backend: shared,
      pageCap: 1,
      config: filtered({ where: { owner: 'you' } }, { store: sqliteStore({ path }) }),
      wire: (wire) => {
        wire.before = (step) => (step === 'pull' && wire.calls.pull > 1 ? hold.opened : undefined);
      },
    });
    await until(() => second.wire.calls.pull >= 2);
    await second.sync.close();
    const third = await openLive({
      backend: shared,
      config: filtered({ where: { owner: 'you' } }, { store: sqliteStore({ path }) }),
    });
    expect(await ids(third)).toEqual(['b']);
    await third.sync.close();
    // And back again.
    const fourth = await openLive({
      backend: shared,
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    expect(await ids(fourth)).toEqual(['a', 'c']);
  });

  test('unsent edits are kept, and merged with what is read', async () => {
    const path = temporaryPath();
    const first = await openLive({
      backend: backend(),
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    await first.sync.pause();
    await first.todos.update('a', { text: 'mine' });
    await first.sync.close();
    const second = await openLive({
      backend: first.backend,
      config: filtered({ where: { owner: 'you' } }, { store: sqliteStore({ path }) }),
    });
    await synced(second);
    expect(second.backend.get('todos', 'a')?.data).toEqual({ id: 'a', owner: 'me', text: 'mine' });
    expect(await ids(second)).toEqual(['b']);
  });

  test('clear() does not make it forget which filter its rows belong to', async () => {
    const path = temporaryPath();
    const first = await openLive({
      backend: backend(),
      config: filtered({ where: { owner: 'me' } }, { store: sqliteStore({ path }) }),
    });
    await first.sync.clear();
    await live(first);
    await first.sync.close();
    const second = await openLive({ backend: first.backend, config: filtered({}, { store: sqliteStore({ path }) }) });
    expect(await ids(second)).toEqual(['a', 'b', 'c']);
  });
});

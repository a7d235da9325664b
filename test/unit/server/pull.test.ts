import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SyncMessage, WireFilter } from '../../../src/base/protocol.js';
import type { AuthorizeRequest, ServerStore, SyncServer } from '../../../src/server/index.js';
import type { TestClient } from './fixtures/client.js';
import { start, stores } from './fixtures/harness.js';

const DAY = 86_400_000;

interface PullMetadata {
  since: number;
  limit?: number;
  filter?: WireFilter;
  snapshot?: number | true;
  requestId?: string;
  keys?: true;
}

/** A page; live events that come in between are none of its business. */
async function pull(client: TestClient, metadata: PullMetadata): Promise<SyncMessage> {
  client.send({ type: 'subscribe', collection: 'todos', metadata });
  for (;;) {
    const message = await client.next();
    if (message.type === 'sync') return message;
  }
}

const brief = ({ data, metadata }: SyncMessage) => ({
  records: data.records.map(({ id, data: row }) => (row ? id : `-${id}`)).join(' '),
  seq: metadata?.seq,
  ...(metadata?.snapshot && { snapshot: metadata.snapshotSeq }),
});

describe.each(stores)('a pull, %s store', (_name, make) => {
  test('gives what came after the cursor, oldest first, tombstones too', async () => {
    const { server, client, clock } = await start({ store: make() });
    const todos = server.collection('todos');
    clock.time = 1000;
    for (const id of ['a', 'b', 'c']) todos.save(id, { id });
    todos.delete('a');
    todos.save('b', { id: 'b', again: true });
    const reader = await client();
    expect(await pull(reader, { since: 2, requestId: 'r' })).toEqual({
      type: 'sync',
      collection: 'todos',
      data: {
        records: [
          { id: 'c', data: { id: 'c' }, version: 3, updatedAt: '1970-01-01T00:00:01.000Z' },
          { id: 'a', data: null, version: 4, updatedAt: '1970-01-01T00:00:01.000Z', deleted: true },
          { id: 'b', data: { id: 'b', again: true }, version: 5, updatedAt: '1970-01-01T00:00:01.000Z' },
        ],
      },
      timestamp: '1970-01-01T00:00:01.000Z',
      metadata: { requestId: 'r', seq: 5 },
    });
    expect(brief(await pull(reader, { since: 5 }))).toEqual({ records: '', seq: 5 });
  });

  test('begins with a snapshot, whose mark goes on to the empty page', async () => {
    const { server, client } = await start({ store: make() });
    const todos = server.collection('todos');
    for (const id of ['a', 'b', 'c', 'd']) todos.save(id, {});
    todos.delete('b');
    const reader = await client();
    expect(brief(await pull(reader, { since: 0, limit: 2 }))).toEqual({ records: 'a c', seq: 3, snapshot: 5 });
    // Changed between the pages: met again, or as a tombstone.
    todos.delete('a');
    todos.save('c', { new: true });
    expect(brief(await pull(reader, { since: 3, limit: 2, snapshot: 5 }))).toEqual({
      records: 'd -a',
      seq: 6,
      snapshot: 5,
    });
    expect(brief(await pull(reader, { since: 6, limit: 2, snapshot: 5 }))).toEqual({
      records: 'c',
      seq: 7,
      snapshot: 5,
    });
    expect(brief(await pull(reader, { since: 7, limit: 2, snapshot: 5 }))).toEqual({
      records: '',
      seq: 7,
      snapshot: 5,
    });
    expect(brief(await pull(reader, { since: 7 }))).toEqual({ records: '', seq: 7 });
  });

  test('a client that says no more than "snapshot" gets every tombstone on the way', async () => {
    const { server, client } = await start({ store: make() });
    const todos = server.collection('todos');
    for (const id of ['a', 'b', 'c']) todos.save(id, {});
    todos.delete('b');
    const reader = await client();
    expect(brief(await pull(reader, { since: 0, limit: 1 }))).toMatchObject({ records: 'a', seq: 1 });
    const next = await pull(reader, { since: 1, limit: 5, snapshot: true });
    expect(brief(next)).toMatchObject({ records: 'c -b', seq: 4, snapshot: 0 });
  });

  test('of an empty collection is an empty snapshot', async () => {
    const { client } = await start({ store: make() });
    expect(brief(await pull(await client(), { since: 0 }))).toEqual({ records: '', seq: 0, snapshot: 0 });
  });

  test('of a cursor older than the tombstones is a snapshot, and of one that is not, is not', async () => {
    const { server, client, clock } = await start({ store: make() });
    const todos = server.collection('todos');
    for (const id of ['a', 'b', 'c']) todos.save(id, {});
    todos.delete('b');
    clock.time = 29 * DAY;
    const reader = await client();
    expect(brief(await pull(reader, { since: 2 }))).toEqual({ records: 'c -b', seq: 4 });
    clock.time = 31 * DAY;
    expect(brief(await pull(reader, { since: 2 }))).toEqual({ records: 'a c', seq: 4, snapshot: 4 });
    expect(brief(await pull(reader, { since: 3 }))).toEqual({ records: 'a c', seq: 4, snapshot: 4 });
    expect(brief(await pull(reader, { since: 4 }))).toEqual({ records: '', seq: 4 });
    // A page in the middle of a snapshot has a cursor that is old too.
    expect(brief(await pull(reader, { since: 1, snapshot: 4 }))).toEqual({ records: 'c', seq: 4, snapshot: 4 });
  });

  test('of a cursor that was never given out is a snapshot', async () => {
    const { server, client } = await start({ store: make() });
    server.collection('todos').save('a', {});
    expect(brief(await pull(await client(), { since: 99 }))).toEqual({ records: 'a', seq: 1, snapshot: 1 });
  });

  test('is never larger than pageSize', async () => {
    const { server, client } = await start({ store: make(), pageSize: 3 });
    for (let i = 0; i < 5; i++) server.collection('todos').save(`${i}`, {});
    const reader = await client();
    expect(brief(await pull(reader, { since: 0, limit: 1000 })).records).toBe('0 1 2');
    expect(brief(await pull(reader, { since: 1 })).records).toBe('1 2 3');
  });

  test('of large rows ends early', async () => {
    const { server, client } = await start({ store: make() });
    const text = 'x'.repeat(900_000);
    for (let i = 0; i < 10; i++) server.collection('todos').save(`${i}`, { text });
    const page = await pull(await client(), { since: 0 });
    expect(page.data.records).toHaveLength(5);
    expect(page.metadata?.seq).toBe(5);
  });

  test('applies a filter: rows outside are left out of a snapshot, and are deletes after it', async () => {
    const { server, client } = await start({ store: make() });
    const todos = server.collection('todos');
    todos.save('a', { done: false, tag: { name: 'x', ids: [1, 2] } });
    todos.save('b', { done: true, tag: { name: 'x', ids: [1, 2] } });
    todos.save('c', { done: false, tag: { name: 'y', ids: [1, 2] } });
    todos.save('d', { done: false, tag: { ids: [1, 2], name: 'x' } });
    todos.save('e', {});
    const reader = await client();
    const filter = { where: { done: false, 'tag.name': 'x', 'tag.ids': [1, 2] } };
    expect(brief(await pull(reader, { since: 0, filter }))).toEqual({ records: 'a d', seq: 5, snapshot: 5 });
    expect(brief(await pull(reader, { since: 2, filter }))).toEqual({ records: '-c d -e', seq: 5 });
    // Objects are compared whole, whatever the order of their keys.
    const whole = { where: { tag: { ids: [1, 2], name: 'x' } } };
    expect(brief(await pull(reader, { since: 0, filter: whole })).records).toBe('a b d');
    // The filter stays until another one comes.
    expect(brief(await pull(reader, { since: 0 })).records).toBe('a b d');
    expect(brief(await pull(reader, { since: 0, filter: {} })).records).toBe('a b c d e');
  });

  test('fills its pages however few rows the filter lets through, and only the end is empty', async () => {
    const { server, client } = await start({ store: make() });
    const todos = server.collection('todos');
    for (let i = 0; i < 5000; i++) todos.save(`${i}`, { mine: i % 2000 === 1999 });
    const reader = await client();
    const filter = { where: { mine: true } };
    expect(brief(await pull(reader, { since: 0, filter, limit: 1 }))).toMatchObject({ records: '1999', seq: 2000 });
    const second = await pull(reader, { since: 2000, snapshot: 5000, limit: 2 });
    expect(brief(second)).toEqual({ records: '3999', seq: 5000, snapshot: 5000 });
  });

  test('of keys alone tells versions, and no fields', async () => {
    const { server, client } = await start({ store: make() });
    const todos = server.collection('todos');
    todos.save('a', { n: 1 });
    todos.save('b', { n: 1 });
    todos.delete('b');
    const { records } = (await pull(await client(), { since: 0, keys: true })).data;
    expect(records).toMatchObject([{ id: 'a', version: 1, data: {} }]);
  });

  test('never shows what the user may not read', async () => {
    const { server, client } = await start({
      store: make(),
      authenticate: (token) => (token ? { id: token } : null),
      authorize: ({ action, user, row }) => action !== 'read' || row.owner === user?.id,
    });
    const todos = server.collection('todos');
    todos.save('a', { owner: 'ann', secret: 'of ann' });
    todos.save('b', { owner: 'bob', secret: 'of bob' });
    todos.save('c', { owner: 'ann', secret: 'of ann' });
    const bob = await client('?token=bob');
    const snapshot = await pull(bob, { since: 0 });
    expect(brief(snapshot)).toEqual({ records: 'b', seq: 3, snapshot: 3 });
    todos.save('b', { owner: 'ann', secret: 'of ann' });
    const later = await pull(bob, { since: 2 });
    expect(brief(later)).toEqual({ records: '-c -b', seq: 4 });
    expect(later.data.records, 'out of sight is not deleted').toMatchObject([{ hidden: true }, { hidden: true }]);
    todos.delete('c');
    expect((await pull(bob, { since: 4 })).data.records[0]).not.toHaveProperty('hidden');
    expect(JSON.stringify([snapshot, later, bob.inbox])).not.toContain('of ann');
  });
});

test('the number of records is told to who may see all of them', async () => {
  const { server, client } = await start();
  server.collection('todos').save('a', {});
  const reader = await client();
  reader.send({ type: 'subscribe', collection: 'todos' });
  expect(await reader.expect('subscribed')).toEqual({
    type: 'subscribed',
    collection: 'todos',
    timestamp: '1970-01-01T00:00:00.000Z',
    metadata: { seq: 1, recordCount: 1 },
  });
  reader.send({ type: 'subscribe', collection: 'todos', metadata: { filter: { where: { a: 1 } } } });
  expect((await reader.expect('subscribed')).metadata).toEqual({ seq: 1 });
});

test('a read that authorize answers with a promise is a no, and is logged', async () => {
  const { server, client, logged } = await start({ authorize: async () => true });
  server.collection('todos').save('a', {});
  expect(brief(await pull(await client(), { since: 0 })).records).toBe('');
  expect(logged).toContainEqual(expect.objectContaining({ level: 'error', message: expect.stringMatching(/at once/) }));
});

test('authorize may look into other collections while a page is read', async () => {
  const harness: { server?: SyncServer } = {};
  const { server, client } = await start({
    store: stores[1]?.[1]() as ServerStore,
    authorize: ({ action, row }: AuthorizeRequest) =>
      action !== 'read' || harness.server?.collection('teams').all().has(String(row.team)) === true,
  });
  harness.server = server;
  server.collection('teams').save('x', {});
  for (const [id, team] of ['x', 'y', 'x'].entries()) server.collection('todos').save(`${id}`, { team });
  expect(brief(await pull(await client(), { since: 0 })).records).toBe('0 2');
});

describe('a client that pages while others write', () => {
  /** What a client makes of the pages: newer versions win, and the end of a snapshot removes what it did not hold. */
  async function catchUp(
    client: TestClient,
    rows: Map<string, { version: number; data: unknown }>,
    state: { seq: number },
    filter: WireFilter,
    between: () => void,
  ) {
    let snapshot: number | undefined;
    const held = new Set<string>();
    for (let since = state.seq; ; ) {
      const page = await pull(client, { since, limit: 3, filter, ...(snapshot !== undefined && { snapshot }) });
      for (const { id, data, version } of page.data.records) {
        if (data) held.add(id);
        else held.delete(id);
        if ((rows.get(id)?.version ?? 0) < version) rows.set(id, { version, data });
      }
      since = page.metadata?.seq as number;
      snapshot = page.metadata?.snapshotSeq;
      if (page.data.records.length === 0) {
        if (page.metadata?.snapshot) for (const id of rows.keys()) if (!held.has(id)) rows.delete(id);
        state.seq = since;
        return;
      }
      between();
    }
  }

  test.each(stores)('ends with the rows that it may see, %s store', async (_name, make) => {
    const change = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      kind: fc.constantFrom('mine', 'mine', 'theirs', 'delete'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 12 }),
        async (script) => {
          const bursts = [...script];
          const { server, client, clock } = await start({ store: make(), tombstoneRetention: 1000 });
          const todos = server.collection('todos');
          let n = 0;
          const burst = () => {
            for (const { id, kind } of bursts.shift() ?? []) {
              if (kind === 'delete') todos.delete(id);
              else todos.save(id, { mine: kind === 'mine', n: n++ });
            }
          };
          const reader = await client();
          const rows = new Map<string, { version: number; data: unknown }>();
          const state = { seq: 0 };
          const filter = { where: { mine: true } };
          burst();
          while (bursts.length > 0) {
            await catchUp(reader, rows, state, filter, burst);
            // Sometimes it is away for so long that the tombstones are gone.
            if (bursts.length % 3 === 0) clock.time += 10_000_000;
            burst();
            reader.inbox.length = 0;
          }
          await catchUp(reader, rows, state, filter, () => {});
          const seen = Object.fromEntries([...rows].filter(([, { data }]) => data).map(([id, { data }]) => [id, data]));
          expect(seen).toEqual(Object.fromEntries([...todos.all()].filter(([, row]) => row.mine)));
          await server.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});

import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  type AuthorizeRequest,
  memoryServerStore,
  type ServerStore,
  sqliteServerStore,
} from '../../../src/server/index.js';
import { start, stores, temporaryFolder } from './fixtures/harness.js';

const write = (
  type: 'insert' | 'update' | 'delete',
  recordId: string,
  data: object | undefined,
  metadata?: { opId?: string; baseVersion?: number | null; unset?: string[] },
) => ({ type, collection: 'todos', recordId, ...(data && { data }), ...(metadata && { metadata }) });

describe.each(stores)('writes with an opId, %s store', (_name, make) => {
  test('are acknowledged with their version, and once only however often they come', async () => {
    const { client, subscriber, clock, server } = await start({ store: make() });
    const [writer, reader] = [await client(), await subscriber()];
    clock.time = 1000;
    const insert = write('insert', '1', { a: 1 }, { opId: 'o1', baseVersion: null });
    writer.send(insert);
    const ack = await writer.expect('ack');
    expect(ack).toEqual({
      type: 'ack',
      collection: 'todos',
      recordId: '1',
      timestamp: '1970-01-01T00:00:01.000Z',
      metadata: { opId: 'o1', version: 1, seq: 1 },
    });
    clock.time = 2000;
    server.collection('todos').save('1', { a: 2 });
    writer.send(insert);
    expect(await writer.expect('ack'), 'the record as it is now').toEqual({
      ...ack,
      data: { a: 2 },
      timestamp: '1970-01-01T00:00:02.000Z',
      metadata: { opId: 'o1', version: 2, seq: 2 },
    });
    expect(server.collection('todos').get('1')).toEqual({ a: 2 });
    expect((await reader.settled()).map(({ type }) => type)).toEqual(['insert', 'update']);
    server.collection('todos').delete('1');
    writer.send(insert);
    expect(await writer.expect('ack'), 'it is gone').toMatchObject({ data: null, metadata: { version: 3 } });
    expect(server.collection('todos').get('1')).toBeUndefined();
  });

  test('that come again, or too late, tell nothing of a record that their sender may not see', async () => {
    const { client, server } = await start({
      store: make(),
      authorize: ({ action, row }) => action !== 'read' || !row.secret,
    });
    const writer = await client();
    const insert = write('insert', '1', { a: 1 }, { opId: 'o1', baseVersion: null });
    writer.send(insert);
    await writer.expect('ack');
    server.collection('todos').save('1', { a: 2, secret: true });
    writer.send(insert);
    expect(await writer.expect('ack')).toMatchObject({ data: null });
    writer.send(write('update', '1', { a: 3 }, { opId: 'o2', baseVersion: 1 }));
    const conflict = await writer.expect('conflict');
    expect(conflict).toMatchObject({ data: null, metadata: { version: 2, hidden: true } });
    server.collection('todos').delete('1');
    writer.send(write('update', '1', { a: 3 }, { opId: 'o3', baseVersion: 1 }));
    expect((await writer.expect('conflict')).metadata, 'gone is not hidden').toEqual({ opId: 'o3', version: 3 });
  });

  test('of the same op for another record are another op', async () => {
    const { client, server } = await start({ store: make() });
    const writer = await client();
    writer.send(write('insert', '1', {}, { opId: 'o', baseVersion: null }));
    writer.send(write('insert', '2', {}, { opId: 'o', baseVersion: null }));
    await writer.settled();
    expect(server.collection('todos').count()).toBe(2);
  });

  test('come too late: the conflict shows the row as it is', async () => {
    const { client, server, clock } = await start({ store: make() });
    const writer = await client();
    clock.time = 5000;
    server.collection('todos').save('1', { a: 1 });
    for (const base of [null, 7]) {
      writer.send(write('update', '1', { b: 1 }, { opId: `o${base}`, baseVersion: base }));
      expect(await writer.expect('conflict')).toEqual({
        type: 'conflict',
        collection: 'todos',
        recordId: '1',
        data: { a: 1 },
        timestamp: '1970-01-01T00:00:05.000Z',
        metadata: { opId: `o${base}`, version: 1 },
      });
    }
    server.collection('todos').delete('1');
    writer.send(write('delete', '1', undefined, { opId: 'o3', baseVersion: 1 }));
    expect(await writer.expect('conflict')).toMatchObject({ data: null, metadata: { version: 2 } });
    writer.send(write('update', 'never', { a: 1 }, { opId: 'o4', baseVersion: 9 }));
    expect(await writer.expect('conflict')).toMatchObject({ data: null, metadata: { version: 9 } });
  });

  test('keep when the edit was made, which is never later than the commit', async () => {
    const { client, subscriber, clock } = await start({ store: make() });
    const [writer, reader] = [await client(), await subscriber()];
    const at = (ms: number) => new Date(ms).toISOString();
    clock.time = 5000;
    const insert = write('insert', '1', { a: 1 }, { opId: 'o1', baseVersion: null });
    writer.send({ ...insert, timestamp: at(3000) });
    await writer.expect('ack');
    expect(await reader.expect('insert')).toMatchObject({ timestamp: at(5000), metadata: { editedAt: at(3000) } });
    writer.send(write('update', '1', { a: 2 }, { opId: 'o2', baseVersion: null }));
    expect(await writer.expect('conflict')).toMatchObject({ timestamp: at(5000), metadata: { editedAt: at(3000) } });
    writer.send({ type: 'subscribe', collection: 'todos', metadata: { since: 0 } });
    await writer.expect('subscribed');
    expect(await writer.expect('sync')).toMatchObject({
      data: { records: [{ id: '1', updatedAt: at(5000), editedAt: at(3000) }] },
    });
    writer.send({ ...write('update', '1', { a: 3 }, { opId: 'o3', baseVersion: 1 }), timestamp: at(9000) });
    expect(await reader.expect('update'), 'a clock that is ahead').toMatchObject({ metadata: { editedAt: at(5000) } });
    writer.send({ ...write('update', '1', { a: 4 }), timestamp: at(3000) });
    const { metadata } = (await reader.expect('update')) as { metadata: object };
    expect(metadata, 'a client of the original protocol, whose clock nobody corrects').not.toHaveProperty('editedAt');
  });

  test('that conflicted may come again with a better base', async () => {
    const { client, server } = await start({ store: make() });
    const writer = await client();
    server.collection('todos').save('1', { a: 1 });
    writer.send(write('update', '1', { a: 2 }, { opId: 'o', baseVersion: 9 }));
    await writer.expect('conflict');
    writer.send(write('update', '1', { a: 2 }, { opId: 'o', baseVersion: 1 }));
    expect((await writer.expect('ack')).metadata.version).toBe(2);
  });

  test('race: of many for one version one wins', async () => {
    const { client, server } = await start({ store: make() });
    server.collection('todos').save('1', { n: 0 });
    const writers = await Promise.all(Array.from({ length: 10 }, () => client()));
    for (const [i, writer] of writers.entries()) {
      writer.send(write('update', '1', { n: i + 1 }, { opId: `o${i}`, baseVersion: 1 }));
    }
    const answers = await Promise.all(writers.map((writer) => writer.next()));
    const winner = answers.findIndex(({ type }) => type === 'ack');
    expect(answers.filter(({ type }) => type === 'conflict')).toHaveLength(9);
    for (const answer of answers) {
      if (answer.type === 'conflict')
        expect(answer).toMatchObject({ data: { n: winner + 1 }, metadata: { version: 2 } });
    }
    expect(server.collection('todos').get('1')).toEqual({ n: winner + 1 });
  });

  test('keep versions growing over a delete and a new record of the same id', async () => {
    const { client } = await start({ store: make() });
    const writer = await client();
    writer.send(write('insert', '1', { a: 1 }, { opId: '1', baseVersion: null }));
    writer.send(write('delete', '1', undefined, { opId: '2', baseVersion: 1 }));
    writer.send(write('insert', '1', { a: 2 }, { opId: '3', baseVersion: null }));
    writer.send(write('update', '1', { b: 3 }, { opId: '4', baseVersion: 3, unset: ['a'] }));
    for (const version of [1, 2, 3, 4]) expect((await writer.expect('ack')).metadata.version).toBe(version);
  });

  test('that change nothing are acknowledged with the version there is', async () => {
    const { client, subscriber } = await start({ store: make() });
    const [writer, reader] = [await client(), await subscriber()];
    writer.send(write('insert', '1', { a: 1 }, { opId: '1', baseVersion: null }));
    await writer.expect('ack');
    writer.send(write('update', '1', { a: 1 }, { opId: '2', baseVersion: 1 }));
    expect((await writer.expect('ack')).metadata.version).toBe(1);
    expect(await reader.settled()).toHaveLength(1);
  });

  test('without a baseVersion are unconditional, and acknowledged', async () => {
    const { client, server } = await start({ store: make() });
    const writer = await client();
    server.collection('todos').save('1', { a: 1 });
    writer.send(write('update', '1', { b: 2 }, { opId: 'o' }));
    expect((await writer.expect('ack')).metadata.version).toBe(2);
    expect(server.collection('todos').get('1')).toEqual({ a: 1, b: 2 });
  });

  test('are forgotten after opRetention', async () => {
    const { client, clock } = await start({ store: make(), opRetention: 1000 });
    const writer = await client();
    const insert = write('insert', '1', { a: 1 }, { opId: 'o', baseVersion: null });
    writer.send(insert);
    await writer.expect('ack');
    clock.time = 900;
    writer.send(insert);
    await writer.expect('ack');
    clock.time = 2000;
    // The sweep comes behind a commit.
    writer.send(write('insert', '2', {}, { opId: 'o2', baseVersion: null }));
    await writer.expect('ack');
    writer.send(insert);
    await writer.expect('conflict');
  });
});

describe('writes without an opId', () => {
  test('are applied as they come, in order, without an answer', async () => {
    const { client, server } = await start();
    const writer = await client();
    writer.send(write('insert', '1', { a: 1, b: 1 }));
    writer.send(write('update', '1', { b: 2 }));
    writer.send(write('insert', '2', { c: 1 }));
    writer.send(write('insert', '2', { d: 1 }));
    writer.send(write('update', '3', { e: 1 }));
    writer.send(write('insert', '4', {}));
    writer.send(write('delete', '4', undefined));
    writer.send(write('delete', 'never', undefined));
    expect(await writer.settled()).toEqual([]);
    const rows = Object.fromEntries(server.collection('todos').all());
    expect(rows).toEqual({ 1: { a: 1, b: 2 }, 2: { d: 1 }, 3: { e: 1 } });
  });

  test('that change nothing make no event', async () => {
    const { client, subscriber } = await start();
    const [writer, reader] = [await client(), await subscriber()];
    for (let i = 0; i < 2; i++) writer.send(write('insert', '1', { a: { b: 1 } }));
    writer.send(write('update', '1', { a: { b: 1 } }));
    for (let i = 0; i < 2; i++) writer.send(write('delete', '1', undefined));
    await writer.settled();
    expect((await reader.settled()).map(({ type }) => type)).toEqual(['insert', 'delete']);
  });

  test("take the server's time, never the sender's", async () => {
    const { client, subscriber, clock } = await start();
    const [writer, reader] = [await client(), await subscriber()];
    clock.time = 3000;
    writer.send({ ...write('insert', '1', {}), timestamp: '2099-01-01T00:00:00Z' });
    expect((await reader.expect('insert')).timestamp).toBe('1970-01-01T00:00:03.000Z');
  });

  test('get an error if they are refused', async () => {
    const { client } = await start({ authorize: ({ action }) => action !== 'write' });
    const writer = await client();
    writer.send(write('insert', '1', {}));
    expect(await writer.expect('error')).toMatchObject({
      code: 'UNAUTHORIZED',
      metadata: { collection: 'todos', recordId: '1' },
    });
  });
});

describe('validate', () => {
  test.each([
    [
      'by throwing',
      () => {
        throw new Error('text is missing');
      },
    ],
    ['by returning why', () => 'text is missing'],
  ])('refuses the row that would be, %s', async (_name, complain) => {
    const { client, server } = await start({
      validate: (collection, row) => (collection === 'todos' && !('text' in row) ? complain() : undefined),
    });
    const writer = await client();
    writer.send(write('insert', '1', { done: true }, { opId: 'o', baseVersion: null }));
    expect(await writer.expect('error')).toEqual({
      type: 'error',
      code: 'INVALID_MESSAGE',
      error: 'text is missing',
      metadata: { opId: 'o', collection: 'todos', recordId: '1' },
    });
    writer.send(write('insert', '1', { text: 'a' }, { opId: 'p', baseVersion: null }));
    await writer.expect('ack');
    // The patch alone would not pass; the row does.
    writer.send(write('update', '1', { done: true }, { opId: 'q', baseVersion: 1 }));
    await writer.expect('ack');
    writer.send(write('delete', '1', undefined, { opId: 'r', baseVersion: 2 }));
    await writer.expect('ack');
    expect(() => server.collection('todos').save('2', {})).toThrow(/text is missing/);
  });
});

/** An `authorize` whose answers are given by the test, in the order in which it wants to. */
function slowAuthorize() {
  const asked: { request: AuthorizeRequest; answer: (allowed: boolean) => void }[] = [];
  const authorize = (request: AuthorizeRequest) =>
    request.action === 'write' ? new Promise<boolean>((answer) => asked.push({ request, answer })) : true;
  return { asked, authorize };
}

describe('authorize', () => {
  test('sees the row as it would be and as it is', async () => {
    const seen: AuthorizeRequest[] = [];
    const { client } = await start({
      authenticate: () => ({ id: 'ann', role: 'admin' }),
      authorize(request) {
        seen.push(request);
        return true;
      },
    });
    const writer = await client();
    writer.send(write('insert', '1', { a: 1 }));
    writer.send(write('update', '1', { b: 2 }));
    writer.send(write('delete', '1', undefined));
    await writer.settled();
    const user = { id: 'ann', role: 'admin' };
    const about = { action: 'write', user, collection: 'todos', recordId: '1' };
    expect(seen).toEqual([
      { ...about, row: { a: 1 }, previous: null },
      { ...about, row: { a: 1, b: 2 }, previous: { a: 1 } },
      { ...about, row: null, previous: { a: 1, b: 2 } },
    ]);
  });

  test.each([
    ['false', () => false],
    ['a promise of false', async () => false],
    ['undefined', () => undefined as unknown as boolean],
    ['a truthy value', () => 'yes' as unknown as boolean],
    [
      'a throw',
      () => {
        throw new Error('down');
      },
    ],
    [
      'a rejection',
      async () => {
        throw new Error('down');
      },
    ],
  ])('that answers %s lets nothing in', async (_name, answer) => {
    const { client, server } = await start({ authorize: answer });
    const writer = await client();
    writer.send(write('insert', '1', {}, { opId: 'o', baseVersion: null }));
    expect(await writer.expect('error')).toMatchObject({ code: 'UNAUTHORIZED', metadata: { opId: 'o' } });
    writer.send({ type: 'subscribe', collection: 'todos', metadata: { requestId: 'r' } });
    expect(await writer.expect('error')).toMatchObject({ code: 'UNAUTHORIZED', metadata: { requestId: 'r' } });
    server.collection('todos').save('1', {});
    expect(await writer.settled()).toEqual([]);
  });

  test("that takes its time does not change the order of one client's writes, nor holds up another", async () => {
    const { asked, authorize } = slowAuthorize();
    const { client } = await start({ authorize });
    const [slow, other] = [await client(), await client()];
    slow.send(write('insert', '1', { n: 1 }, { opId: '1', baseVersion: null }));
    await expect.poll(() => asked.length).toBe(1);
    slow.send(write('update', '1', { n: 2 }, { opId: '2', baseVersion: 2 }));
    slow.send({ type: 'subscribe', collection: 'todos' });
    other.send(write('insert', '2', {}, { opId: '3', baseVersion: null }));
    await expect.poll(() => asked.length).toBe(2);
    expect(asked[1]?.request.recordId).toBe('2');
    asked[1]?.answer(true);
    await other.expect('ack');
    expect(slow.inbox).toEqual([]);
    asked[0]?.answer(true);
    expect((await slow.expect('ack')).metadata).toEqual({ opId: '1', version: 2, seq: 2 });
    await expect.poll(() => asked.length).toBe(3);
    asked[2]?.answer(true);
    expect((await slow.expect('ack')).metadata.opId).toBe('2');
    expect((await slow.expect('subscribed')).metadata?.seq).toBe(3);
  });

  test('is asked again if the row changed while it thought', async () => {
    const { asked, authorize } = slowAuthorize();
    const { client, server } = await start({ authorize });
    const writer = await client();
    server.collection('todos').save('1', { owner: 'ann' });
    writer.send(write('update', '1', { text: 'mine' }));
    await expect.poll(() => asked.length).toBe(1);
    server.collection('todos').save('1', { owner: 'bob' });
    asked[0]?.answer(true);
    await expect.poll(() => asked.length).toBe(2);
    expect(asked[1]?.request).toMatchObject({ previous: { owner: 'bob' }, row: { owner: 'bob', text: 'mine' } });
    asked[1]?.answer(false);
    await writer.expect('error');
    expect(server.collection('todos').get('1')).toEqual({ owner: 'bob' });
  });

  test('does not let a client fill the memory with writes that wait', async () => {
    const { asked, authorize } = slowAuthorize();
    const { client, server } = await start({ authorize });
    const flooder = await client();
    for (let i = 0; i < 2000; i++) flooder.send(write('insert', `${i}`, {}));
    let answered = 0;
    while (server.collection('todos').count() < 2000) {
      while (answered < asked.length) asked[answered++]?.answer(true);
      await nextTurn();
    }
    expect(server.stats().messagesIn).toBe(2000);
  });

  test('hides in a conflict what the user may not read', async () => {
    const { client, server } = await start({ authorize: ({ action }) => action !== 'read' });
    const writer = await client();
    server.collection('todos').save('1', { secret: 1 });
    writer.send(write('update', '1', { a: 1 }, { opId: 'o', baseVersion: null }));
    expect(await writer.expect('conflict')).toMatchObject({ data: null, metadata: { version: 1 } });
  });
});

/** A store that counts its transactions, and fails when it is told to. */
function watched(store: ServerStore) {
  const state = { transactions: 0, fail: false };
  const transaction: ServerStore['transaction'] = (run) => {
    state.transactions++;
    return store.transaction(() => {
      const result = run();
      if (state.fail) throw new Error('disk full');
      return result;
    });
  };
  return { state, store: { ...store, transaction } };
}

describe('transactions', () => {
  test('a batch is one', async () => {
    const { state, store } = watched(memoryServerStore());
    const { post } = await start({ store });
    const changes = Array.from({ length: 100 }, (_, i) =>
      write('insert', `${i}`, {}, { opId: `${i}`, baseVersion: null }),
    );
    const answer = await post('/sync', { changes });
    const { results } = (await answer.json()) as { results: { metadata: { version: number } }[] };
    expect(results.map(({ metadata }) => metadata.version)).toEqual(changes.map((_, i) => i + 1));
    expect(state.transactions).toBe(1);
  });

  test('the frames of one turn are one', async () => {
    const { state, store } = watched(memoryServerStore());
    const { client } = await start({ store });
    const writer = await client();

    for (let i = 0; i < 200; i++) writer.send(write('insert', `${i}`, {}, { opId: `${i}`, baseVersion: null }));

    for (let i = 0; i < 200; i++) await writer.expect('ack');
    expect(state.transactions).toBeLessThan(20);
  });

  test('one that fails is answered with SERVER_ERROR, tells nobody, and may be sent again', async () => {
    const path = join(temporaryFolder(), 'sync.db');
    const { state, store } = watched(sqliteServerStore({ path }));
    const { client, subscriber, logged } = await start({ store });
    const [writer, reader] = [await client(), await subscriber()];
    const insert = write('insert', '1', { a: 1 }, { opId: 'o', baseVersion: null });
    state.fail = true;
    writer.send(insert);
    expect(await writer.expect('error')).toMatchObject({ code: 'SERVER_ERROR', metadata: { opId: 'o' } });
    expect(logged).toContainEqual(expect.objectContaining({ level: 'error' }));
    expect(await reader.settled()).toEqual([]);
    state.fail = false;
    writer.send(insert);
    expect((await writer.expect('ack')).metadata.version).toBe(1);
    expect(await reader.expect('insert')).toMatchObject({ metadata: { version: 1 } });
  });
});

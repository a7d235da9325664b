import { describe, expect, test } from 'vitest';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  change,
  fakeTimers,
  gate,
  holdAnswers,
  live,
  open,
  openLive,
  pass,
  record,
  rowsOf,
  settle,
  until,
} from './harness.js';

/** Rows that this user may not see, by id. `tells`: the backend says that they are hidden, where it is asked to write one. */
function rights(tells: boolean) {
  const hidden = new Set<string>();
  const wrap = (transport: RealtimeTransport): RealtimeTransport => ({
    ...transport,
    async pull(request) {
      const page = await transport.pull(request);
      return { ...page, changes: page.changes.filter(({ recordId }) => !hidden.has(recordId)) };
    },
    fetch: async (collection, ids, options) =>
      (await transport.fetch?.(
        collection,
        ids.filter((id) => !hidden.has(id)),
        options,
      )) ?? [],
    async *keys(collection, options) {
      for await (const page of transport.keys?.(collection, options) ?? [])
        yield page.filter(({ recordId }) => !hidden.has(recordId));
    },
    async push(changes, options) {
      const seen = changes.filter(({ recordId }) => !hidden.has(recordId));
      const results = await transport.push(seen, options);
      return changes.map((edit) => {
        const at = seen.indexOf(edit);
        const mark = tells && { hidden: true as const };
        const current = { data: null, version: edit.baseVersion ?? '', ...mark };
        return results[at] ?? { type: 'conflict', current };
      });
    },
  });
  return { hidden, wrap };
}

describe('law 15: losing sight is not deletion', () => {
  test('the app is told when an edited row leaves its view, and when it is back', async () => {
    fakeTimers();
    const { hidden, wrap } = rights(true);
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      deletes: 'none',
      wrap,
      config: { auditInterval: 60_000 },
    });
    await pass(0);
    await live(client);
    const told: string[] = [];
    client.sync.events.on('remoteDelete', ({ recordId }) => void told.push(`delete ${recordId}`));
    client.sync.events.on('remoteInsert', ({ recordId }) => void told.push(`insert ${recordId}`));
    hidden.add('a');
    await client.todos.update('a', { n: 2 });
    await pass(60_000);
    expect(told).toEqual(['delete a']);
    hidden.clear();
    await pass(60_000);
    expect(told).toEqual(['delete a', 'insert a']);
  });

  for (const tells of [true, false])
    test(`a row that a push could not see comes back with the version that it had (${tells ? 'told' : 'inferred'})`, async () => {
      fakeTimers();
      const { hidden, wrap } = rights(tells);
      const config = { auditInterval: 60_000, conflictStrategy: 'serverWins' as const };
      const client = await open({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), deletes: 'none', wrap, config });
      await pass(0);
      await live(client);
      hidden.add('a').add('b');
      await client.todos.update('a', { n: 2 });
      await pass(60_000);
      expect(await rowsOf(client), 'out of view').toEqual({});
      hidden.clear();
      await pass(60_000);
      expect(await rowsOf(client), 'back, unchanged').toEqual(backendRows(client));
    });

  test('edits of a row that is hidden are kept, told, and can be made again', async () => {
    fakeTimers();
    const { hidden, wrap } = rights(true);
    const client = await open({
      backend: backendWith({ a: { n: 1, text: 'A' } }),
      deletes: 'none',
      wrap,
      config: { auditInterval: 60_000, conflictStrategy: 'serverWins' },
    });
    await pass(0);
    await live(client);
    const failures = record(client.sync, 'operationFailed');
    hidden.add('a');
    await client.sync.pause();
    await client.todos.update('a', { n: 2 });
    await client.todos.update('a', { n: 3 });
    client.sync.resume();
    await pass(0);
    expect(await rowsOf(client)).toEqual({});
    expect(failures).toMatchObject([{ event: { recordId: 'a', error: { code: 'PUSH_REJECTED' } } }]);
    const [kept] = client.sync.outbox.failed();
    expect(kept).toMatchObject({ recordId: 'a', base: { n: 1 }, data: { n: 3 } });
    hidden.clear();
    await pass(60_000);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1, text: 'A' } });
    await client.sync.outbox.retry(kept?.opId ?? '');
    await pass(0);
    expect(backendRows(client)).toEqual({ a: { id: 'a', n: 3, text: 'A' } });
  });

  test('a delete of a row that is hidden is kept, too', async () => {
    const { hidden, wrap } = rights(true);
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }), deletes: 'none', wrap });
    hidden.add('a');
    await client.todos.delete('a');
    await until(() => client.sync.outbox.failed().length === 1);
    expect(client.sync.outbox.failed()).toMatchObject([{ recordId: 'a', type: 'delete' }]);
  });

  test('two edits of a row that is hidden, one of them on its way, are kept as one', async () => {
    const { hidden, wrap } = rights(true);
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1, m: 1 } }),
      deletes: 'none',
      wrap: (transport) => holdAnswers('push', () => hold.opened)(wrap(transport)),
    });
    hidden.add('a');
    await client.todos.update('a', { n: 2 });
    await settle();
    await client.todos.update('a', { m: 2 });
    hold.open();
    await until(() => client.sync.outbox.failed().length > 0);
    expect(client.sync.outbox.failed()).toMatchObject([{ base: { n: 1, m: 1 }, data: { n: 2, m: 2 } }]);
    expect(client.sync.status.pending).toBe(0);
  });

  test('a row that is told as hidden leaves, its edit is decided by a push, and it comes back with any version', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }) });
    client.wire.deliver = false;
    client.wire.decide = ({ recordId }) =>
      recordId === 'a' ? { type: 'conflict', current: { data: null, version: 9, hidden: true } } : undefined;
    await client.sync.pause();
    await client.todos.update('a', { n: 2 });
    client.sync.resume();
    await until(() => client.sync.outbox.failed().length === 1);
    for (const id of ['a', 'b']) client.wire.inject(change('delete', id, 8, { inferred: true, hidden: true }));
    await settle();
    expect(await rowsOf(client)).toEqual({});
    client.wire.inject(change('update', 'b', 2, { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(client), 'the version that it had').toEqual({ b: { id: 'b', n: 1 } });
  });

  test('an edit that waits while its row is told as hidden is not dropped', async () => {
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      config: { conflictStrategy: 'serverWins', enableAutoSync: false },
    });
    await client.todos.update('a', { n: 2 });
    client.wire.inject(change('delete', 'a', 8, { inferred: true, hidden: true }));
    await settle();
    expect(client.sync.status.pending === 1 || client.sync.outbox.pending().length === 1).toBe(true);
    client.wire.decide = () => ({ type: 'conflict', current: { data: null, version: 8, hidden: true } });
    await client.sync.syncNow().catch(() => undefined);
    expect(client.sync.outbox.failed()).toMatchObject([{ recordId: 'a', data: { n: 2 } }]);
  });

  test('an own write that takes the row out of sight is applied, and the row leaves', async () => {
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    client.wire.decide = () => ({ type: 'applied', version: 9, data: null });
    await client.todos.update('a', { n: 2 });
    await until(() => client.sync.status.pending === 0);
    expect(await rowsOf(client)).toEqual({});
    expect(client.sync.outbox.failed()).toEqual([]);
  });
});

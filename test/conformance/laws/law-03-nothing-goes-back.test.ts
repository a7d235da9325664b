import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  DATA_EVENTS,
  fakeTimers,
  type Gate,
  gate,
  holdAnswers,
  live,
  open,
  openLive,
  pass,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

describe('law 3: nothing goes back', () => {
  test('an older event after a newer one is ignored', async () => {
    const client = await openLive();
    const events = record(client.sync, ...DATA_EVENTS);
    client.wire.inject(change('insert', 'a', 10, { data: { n: 10 } }));
    client.wire.inject(change('update', 'a', 12, { data: { n: 12 } }));
    client.wire.inject(change('update', 'a', 11, { data: { n: 11 } }));
    await settle();
    client.wire.inject(change('update', 'a', 9, { data: { n: 9 } }));
    client.wire.inject(change('delete', 'a', 8));
    await settle();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 12 } });
    expect(events.map(({ name }) => name)).toEqual(['remoteInsert', 'remoteUpdate']);
  });

  test('numbers are compared as numbers, strings as they sort', async () => {
    const client = await openLive();
    client.wire.inject(change('insert', 'n', 9, { data: { n: 9 } }));
    client.wire.inject(change('update', 'n', 10, { data: { n: 10 } }));
    client.wire.inject(change('insert', 's', '2026-01-02T00:00:00.000002Z', { data: { n: 2 } }));
    client.wire.inject(change('update', 's', '2026-01-02T00:00:00.000001Z', { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(client)).toEqual({ n: { id: 'n', n: 10 }, s: { id: 's', n: 2 } });
  });

  for (const copies of [2, 5]) {
    test(`the same event ${copies} times is one event`, async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { copies: copies }) });
      const events = record(client.sync, ...DATA_EVENTS);
      client.backend.write('todos', 'a', { n: 1 });
      await settle();
      client.backend.write('todos', 'a', { n: 2 });
      await settle();
      client.backend.delete('todos', 'a');
      await settle();
      await caughtUpAfter(client, () => client.wire.gap());
      expect(events.map(({ name }) => name)).toEqual(['remoteInsert', 'remoteUpdate', 'remoteDelete']);
      expect(client.sync.metrics().changes.applied).toBe(3);
    });
  }

  test('a page that was made before an event does not undo it', async () => {
    let hold: Gate | undefined;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      config: { bufferLimit: 1 },
      wrap: holdAnswers('pull', () => hold?.opened),
    });
    client.wire.deliver = false;
    client.backend.write('todos', 'a', { n: 2 });
    hold = gate();
    client.wire.gap();
    await settle();
    // Twice, so that the buffer overflows and nothing but the version can tell.
    client.wire.inject(change('update', 'a', 50, { data: { n: 50 } }));
    hold.open();
    hold = undefined;
    await until(() => client.sync.status.phase === 'live');
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 50 } });
  });

  test('a fetched row that is older than what has come since is ignored', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1, text: 'A' } }),
      wrap: holdAnswers('fetch', () => hold.opened),
    });
    client.wire.partialFields = ['n'];
    client.backend.write('todos', 'a', { n: 2, text: 'A' });
    await until(() => client.wire.calls.fetch >= 1);
    client.wire.partialFields = undefined;
    client.backend.write('todos', 'a', { n: 3, text: 'B' });
    await settle();
    hold.open();
    await settle();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 3, text: 'B' } });
  });

  test('a deleted row is not brought back by an older event, nor after a restart', async () => {
    const path = temporaryPath();
    const first = await openLive({ config: { store: sqliteStore({ path }) } });
    const row = first.backend.write('todos', 'a', { n: 1 });
    await settle();
    first.backend.delete('todos', 'a');
    await settle();
    first.wire.inject(change('update', 'a', row.seq, { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(first)).toEqual({});
    await first.sync.close();

    const second = await openLive({ config: { store: sqliteStore({ path }) } });
    second.wire.inject(change('update', 'a', row.seq, { data: { n: 1 } }));
    second.wire.inject(change('insert', 'a', 2, { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(second)).toEqual({});
    second.wire.inject(change('insert', 'a', 3, { data: { n: 3 } }));
    await settle();
    expect(await rowsOf(second), 'a newer one does').toEqual({ a: { id: 'a', n: 3 } });
  });

  test('versions are kept over a restart', async () => {
    const path = temporaryPath();
    const backend = backendWith({ a: { n: 1 } });
    backend.write('todos', 'a', { n: 2 });
    const first = await openLive({ backend, config: { store: sqliteStore({ path }) } });
    await first.sync.close();
    const second = await openLive({ backend, config: { store: sqliteStore({ path }) } });
    second.wire.inject(change('update', 'a', 1, { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 2 } });
  });

  test('the answer to a push that is older than an event of the same row does not hide it', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      wrap: holdAnswers('push', () => hold.opened),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    await client.todos.update('a', { n: 2 });
    await until(() => client.backend.get('todos', 'a')?.data?.n === 2);
    client.wire.deliver = true;
    client.backend.write('todos', 'a', { n: 3 });
    await settle();
    hold.open();
    await until(() => client.sync.status.pending === 0);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 3 } });
  });

  describe('by accident: what the backend shows now is taken, however old', () => {
    /** A backend that was restored: its row is older than the device has it. */
    const restored = async (options: Parameters<typeof open>[0] = {}) => {
      fakeTimers();
      const client = await open({
        backend: backendWith({ a: { n: 1 } }),
        ...options,
        config: { auditInterval: 60_000 },
      });
      await pass(0);
      await live(client);
      client.wire.inject(change('update', 'a', 50, { data: { n: 50 } }));
      await pass(0);
      return client;
    };

    for (const [name, options] of [
      ['a list of keys', { deletes: 'none' }],
      ['all that is read again', { deletes: 'tombstones' }],
      ['a snapshot', { cursor: 'snapshot', deletes: 'none' }],
    ] as const)
      test(`by an audit: ${name}`, async () => {
        const client = await restored(options);
        expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 50 } });
        await pass(60_000);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });

    test('by the answer to an edit', async () => {
      const client = await restored();
      await client.todos.update('a', { text: 'mine' });
      await pass(0);
      expect(client.sync.status.pending).toBe(0);
      expect(backendRows(client)).toMatchObject({ a: { n: 1, text: 'mine' } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('at the second look, where reads can lag behind writes', async () => {
      const client = await restored({
        deletes: 'none',
        wrap: (transport) => ({ ...transport, capabilities: { ...transport.capabilities, staleReads: true } }),
      });
      await pass(60_000);
      expect((await rowsOf(client)).a?.n, 'once may be a read that lags').toBe(50);
      await pass(60_000);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('an edit that meets it waits for the second look, and is not sent ten times meanwhile', async () => {
      const client = await restored({
        wrap: (transport) => ({ ...transport, capabilities: { ...transport.capabilities, staleReads: true } }),
      });
      const { push } = client.wire.calls;
      await client.todos.update('a', { text: 'mine' });
      await pass(0);
      expect(client.wire.calls.push).toBeLessThanOrEqual(push + 2);
      await pass(20_000);
      expect(client.sync.status.pending).toBe(0);
      expect(backendRows(client)).toMatchObject({ a: { n: 1, text: 'mine' } });
    });

    test('a row that changed and kept its version is taken, and reported once', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }) });
      const errors = record(client.sync, 'error');
      // Somebody who writes past the version.
      for (const [id, seq] of [
        ['a', 1],
        ['b', 2],
      ] as const) {
        Object.assign(client.backend.get('todos', id) ?? {}, { data: { id, n: 2 } });
        client.wire.inject(change('update', id, seq, { data: { n: 2 } }));
        await until(() => client.wire.calls.fetch >= seq);
        await settle();
      }
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2 }, b: { id: 'b', n: 2 } });
      expect(errors).toMatchObject([{ event: { collection: 'todos', error: { code: 'PROTOCOL_VIOLATION' } } }]);
    });

    test('a late event of a version that is known brings nothing back: the row is read', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 2 } }) });
      const events = record(client.sync, ...DATA_EVENTS, 'error');
      client.wire.inject(change('update', 'a', 1, { data: { n: 1 } }));
      await until(() => client.wire.calls.fetch > 0);
      await settle();
      expect(events).toEqual([]);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });
});

import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import {
  backendWith,
  caughtUpAfter,
  change,
  DATA_EVENTS,
  type Gate,
  gate,
  holdAnswers,
  openLive,
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
    expect(events.map(({ name }) => name)).toEqual(['realtimeInsert', 'realtimeUpdate']);
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
      expect(events.map(({ name }) => name)).toEqual(['realtimeInsert', 'realtimeUpdate', 'realtimeDelete']);
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
});

import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import {
  backendRows,
  backendWith,
  type Client,
  caughtUpAfter,
  change,
  DATA_EVENTS,
  gate,
  holdAnswers,
  openLive,
  record,
  rowsOf,
  settle,
  until,
} from './harness.js';

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);

/** Everything that a user could notice. */
function noticed(client: Client): { readonly events: unknown[]; readonly shown: (readonly Row[])[] } {
  const events = record(client.sync, ...DATA_EVENTS, 'conflictDetected', 'error');
  const shown: (readonly Row[])[] = [];
  client.todos.watch((rows) => void shown.push(rows as readonly Row[]));
  return { events, shown };
}

const everyWay = [
  ['an insert', ({ todos }: Client) => todos.save({ n: 2 }, 'b')],
  ['an update', ({ todos }: Client) => todos.update('a', { n: 2 })],
  ['a delete', ({ todos }: Client) => todos.delete('a')],
  ['a removed field', ({ todos }: Client) => todos.update('a', { text: undefined })],
] as const;

describe('law 6: own writes come back once', () => {
  for (const [what, edit] of everyWay) {
    for (const idempotent of [true, false]) {
      const backend = () => backendWith({ a: { n: 1, text: 'A' } });
      const name = `${what}${idempotent ? '' : ' (backend that forgets opIds)'}`;

      test(`${name}: the echo comes before the answer`, async () => {
        const hold = gate();
        const client = await openLive({ backend: backend(), idempotent, wrap: holdAnswers('push', () => hold.opened) });
        const { events, shown } = noticed(client);
        await settle();
        await edit(client);
        await synced(client);
        const rows = await rowsOf(client);
        hold.open();
        await settle();
        expect(events).toEqual([]);
        expect(shown.length, 'the start and the edit').toBe(2);
        expect(await rowsOf(client)).toEqual(rows);
        expect(rows).toEqual(backendRows(client));
        expect(client.wire.calls.push).toBe(1);
      });

      test(`${name}: the answer comes before the echo`, async () => {
        const client = await openLive({
          backend: backend(),
          idempotent,
          wire: (wire) => Object.assign(wire, { deliver: false }),
        });
        const { events, shown } = noticed(client);
        await settle();
        await edit(client);
        await synced(client);
        const [id] = [...client.backend.log('todos')].reverse().map((entry) => entry.id);
        const record_ = client.backend.get('todos', id as string);
        client.wire.inject(
          record_?.data
            ? change('update', record_.id, record_.seq, { data: record_.data, timestamp: record_.time })
            : change('delete', id as string, record_?.seq ?? 0),
        );
        await caughtUpAfter(client, () => client.wire.gap());
        expect(events).toEqual([]);
        expect(shown.length).toBe(2);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });

      test(`${name}: applied, answer and echo lost, and pushed again: once`, async () => {
        const client = await openLive({
          backend: backend(),
          idempotent,
          wire: (wire) => Object.assign(wire, { deliver: false, loseAnswers: true }),
        });
        const { events } = noticed(client);
        const { seq } = client.backend;
        const edited = edit(client);
        await until(() => client.wire.calls.push >= 2);
        client.wire.loseAnswers = false;
        await edited;
        await synced(client);
        expect(client.backend.seq - seq, 'commits in the backend').toBe(1);
        expect(events.filter((entry) => (entry as { name: string }).name !== 'error')).toEqual([]);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });
    }
  }

  test('the echo of a push whose answer was lost settles it: it is not sent again', async () => {
    const client = await openLive({ wire: (wire) => Object.assign(wire, { loseAnswers: true }), config: slow });
    await client.todos.save({ n: 1 }, 'a');
    await synced(client);
    client.wire.loseAnswers = false;
    await client.sync.syncNow();
    expect(client.wire.calls.push).toBe(1);
    expect(client.backend.seq).toBe(1);
  });

  test('the row that the backend made of a write (a trigger, a default) is shown, and told', async () => {
    const client = await openLive({
      wire: (wire) => Object.assign(wire, { deliver: false }),
      wrap: (transport) => ({
        ...transport,
        push: async (changes, options) =>
          (await transport.push(changes, options)).map((result, index) =>
            result.type === 'applied'
              ? { ...result, data: { ...changes[index]?.data, slug: `slug-${changes[index]?.recordId}` } }
              : result,
          ),
      }),
    });
    const events = record(client.sync, ...DATA_EVENTS);
    await client.todos.save({ n: 1 }, 'a');
    await synced(client);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1, slug: 'slug-a' } });
    expect(events.map(({ name }) => name)).toEqual(['remoteUpdate']);
  });

  test('somebody else`s change right after the own one is told', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1, text: 'A' } }),
      wrap: holdAnswers('push', () => hold.opened),
    });
    const events = record(client.sync, ...DATA_EVENTS, 'conflictDetected');
    await client.todos.update('a', { n: 2 });
    await until(() => client.backend.seq === 2);
    client.backend.write('todos', 'a', { n: 2, text: 'theirs' });
    await settle();
    hold.open();
    await synced(client);
    expect(events.map(({ name }) => name)).toEqual(['remoteUpdate']);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'theirs' } });
  });

  test('operationSynced is told once per edit, whatever comes first', async () => {
    const hold = gate();
    const client = await openLive({ wrap: holdAnswers('push', () => hold.opened) });
    const done = record(client.sync, 'operationQueued', 'operationSynced');
    await client.todos.save({ n: 1 }, 'a');
    await synced(client);
    hold.open();
    await settle();
    expect(done.map(({ name }) => name)).toEqual(['operationQueued', 'operationSynced']);
  });
});

/** So long that nothing is repeated by itself within a test. */
const slow = { websocketReconnectDelay: 60_000, maxReconnectDelay: 60_000 };

import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import { type MemoryBackend, memoryBackend } from '../../../src/testing/index.js';
import type { OutgoingChange, PushResult, RealtimeTransport } from '../../../src/transport/transport.js';
import {
  backendRows,
  type Client,
  gate,
  live,
  lost,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const OURS = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
const THEIRS = OURS.toLowerCase();

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);

/** A backend whose keys are uuids, in lower case. `after`: between the write and its answer. */
const uuids =
  (after: () => Promise<void> | void = () => undefined) =>
  (transport: RealtimeTransport): RealtimeTransport => ({
    ...transport,
    async push(changes, options) {
      const spelled = changes.map((change): OutgoingChange => ({ ...change, recordId: change.recordId.toLowerCase() }));
      const results = await transport.push(spelled, options);
      await after();
      return results.map((result, index): PushResult => {
        const recordId = spelled[index]?.recordId as string;
        if (result.type === 'applied') return { ...result, recordId };
        return result.type === 'conflict' ? { ...result, current: { ...result.current, recordId } } : result;
      });
    },
  });

/** How many rows were shown at once, at most. */
function most({ todos }: Client): () => number {
  let count = 0;
  todos.watch((rows) => {
    count = Math.max(count, rows.length);
  });
  return () => count;
}

const told = (client: Client) => record(client.sync, 'error', 'remoteInsert', 'remoteUpdate', 'conflictDetected');
const adopted = {
  name: 'error',
  event: { error: { code: 'VALIDATION_FAILED', details: { recordId: OURS, storedAs: THEIRS } } },
};

describe('a key that the backend writes another way', () => {
  for (const deliver of [true, false])
    test(`is adopted, with the edits that came meanwhile (${deliver ? 'the event' : 'the answer'} comes first)`, async () => {
      const hold = gate();
      const client = await openLive({ wrap: uuids(() => hold.opened) });
      client.wire.deliver = deliver;
      const [events, shown] = [told(client), most(client)];
      await client.todos.save({ n: 1 }, OURS);
      await until(() => client.backend.seq === 1);
      await settle();
      await client.todos.update(deliver ? THEIRS : OURS, { n: 2 });
      hold.open();
      await synced(client);
      expect(await rowsOf(client)).toEqual({ [THEIRS]: { id: THEIRS, n: 2 } });
      expect(backendRows(client)).toEqual({ [THEIRS]: { id: THEIRS, n: 2 } });
      expect([shown(), events]).toMatchObject([1, [adopted]]);
    });

  test('is adopted after a restart, although the answer was lost', async () => {
    const path = temporaryPath();
    const backend: MemoryBackend = memoryBackend();
    const config = { store: sqliteStore({ path }), websocketReconnectDelay: 60_000 };
    const first = await openLive({ backend, config, wrap: uuids(() => Promise.reject(lost())) });
    first.wire.deliver = false;
    await first.todos.save({ n: 1 }, OURS);
    await until(() => backend.seq === 1);
    await settle();
    await first.sync.close();
    const client = await open({ backend, config: { store: sqliteStore({ path }) }, wrap: uuids() });
    const [events, shown] = [told(client), most(client)];
    await live(client);
    await synced(client);
    expect(await rowsOf(client)).toEqual({ [THEIRS]: { id: THEIRS, n: 1 } });
    expect([shown(), events]).toMatchObject([1, [adopted]]);
  });

  test('of a record that somebody else has made is a conflict of one row', async () => {
    const client = await openLive({ wrap: uuids(), config: { conflictStrategy: 'clientWins' } });
    await client.sync.pause();
    await client.todos.save({ n: 1 }, OURS);
    client.backend.write('todos', THEIRS, { n: 2, text: 'theirs' });
    client.sync.resume();
    await live(client);
    await synced(client);
    expect(await rowsOf(client)).toEqual({ [THEIRS]: { id: THEIRS, n: 1, text: 'theirs' } });
    expect(backendRows(client)).toEqual(await rowsOf(client));
  });

  test('is no other record where the backend keeps both', async () => {
    const hold = gate();
    const client = await openLive({
      wrap: (transport) => ({
        ...transport,
        async push(changes, options) {
          await hold.opened;
          return transport.push(changes, options);
        },
      }),
    });
    await client.todos.save({ n: 1 }, OURS);
    await until(() => client.sync.outbox.pending()[0] !== undefined);
    await settle();
    client.backend.write('todos', THEIRS, { n: 2 });
    await settle();
    hold.open();
    await synced(client);
    const rows = { [OURS]: { id: OURS, n: 1 }, [THEIRS]: { id: THEIRS, n: 2 } };
    expect(await rowsOf(client)).toEqual(rows);
    expect(backendRows(client)).toEqual(rows);
  });
});

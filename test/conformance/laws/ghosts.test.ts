import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { PushResult, RealtimeTransport } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  change,
  fakeTimers,
  gate,
  holdAnswers,
  live,
  lost,
  open,
  openLive,
  pass,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

/** Deletes leave tombstones, but only a pull behind a cursor tells of them: a whole read begins without. */
const forgetful = (transport: RealtimeTransport): RealtimeTransport => ({
  ...transport,
  async pull(request) {
    const page = await transport.pull(request);
    if (!('whole' in request) && request.cursor !== null && !(request.cursor as { whole?: true }).whole) return page;
    const changes = page.changes.filter(({ type }) => type !== 'delete');
    const ended = page.changes.length === 0;
    return { ...page, changes, snapshot: true, cursor: ended ? page.cursor : { ...Object(page.cursor), whole: true } };
  },
});

/** A server that answers a repeated push as it did the first time, whatever has become of the row. */
const remembering = (transport: RealtimeTransport): RealtimeTransport => {
  const answers = new Map<string, PushResult>();
  return {
    ...transport,
    async push(changes, options) {
      const fresh = changes.filter(({ opId }) => !answers.has(opId));
      const results = await transport.push(fresh, options);
      for (const [index, { opId }] of fresh.entries()) {
        const { type, version, timestamp } = results[index] as PushResult & { type: 'applied' };
        answers.set(
          opId,
          results[index]?.type === 'applied'
            ? { type, version, ...(timestamp && { timestamp }) }
            : (results[index] as PushResult),
        );
      }
      return changes.map(({ opId }) => answers.get(opId) as PushResult);
    },
  };
};

/** Until this many rows are seen; then those are what the backend has. */
async function endsWith(client: Client, count: number): Promise<void> {
  await until(() => client.sync.status.pending === 0 && client.sync.inspect().collections.todos?.rows === count);
  expect(await rowsOf(client)).toEqual(backendRows(client));
}

/** What is applied, and answered to nobody, until `lose.answers` is false. */
const losing =
  (lose: { answers: boolean }) =>
  (transport: RealtimeTransport): RealtimeTransport => ({
    ...transport,
    async push(changes, options) {
      const results = await transport.push(changes, options);
      if (lose.answers) throw lost();
      return results;
    },
  });

describe('a row that the backend no longer has does not stay', () => {
  for (const [name, server] of [
    ['which says how it is now', (same: RealtimeTransport) => same],
    ['which says what it said then', remembering],
    [
      'which says what it said then, and reads no rows by id',
      (transport: RealtimeTransport) => ({ ...remembering(transport), fetch: undefined }),
    ],
  ] as const)
    test(`saved before the first read, deleted by another, and pushed again to a server ${name}`, async () => {
      const [lose, hold] = [{ answers: true }, gate()];
      const client = await open({
        backend: backendWith({ other: { n: 0 } }),
        wrap: (transport) => losing(lose)(server(forgetful(transport))),
        wire: (wire) =>
          Object.assign(wire, {
            deliver: false,
            before: (step: string) => (step === 'pull' ? hold.opened : undefined),
          }),
      });
      await client.todos.save({ n: 1 }, 'mine');
      await until(() => client.backend.get('todos', 'mine') !== undefined);
      client.backend.delete('todos', 'mine');
      await settle();
      hold.open();
      await until(() => client.sync.inspect().collections.todos?.phase === 'live');
      lose.answers = false;
      await endsWith(client, 1);
    });

  test('pushed before a restart, deleted by another, and pushed again after it', async () => {
    const path = temporaryPath();
    const lose = { answers: true };
    const store = () => ({ config: { store: sqliteStore({ path }) } });
    const backend = backendWith({ other: { n: 0 } });
    const wrap = (transport: RealtimeTransport) => losing(lose)(remembered(forgetful(transport)));
    const answers = new Map<string, PushResult>();
    // One server for both lives of the device.
    const remembered = (transport: RealtimeTransport): RealtimeTransport => ({
      ...transport,
      async push(changes, options) {
        const results = await transport.push(changes, options);
        return changes.map(({ opId }, index) => {
          const known = answers.get(opId) ?? (results[index] as PushResult);
          answers.set(opId, known);
          return known;
        });
      },
    });
    const first = await openLive({
      backend,
      wrap,
      wire: (wire) => Object.assign(wire, { deliver: false }),
      ...store(),
    });
    await first.todos.save({ n: 1 }, 'mine');
    await until(() => backend.get('todos', 'mine') !== undefined);
    await first.sync.close();
    backend.delete('todos', 'mine', { hard: true });
    lose.answers = false;
    const second = await openLive({ backend, wrap, ...store() });
    await endsWith(second, 1);
  });

  test('an acknowledgement that comes after an event of its delete which names no version', async () => {
    const hold = gate();
    const client = await openLive({ deletes: 'none', wrap: holdAnswers('push', () => hold.opened) });
    client.wire.deliver = false;
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.backend.get('todos', 'mine') !== undefined);
    client.backend.delete('todos', 'mine', { hard: true });
    client.wire.inject(change('delete', 'mine', 100, { inferred: true }));
    await settle();
    hold.open();
    await endsWith(client, 0);
  });

  for (const kind of ['a snapshot', 'a list of keys'] as const)
    test(`an acknowledgement that comes after ${kind} without the row`, async () => {
      const hold = gate();
      const client = await openLive({
        backend: backendWith({ other: { n: 0 } }),
        deletes: 'none',
        ...(kind === 'a snapshot' && { cursor: 'snapshot' }),
        wrap: holdAnswers('push', () => hold.opened),
        wire: (wire) => Object.assign(wire, { deliver: false }),
      });
      await client.todos.save({ n: 1 }, 'mine');
      await until(() => client.backend.get('todos', 'mine') !== undefined);
      client.backend.delete('todos', 'mine', { hard: true });
      const again = client.sync.events.once('realtimeSync');
      client.wire.gap();
      await again;
      hold.open();
      await endsWith(client, 1);
    });

  test('an update of it, of which the answer was lost, while a snapshot ends', async () => {
    const lose = { answers: true };
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      cursor: 'snapshot',
      deletes: 'none',
      wrap: (transport) => losing(lose)(remembering(transport)),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    await client.todos.update('a', { n: 2 });
    await until(() => client.backend.get('todos', 'a')?.data?.n === 2);
    client.backend.delete('todos', 'a', { hard: true });
    const again = client.sync.events.once('realtimeSync');
    client.wire.gap();
    await again;
    lose.answers = false;
    await endsWith(client, 1);
  });

  test('and a read by id that is refused for good keeps nothing from being live', async () => {
    const lose = { answers: true };
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      wrap: (transport) => losing(lose)(remembering(transport)),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    client.wire.before = (step) => {
      if (step === 'fetch') throw new SyncLayerError('SUBSCRIBE_REJECTED', 'not by id');
    };
    await client.todos.update('a', { n: 2 });
    await until(() => client.backend.get('todos', 'a')?.data?.n === 2);
    lose.answers = false;
    await until(() => client.wire.calls.fetch > 0 && client.sync.status.pending === 0);
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('and a gap while all is read again for one takes no row away', async () => {
    const lose = { answers: true };
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
      pageCap: 1,
      wrap: (transport) => losing(lose)({ ...remembering(transport), fetch: undefined }),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    const events = record(client.sync, 'remoteDelete');
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.backend.get('todos', 'mine') !== undefined);
    const [both, hold] = [gate(), gate()];
    let pulls = 0;
    // What begins first waits for what begins beside it, and comes to its end before that.
    client.wire.before = (step) => {
      if (step !== 'pull' || ++pulls > 2) return undefined;
      if (pulls === 2) both.open();
      return pulls === 1 ? both.opened : hold.opened;
    };
    client.sync.events.on('operationSynced', () => queueMicrotask(() => client.wire.gap()));
    lose.answers = false;
    await until(() => pulls >= 1);
    await settle();
    both.open();
    await settle();
    hold.open();
    await endsWith(client, 4);
    await live(client);
    await settle();
    expect(events).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  for (const [name, options] of [
    ['tombstones and no list of keys', { deletes: 'tombstones' }],
    ['a time cursor and tombstones', { cursor: 'timestamp', deletes: 'tombstones' }],
    ['hard deletes', { deletes: 'none' }],
    ['deletes that only the stream tells', { deletes: 'events' }],
    ['snapshots', { cursor: 'snapshot', deletes: 'none' }],
  ] as const)
    test(`an audit finds one: ${name}`, async () => {
      fakeTimers();
      const client = await open({ ...options, config: { auditInterval: 60_000 } });
      await pass(0);
      await live(client);
      // Whatever made it: the backend never had this row, or has forgotten that it was deleted.
      client.wire.inject(change('insert', 'ghost', 5, { data: { n: 5 } }));
      client.backend.write('todos', 'real', { n: 1 });
      await pass(0);
      expect(Object.keys(await rowsOf(client)).sort()).toEqual(['ghost', 'real']);
      const events = record(client.sync, 'remoteDelete');
      await pass(60_000);
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(events).toEqual([{ name: 'remoteDelete', event: { collection: 'todos', recordId: 'ghost' } }]);
    });

  test('an audit finds one that its edit was pushed for, whatever was answered', async () => {
    fakeTimers();
    const client = await open({ config: { auditInterval: 60_000 } });
    await pass(0);
    await live(client);
    client.wire.decide = () => ({ type: 'applied', version: 9 });
    await client.todos.save({ n: 1 }, 'ghost');
    await pass(0);
    expect(client.sync.status.pending).toBe(0);
    await pass(60_000);
    expect(await rowsOf(client)).toEqual({});
  });
});

import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { ConflictResolvers } from '../../../src/index.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { StoreWrite } from '../../../src/store/store.js';
import type { MemoryWire } from '../../../src/testing/index.js';
import type { OutgoingChange, PushResult } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  closed,
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
  turn,
  until,
  watchedStore,
} from './harness.js';

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);
const refused = (message = 'no'): PushResult => ({
  type: 'rejected',
  error: new SyncLayerError('PUSH_REJECTED', message),
});
/** Records what is pushed. */
function pushes(client: Pick<Client, 'wire'>): OutgoingChange[] {
  const list: OutgoingChange[] = [];
  const { before } = client.wire;
  client.wire.before = (step, detail) => {
    if (step === 'push') list.push(...(detail as readonly OutgoingChange[]));
    return before(step, detail);
  };
  return list;
}

function noPush(wire: MemoryWire): void {
  wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
}

describe('law 7: edits survive', () => {
  describe('offline', () => {
    test('edits made without a connection are sent when there is one', async () => {
      const down = gate();
      const client = await open({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
        wire: (wire) => {
          wire.before = (step) => (step === 'connect' ? down.opened : Promise.reject(lost()));
        },
      });
      await client.todos.save({ n: 1 }, 'new');
      await settle();
      await client.todos.save({ n: 2 }, 'a');
      await settle();
      await client.todos.update('new', { n: 2 });
      client.wire.before = () => undefined;
      down.open();
      await live(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 }, b: { id: 'b', n: 1 }, new: { id: 'new', n: 2 } });
    });

    test('edits of one record that have not left are one', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
      await client.sync.pause();
      await client.todos.save({ n: 1 }, 'new');
      await client.todos.update('new', { n: 2 });
      await client.todos.save({ n: 9 }, 'gone');
      await client.todos.delete('gone');
      await client.todos.update('a', { n: 2 });
      await client.todos.delete('a');
      expect(client.sync.status.pending, 'made and deleted again is nothing').toBe(2);
      const sent = pushes(client);
      client.sync.resume();
      await live(client);
      expect(backendRows(client)).toEqual({ new: { id: 'new', n: 2 } });
      expect(sent.map(({ type, recordId }) => [type, recordId])).toEqual([
        ['insert', 'new'],
        ['delete', 'a'],
      ]);
    });

    test('an edit that was taken back before it left is not sent', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
      await client.sync.pause();
      await client.todos.update('a', { n: 2 });
      await client.todos.update('a', { n: 1 });
      expect(client.sync.status.pending).toBe(0);
      client.sync.resume();
      await live(client);
      expect(client.wire.calls.push).toBe(0);
    });

    test('10 000 saves offline and one reconnect: each arrives once', { timeout: 120_000 }, async () => {
      const client = await openLive();
      await client.sync.pause();
      const ids = new Set<string>();
      for (let batch = 0; batch < 10; batch++) {
        const rows = Array.from({ length: 1000 }, (_, n) => ({ id: `row ${batch * 1000 + n}`, n }));
        for (const id of await client.todos.saveMany(rows)) ids.add(id);
      }
      const sent = pushes(client);
      client.sync.resume();
      await live(client);
      expect(ids.size).toBe(10_000);
      expect(client.backend.seq, 'one commit each').toBe(10_000);
      expect(sent.length).toBe(10_000);
      expect(sent.map(({ recordId }) => recordId)).toEqual([...ids]);
      expect(client.backend.rows('todos').size).toBe(10_000);
    });

    test('edits of several collections leave in the order in which they were made', async () => {
      const client = await openLive({ config: { collections: ['todos', 'notes'] } });
      const notes = (client.sync as unknown as { collection(name: string): Client['todos'] }).collection('notes');
      await client.sync.pause();
      await client.todos.save({ n: 1 }, 'first');
      await notes.save({ n: 1 }, 'second');
      await client.todos.save({ n: 1 }, 'third');
      await client.todos.update('first', { n: 2 });
      const sent = pushes(client);
      client.sync.resume();
      await live(client);
      expect(sent.map(({ recordId }) => recordId)).toEqual(['first', 'second', 'third']);
    });
  });

  describe('during a push', () => {
    test('an edit of the record on its way waits for the answer, then goes', async () => {
      const hold = gate();
      const client = await openLive({
        wrap: holdAnswers('push', () => hold.opened),
        wire: (wire) => Object.assign(wire, { deliver: false }),
      });
      const sent = pushes(client);
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.wire.calls.push >= 1);
      await client.todos.update('a', { n: 2 });
      await client.todos.update('a', { text: 'x' });
      await settle();
      expect(client.wire.calls.push).toBe(1);
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'x' } });
      hold.open();
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2, text: 'x' } });
      expect(sent.map(({ type, baseVersion, patch }) => ({ type, baseVersion, patch }))).toEqual([
        { type: 'insert', baseVersion: null, patch: undefined },
        { type: 'update', baseVersion: 1, patch: { n: 2, text: 'x' } },
      ]);
    });

    test('a delete of the record on its way, and a new one after that', async () => {
      const hold = gate();
      const client = await openLive({ wrap: holdAnswers('push', () => hold.opened) });
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.wire.calls.push >= 1);
      await client.todos.delete('a');
      await settle();
      expect(await rowsOf(client)).toEqual({});
      hold.open();
      await synced(client);
      expect(backendRows(client)).toEqual({});
      await client.todos.save({ n: 2 }, 'a');
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 } });
    });

    test('deleted, and made again while the delete is on its way', async () => {
      const hold = gate();
      const client = await openLive({
        backend: backendWith({ a: { n: 1, text: 'old' } }),
        wrap: holdAnswers('push', () => hold.opened),
      });
      await client.todos.delete('a');
      await until(() => client.wire.calls.push >= 1);
      await client.todos.save({ n: 2 }, 'a');
      hold.open();
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('an edit at the very moment when a push ends is not forgotten', async () => {
      for (let delay = 0; delay < 12; delay++) {
        const client = await openLive();
        await client.todos.save({ n: 1 }, 'a');
        await client.sync.events.once('operationSynced');
        for (let tick = 0; tick < delay; tick++) await null;
        void client.todos.save({ n: 2 }, 'b');
        await settle();
        expect(Object.keys(backendRows(client)), `${delay} microtasks later`).toEqual(['a', 'b']);
        await client.sync.close();
      }
    });

    test('an edit made by whoever is told that the last one has arrived', async () => {
      const client = await openLive();
      const off = client.sync.events.on('operationSynced', () => {
        off();
        void client.todos.update('a', { synced: true });
      });
      await client.todos.save({ n: 1 }, 'a');
      await settle();
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1, synced: true } });
    });

    test('pause() gives a push up, and resume() repeats it even if the old one never ends', async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false }) });
      const sent = pushes(client);
      const record_ = client.wire.before;
      let hang = true;
      client.wire.before = (step, detail) => {
        void record_(step, detail);
        return step === 'push' && hang ? new Promise(() => {}) : undefined;
      };
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.wire.calls.push >= 1);
      await client.sync.pause();
      hang = false;
      client.sync.resume();
      await live(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
      expect(sent.length).toBe(2);
      expect(sent[1]?.opId).toBe(sent[0]?.opId);
    });

    test('a push that ends after pause() is repeated under its opId, and applied once', async () => {
      const hold = gate();
      let held = true;
      const client = await openLive({
        wrap: holdAnswers('push', () => (held ? hold.opened : undefined)),
        wire: (wire) => Object.assign(wire, { deliver: false }),
      });
      await client.todos.save({ n: 1 }, 'a');
      await until(() => client.backend.seq === 1);
      await client.sync.pause();
      held = false;
      hold.open();
      await settle();
      expect(client.sync.status.pending).toBe(1);
      client.sync.resume();
      await live(client);
      expect(client.backend.seq).toBe(1);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });

  describe('what the backend refuses', () => {
    test('a change refused for good is kept aside, and the good ones beside it arrive', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
      client.wire.decide = ({ recordId }) =>
        recordId === 'a' || recordId === 'bad' ? refused('not allowed') : undefined;
      const failed = record(client.sync, 'operationFailed');
      await client.sync.pause();
      await client.todos.saveMany([
        { id: 'one', n: 1 },
        { id: 'bad', n: 1 },
        { id: 'two', n: 1 },
      ]);
      await client.todos.update('a', { n: 2 });
      client.sync.resume();
      await live(client);
      expect(Object.keys(backendRows(client)).sort()).toEqual(['a', 'one', 'two']);
      expect(await rowsOf(client), 'the row shows the backend`s state again').toEqual(backendRows(client));
      expect(client.sync.outbox.pending()).toEqual([]);
      expect(client.sync.outbox.failed()).toMatchObject([
        { recordId: 'bad', type: 'insert', data: { n: 1 }, error: { code: 'PUSH_REJECTED', message: 'not allowed' } },
        { recordId: 'a', type: 'update', data: { n: 2 }, base: { n: 1 } },
      ]);
      expect(failed.length).toBe(2);
      expect(client.wire.calls.push, 'never again by itself').toBe(1);
    });

    test('retry() makes the edit again, on top of the row as it is now', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1, text: 'A' } }) });
      client.wire.decide = () => refused();
      await client.todos.update('a', { n: 2 });
      await until(() => client.sync.outbox.failed().length === 1);
      client.wire.decide = undefined;
      client.backend.write('todos', 'a', { n: 1, text: 'B' });
      await settle();
      const [entry] = client.sync.outbox.failed();
      expect(await client.sync.outbox.retry(entry?.opId ?? '')).toBe(true);
      expect(client.sync.outbox.failed()).toEqual([]);
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2, text: 'B' } });
      expect(await client.sync.outbox.retry(entry?.opId ?? '')).toBe(false);
    });

    test('discard() gives it up', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
      client.wire.decide = () => refused();
      await client.todos.delete('a');
      await until(() => client.sync.outbox.failed().length === 1);
      expect(await rowsOf(client)).toEqual(backendRows(client));
      const [entry] = client.sync.outbox.failed();
      expect(await client.sync.outbox.discard(entry?.opId ?? '')).toBe(true);
      expect(await client.sync.outbox.discard(entry?.opId ?? '')).toBe(false);
      expect(client.sync.outbox.failed()).toEqual([]);
    });

    test('a refused edit and its reason survive a restart', async () => {
      const path = temporaryPath();
      const first = await openLive({ config: { store: sqliteStore({ path }) } });
      first.wire.decide = () => refused('a reason');
      await first.todos.save({ n: 1 }, 'a');
      await until(() => first.sync.outbox.failed().length === 1);
      await first.sync.close();

      const second = await openLive({ backend: first.backend, config: { store: sqliteStore({ path }) } });
      expect(second.wire.calls.push).toBe(0);
      const [entry] = second.sync.outbox.failed();
      expect(entry).toMatchObject({ recordId: 'a', data: { id: 'a', n: 1 }, error: { message: 'a reason' } });
      expect(await second.sync.outbox.retry(entry?.opId ?? '')).toBe(true);
      await synced(second);
      expect(backendRows(second)).toEqual({ a: { id: 'a', n: 1 } });
    });

    test('an edit made while the refused one was on its way is not refused with it', async () => {
      const hold = gate();
      const client = await openLive({
        backend: backendWith({ a: { n: 1, text: 'A' } }),
        wrap: holdAnswers('push', () => hold.opened),
      });
      client.wire.decide = ({ data }) => (data?.n === -1 ? refused() : undefined);
      await client.todos.update('a', { n: -1 });
      await until(() => client.wire.calls.push >= 1);
      await client.todos.update('a', { text: 'B' });
      hold.open();
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1, text: 'B' } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(client.sync.outbox.failed()).toMatchObject([{ data: { n: -1 } }]);
    });

    for (const conflictStrategy of ['lastWriteWins', 'serverWins', 'clientWins'] as const) {
      test(`an edit made while a refused insert was on its way is sent as an insert (${conflictStrategy})`, async () => {
        const hold = gate();
        const client = await openLive({ config: { conflictStrategy }, wrap: holdAnswers('push', () => hold.opened) });
        client.wire.decide = ({ data }) => (data?.n === -1 ? refused() : undefined);
        await client.todos.save({ n: -1 }, 'a');
        await until(() => client.wire.calls.push >= 1);
        await client.todos.update('a', { n: 1 });
        hold.open();
        await synced(client);
        expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });

      test(`a row made again while its refused delete was on its way (${conflictStrategy})`, async () => {
        const hold = gate();
        const client = await openLive({
          backend: backendWith({ a: { n: 1 } }),
          config: { conflictStrategy },
          wrap: holdAnswers('push', () => hold.opened),
        });
        client.wire.decide = ({ type }) => (type === 'delete' ? refused() : undefined);
        await client.todos.delete('a');
        await until(() => client.wire.calls.push >= 1);
        await client.todos.save({ n: 2 }, 'a');
        hold.open();
        await synced(client);
        expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 } });
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });
    }

    test('"not now" is tried again maxRetries times, then kept aside', async () => {
      const client = await openLive({ config: { maxRetries: 2 } });
      client.wire.decide = ({ recordId }) =>
        recordId === 'a' ? { type: 'retry', error: new SyncLayerError('CONFLICT', 'locked') } : undefined;
      await client.todos.save({ n: 1 }, 'a');
      await client.todos.save({ n: 1 }, 'b');
      await until(() => client.sync.outbox.failed().length === 1);
      expect(client.sync.outbox.failed()).toMatchObject([{ recordId: 'a', attempts: 2, error: { message: 'locked' } }]);
      expect(Object.keys(backendRows(client))).toEqual(['b']);
      const { push } = client.wire.calls;
      await client.sync.syncNow();
      expect(client.wire.calls.push).toBe(push);
    });

    test('"not now" waits for its backoff: it is not asked again at once', async () => {
      const client = await openLive({ config: { websocketReconnectDelay: 60_000 } });
      client.wire.decide = () => ({ type: 'retry', error: new SyncLayerError('CONFLICT', 'locked') });
      await client.todos.save({ n: 1 }, 'a');
      await settle();
      expect(client.wire.calls.push).toBe(1);
      expect(client.sync.outbox.pending()).toMatchObject([{ attempts: 1 }]);
    });

    test('a failing connection never counts as a try', async () => {
      const client = await openLive({ config: { maxRetries: 1 } });
      let failures = 25;
      client.wire.before = (step) => {
        if (step === 'push' && failures-- > 0) throw lost();
      };
      await client.todos.save({ n: 1 }, 'a');
      await synced(client);
      expect(failures).toBe(-1);
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
    });

    test('lost answers never count as a try, and are not repeated under another opId', async () => {
      const client = await openLive({
        config: { maxRetries: 1 },
        wire: (wire) => Object.assign(wire, { loseAnswers: true, deliver: false }),
      });
      const sent = pushes(client);
      await client.todos.save({ n: 1 }, 'a');
      await until(() => sent.length >= 10);
      client.wire.loseAnswers = false;
      await synced(client);
      expect(new Set(sent.map(({ opId }) => opId)).size).toBe(1);
      expect(client.backend.seq).toBe(1);
    });

    test('a backend that answers "conflict" for ever is not hammered', async () => {
      const client = await openLive({
        backend: backendWith({ a: { n: 1 } }),
        config: { websocketReconnectDelay: 60_000 },
      });
      client.wire.decide = () => ({ type: 'conflict', current: { data: { id: 'a', n: 1 }, version: 1 } });
      await client.todos.update('a', { n: 2 });
      await settle(200);
      expect(client.wire.calls.push).toBeLessThan(20);
      client.wire.decide = undefined;
      await client.sync.syncNow();
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 } });
    });

    test('a transport that cannot write keeps the edits, and says so', async () => {
      const client = await openLive({
        backend: backendWith({ a: { n: 1 } }),
        wrap: (transport) => ({ ...transport, capabilities: { ...transport.capabilities, push: false } }),
      });
      const errors = record(client.sync, 'error');
      await client.todos.save({ n: 1 }, 'mine');
      await until(() => errors.length > 0);
      expect(errors).toMatchObject([{ event: { error: { code: 'UNSUPPORTED' } } }]);
      expect(client.wire.calls.push).toBe(0);
      expect(client.sync.outbox.pending().length).toBe(1);
    });
  });

  describe('a hard-deleting backend', () => {
    for (const idempotent of [true, false]) {
      test(`a delete whose answer was lost is done (idempotent: ${idempotent})`, async () => {
        const client = await openLive({
          backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
          deletes: 'none',
          idempotent,
          wire: (wire) => Object.assign(wire, { deliver: false, loseAnswers: true }),
        });
        await client.todos.delete('b');
        await until(() => client.wire.calls.push >= 2);
        client.wire.loseAnswers = false;
        const { push } = client.wire.calls;
        await synced(client);
        await settle();
        expect(client.wire.calls.push - push).toBeLessThan(3);
        expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1 } });
        expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
      });
    }

    test('an edit of a row that was deleted there without a trace makes it anew', async () => {
      const client = await openLive({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
        deletes: 'none',
        wire: (wire) => Object.assign(wire, { deliver: false }),
      });
      client.backend.delete('todos', 'b', { hard: true });
      await client.todos.update('b', { n: 2 });
      await synced(client);
      expect(client.wire.calls.push).toBeLessThan(5);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 }, b: { id: 'b', n: 2 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });

  describe('the disk', () => {
    test('save() resolves after the commit', async () => {
      const hold = gate();
      const inner = sqliteStore({ path: temporaryPath() });
      const client = await openLive({
        config: {
          store: {
            ...inner,
            commit: async (writes) => {
              if (writes.some(({ table }) => table === 'outbox')) await hold.opened;
              await inner.commit(writes);
            },
          },
        },
      });
      let resolved = false;
      const saved = client.todos.save({ n: 1 }, 'a').then(() => {
        resolved = true;
      });
      await settle();
      expect(resolved).toBe(false);
      expect(await rowsOf(client), 'seen at once all the same').toEqual({ a: { id: 'a', n: 1 } });
      expect(client.wire.calls.push, 'and not sent before it is safe').toBe(0);
      hold.open();
      await saved;
      await synced(client);
    });

    test('a store that fails: save() rejects, nothing is lost, and a later commit has it', async () => {
      const path = temporaryPath();
      const store = watchedStore(sqliteStore({ path }));
      const client = await openLive({ config: { store } });
      await client.sync.pause();
      store.fails = () => true;
      await expect(client.todos.save({ n: 1 }, 'a')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await expect(client.todos.save({ n: 1 }, 'b')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(Object.keys(await rowsOf(client))).toEqual(['a', 'b']);
      store.fails = () => false;
      await client.todos.save({ n: 1 }, 'c');
      await client.sync.close();

      const again = await openLive({ backend: client.backend, config: { store: sqliteStore({ path }) } });
      await synced(again);
      expect(Object.keys(backendRows(again)).sort()).toEqual(['a', 'b', 'c']);
    });

    test('while the disk fails edits are sent all the same, with one error; when it works again it has all', async () => {
      const path = temporaryPath();
      const store = watchedStore(sqliteStore({ path }));
      const client = await openLive({ config: { store } });
      await client.todos.save({ n: 1 }, 'safe');
      await synced(client);
      const errors = record(client.sync, 'error');
      store.fails = () => true;
      for (const id of ['a', 'b', 'safe']) {
        await expect(client.todos.save({ n: 2 }, id)).rejects.toMatchObject({ code: 'STORE_FAILED' });
        await synced(client);
      }
      expect(backendRows(client)).toEqual({
        safe: { id: 'safe', n: 2 },
        a: { id: 'a', n: 2 },
        b: { id: 'b', n: 2 },
      });
      expect(errors.length).toBe(1);
      store.fails = () => false;
      await client.todos.save({ n: 3 }, 'c');
      await client.sync.close();

      // Nothing is read: all of it is on the disk.
      const again = await open({
        config: { store: sqliteStore({ path }), enableRealtimeSync: false, enableAutoSync: false },
      });
      expect(await rowsOf(again)).toMatchObject({ safe: { n: 2 }, a: { n: 2 }, b: { n: 2 }, c: { n: 3 } });
    });

    test('an edit that is on the disk as unsent goes as well, also one of a store that never answers', async () => {
      const path = temporaryPath();
      const inner = sqliteStore({ path });
      let hangs = false;
      const store = {
        ...inner,
        commit: (writes: readonly StoreWrite[]) => (hangs ? new Promise<void>(() => undefined) : inner.commit(writes)),
      };
      fakeTimers();
      const client = await open({ config: { store, enableRealtimeSync: false } });
      await client.sync.pause();
      await client.todos.save({ n: 1 }, 'a');
      hangs = true;
      client.sync.resume();
      await pass(20_000);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
      expect(client.sync.status.pending).toBe(0);
      await expect(client.todos.save({ n: 1 }, 'b')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await expect(client.sync.clear()).rejects.toMatchObject({ code: 'STORE_FAILED' });
      await expect(client.sync.close()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    });
  });

  describe('a crash', () => {
    /** Runs `work` on a client whose disk stops at a moment that the work chooses, and leaves the client for dead. */
    async function crashed(
      work: (client: Client, stopDisk: () => void) => Promise<void>,
      options: Parameters<typeof open>[0] = {},
    ): Promise<{ readonly path: string; readonly dead: Client }> {
      const path = temporaryPath();
      const store = watchedStore(sqliteStore({ path }));
      const dead = await openLive({ ...options, config: { store } });
      await work(dead, () => {
        store.fails = () => true;
      });
      await closed(dead.sync);
      return { path, dead };
    }

    test('after save() and before the push: it is sent after the restart', async () => {
      const { path, dead } = await crashed(
        async (client, stopDisk) => {
          await client.todos.save({ n: 1 }, 'a');
          stopDisk();
        },
        { wire: noPush },
      );
      const client = await openLive({ backend: dead.backend, config: { store: sqliteStore({ path }) } });
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 1 } });
    });

    for (const idempotent of [true, false]) {
      test(`sent and unanswered: repeated under the same opId (idempotent: ${idempotent})`, async () => {
        let sent: OutgoingChange[] = [];
        const { path, dead } = await crashed(
          async (client, stopDisk) => {
            sent = pushes(client);
            await client.todos.save({ n: 1 }, 'a');
            await until(() => client.backend.seq === 1);
            stopDisk();
          },
          { idempotent, wire: (wire) => Object.assign(wire, { loseAnswers: true, deliver: false }) },
        );
        const again: OutgoingChange[] = [];
        const client = await open({
          backend: dead.backend,
          idempotent,
          config: { store: sqliteStore({ path }), enableAutoSync: false },
          wire: (wire) => {
            wire.deliver = false;
            // The push must not be settled by what a pull brings.
            wire.before = (step, detail) => {
              if (step === 'push') again.push(...(detail as OutgoingChange[]));
            };
          },
          wrap: (transport) => ({
            ...transport,
            pull: async (request) => ({ changes: [], cursor: request.cursor ?? 0 }),
          }),
        });
        await until(() => client.sync.inspect().collections.todos?.phase === 'live');
        expect(client.sync.outbox.pending()).toMatchObject([{ recordId: 'a' }]);
        await client.sync.syncNow();
        expect(again.map(({ opId }) => opId)).toEqual([sent[0]?.opId]);
        expect(client.backend.seq).toBe(1);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });
    }

    test('sent is on disk before anything is sent', async () => {
      const store = watchedStore(sqliteStore({ path: temporaryPath() }));
      const client = await openLive({ config: { store } });
      const onDisk: unknown[] = [];
      client.wire.before = (step, detail) => {
        if (step !== 'push') return;
        for (const { opId } of detail as readonly OutgoingChange[]) {
          const writes = store.commits.flat().filter(({ table, key }) => table === 'outbox' && key[1] === opId);
          onDisk.push((writes.at(-1)?.value as { sent?: boolean } | undefined)?.sent);
        }
      };
      await client.todos.saveMany([{ n: 1 }, { n: 2 }]);
      await synced(client);
      expect(onDisk).toEqual([true, true]);
    });

    test('an edit made after the restart of a sent one: the first is repeated as it was, the second follows', async () => {
      const { path, dead } = await crashed(
        async (client, stopDisk) => {
          await client.todos.save({ n: 1, text: 'first' }, 'a');
          await until(() => client.wire.calls.push >= 1);
          stopDisk();
        },
        { wire: noPush },
      );
      const down = gate();
      const client = await open({
        backend: dead.backend,
        config: { store: sqliteStore({ path }) },
        wire: (wire) => {
          wire.before = (step) => (step === 'connect' ? down.opened : undefined);
        },
      });
      const sent = pushes(client);
      await client.sync.pause();
      await client.todos.update('a', { n: 2 });
      expect(client.sync.outbox.pending().length).toBe(2);
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'first' } });
      client.sync.resume();
      down.open();
      await live(client);
      expect(sent.map(({ type, data }) => [type, data])).toEqual([
        ['insert', { id: 'a', n: 1, text: 'first' }],
        ['update', { id: 'a', n: 2, text: 'first' }],
      ]);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2, text: 'first' } });
    });

    test('an edit that was sent while the disk failed, and another after the restart: each counts once', async () => {
      const counting = {
        collections: {
          todos: { customConflictResolver: ConflictResolvers.sumNumbers(['n']) },
        },
      };
      const backend = backendWith({ a: { n: 5 } });
      const path = temporaryPath();
      const store = watchedStore(sqliteStore({ path }));
      const dead = await openLive({ backend, config: { store, ...counting } });
      await dead.sync.pause();
      await dead.todos.update('a', { n: 6 });
      // On the disk it is unsent; that it is sent, and what comes of it, never gets there.
      store.fails = () => true;
      dead.sync.resume();
      await synced(dead);
      await dead.todos.update('a', { n: 7 }).catch(() => undefined);
      await synced(dead);
      expect(backendRows(dead)).toEqual({ a: { id: 'a', n: 7 } });
      await closed(dead.sync);

      const client = await open({ backend, config: { store: sqliteStore({ path }), ...counting } });
      const sent = pushes(client);
      await client.todos.update('a', { n: 7 });
      await client.todos.update('a', { n: 8 });
      await live(client);
      await synced(client);
      expect(sent[0]?.data, 'the same push').toEqual({ id: 'a', n: 6 });
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 9 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('edits of one record that were made before several restarts go one after another', async () => {
      const path = temporaryPath();
      const offline = { enableRealtimeSync: false, enableAutoSync: false } as const;
      const backend = backendWith({});
      for (let n = 1; n <= 4; n++) {
        const client = await open({ backend, config: { store: sqliteStore({ path }), ...offline } });
        await client.todos.save({ n, [`f${n}`]: n }, 'a');
        await client.sync.close();
      }
      const client = await openLive({ backend, config: { store: sqliteStore({ path }) } });
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 4, f4: 4 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('both edits of a record survive a second restart', async () => {
      const { path, dead } = await crashed(
        async (client, stopDisk) => {
          await client.todos.save({ n: 1 }, 'a');
          await until(() => client.wire.calls.push >= 1);
          await client.todos.update('a', { n: 2 });
          stopDisk();
        },
        { wire: noPush },
      );
      const client = await openLive({ backend: dead.backend, config: { store: sqliteStore({ path }) } });
      await synced(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('the answer came and did not reach the disk: repeated, once in the backend', async () => {
      for (const idempotent of [true, false]) {
        const { path, dead } = await crashed(
          async (client, stopDisk) => {
            client.wire.before = (step) => {
              if (step === 'push') stopDisk();
            };
            await client.todos.save({ n: 1 }, 'a').catch(() => undefined);
            await until(() => client.sync.status.pending === 0);
          },
          { idempotent },
        );
        expect(dead.backend.seq).toBe(1);
        const client = await openLive({ backend: dead.backend, idempotent, config: { store: sqliteStore({ path }) } });
        await synced(client);
        expect(client.backend.seq).toBe(1);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      }
    });

    test('rows, versions and the base of edits are there after a restart without a backend', async () => {
      const { path, dead } = await crashed(
        async (client, stopDisk) => {
          await client.sync.pause();
          await client.todos.update('a', { n: 2 });
          await client.todos.delete('b');
          stopDisk();
        },
        { backend: backendWith({ a: { n: 1, text: 'A' }, b: { n: 1 }, c: { n: 1 } }) },
      );
      // Meanwhile somebody else changes another field.
      dead.backend.write('todos', 'a', { n: 1, text: 'B' });
      const down = gate();
      const client = await open({
        backend: dead.backend,
        config: { store: sqliteStore({ path }) },
        wire: (wire) => {
          wire.before = (step) => (step === 'connect' || step === 'pull' ? down.opened : undefined);
        },
      });
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'A' }, c: { id: 'c', n: 1 } });
      down.open();
      await live(client);
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2, text: 'B' }, c: { id: 'c', n: 1 } });
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });

  test('close() waits for the disk: what was saved without waiting is there', async () => {
    const path = temporaryPath();
    const client = await openLive({ config: { store: sqliteStore({ path }) } });
    await client.sync.pause();
    const saved = client.todos.save({ n: 1 }, 'a');
    await client.sync.close();
    await saved;
    const again = await openLive({ backend: client.backend, config: { store: sqliteStore({ path }) } });
    await synced(again);
    expect(backendRows(again)).toEqual({ a: { id: 'a', n: 1 } });
    await turn();
  });

  test('an edit that was given up after its last attempt holds no later one back', async () => {
    const client = await openLive({ config: { maxRetries: 0 } });
    client.wire.decide = ({ recordId }) =>
      recordId === 'bad' ? { type: 'retry', error: new SyncLayerError('CONNECTION_LOST', 'Not now.') } : undefined;
    await client.todos.save({ n: 1 }, 'bad');
    await until(() => client.sync.outbox.failed().length === 1);
    // The timer of its backoff has come and gone, with nothing to send.
    await settle(50);
    await client.todos.save({ n: 1 }, 'good');
    await until(() => client.sync.status.pending === 0);
    expect(backendRows(client)).toMatchObject({ good: { n: 1 } });
  });
});

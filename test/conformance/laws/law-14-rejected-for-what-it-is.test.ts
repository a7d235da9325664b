import { describe, expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
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
  until,
} from './harness.js';

const synced = (client: Pick<Client, 'sync'>): Promise<void> => until(() => client.sync.status.pending === 0);
const rows = (count: number, text = 'x') => Array.from({ length: count }, (_, n) => ({ id: `row ${n}`, text }));

/** The size of each push. */
function batches(
  client: Pick<Client, 'wire'>,
  fails: (changes: readonly OutgoingChange[]) => SyncLayerError | undefined = () => undefined,
) {
  const sizes: number[] = [];
  client.wire.before = (step, detail) => {
    if (step !== 'push') return;
    const changes = detail as readonly OutgoingChange[];
    sizes.push(changes.length);
    const error = fails(changes);
    if (error) throw error;
  };
  return sizes;
}

const unclear = () => new SyncLayerError('CONNECTION_LOST', 'database query error', { details: { unclear: true } });
const locked = () => new SyncLayerError('CONNECTION_LOST', 'a lock', { details: { unclear: true, passing: true } });
const noParent = (): PushResult => ({
  type: 'waiting',
  error: new SyncLayerError('CONNECTION_LOST', 'the list "p" is not there'),
});

describe('law 14: an edit is rejected only for what it is', () => {
  describe('trouble of the backend', () => {
    test('is waited out in whole batches, and counts against no edit', async () => {
      const client = await openLive({ config: { maxRetries: 0 } });
      let failures = 30;
      const sizes = batches(client, () => (failures-- > 0 ? lost() : undefined));
      await client.todos.saveMany(rows(100));
      await synced(client);
      expect(sizes).toEqual(Array.from({ length: 31 }, () => 100));
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(client.backend.rows('todos').size).toBe(100);
    });

    test('without a reason is waited out too: nothing is given up, however long it lasts', async () => {
      const client = await openLive({ config: { maxRetries: 0 } });
      let failures = 40;
      const sizes = batches(client, () => (failures-- > 0 ? unclear() : undefined));
      await client.todos.saveMany(rows(100));
      await synced(client);
      expect(sizes.slice(0, 3)).toEqual([100, 100, 100]);
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(client.backend.rows('todos').size).toBe(100);
    });

    test('an edit over which the backend fails without a reason holds no other up, and is set aside while others are taken', async () => {
      const client = await openLive({ config: { maxRetries: 1 } });
      batches(client, (changes) => (changes.some(({ recordId }) => recordId === 'row 37') ? unclear() : undefined));
      await client.todos.saveMany(rows(100));
      await until(() => client.backend.rows('todos').size === 99);
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(client.sync.outbox.pending()).toMatchObject([{ recordId: 'row 37', attempts: 1 }]);
      // Alone it may still be the backend's trouble. Beside others that are taken it is not.
      await settle();
      expect(client.sync.outbox.failed()).toEqual([]);
      await client.todos.save({ text: 'x' }, 'one more');
      await until(() => client.sync.outbox.failed().length === 1);
      expect(client.sync.outbox.failed()).toMatchObject([
        { recordId: 'row 37', error: { message: 'database query error' } },
      ]);
    });

    test('a lock on one table delays no edit of another', async () => {
      const client = await openLive({ config: { maxRetries: 0, collections: ['todos', 'notes', 'tags'] } });
      const of = (name: string) => client.sync.collection(name as 'todos');
      let isLocked = true;
      const sent: string[] = [];
      client.wire.before = (step, detail) => {
        if (step !== 'push') return;
        const names = new Set((detail as readonly OutgoingChange[]).map(({ collection }) => collection));
        sent.push([...names].join(' '));
        if (isLocked && names.has('todos')) throw locked();
      };
      await client.sync.pause();
      for (let n = 0; n < 5; n++)
        for (const name of ['todos', 'notes', 'tags']) await of(name).save({ n }, `${name} ${n}`);
      client.sync.resume();
      await until(() => client.backend.rows('tags').size === 5);
      expect(client.backend.rows('notes').size).toBe(5);
      expect(client.backend.rows('todos').size).toBe(0);
      expect(sent.slice(0, 4)).toEqual(['todos notes tags', 'todos', 'notes', 'tags']);
      // From now on that one comes last.
      await of('todos').save({ n: 5 }, 'todos 5');
      await of('notes').save({ n: 5 }, 'notes 5');
      await until(() => client.backend.rows('notes').size === 6);
      expect(client.backend.rows('todos').size).toBe(0);
      isLocked = false;
      await synced(client);
      expect(client.backend.rows('todos').size).toBe(6);
      expect(client.sync.outbox.failed()).toEqual([]);
    });

    test('a transport that rejects the push for one bad edit: that one alone is rejected', async () => {
      const client = await openLive();
      batches(client, (changes) =>
        changes.some(({ recordId }) => recordId === 'row 5') ? new SyncLayerError('PUSH_REJECTED', 'no') : undefined,
      );
      await client.todos.saveMany(rows(20));
      await synced(client);
      expect(client.sync.outbox.failed()).toMatchObject([{ recordId: 'row 5', error: { message: 'no' } }]);
      expect(client.backend.rows('todos').size).toBe(19);
    });
  });

  describe('a body that is too large', () => {
    test('is halved; one edit that is too large by itself is rejected with its size, and later ones go', async () => {
      const client = await openLive();
      const sizes = batches(client, (changes) =>
        JSON.stringify(changes).length > 9000 ? new SyncLayerError('TOO_LARGE', 'answered with 413') : undefined,
      );
      await client.todos.saveMany([...rows(40), { id: 'huge', text: 'y'.repeat(20_000) }]);
      await synced(client);
      expect(client.sync.outbox.failed()).toMatchObject([
        { recordId: 'huge', error: { code: 'PUSH_REJECTED', message: expect.stringMatching(/about 20\d{3} bytes/) } },
      ]);
      expect(client.backend.rows('todos').size).toBe(40);
      expect(sizes.length, 'not one by one').toBeLessThan(20);
      await client.todos.save({ text: 'small' }, 'later');
      await synced(client);
      expect(client.backend.rows('todos').size).toBe(41);
    });
  });

  describe('an edit whose parent is not there yet', () => {
    /** Refuses children until the parent is there, as a foreign key does. */
    const foreignKey = (client: Pick<Client, 'wire' | 'backend'>): void => {
      client.wire.decide = ({ recordId }) =>
        recordId.startsWith('child') && !client.backend.get('todos', 'parent')?.data ? noParent() : undefined;
    };

    test('is held and listed with what it waits for, counts against nothing, and holds no other up', async () => {
      const client = await openLive({ config: { maxRetries: 0 } });
      foreignKey(client);
      const errors = record(client.sync, 'error');
      await client.todos.save({ n: 1 }, 'child');
      await until(() => client.sync.outbox.pending()[0]?.waiting !== undefined);
      expect(client.sync.outbox.pending()).toMatchObject([
        { recordId: 'child', attempts: 0, waiting: { message: 'the list "p" is not there' } },
      ]);
      for (let n = 0; n < 5; n++) {
        await client.todos.save({ n }, `other ${n}`);
        await until(() => client.sync.status.pending === 1);
      }
      expect(client.sync.outbox.failed()).toEqual([]);
      expect(errors.length, 'told once').toBe(1);
      expect(await rowsOf(client), 'the app sees its edit').toMatchObject({ child: { n: 1 } });
      await client.todos.save({ n: 1 }, 'parent');
      await synced(client);
      expect(backendRows(client)).toMatchObject({ child: { n: 1 }, parent: { n: 1 } });
    });

    test('goes again in the same run when the parent was taken in it', async () => {
      const client = await openLive();
      foreignKey(client);
      await client.sync.pause();
      await client.todos.save({ n: 1 }, 'child');
      await client.todos.save({ n: 1 }, 'parent');
      const sizes = batches(client);
      client.sync.resume();
      await synced(client);
      expect(sizes).toEqual([2, 1]);
    });

    test('goes again at an audit, and by itself, when the parent comes from elsewhere', async () => {
      for (const auditInterval of [1000, 300_000]) {
        fakeTimers();
        const client = await openLive({ config: { auditInterval } });
        foreignKey(client);
        await client.todos.save({ n: 1 }, 'child');
        await pass(0);
        expect(client.sync.outbox.pending()).toMatchObject([{ waiting: {} }]);
        client.backend.write('todos', 'parent', { n: 1 });
        await pass(auditInterval);
        expect(client.sync.status.pending).toBe(0);
        expect(backendRows(client)).toMatchObject({ child: { n: 1 } });
        await client.sync.close();
      }
    });

    test('is asked about less and less often while nothing changes', async () => {
      fakeTimers();
      const client = await openLive();
      foreignKey(client);
      await client.todos.save({ n: 1 }, 'child');
      await pass(3_600_000);
      expect(client.wire.calls.push).toBeLessThan(80);
      expect(client.sync.outbox.failed()).toEqual([]);
    });

    test('an edit that mends it goes instead', async () => {
      const client = await openLive();
      client.wire.decide = ({ data }) => (data?.list === 'p' ? noParent() : undefined);
      await client.todos.save({ n: 1, list: 'p' }, 'child');
      await until(() => client.sync.outbox.pending()[0]?.waiting !== undefined);
      await client.todos.update('child', { list: 'q' });
      await synced(client);
      expect(backendRows(client)).toEqual({ child: { id: 'child', n: 1, list: 'q' } });
    });

    test('an edit that mends it, made while it is on its way, goes instead', async () => {
      const hold = gate();
      const client = await openLive({ wrap: holdAnswers('push', () => hold.opened) });
      client.wire.decide = ({ data }) => (data?.list === 'p' ? noParent() : undefined);
      await client.todos.save({ n: 1, list: 'p' }, 'child');
      await until(() => client.wire.calls.push > 0);
      await client.todos.update('child', { list: 'q' });
      hold.open();
      await synced(client);
      expect(backendRows(client)).toEqual({ child: { id: 'child', n: 1, list: 'q' } });
    });

    test('can be discarded, and is still listed after a restart', async () => {
      const path = temporaryPath();
      const first = await openLive({ config: { store: sqliteStore({ path }) } });
      first.wire.decide = noParent;
      await first.todos.save({ n: 1 }, 'child');
      await until(() => first.sync.outbox.pending()[0]?.waiting !== undefined);
      await closed(first.sync);
      const second = await open({
        backend: first.backend,
        config: { store: sqliteStore({ path }) },
        wire: (wire) => Object.assign(wire, { decide: noParent }),
      });
      await until(() => second.wire.calls.push > 0);
      await settle();
      const [entry] = second.sync.outbox.pending();
      expect(entry).toMatchObject({ recordId: 'child', waiting: { message: 'the list "p" is not there' } });
      expect(await second.sync.outbox.discard(entry?.opId ?? '')).toBe(true);
      await live(second);
      expect(await rowsOf(second)).toEqual({});
      await closed(second.sync);
      const third = await openLive({ backend: first.backend, config: { store: sqliteStore({ path }) } });
      expect(third.sync.outbox.pending()).toEqual([]);
    });

    test('an update of a row that was not there waits too, and its row shows what the app wants', async () => {
      const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
      client.wire.decide = noParent;
      await client.todos.update('a', { n: 2 });
      await until(() => client.sync.outbox.pending()[0]?.waiting !== undefined);
      client.backend.write('todos', 'a', { n: 1, text: 'theirs' });
      await settle();
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2, text: 'theirs' } });
      client.wire.decide = undefined;
      await client.sync.syncNow();
      expect(backendRows(client)).toEqual({ a: { id: 'a', n: 2, text: 'theirs' } });
    });
  });

  describe('an answer that was lost', () => {
    const big = 'z'.repeat(1000);

    test('is asked for before the edits are sent again', async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false, loseAnswers: true }) });
      const sizes = batches(client);
      const { before } = client.wire;
      client.wire.before = (step, detail) => {
        if (step === 'fetch') client.wire.loseAnswers = false;
        return before(step, detail);
      };
      await client.todos.saveMany(rows(50, big));
      await synced(client);
      expect(sizes, 'sent once').toEqual([50]);
      expect(client.wire.calls.fetch).toBe(1);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('of few bytes is not worth a question', async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false }) });
      const steps: string[] = [];
      client.wire.before = (step) => {
        if (step === 'fetch' || step === 'push') steps.push(step);
        if (steps.length === 1) throw lost();
      };
      await client.todos.saveMany(rows(5));
      await synced(client);
      expect(steps.slice(0, 2)).toEqual(['push', 'push']);
    });

    test('the question is refused for good: the edits go all the same', async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false }) });
      let losses = 1;
      client.wire.before = (step) => {
        if (step === 'fetch') throw new SyncLayerError('SUBSCRIBE_REJECTED', 'not readable');
        if (step === 'push' && losses-- > 0) throw lost();
      };
      await client.todos.saveMany(rows(50, big));
      await synced(client);
      expect(client.backend.rows('todos').size).toBe(50);
    });

    test('the question gets no answer either: they are sent, and asked for after that, in turns', async () => {
      const client = await openLive({ wire: (wire) => Object.assign(wire, { deliver: false }) });
      const steps: string[] = [];
      client.wire.before = (step) => {
        if (step === 'fetch' || step === 'push') steps.push(step);
        if (steps.length < 4) throw lost();
      };
      await client.todos.saveMany(rows(50, big));
      await synced(client);
      expect(steps.slice(0, 5)).toEqual(['push', 'fetch', 'push', 'fetch', 'push']);
      expect(client.backend.rows('todos').size).toBe(50);
    });
  });

  test('a batch holds what fits, and more once the line shows that it carries it', async () => {
    const client = await openLive();
    const sizes = batches(client);
    await client.todos.saveMany(rows(400, 'q'.repeat(1000)));
    await synced(client);
    expect(sizes[0], 'small at first').toBeLessThan(60);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(400);
    expect(sizes.length).toBeLessThan(6);
  });
});

import { describe, expect, test } from 'vitest';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { MemoryBackend } from '../../../src/testing/index.js';
import type { OutgoingChange, PullRequest } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  type Client,
  gate,
  live,
  lost,
  type OpenOptions,
  open,
  openLive,
  record,
  rowsOf,
  temporaryPath,
  until,
} from './harness.js';

const synced = (client: Client): Promise<void> => until(() => client.sync.status.pending === 0);

/** A client of the backend called `source`, with its data in the file. */
const at = (path: string, source: string, backend: MemoryBackend, more: OpenOptions = {}): OpenOptions => ({
  ...more,
  backend,
  config: { store: sqliteStore({ path }), ...more.config },
  wrap: (transport) => ({ ...(more.wrap ?? ((same) => same))(transport), source }),
});

/** A backend whose versions are far behind those of any other. */
const young = (rows: Parameters<typeof backendWith>[0]): MemoryBackend => backendWith(rows);
/** One whose versions are far ahead. */
function old(rows: Parameters<typeof backendWith>[0]): MemoryBackend {
  const backend = backendWith({});
  for (let n = 0; n < 100; n++) backend.write('other', 'x', { n });
  for (const [id, row] of Object.entries(rows)) backend.write('todos', id, row);
  return backend;
}

describe('another backend than last time', () => {
  test('its rows are taken whatever their versions, the cursor is not used, and what it lacks is gone', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({ a: { n: 'A' }, onlyA: { n: 'A' } })));
    await first.sync.close();
    const requests: PullRequest[] = [];
    const second = await openLive(
      at(path, 'B', young({ a: { n: 'B' }, onlyB: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = (step, request) => void (step === 'pull' && requests.push(request as PullRequest));
        },
      }),
    );
    expect(requests[0]?.cursor).toBeNull();
    expect(await rowsOf(second)).toEqual(backendRows(second));
    await second.sync.close();

    const again = await openLive(at(path, 'B', second.backend));
    expect(again.wire.calls.pull, 'once: after that its cursor is used').toBe(1);
  });

  test('its rows are shown at once, until the new ones come', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({ a: { n: 'A' } })));
    await first.sync.close();
    const hold = gate();
    const second = await open(
      at(path, 'B', young({ a: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = () => hold.opened;
        },
      }),
    );
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'A' } });
    hold.open();
    await live(second);
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('unsent edits are kept and reach it: inserts, updates and deletes, with no false conflict', async () => {
    const path = temporaryPath();
    const rows = { update: { n: 1, text: 'x' }, delete: { n: 1 }, onlyA: { n: 1 } };
    const first = await openLive(at(path, 'A', old(rows)));
    await first.sync.pause();
    await first.todos.save({ n: 1 }, 'insert');
    await first.todos.update('update', { n: 2 });
    await first.todos.delete('delete');
    await first.todos.update('onlyA', { n: 2 });
    await first.sync.close();

    const second = await open(at(path, 'B', young({ update: { n: 1, text: 'B' }, delete: { n: 1 } })));
    const conflicts = record(second.sync, 'conflictDetected');
    await live(second);
    await synced(second);
    expect(backendRows(second)).toEqual({
      insert: { id: 'insert', n: 1 },
      update: { id: 'update', n: 2, text: 'B' },
      onlyA: { id: 'onlyA', n: 2 },
    });
    expect(await rowsOf(second)).toEqual(backendRows(second));
    expect(conflicts).toEqual([]);
  });

  test('nothing is pushed before its rows are known', async () => {
    const path = temporaryPath();
    // The same version in both, of different rows: a compare-and-set would hit the wrong one.
    const first = await openLive(at(path, 'A', backendWith({ a: { n: 'A' } })));
    await first.sync.pause();
    await first.todos.update('a', { mine: true });
    await first.sync.close();
    const hold = gate();
    const steps: string[] = [];
    const second = await open(
      at(path, 'B', backendWith({ a: { n: 'B' } }), {
        wire: (wire) => {
          wire.before = (step) => {
            steps.push(step);
            return step === 'pull' ? hold.opened : undefined;
          };
        },
      }),
    );
    await until(() => steps.includes('pull'));
    await second.todos.update('a', { more: true });
    hold.open();
    await live(second);
    await synced(second);
    expect(steps.indexOf('push')).toBeGreaterThan(steps.lastIndexOf('pull') - 1);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 'B', mine: true, more: true } });
  });

  test('an edit that was on its way to the old one is sent to the new one', async () => {
    const path = temporaryPath();
    const first = await openLive(
      at(path, 'A', old({}), {
        wire: (wire) => {
          wire.before = (step) => (step === 'push' ? Promise.reject(lost()) : undefined);
        },
      }),
    );
    await first.todos.save({ n: 1 }, 'a');
    await until(() => first.wire.calls.push > 0);
    await first.sync.close();
    const pushed: OutgoingChange[] = [];
    const second = await openLive(
      at(path, 'B', young({}), {
        wire: (wire) => {
          wire.before = (step, detail) => void (step === 'push' && pushed.push(...(detail as OutgoingChange[])));
        },
      }),
    );
    await synced(second);
    expect(pushed).toMatchObject([{ type: 'insert', recordId: 'a', baseVersion: null }]);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 1 } });
  });

  for (const [way, next] of [
    ['never reached: the next start does not take the old versions for its own', 'B'],
    ['half read, and then back to the first: nothing of it is taken for the first`s', 'A'],
  ] as const) {
    test(way, async () => {
      const path = temporaryPath();
      const a = old({ a: { n: 'A' }, b: { n: 'A' }, onlyA: { n: 'A' } });
      const b = young({ a: { n: 'B' }, b: { n: 'B' }, onlyB: { n: 'B' } });
      const first = await openLive(at(path, 'A', a));
      await first.sync.pause();
      await first.todos.update('a', { mine: true });
      await first.sync.close();

      const hold = gate();
      const second = await open(
        at(path, 'B', b, {
          pageCap: 1,
          wire: (wire) => {
            wire.before = (step) => (step === 'pull' && wire.calls.pull > 2 ? hold.opened : undefined);
          },
        }),
      );
      if (next === 'A') await until(() => second.wire.calls.pull >= 3);
      await second.sync.close();

      const third = await openLive(at(path, next, next === 'A' ? a : b));
      await synced(third);
      expect(await rowsOf(third)).toEqual(backendRows(third));
      expect(backendRows(third).a).toEqual({ id: 'a', n: next, mine: true });
    });
  }

  test('deletes that the old one knew say nothing about the new one`s rows', async () => {
    const path = temporaryPath();
    const a = old({ a: { n: 'A' } });
    const first = await openLive(at(path, 'A', a));
    a.delete('todos', 'a');
    await until(() => first.backend.get('todos', 'a')?.data === null);
    await first.sync.syncNow();
    await first.sync.close();
    const second = await openLive(at(path, 'B', young({ a: { n: 'B' } })));
    expect(await rowsOf(second)).toEqual({ a: { id: 'a', n: 'B' } });
  });

  test('refused edits are still there', async () => {
    const path = temporaryPath();
    const first = await openLive(at(path, 'A', old({})));
    first.wire.decide = () => ({ type: 'rejected', error: lost() });
    await first.todos.save({ n: 1 }, 'a');
    await until(() => first.sync.outbox.failed().length === 1);
    await first.sync.close();
    const second = await openLive(at(path, 'B', young({})));
    const [entry] = second.sync.outbox.failed();
    await second.sync.outbox.retry(entry?.opId ?? '');
    await synced(second);
    expect(backendRows(second)).toEqual({ a: { id: 'a', n: 1 } });
  });
});

describe('clear()', () => {
  test('forgets rows, edits and cursors, in memory and on disk, and reads all anew', async () => {
    const path = temporaryPath();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      config: { store: sqliteStore({ path }) },
    });
    await client.sync.pause();
    await client.todos.save({ n: 1 }, 'unsent');
    await client.todos.update('a', { n: 2 });
    const shown: [number, boolean][] = [];
    client.todos.watch((rows, { loading }) => void shown.push([rows.length, loading]));
    await until(() => shown.length >= 1);
    expect(await client.sync.clear()).toEqual({ discarded: 2 });
    expect(await rowsOf(client)).toEqual({});
    expect(client.sync.status).toEqual({ phase: 'paused', pending: 0 });
    expect(shown).toEqual([
      [3, false],
      [0, true],
    ]);
    await client.sync.close();

    const again = await openLive({ backend: client.backend, config: { store: sqliteStore({ path }) } });
    expect(again.wire.calls.push).toBe(0);
    expect(again.wire.calls.pull).toBeGreaterThan(1);
    expect(await rowsOf(again)).toEqual({ a: { id: 'a', n: 1 }, b: { id: 'b', n: 1 } });
  });

  test('on a live link it reads all again by itself', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), pageCap: 1 });
    await client.sync.clear();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('during a snapshot and a push: neither comes back', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
      cursor: 'snapshot',
      deletes: 'none',
      pageCap: 1,
    });
    let pulls = 0;
    client.wire.before = (step) => (step === 'push' || (step === 'pull' && ++pulls === 3) ? hold.opened : undefined);
    client.wire.gap();
    await until(() => pulls >= 3);
    await client.todos.save({ n: 1 }, 'unsent');
    const clearing = client.sync.clear();
    client.wire.before = () => undefined;
    hold.open();
    await clearing;
    client.backend.delete('todos', 'a', { hard: true });
    await live(client);
    expect(client.sync.outbox.pending()).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an edit made while it is under way is either gone or sent, not half of each', async () => {
    const path = temporaryPath();
    const client = await openLive({ config: { store: sqliteStore({ path }) } });
    await client.sync.pause();
    const clearing = client.sync.clear();
    const saved = client.todos.save({ n: 1 }, 'a');
    await Promise.all([clearing, saved]);
    const here = client.sync.outbox.pending().length;
    await client.sync.close();
    const again = await openLive({
      backend: client.backend,
      config: { store: sqliteStore({ path }), enableAutoSync: false },
    });
    expect(again.sync.outbox.pending().length).toBe(here);
  });
});

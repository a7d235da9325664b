import { describe, expect, test } from 'vitest';
import { memoryBackend } from '../../../src/testing/index.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  DATA_EVENTS,
  type Gate,
  gate,
  live,
  lost,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  until,
} from './harness.js';

/** Three kinds of backends: with tombstones, without any trace of a delete, and with whole snapshots only. */
const kinds = [
  ['tombstones', { deletes: 'tombstones' }],
  ['hard deletes, found by keys', { deletes: 'none' }],
  ['deletes that only the stream tells', { deletes: 'events' }],
  ['snapshots', { cursor: 'snapshot', deletes: 'none' }],
  ['a time cursor with hard deletes', { cursor: 'timestamp', deletes: 'none' }],
] as const;

describe('law 5: deletes are found', () => {
  for (const [name, options] of kinds) {
    describe(name, () => {
      const hard = options.deletes !== 'tombstones';
      const rows = { a: { n: 1 }, b: { n: 1 }, c: { n: 1 } };

      test('a live delete takes the row away', async () => {
        const client = await openLive({ ...options, backend: backendWith(rows) });
        const events = record(client.sync, ...DATA_EVENTS);
        client.backend.delete('todos', 'b', { hard });
        await settle();
        expect(Object.keys(await rowsOf(client))).toEqual(['a', 'c']);
        expect(events).toEqual([{ name: 'remoteDelete', event: { collection: 'todos', recordId: 'b' } }]);
      });

      test('a row deleted while away is found', async () => {
        const down = gate();
        const client = await openLive({ ...options, backend: backendWith(rows), pageCap: 1 });
        const events = record(client.sync, ...DATA_EVENTS);
        client.wire.before = (step) => (step === 'connect' ? down.opened : undefined);
        client.wire.cut();
        client.backend.delete('todos', 'b', { hard });
        client.backend.write('todos', 'd', { n: 1 });
        down.open();
        await live(client);
        expect(await rowsOf(client)).toEqual(backendRows(client));
        expect(events.map((entry) => entry.name).sort()).toEqual(['remoteDelete', 'remoteInsert']);
      });

      test('all rows deleted while away are found', async () => {
        const client = await openLive({ ...options, backend: backendWith(rows) });
        client.wire.deliver = false;
        for (const id of ['a', 'b', 'c']) client.backend.delete('todos', id, { hard });
        await caughtUpAfter(client, () => client.wire.gap());
        expect(await rowsOf(client)).toEqual({});
      });

      test('deleted and created again while away is the new row', async () => {
        const client = await openLive({ ...options, backend: backendWith(rows) });
        client.wire.deliver = false;
        client.backend.delete('todos', 'b', { hard });
        client.backend.write('todos', 'b', { n: 2, again: true });
        await caughtUpAfter(client, () => client.wire.gap());
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });

      test('deleted, created again live, and deleted again', async () => {
        const client = await openLive({ ...options, backend: backendWith(rows) });
        client.backend.delete('todos', 'b', { hard });
        client.backend.write('todos', 'b', { n: 2 });
        await settle();
        expect((await rowsOf(client)).b).toEqual({ id: 'b', n: 2 });
        client.backend.delete('todos', 'b', { hard });
        await settle();
        expect((await rowsOf(client)).b).toBeUndefined();
        await caughtUpAfter(client, () => client.wire.gap());
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });
    });
  }

  test('a row that was found missing and comes back with the same version is shown again', async () => {
    let hidden = false;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      deletes: 'none',
      wrap: (transport) => ({
        ...transport,
        // Permissions can hide a row for a while without changing it.
        async *keys(collection, options) {
          for await (const page of transport.keys?.(collection, options) ?? [])
            yield page.filter(({ recordId }) => !hidden || recordId !== 'b');
        },
      }),
    });
    hidden = true;
    await caughtUpAfter(client, () => client.wire.gap());
    expect(Object.keys(await rowsOf(client))).toEqual(['a']);
    hidden = false;
    await caughtUpAfter(client, () => client.wire.gap());
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a delete that names only its time deletes what is known, and hides nothing that is created again', async () => {
    const client = await openLive({ deletes: 'none' });
    const { inject } = client.wire;
    const names = async (): Promise<string[]> => {
      await settle();
      return Object.keys(await rowsOf(client));
    };
    inject(change('insert', 'a', 10, { data: { n: 10 } }));
    inject(change('delete', 'a', 9, { inferred: true }));
    expect(await names()).toEqual(['a']);
    inject(change('delete', 'a', 100, { inferred: true }));
    expect(await names()).toEqual([]);
    // Its transaction began before that of the delete, and ended after it.
    inject(change('insert', 'a', 50, { data: { n: 50 } }));
    expect(await names()).toEqual(['a']);
    // The delete of a row that was created again since, late: the insert follows it.
    inject(change('delete', 'a', 100, { inferred: true }));
    inject(change('insert', 'a', 50, { data: { n: 50 } }));
    expect(await names()).toEqual(['a']);
    inject(change('delete', 'never seen', 100, { inferred: true }));
    inject(change('insert', 'never seen', 60, { data: { n: 60 } }));
    expect(await names()).toEqual(['a', 'never seen']);
  });

  describe('a delete is never concluded', () => {
    const rows = { a: { n: 1 }, b: { n: 1 }, c: { n: 1 }, d: { n: 1 } };

    test('from a list of keys that broke off', async () => {
      const client = await openLive({ backend: backendWith(rows), deletes: 'none', pageCap: 2 });
      const events = record(client.sync, 'remoteDelete');
      let pages = 0;
      client.wire.before = (step) => {
        if (step === 'keys' && ++pages === 2) throw lost();
      };
      client.wire.gap();
      await until(() => pages > 2);
      await live(client);
      expect(events).toEqual([]);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('from a list of keys that pause() broke off', async () => {
      const hold = gate();
      const client = await openLive({ backend: backendWith(rows), deletes: 'none', pageCap: 2 });
      const events = record(client.sync, 'remoteDelete', 'realtimeSync');
      let pages = 0;
      client.wire.before = (step) => (step === 'keys' && ++pages === 2 ? hold.opened : undefined);
      client.wire.gap();
      await until(() => pages >= 2);
      await client.sync.pause();
      hold.open();
      await settle();
      expect(events, 'nor is that a catch-up').toEqual([]);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    for (const kind of ['snapshot', 'sequence'] as const) {
      test(`from a ${kind} pull that broke off`, async () => {
        const client = await openLive({ backend: backendWith(rows), cursor: kind, deletes: 'none', pageCap: 1 });
        const events = record(client.sync, 'remoteDelete');
        let failures = 3;
        client.wire.before = (step) => {
          if (step === 'pull' && client.wire.calls.pull % 2 === 0 && failures-- > 0) throw lost();
        };
        await caughtUpAfter(client, () => client.wire.gap());
        expect(events).toEqual([]);
        expect(await rowsOf(client)).toEqual(backendRows(client));
      });
    }

    test('from an empty page while the backend is failing, as long as the pull says so', async () => {
      const client = await openLive({ backend: backendWith(rows), cursor: 'snapshot', deletes: 'none' });
      client.wire.before = (step) => {
        if (step === 'pull') throw lost();
      };
      client.wire.gap();
      await until(() => client.sync.metrics().errors.CONNECTION_LOST !== undefined);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });

  describe('a snapshot', () => {
    test('takes away what it does not hold, at its end and not before', async () => {
      let hold: Gate | undefined;
      const client = await openLive({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
        cursor: 'snapshot',
        deletes: 'none',
        pageCap: 1,
      });
      client.wire.deliver = false;
      client.backend.delete('todos', 'b', { hard: true });
      hold = gate();
      let pulls = 0;
      client.wire.before = (step) => (step === 'pull' && ++pulls === 3 ? hold?.opened : undefined);
      client.wire.gap();
      await until(() => pulls >= 3);
      await settle();
      expect(Object.keys(await rowsOf(client))).toEqual(['a', 'b', 'c']);
      hold.open();
      await live(client);
      expect(Object.keys(await rowsOf(client))).toEqual(['a', 'c']);
    });

    test('does not take away a row saved and acknowledged while it was read', async () => {
      let hold: Gate | undefined;
      const client = await openLive({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
        cursor: 'snapshot',
        deletes: 'none',
        wire: (wire) => Object.assign(wire, { deliver: false }),
        // The whole set as one page, which is made before the row and comes after it.
        wrap: (transport) => ({
          ...transport,
          async pull(request) {
            if (!request.start) return { changes: [], cursor: request.cursor, snapshot: true };
            const page = await transport.pull(request);
            await hold?.opened;
            return page;
          },
        }),
      });
      const events = record(client.sync, 'remoteDelete');
      const { pull } = client.wire.calls;
      hold = gate();
      client.wire.gap();
      await until(() => client.wire.calls.pull > pull);
      await client.todos.save({ n: 1 }, 'mine');
      await until(() => client.sync.status.pending === 0);
      hold.open();
      await live(client);
      expect(events).toEqual([]);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('that starts over after an error forgets what it had seen', async () => {
      const client = await openLive({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
        cursor: 'snapshot',
        deletes: 'none',
        pageCap: 1,
      });
      client.wire.deliver = false;
      let pulls = 0;
      client.wire.before = (step) => {
        if (step !== 'pull' || ++pulls !== 3) return;
        client.backend.delete('todos', 'a', { hard: true });
        throw lost();
      };
      await caughtUpAfter(client, () => client.wire.gap());
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('of a cursor goes on after an error where it was', async () => {
      const requests: unknown[] = [];
      let fail = true;
      const client = await openLive({
        backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
        pageCap: 1,
        wire: (wire) => {
          wire.before = (step, request) => {
            if (step !== 'pull') return;
            if (fail && requests.length === 2) {
              fail = false;
              throw lost();
            }
            requests.push((request as { cursor: unknown }).cursor);
          };
        },
      });
      expect(requests).toEqual([null, { after: 1 }, { after: 2 }, { after: 3 }]);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  });

  test('a comparison of keys does not take away a row saved and acknowledged meanwhile', async () => {
    const hold = gate();
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      deletes: 'none',
      wrap: (transport) => ({
        ...transport,
        async *keys(collection, options) {
          const pages = [];
          for await (const page of transport.keys?.(collection, options) ?? []) pages.push(page);
          await hold.opened;
          yield* pages;
        },
      }),
    });
    client.wire.gap();
    await until(() => client.wire.calls.keys >= 1);
    await settle();
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.sync.status.pending === 0);
    const events = record(client.sync, 'remoteDelete');
    hold.open();
    await live(client);
    expect(events).toEqual([]);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a new collection is not compared by keys: its first pull was whole', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }), deletes: 'none' });
    expect(client.wire.calls.keys).toBe(0);
  });

  test('a delete of a row that nobody knows is remembered: its older insert comes too late', async () => {
    const client = await openLive({ backend: memoryBackend() });
    client.wire.inject(change('delete', 'x', 5));
    client.wire.inject(change('insert', 'x', 4, { data: { n: 1 } }));
    await settle();
    expect(await rowsOf(client)).toEqual({});
  });

  test('deleted rows that the app deleted as well are no conflict', async () => {
    const client = await open({ backend: backendWith({ a: { n: 1 } }) });
    await live(client);
    const conflicts = record(client.sync, 'conflictDetected');
    client.wire.deliver = false;
    client.backend.delete('todos', 'a');
    await client.todos.delete('a');
    await until(() => client.sync.status.pending === 0);
    expect(conflicts).toEqual([]);
    expect(client.backend.get('todos', 'a')?.data).toBeNull();
  });
});

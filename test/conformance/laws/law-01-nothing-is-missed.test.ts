import { describe, expect, test, vi } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import { memoryBackend } from '../../../src/testing/index.js';
import type { PullRequest } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  closed,
  cursorOf,
  fakeTimers,
  type Gate,
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

describe('law 1: nothing is missed', () => {
  test('what is there comes at the start, and what happens then comes live', async () => {
    const client = await openLive({ backend: backendWith({ a: { text: 'A' }, b: { text: 'B' } }) });
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', text: 'A' }, b: { id: 'b', text: 'B' } });

    const { pull } = client.wire.calls;
    client.backend.write('todos', 'c', { text: 'C' });
    await settle();
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(client.wire.calls.pull, 'a live event needs no pull').toBe(pull);
  });

  test('an event between subscribe and live, never delivered, is pulled', async () => {
    const client = await open({ wire: (wire) => Object.assign(wire, { ack: 'manual', deliver: false }) });
    await until(() => client.wire.subscriptions === 1);
    await settle();
    client.backend.write('todos', 'a', { text: 'in the window' });
    client.wire.goLive();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a poll before the subscription is live does not make it live', async () => {
    const client = await open({ wire: (wire) => Object.assign(wire, { ack: 'manual', deliver: false }) });
    await until(() => client.wire.subscriptions === 1);
    await client.sync.syncNow();
    await settle();
    expect(client.sync.inspect().collections.todos?.phase).toBe('subscribing');
    expect(client.sync.status.phase).toBe('syncing');

    client.backend.write('todos', 'a', { text: 'after the poll' });
    client.wire.goLive();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('an event during the catch-up is applied after it, without another pull', async () => {
    const hold = gate();
    const client = await open({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      wrap: holdAnswers('pull', () => hold.opened),
    });
    await until(() => client.wire.calls.pull >= 1);
    await settle();
    // No page holds these: nothing but the buffer brings them.
    client.wire.inject(change('update', 'a', 90, { data: { n: 2 } }));
    client.wire.inject(change('insert', 'c', 91, { data: { n: 2 } }));
    client.wire.inject(change('delete', 'b', 92));
    client.wire.gap();
    client.wire.goLive();
    hold.open();
    await live(client);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2 }, c: { id: 'c', n: 2 } });
  });

  test('events held during a catch-up that fails are not lost with it', async () => {
    const hold = gate();
    let fail = false;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      config: { websocketReconnectDelay: 60_000 },
      wrap: holdAnswers('pull', async () => {
        if (!fail) return;
        await hold.opened;
        throw lost();
      }),
    });
    fail = true;
    client.wire.gap();
    await settle();
    // Nothing but this delivery brings it: the next pull is a minute away.
    client.wire.inject(change('update', 'a', 99, { data: { n: 2 } }));
    hold.open();
    await until(() => client.sync.metrics().errors.CONNECTION_LOST !== undefined);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 2 } });
  });

  test('rows are read page by page until a page is empty, whatever the server takes for a page', async () => {
    const backend = memoryBackend();
    for (let n = 0; n < 1203; n++) backend.write('todos', `row ${n}`, { n });
    const client = await openLive({ backend, pageCap: 97, config: { pageSize: 100 } });
    expect((await client.todos.getAll()).length).toBe(1203);
    expect(client.wire.calls.pull, '13 pages and the empty one').toBe(14);

    client.wire.deliver = false;
    for (let n = 0; n < 250; n++) backend.write('todos', `more ${n}`, { n });
    await caughtUpAfter(client, () => client.wire.gap());
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  for (const again of ['gap', 'goLive', 'cut'] as const) {
    test(`${again}() on a live subscription repeats the pull`, async () => {
      const client = await openLive();
      client.wire.deliver = false;
      client.backend.write('todos', 'a', { n: 1 });
      await settle();
      expect(await rowsOf(client)).toEqual({});
      await caughtUpAfter(client, () => client.wire[again]());
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test(`${again}() during a pull repeats it once that has ended`, async () => {
      let hold: Gate | undefined;
      const client = await openLive({ wrap: holdAnswers('pull', () => hold?.opened) });
      client.wire.deliver = false;
      const first = gate();
      hold = first;
      client.wire.gap();
      await settle();
      client.backend.write('todos', 'a', { n: 1 });
      client.wire[again]();
      hold = undefined;
      first.open();
      await until(() => client.sync.status.phase === 'live' && client.backend.rows('todos').size === 1);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  }

  test('what happens while the line is down is pulled when it is back', async () => {
    const down = gate();
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
    client.wire.before = (step) => (step === 'connect' ? down.opened : undefined);
    client.wire.cut();
    client.backend.write('todos', 'a', { n: 2 });
    client.backend.write('todos', 'b', { n: 1 });
    await settle();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1 } });
    down.open();
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('only a pull moves the cursor: an event lost before a delivered one is still read', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
    const cursor = cursorOf(client);
    client.wire.deliver = false;
    client.backend.write('todos', 'lost', { n: 1 });
    client.wire.deliver = true;
    client.backend.write('todos', 'delivered', { n: 1 });
    await settle();
    expect(cursorOf(client)).toEqual(cursor);
    await caughtUpAfter(client, () => client.wire.gap());
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('a push does not move the cursor either', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
    client.wire.deliver = false;
    client.backend.write('todos', 'lost', { n: 1 });
    await client.todos.save({ n: 2 }, 'mine');
    await until(() => client.sync.status.pending === 0);
    await caughtUpAfter(client, () => client.wire.gap());
    expect(Object.keys(await rowsOf(client)).sort()).toEqual(['a', 'lost', 'mine']);
  });

  test('a catch-up that fails is tried again until it is done', async () => {
    let failures = 2;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 } }),
      pageCap: 1,
      wire: (wire) => {
        wire.before = (step) => {
          if (step === 'pull' && wire.calls.pull % 2 === 0 && failures > 0) {
            failures -= 1;
            throw lost();
          }
        };
      },
    });
    expect(await rowsOf(client)).toEqual(backendRows(client));
    expect(failures).toBe(0);
  });

  test('a catch-up that fails on a link that was live is tried again', async () => {
    let fail = false;
    const client = await openLive({
      wire: (wire) => {
        wire.before = (step) => {
          if (step !== 'pull' || !fail) return;
          fail = false;
          throw lost();
        };
      },
    });
    client.wire.deliver = false;
    client.backend.write('todos', 'a', { n: 1 });
    fail = true;
    await expect(client.sync.syncNow()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await live(client);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('after a restart the pull goes on from the stored cursor', async () => {
    const path = temporaryPath();
    const backend = backendWith({ a: { n: 1 }, b: { n: 1 } });
    const first = await openLive({ backend, config: { store: sqliteStore({ path }) } });
    await first.sync.close();
    backend.write('todos', 'c', { n: 1 });

    const requests: PullRequest[] = [];
    const second = await openLive({
      backend,
      config: { store: sqliteStore({ path }) },
      wire: (wire) => {
        wire.before = (step, request) => void (step === 'pull' && requests.push(request as PullRequest));
      },
    });
    expect(requests[0]?.cursor).toEqual({ after: 2 });
    expect(await rowsOf(second)).toEqual(backendRows(second));
  });

  test('the cursor goes to disk with the rows it stands for, so that a crash between two pages loses none', async () => {
    const path = temporaryPath();
    const backend = memoryBackend();
    for (let n = 0; n < 30; n++) backend.write('todos', `row ${n}`, { n });
    const store = watchedStore(sqliteStore({ path }));
    store.fails = () => store.commits.length >= 3;
    const first = await open({
      backend,
      pageCap: 5,
      config: { store },
      wire: (wire) => {
        // Slow enough for each page to be a commit.
        wire.before = () => settle(3);
      },
    });
    await until(() => first.sync.metrics().errors.STORE_FAILED !== undefined);
    const stored = new Set<string>();
    for (const commit of store.commits) {
      for (const { table, key } of commit) if (table === 'rows') stored.add(key[1]);
      const cursor = commit.find(({ table, key }) => table === 'meta' && key[1] === 'cursor')?.value;
      if (cursor) expect(stored.size).toBe((cursor as { after: number }).after);
    }
    expect(stored.size).toBeGreaterThan(0);
    expect(stored.size).toBeLessThan(30);
    await closed(first.sync);

    const second = await openLive({ backend, pageCap: 5, config: { store: sqliteStore({ path }) } });
    expect(await rowsOf(second)).toEqual(backendRows(second));
  });

  test('every collection catches up by itself: one that fails holds nobody up', async () => {
    const backend = memoryBackend();
    backend.write('todos', 'a', { n: 1 });
    backend.write('notes', 'b', { n: 1 });
    let broken = true;
    const client = await open({
      backend,
      config: { collections: ['todos', 'notes'] },
      wire: (wire) => {
        wire.before = (step, request) => {
          if (step === 'pull' && broken && (request as PullRequest).collection === 'notes') throw lost();
        };
      },
    });
    await until(() => client.sync.inspect().collections.todos?.phase === 'live');
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1 } });
    broken = false;
    await live(client);
    const notes = client.sync as unknown as { collection(name: string): { getAll(): Promise<Row[]> } };
    expect(await notes.collection('notes').getAll()).toEqual([{ id: 'b', n: 1 }]);
  });

  test('watchers are told that rows are still coming until the first catch-up is done', async () => {
    const hold = gate();
    const client = await open({
      backend: backendWith({ a: { n: 1 } }),
      wire: (wire) => {
        wire.before = (step) => (step === 'pull' ? hold.opened : undefined);
      },
    });
    const seen: unknown[] = [];
    client.todos.watch((rows, { loading }) => void seen.push([rows.length, loading]));
    await settle();
    expect(seen).toEqual([[0, true]]);
    hold.open();
    await live(client);
    await turn();
    expect(seen.at(-1)).toEqual([1, false]);
  });

  describe('an audit that finds what the live link should have brought', () => {
    const silentClient = async () => {
      fakeTimers();
      const client = await open({ config: { auditInterval: 60_000 } });
      await pass(0);
      await live(client);
      client.wire.deliver = false;
      client.backend.write('todos', 'a', { n: 1 });
      return { client, errors: record(client.sync, 'error') };
    };

    test('subscribes again, and says so', async () => {
      const { client, errors } = await silentClient();
      const { subscribe } = client.wire.calls;
      await pass(60_000);
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(client.wire.calls.subscribe, 'it may still come').toBe(subscribe);
      await pass(5000);
      await pass(30_000);
      expect(client.wire.calls.subscribe).toBe(subscribe + 1);
      expect(errors).toMatchObject([
        {
          event: {
            collection: 'todos',
            error: { code: 'CONNECT_TIMEOUT', message: expect.stringContaining('found 1') },
          },
        },
      ]);
      await live(client);
      client.wire.deliver = true;
      client.backend.write('todos', 'b', { n: 1 });
      await pass(0);
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('does not where the event comes a moment later', async () => {
      const { client, errors } = await silentClient();
      await pass(60_000);
      client.wire.inject(change('insert', 'a', 1, { data: { n: 1 } }));
      await pass(10_000);
      expect(client.wire.calls.subscribe).toBe(1);
      expect(errors).toEqual([]);
    });

    test('does not where it found an own edit, or a delete that no event tells', async () => {
      fakeTimers();
      const client = await open({
        backend: backendWith({ a: { n: 1 } }),
        deletes: 'none',
        config: { auditInterval: 60_000 },
      });
      await pass(0);
      await live(client);
      client.wire.deliver = false;
      client.backend.delete('todos', 'a', { hard: true });
      await client.todos.save({ n: 1 }, 'mine');
      await pass(70_000);
      expect(await rowsOf(client)).toEqual(backendRows(client));
      expect(client.wire.calls.subscribe).toBe(1);
    });

    test('nothing of it is left when the app closes', async () => {
      const { client } = await silentClient();
      await pass(60_000);
      await client.sync.close();
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  test('two rows of one list with one key are an error that names it', async () => {
    fakeTimers();
    const client = await open({
      deletes: 'none',
      config: { auditInterval: 60_000 },
      wrap: (transport) => ({
        ...transport,
        async *keys() {
          yield [
            { recordId: 'a', version: 1 },
            { recordId: 'a', version: 2 },
          ];
        },
      }),
    });
    const errors = record(client.sync, 'error');
    await pass(61_000);
    expect(errors[0]).toMatchObject({ event: { error: { message: expect.stringContaining('have the key "a"') } } });
  });
});

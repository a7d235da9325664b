import { describe, expect, test, vi } from 'vitest';
import type { PullRequest } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  fakeTimers,
  live,
  lost,
  open,
  openLive,
  rowsOf,
  settle,
  until,
} from './harness.js';

const T = Date.parse('2026-01-02T00:00:00Z');
const SECOND = 1000;

describe('law 2: commit order is not timestamp order', () => {
  test('a commit that began before the cursor is found by the overlap', async () => {
    const client = await openLive({ cursor: 'timestamp', overlap: 10 * SECOND });
    client.backend.write('todos', 'a', { n: 1 }, { time: T });
    await caughtUpAfter(client, () => client.wire.gap());
    client.wire.deliver = false;
    client.backend.write('todos', 'late', { n: 1 }, { time: T - 9 * SECOND });
    await caughtUpAfter(client, () => client.wire.gap());
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('the overlap is asked for with the first page of each catch-up, and only there', async () => {
    const requests: PullRequest[] = [];
    let fail = false;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 }, b: { n: 1 }, c: { n: 1 } }),
      cursor: 'timestamp',
      pageCap: 2,
      wire: (wire) => {
        wire.before = (step, request) => {
          if (step === 'pull') requests.push(request as PullRequest);
          if (step === 'pull' && fail && requests.length === 2) {
            fail = false;
            throw lost();
          }
        };
      },
    });
    expect(requests.map(({ start }) => start)).toEqual([true, false, false]);
    requests.length = 0;
    await caughtUpAfter(client, () => client.wire.cut());
    expect(requests.map(({ start }) => start)).toEqual([true, false, false]);
    requests.length = 0;
    fail = true;
    await caughtUpAfter(client, () => client.wire.gap());
    expect(requests.map(({ start }) => start)).toEqual([true, false, true, false, false]);
  });

  test('what is read twice is told once', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1 } }), cursor: 'timestamp' });
    const told: string[] = [];
    for (const name of ['remoteInsert', 'remoteUpdate', 'remoteDelete'] as const)
      client.sync.events.on(name, ({ recordId }) => told.push(recordId));
    await caughtUpAfter(client, () => client.wire.gap());
    expect(told).toEqual([]);
  });

  for (const deletes of ['none', 'events'] as const) {
    test(`a commit too late for the overlap is found by the next comparison of keys (deletes: ${deletes})`, async () => {
      const client = await openLive({ cursor: 'timestamp', deletes, overlap: SECOND });
      client.backend.write('todos', 'a', { n: 1 }, { time: T });
      client.backend.write('todos', 'b', { n: 1 }, { time: T });
      await caughtUpAfter(client, () => client.wire.gap());
      client.wire.deliver = false;
      client.backend.write('todos', 'late', { n: 1 }, { time: T - 60 * SECOND });
      client.backend.write('todos', 'b', { n: 2 }, { time: T - 60 * SECOND });
      await caughtUpAfter(client, () => client.wire.gap());
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });
  }

  describe('the audit', () => {
    const AUDIT = 300_000;
    test('finds an event that was lost without a word', async () => {
      fakeTimers();
      const opening = openLive({ backend: backendWith({ a: { n: 1 } }) });
      await vi.advanceTimersByTimeAsync(0);
      const client = await opening;
      client.wire.deliver = false;
      client.backend.write('todos', 'a', { n: 2 });
      client.backend.write('todos', 'b', { n: 1 });
      await vi.advanceTimersByTimeAsync(AUDIT - 1000);
      expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1 } });
      await vi.advanceTimersByTimeAsync(1000);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('finds what even the overlap missed, also in a backend with tombstones, and comes again', async () => {
      fakeTimers();
      const client = await openLive({
        cursor: 'timestamp',
        overlap: SECOND,
        wrap: (transport) => ({
          ...transport,
          async *keys() {
            yield backend.log('todos').flatMap(({ id, data, seq }) => (data ? [{ recordId: id, version: seq }] : []));
          },
        }),
      });
      const { backend } = client;
      for (const id of ['a', 'b', 'c', 'gone']) backend.write('todos', id, { n: 1 }, { time: T });
      await caughtUpAfter(client, () => client.wire.gap());
      client.wire.deliver = false;
      backend.write('todos', 'a', { n: 2 }, { time: T - 60 * SECOND });
      backend.write('todos', 'late', { n: 1 }, { time: T - 60 * SECOND });
      backend.delete('todos', 'gone', { time: T - 60 * SECOND });
      await caughtUpAfter(client, () => client.wire.gap());
      expect(await rowsOf(client), 'no pull can see these').not.toEqual(backendRows(client));
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));

      backend.write('todos', 'b', { n: 2 }, { time: T - 60 * SECOND });
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('looks as well where there is no live link', async () => {
      fakeTimers();
      const client = await open({
        cursor: 'timestamp',
        overlap: SECOND,
        config: { enableRealtimeSync: false, syncInterval: 60_000 },
        wrap: (transport) => ({
          ...transport,
          async *keys() {
            yield backend.log('todos').flatMap(({ id, data, seq }) => (data ? [{ recordId: id, version: seq }] : []));
          },
        }),
      });
      const { backend } = client;
      backend.write('todos', 'a', { n: 1 }, { time: T });
      await client.sync.syncNow();
      backend.write('todos', 'late', { n: 1 }, { time: T - 60 * SECOND });
      await client.sync.syncNow();
      expect(Object.keys(await rowsOf(client))).toEqual(['a']);
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('that failed is made up for, and one that was asked for during a catch-up is not forgotten', async () => {
      fakeTimers();
      const client = await openLive({ cursor: 'timestamp', deletes: 'none', overlap: SECOND });
      client.backend.write('todos', 'a', { n: 1 }, { time: T });
      await caughtUpAfter(client, () => client.wire.gap());
      client.wire.deliver = false;
      client.backend.write('todos', 'late', { n: 1 }, { time: T - 60 * SECOND });
      let failures = 1;
      client.wire.before = (step) => {
        if (step === 'keys' && failures-- > 0) throw lost();
      };
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      // Its retry is a backoff away, not another five minutes.
      await vi.advanceTimersByTimeAsync(SECOND);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
    });

    test('without fetch reads all again to get what it found', async () => {
      fakeTimers();
      const client = await openLive({
        cursor: 'timestamp',
        deletes: 'none',
        overlap: SECOND,
        wrap: (transport) => ({ ...transport, fetch: undefined }),
      });
      client.backend.write('todos', 'a', { n: 1 }, { time: T });
      await caughtUpAfter(client, () => client.wire.gap());
      client.wire.deliver = false;
      client.backend.write('todos', 'late', { n: 1 }, { time: T - 60 * SECOND });
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(await rowsOf(client)).toEqual(backendRows(client));
      const { pull } = client.wire.calls;
      await caughtUpAfter(client, () => client.wire.gap());
      expect(client.wire.calls.pull - pull, 'once is enough').toBeLessThan(4);
    });

    test('does not ask for what it knows: keys that the client has are not fetched', async () => {
      fakeTimers();
      const client = await openLive({ backend: backendWith({ a: { n: 1 }, b: { n: 1 } }), deletes: 'none' });
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(client.wire.calls.keys).toBe(1);
      expect(client.wire.calls.fetch).toBe(0);
    });

    test('waits while there is nobody to ask', async () => {
      fakeTimers();
      const client = await openLive({ deletes: 'none' });
      await client.sync.pause();
      const { keys, pull } = client.wire.calls;
      await vi.advanceTimersByTimeAsync(AUDIT * 3);
      expect({ keys: client.wire.calls.keys, pull: client.wire.calls.pull }).toEqual({ keys, pull });
      client.sync.resume();
      await vi.advanceTimersByTimeAsync(0);
      await until(() => client.sync.status.phase === 'live');
      await live(client);
      const again = client.wire.calls.keys;
      await vi.advanceTimersByTimeAsync(AUDIT);
      await settle();
      expect(client.wire.calls.keys).toBe(again + 1);
    });
  });
});

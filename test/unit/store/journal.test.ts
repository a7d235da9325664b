import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { createJournal, type Journal } from '../../../src/store/journal.js';
import type { LocalStore, StoreWrite } from '../../../src/store/store.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  // Whatever a test did, the journal may leave no timer behind once it is closed.
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const put = (id: string, value: unknown = id): StoreWrite => ({ table: 'rows', key: ['todos', id], value });
const cursor = (value: number): StoreWrite => ({ table: 'meta', key: ['todos', 'cursor'], value });
const brief = ({ key, value }: StoreWrite) => `${key[1]}=${value}`;

/** Microtasks, and nothing else, until none is left. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

type Outcome = 'pending' | 'resolved' | SyncLayerError;

/** What has become of a promise so far. */
function watch(promise: Promise<void>): { outcome: Outcome } {
  const seen: { outcome: Outcome } = { outcome: 'pending' };
  promise.then(
    () => (seen.outcome = 'resolved'),
    (error) => (seen.outcome = error),
  );
  return seen;
}

/** A store whose commits wait until the test lets them succeed or fail. */
function heldStore() {
  const calls: { writes: string[]; succeed(): Promise<void>; fail(error: unknown): Promise<void> }[] = [];
  const stored = new Map<string, unknown>();
  let inFlight = 0;
  const store: LocalStore = {
    name: 'held',
    async open() {},
    async *read() {},
    commit(writes) {
      if (++inFlight > 1) throw new Error('Two commits at once');
      let end = { resolve: () => {}, reject: (_error: unknown) => {} };
      const done = new Promise<void>((resolve, reject) => {
        end = { resolve, reject };
      });
      calls.push({
        writes: writes.map(brief),
        succeed() {
          for (const { key, value } of writes) stored.set(key[1], value);
          inFlight--;
          end.resolve();
          return settle();
        },
        fail(error) {
          inFlight--;
          end.reject(error);
          return settle();
        },
      });
      return done;
    },
    async clear() {
      stored.clear();
    },
    async close() {},
  };
  return {
    store,
    stored,
    calls,
    /** The commit that waits now. */
    get now() {
      const call = calls.at(-1);
      if (call === undefined) throw new Error('No commit has been made');
      return call;
    },
  };
}

/** A store that commits at once, or fails as long as `broken` is set. */
function quickStore() {
  const commits: StoreWrite[][] = [];
  const quick = { commits, broken: false, cleared: 0, store: {} as LocalStore };
  quick.store = {
    name: 'quick',
    async open() {},
    async *read() {},
    async commit(writes) {
      if (quick.broken) throw diskFull();
      commits.push([...writes]);
    },
    async clear() {
      quick.cleared++;
    },
    async close() {},
  };
  return quick;
}

const diskFull = () => new SyncLayerError('STORE_FAILED', 'The disk is full. Free some space.');
const quiet = { onError: () => {} };

describe('grouping', () => {
  test('the writes of one synchronous burst share a commit, made in a microtask', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    for (let i = 0; i < 100; i++) journal.append([put(`${i}`)]);
    expect(quick.commits).toHaveLength(0);
    expect(journal.pending).toBe(100);
    await Promise.resolve();
    expect(quick.commits.map((commit) => commit.length)).toEqual([100]);
    await journal.flushed();
    expect(journal.pending).toBe(0);
    await journal.close();
  });

  test('one commit at a time: what comes meanwhile shares the next one', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    journal.append([put('1')]);
    await settle();
    for (const id of ['2', '3', '4']) {
      journal.append([put(id)]);
      await settle();
    }
    expect(held.calls).toHaveLength(1);
    expect(journal.pending).toBe(4);
    await held.now.succeed();
    expect(held.calls.map(({ writes }) => writes)).toEqual([['1=1'], ['2=2', '3=3', '4=4']]);
    expect(journal.pending).toBe(3);
    await held.now.succeed();
    expect(held.calls).toHaveLength(2);
    await journal.close();
  });

  test('a later write of the same key replaces the earlier one, but never one that is in flight', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    journal.append([put('a', 1), put('b', 1)]);
    journal.append([put('a', 2)]);
    await settle();
    expect(held.now.writes).toEqual(['a=2', 'b=1']);
    journal.append([put('a', 3)]);
    journal.append([{ ...put('a'), value: undefined }]);
    await held.now.succeed();
    expect(held.now.writes).toEqual(['a=undefined']);
    await held.now.succeed();
    await journal.close();
  });

  test('keys that look alike are different keys', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    const keys = [
      ['', 'abc'],
      ['a', 'bc'],
      ['ab', 'c'],
      ['1:a', 'b'],
      ['', '1:ab'],
      ['abcdefghijkl', ''],
      ['', '2:abcdefghijkl'],
    ] as const;
    const writes = (['rows', 'outbox', 'meta'] as const).flatMap((table) =>
      keys.map((key): StoreWrite => ({ table, key, value: 1 })),
    );
    journal.append(writes);
    await journal.flushed();
    expect(quick.commits).toEqual([writes]);
    await journal.close();
  });

  test('an append of nothing makes no commit', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    journal.append([]);
    await journal.flushed();
    expect(quick.commits).toEqual([]);
    await journal.close();
  });
});

describe('large batches', () => {
  const many = (from: number, count: number) => Array.from({ length: count }, (_, i) => put(`${from + i}`));

  test('are cut, in order, between appends', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    for (let i = 0; i < 10; i++) journal.append([...many(i * 600, 599), cursor(i)]);
    await journal.flushed();
    expect(quick.commits.length).toBeGreaterThan(2);
    expect(Math.max(...quick.commits.map(({ length }) => length))).toBeLessThanOrEqual(2_000);
    const ids = quick.commits.flat().filter(({ table }) => table === 'rows');
    expect(ids.map(({ key }) => Number(key[1]))).toEqual(
      Array.from({ length: 10 }, (_, i) => many(i * 600, 599))
        .flat()
        .map(({ key }) => Number(key[1])),
    );
    // Each commit ends where an append ended: its cursor says how far its rows go.
    for (const commit of quick.commits) {
      const reached = commit.find(({ table }) => table === 'meta')?.value as number;
      const last = Math.max(...commit.filter(({ table }) => table === 'rows').map(({ key }) => Number(key[1])));
      expect(last).toBe(reached * 600 + 598);
    }
    await journal.close();
  });

  test('one append is never cut, however large', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    journal.append([put('before')]);
    journal.append(many(0, 30_000));
    journal.append([put('after')]);
    await journal.flushed();
    expect(quick.commits.map(({ length }) => length)).toEqual([1, 30_000, 1]);
    await journal.close();
  });

  test('a row rewritten after a cut stays in its first commit too, beside its cursor', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    journal.append([cursor(1), put('row', 'old'), ...many(0, 1_990)]);
    journal.append([put('row', 'new'), ...many(5_000, 100)]);
    await settle();
    expect(held.now.writes).toContain('row=old');
    expect(held.now.writes).toContain('cursor=1');
    await held.now.succeed();
    expect(held.now.writes).toContain('row=new');
    await held.now.succeed();
    await journal.close();
  });
});

describe('flushed', () => {
  test('waits for all that was appended before it, and for nothing after it', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    const idle = watch(journal.flushed());
    journal.append([put('1')]);
    const first = watch(journal.flushed());
    await settle();
    journal.append([put('2')]);
    const second = watch(journal.flushed());
    expect([idle.outcome, first.outcome, second.outcome]).toEqual(['resolved', 'pending', 'pending']);
    await held.now.succeed();
    expect([first.outcome, second.outcome]).toEqual(['resolved', 'pending']);
    await held.now.succeed();
    expect(second.outcome).toBe('resolved');
    await journal.close();
  });

  test('rejects when its commit fails, and when one before it does', async () => {
    const held = heldStore();
    const errors: SyncLayerError[] = [];
    const journal = createJournal(held.store, { onError: (error) => errors.push(error) });
    journal.append([put('1')]);
    const first = watch(journal.flushed());
    await settle();
    journal.append([put('2')]);
    const second = watch(journal.flushed());
    const error = diskFull();
    await held.now.fail(error);
    expect([first.outcome, second.outcome]).toEqual([error, error]);
    expect(errors).toEqual([error]);
    expect(journal.pending).toBe(2);

    const third = watch(journal.flushed());
    await settle();
    await held.now.succeed();
    await held.now.succeed();
    expect(third.outcome).toBe('resolved');
    await journal.close();
  });

  test('turns whatever a store throws into STORE_FAILED, also when it throws at once', async () => {
    const store: LocalStore = {
      ...quickStore().store,
      commit() {
        throw new TypeError('boom');
      },
    };
    const journal = createJournal(store, quiet);
    journal.append([put('1')]);
    await expect(journal.flushed()).rejects.toMatchObject({ code: 'STORE_FAILED', cause: { message: 'boom' } });
    await expect(journal.close()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('after a failed commit', () => {
  test('the writes go again with the next append, first and in order', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    journal.append([put('1'), put('2', 'old')]);
    await settle();
    journal.append([put('3')]);
    await held.now.fail(diskFull());
    journal.append([put('2', 'new')]);
    await settle();
    // As one commit: however long the store fails, no key waits twice.
    expect(held.now.writes).toEqual(['1=1', '2=new', '3=3']);
    await held.now.succeed();
    expect([...held.stored]).toEqual([
      ['1', '1'],
      ['2', 'new'],
      ['3', '3'],
    ]);
    expect(vi.getTimerCount()).toBe(0);
    await journal.close();
  });

  test('they go again by themselves after 1 s, 2 s, 4 s ... 30 s, until they are durable', async () => {
    const held = heldStore();
    const errors: SyncLayerError[] = [];
    const journal = createJournal(held.store, { onError: (error) => errors.push(error) });
    journal.append([put('1')]);
    await settle();
    for (const delay of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      const tries = held.calls.length;
      await held.now.fail(diskFull());
      await vi.advanceTimersByTimeAsync(delay - 1);
      expect(held.calls).toHaveLength(tries);
      await vi.advanceTimersByTimeAsync(1);
      expect(held.calls).toHaveLength(tries + 1);
    }
    // One outage is one error.
    expect(errors).toHaveLength(1);
    await held.now.succeed();
    expect(held.stored.get('1')).toBe('1');
    expect(vi.getTimerCount()).toBe(0);

    // A success starts the delays over.
    journal.append([put('2')]);
    await settle();
    await held.now.fail(diskFull());
    expect(errors).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    await held.now.succeed();
    expect(held.stored.get('2')).toBe('2');
    await journal.close();
  });

  test('retryDelay decides how long', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, { onError: () => {}, retryDelay: (failures) => failures * 10 });
    journal.append([put('1')]);
    await settle();
    await held.now.fail(diskFull());
    await vi.advanceTimersByTimeAsync(10);
    await held.now.fail(diskFull());
    await vi.advanceTimersByTimeAsync(19);
    expect(held.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(held.calls).toHaveLength(3);
    await held.now.succeed();
    await journal.close();
  });
});

describe('a store that does not answer', () => {
  test('fails who waits after 20 s, is reported once, and is asked nothing else until it answers', async () => {
    const held = heldStore();
    const errors: SyncLayerError[] = [];
    const journal = createJournal(held.store, { onError: (error) => errors.push(error) });
    journal.append([put('1')]);
    const first = watch(journal.flushed());
    await vi.advanceTimersByTimeAsync(19_999);
    expect(first.outcome).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(first.outcome).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('20 s') });
    // From now on nobody waits for as long again.
    journal.append([put('2')]);
    await expect(journal.flushed()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await vi.advanceTimersByTimeAsync(600_000);
    expect(held.calls).toHaveLength(1);
    expect(errors).toHaveLength(1);

    await held.now.succeed();
    const second = watch(journal.flushed());
    await settle();
    await held.now.succeed();
    expect(second.outcome).toBe('resolved');
    expect([...held.stored.keys()]).toEqual(['1', '2']);
    await journal.close();
  });

  test('keeps neither close() nor clear() waiting', async () => {
    for (const ask of ['close', 'clear'] as const) {
      const held = heldStore();
      const journal = createJournal(held.store, quiet);
      journal.append([put('1')]);
      await settle();
      const asked = watch(journal[ask]());
      await vi.advanceTimersByTimeAsync(20_000);
      expect(asked.outcome).toMatchObject({ code: 'STORE_FAILED' });
      await expect(journal[ask]()).rejects.toMatchObject({ code: 'STORE_FAILED' });
      // What comes of it later is the end of it: after close() nothing more is written.
      journal.pending === 1 || expect.unreachable();
      await held.now.succeed();
      expect(held.calls).toHaveLength(1);
      await journal.close().catch(() => undefined);
    }
  });

  test('fails a clear() whose own wipe is not answered', async () => {
    const journal = createJournal({ ...quickStore().store, clear: () => new Promise(() => undefined) }, quiet);
    const cleared = watch(journal.clear());
    await vi.advanceTimersByTimeAsync(20_000);
    expect(cleared.outcome).toMatchObject({ code: 'STORE_FAILED' });
    await expect(journal.close()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('a store that came back empty', () => {
  const emptied = () => new SyncLayerError('STORE_FAILED', 'It was deleted.', { details: { emptied: true } });

  test('gets everything, in the order given, and then what came meanwhile; that is one error', async () => {
    const held = heldStore();
    const errors: SyncLayerError[] = [];
    const many = Array.from({ length: 2_500 }, (_, n) => put(`${n}`));
    const all = [...many, cursor(7)];
    const everything = async () => () => all;
    const journal = createJournal(held.store, { onError: (error) => errors.push(error), everything });
    journal.append([put('a part', 'that would pass for the whole')]);
    const saved = watch(journal.flushed());
    await settle();
    await held.now.fail(emptied());
    expect(held.now.writes).toHaveLength(2_000);
    journal.append([cursor(8)]);
    await held.now.succeed();
    // Deleted once more, in the middle.
    await held.now.fail(emptied());
    expect(held.now.writes).toHaveLength(2_000);
    await held.now.succeed();
    expect(held.now.writes.at(-1)).toBe('cursor=7');
    expect(saved.outcome).toBe('pending');
    await held.now.succeed();
    expect(saved.outcome).toBe('resolved');
    // One for each time that it was deleted.
    expect(errors).toHaveLength(2);
    await journal.close();
  });

  test('is not given a part while the rest cannot be had', async () => {
    const held = heldStore();
    let loads = false;
    const everything = async () => {
      if (!loads) throw new Error('offline');
      return () => [put('all')];
    };
    const journal = createJournal(held.store, { ...quiet, everything });
    journal.append([put('a part')]);
    const saved = watch(journal.flushed());
    await settle();
    await held.now.fail(emptied());
    expect(saved.outcome).toMatchObject({ code: 'STORE_FAILED' });
    loads = true;
    await vi.advanceTimersByTimeAsync(4_000);
    expect(held.now.writes).toEqual(['all=all']);
    await held.now.succeed();
    await journal.close();
  });
});

describe('bad values', () => {
  test('are refused at append, before they can block what comes after them', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    expect(() => journal.append([put('1'), put('2', { at: { when: new Date() } })])).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED', message: expect.stringContaining('["todos","2"].at.when') }),
    );
    expect(journal.pending).toBe(0);
    journal.append([put('3')]);
    await journal.flushed();
    expect(quick.commits.map((commit) => commit.map(brief))).toEqual([['3=3']]);
    await journal.close();
  });
});

describe('clear', () => {
  test('takes what is pending along, so that nothing comes back', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    quick.broken = true;
    journal.append([put('secret')]);
    await expect(journal.flushed()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    quick.broken = false;
    await journal.clear();
    expect([quick.cleared, journal.pending, vi.getTimerCount()]).toEqual([1, 0, 0]);
    journal.append([put('new')]);
    await journal.flushed();
    expect(quick.commits.map((commit) => commit.map(brief))).toEqual([['new=new']]);
    await journal.close();
  });

  test('waits for the commit in flight, and holds back what is appended meanwhile', async () => {
    const held = heldStore();
    const order: string[] = [];
    let finishClear = () => {};
    const store: LocalStore = {
      ...held.store,
      commit: (writes) => {
        order.push(`commit ${writes.map(brief)}`);
        return held.store.commit(writes);
      },
      clear: () => {
        order.push('clear');
        return new Promise((resolve) => {
          finishClear = resolve;
        });
      },
    };
    const journal = createJournal(store, quiet);
    journal.append([put('1')]);
    await settle();
    const cleared = watch(journal.clear());
    const clearedTwice = watch(journal.clear());
    await settle();
    expect(order).toEqual(['commit 1=1']);
    await held.now.succeed();
    journal.append([put('2')]);
    const flushed = watch(journal.flushed());
    await settle();
    expect(order).toEqual(['commit 1=1', 'clear']);
    finishClear();
    await settle();
    expect(cleared.outcome).toBe('resolved');
    expect(order).toEqual(['commit 1=1', 'clear', 'commit 2=2']);
    await held.now.succeed();
    expect(flushed.outcome).toBe('resolved');
    finishClear();
    await settle();
    expect(clearedTwice.outcome).toBe('resolved');
    await journal.close();
  });

  test('that fails says so, and is tried again before anything else is written', async () => {
    const quick = quickStore();
    let failures = 2;
    const clear = async () => {
      if (failures-- > 0) throw diskFull();
      await quick.store.clear();
    };
    const journal = createJournal({ ...quick.store, clear }, quiet);
    await expect(journal.clear()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    journal.append([put('1')]);
    await expect(journal.flushed()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(quick.commits).toHaveLength(0);
    await journal.flushed();
    expect(quick.cleared).toBe(1);
    expect(quick.commits).toHaveLength(1);
    await journal.close();
  });
});

describe('close', () => {
  test('commits what is pending, then refuses more', async () => {
    const held = heldStore();
    const journal = createJournal(held.store, quiet);
    journal.append([put('1')]);
    await settle();
    journal.append([put('2')]);
    const closed = watch(journal.close());
    expect(() => journal.append([put('3')])).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    await expect(journal.clear()).rejects.toMatchObject({ code: 'CLOSED' });
    await settle();
    expect(closed.outcome).toBe('pending');
    await held.now.succeed();
    expect(closed.outcome).toBe('pending');
    await held.now.succeed();
    expect(closed.outcome).toBe('resolved');
    expect([...held.stored.keys()]).toEqual(['1', '2']);
    expect(held.calls).toHaveLength(2);
  });

  test('tries a commit that has failed once more, whether it waits for its timer or is in flight', async () => {
    for (const when of ['waiting', 'in flight']) {
      const held = heldStore();
      const journal = createJournal(held.store, quiet);
      journal.append([put('1')]);
      await settle();
      if (when === 'waiting') await held.now.fail(diskFull());
      const closed = watch(journal.close());
      if (when === 'in flight') await held.now.fail(diskFull());
      await settle();
      expect(held.calls).toHaveLength(2);
      await held.now.succeed();
      expect([when, closed.outcome]).toEqual([when, 'resolved']);
      expect(held.stored.get('1')).toBe('1');
    }
  });

  test('rejects if its last try failed, and is final', async () => {
    const quick = quickStore();
    const journal = createJournal(quick.store, quiet);
    quick.broken = true;
    journal.append([put('1')]);
    await expect(journal.close()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(journal.close()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    quick.broken = false;
    await expect(journal.flushed()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(quick.commits).toEqual([]);
    expect(journal.pending).toBe(1);
  });

  test('of an idle journal resolves, however often', async () => {
    const quick = quickStore();
    const journal: Journal = createJournal(quick.store, quiet);
    await Promise.all([journal.close(), journal.close()]);
    await journal.flushed();
    expect(quick.commits).toEqual([]);
  });
});

test('whatever happens, the disk only ever holds what some number of whole appends left behind', async () => {
  type Step = { do: 'append'; ids: number[] } | { do: 'succeed' | 'fail' | 'turn' | 'retry' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('append' as const), ids: fc.array(fc.nat(5), { maxLength: 4 }) }),
    },
    fc.record({ do: fc.constantFrom('succeed' as const, 'fail' as const, 'turn' as const, 'retry' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const held = heldStore();
      const journal = createJournal(held.store, quiet);
      // What the disk may look like: the state after each number of appends. `cursor` counts them.
      const states: Record<string, unknown>[] = [{}];
      let settled = 0;
      let reached = 0;
      const check = () => {
        const disk = Object.fromEntries(held.stored);
        const appends = (disk.cursor as number | undefined) ?? 0;
        expect(disk).toEqual(states[appends]);
        expect(appends).toBeGreaterThanOrEqual(reached);
        reached = appends;
      };
      const answer = async (how: 'succeed' | 'fail') => {
        if (settled === held.calls.length) return;
        settled = held.calls.length;
        await (how === 'succeed' ? held.now.succeed() : held.now.fail(diskFull()));
        check();
      };
      for (const next of steps) {
        if (next.do === 'append') {
          const n = states.length;
          journal.append([cursor(n), ...next.ids.map((id) => put(`${id}`, n))]);
          states.push({ ...states.at(-1), cursor: n, ...Object.fromEntries(next.ids.map((id) => [`${id}`, n])) });
        } else if (next.do === 'turn') await settle();
        else if (next.do !== 'retry') await answer(next.do);
        else {
          await settle();
          // The only other timer is that of a commit which is never answered.
          if (settled === held.calls.length) await vi.advanceTimersToNextTimerAsync();
        }
      }
      const closed = watch(journal.close());
      for (let i = 0; i < 4; i++) {
        await settle();
        await answer('succeed');
      }
      expect(closed.outcome).toBe('resolved');
      expect(Object.fromEntries(held.stored)).toEqual(states.at(-1));
    }),
    { numRuns: 300 },
  );
});

import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { createLiveQuery } from '../../../src/query/live-query.js';
import type { QuerySpec } from '../../../src/query/types.js';
import { createMemorySource } from './memory-source.js';

const todo = (id: string, at: number, done = false): Row => ({ id, at, done, tags: ['a'] });
const open: QuerySpec = {
  conditions: [{ path: 'done', operator: '==', value: false }],
  order: [{ path: 'at', direction: 'desc' }],
  limit: 2,
  offset: 0,
};
const all: QuerySpec = { conditions: [], order: [], offset: 0 };

async function watch(memory: ReturnType<typeof createMemorySource>, spec: QuerySpec) {
  const results: { ids: unknown[]; rows: readonly Row[]; loading: boolean }[] = [];
  const stop = createLiveQuery(memory.source, spec, (rows, { loading }) => {
    results.push({ ids: rows.map((row) => row.id), rows, loading });
  });
  await Promise.resolve();
  return { results, stop, last: () => results.at(-1)?.ids };
}

const five = () => createMemorySource([1, 2, 3, 4, 5].map((at) => todo(`t${at}`, at)));

describe('the first notification', () => {
  test('comes in a microtask, so that the callback may stop the query', async () => {
    const memory = five();
    let calls = 0;
    const stop = createLiveQuery(memory.source, all, () => {
      calls++;
      stop();
    });
    expect(calls).toBe(0);
    await Promise.resolve();
    expect(calls).toBe(1);
    expect(memory.listeners()).toBe(0);
  });

  test('tells what came before it, once', async () => {
    const memory = createMemorySource();
    const results: unknown[] = [];
    createLiveQuery(memory.source, all, (rows) => results.push(rows.length));
    memory.commit(['a', todo('a', 1)]);
    memory.commit(['b', todo('b', 2)]);
    expect(results).toEqual([]);
    await Promise.resolve();
    expect(results).toEqual([2]);
  });

  test.each(['stop', 'close'])('does not come after %s', async (end) => {
    const memory = five();
    let calls = 0;
    const stop = createLiveQuery(memory.source, all, () => calls++);
    if (end === 'stop') stop();
    else memory.close();
    await Promise.resolve();
    expect(calls).toBe(0);
  });
});

describe('loading', () => {
  test('tells an empty result from one that is on its way', async () => {
    const memory = createMemorySource([], { ready: false });
    const { results } = await watch(memory, open);
    expect(results).toMatchObject([{ ids: [], loading: true }]);
    memory.becomeReady();
    expect(results).toMatchObject([{ loading: true }, { ids: [], loading: false }]);
    memory.becomeReady();
    expect(results).toHaveLength(2);
  });

  test('ends together with the batch that ended it', async () => {
    const memory = createMemorySource([], { ready: false });
    const { results } = await watch(memory, open);
    const after = todo('a', 1);
    (memory.source.rows as Map<string, Row>).set('a', after);
    memory.becomeReady([{ id: 'a', before: undefined, after }]);
    expect(results).toMatchObject([{ loading: true }, { ids: ['a'], loading: false }]);
  });
});

describe('one notification per batch, and none when nothing shows', () => {
  test('a batch of many changes', async () => {
    const memory = five();
    const { results, last } = await watch(memory, open);
    expect(last()).toEqual(['t5', 't4']);
    memory.commit(['t6', todo('t6', 6)], ['t7', todo('t7', 7)], ['t5', undefined], ['t1', todo('t1', 1, true)]);
    expect(results).toHaveLength(2);
    expect(last()).toEqual(['t7', 't6']);
  });

  test.each<[string, [string, Row | undefined][]]>([
    ['an insert below the window', [['t0', todo('t0', 0)]]],
    ['a deletion below the window', [['t1', undefined]]],
    ['an update below the window', [['t1', { ...todo('t1', 1), text: 'new' }]]],
    ['a move below the window', [['t1', todo('t1', 2.5)]]],
    ['a row below the window that no longer matches', [['t2', todo('t2', 2, true)]]],
    ['a row that never matched', [['t9', todo('t9', 9, true)]]],
    ['an equal copy of a row that shows', [['t5', todo('t5', 5)]]],
    [
      'changes that cancel each other out',
      [
        ['t9', todo('t9', 9)],
        ['t9', undefined],
      ],
    ],
    ['nothing', []],
  ])('%s', async (_, changes) => {
    const memory = five();
    const { results } = await watch(memory, open);
    memory.commit(...changes);
    expect(results).toHaveLength(1);
  });

  test.each<[string, [string, Row | undefined][], string[]]>([
    ['an insert into the window', [['t9', todo('t9', 4.5)]], ['t5', 't9']],
    ['a deletion from it', [['t5', undefined]], ['t4', 't3']],
    ['a content change in it', [['t4', { ...todo('t4', 4), text: 'new' }]], ['t5', 't4']],
    ['a move into it', [['t1', todo('t1', 9)]], ['t1', 't5']],
    ['a move out of it', [['t5', todo('t5', 0)]], ['t4', 't3']],
    ['a move within it', [['t5', todo('t5', 3.5)]], ['t4', 't5']],
    ['a row in it that no longer matches', [['t4', todo('t4', 4, true)]], ['t5', 't3']],
  ])('told: %s', async (_, changes, ids) => {
    const memory = five();
    const { results, last } = await watch(memory, open);
    memory.commit(...changes);
    expect(results).toHaveLength(2);
    expect(last()).toEqual(ids);
  });

  test('with an offset', async () => {
    const memory = five();
    const { results, last } = await watch(memory, { ...open, offset: 2 });
    expect(last()).toEqual(['t3', 't2']);
    memory.commit(['t5', { ...todo('t5', 5), text: 'above the window' }]);
    memory.commit(['t0', todo('t0', 0)]);
    expect(results).toHaveLength(1);
    memory.commit(['t4', undefined]);
    expect(last()).toEqual(['t2', 't1']);
    memory.commit(['t9', todo('t9', 9)]);
    expect(last()).toEqual(['t3', 't2']);
  });

  test('limit 0 shows nothing and is never told again', async () => {
    const memory = five();
    const { results } = await watch(memory, { ...open, limit: 0 });
    memory.commit(['t9', todo('t9', 9)]);
    expect(results).toMatchObject([{ ids: [] }]);
  });
});

describe('results', () => {
  test('are new arrays; rows that did not change are the same objects', async () => {
    const memory = five();
    const { results } = await watch(memory, { ...open, limit: 4 });
    memory.commit(['t3', { ...todo('t3', 3), text: 'new' }]);
    const [before, after] = results.map(({ rows }) => rows) as [Row[], Row[]];
    expect(after).not.toBe(before);
    expect(after.map((row, index) => row === before[index])).toEqual([true, true, false, true]);
    expect(after[2]).toBe(memory.source.rows.get('t3'));
  });

  test('keep a row that came back equal, also when others change', async () => {
    const memory = five();
    const { results } = await watch(memory, open);
    memory.commit(['t5', { tags: ['a'], done: false, at: 5, id: 't5' }], ['t4', todo('t4', 4.5)]);
    expect(results[1]?.rows[0]).toBe(results[0]?.rows[0]);
    // The list holds the older copy now; the next change of the row must still find it.
    memory.commit(['t5', undefined]);
    expect(results.at(-1)?.ids).toEqual(['t4', 't3']);
  });

  test('may be changed by the receiver', async () => {
    const memory = five();
    const { results, last } = await watch(memory, open);
    const [first] = results.map(({ rows }) => rows as Row[]);
    first?.reverse();
    memory.commit(['t9', todo('t9', 9)]);
    expect(last()).toEqual(['t9', 't5']);
    memory.commit(['t9', undefined]);
    expect(last()).toEqual(['t5', 't4']);
  });

  test('freeze the rows that show, deeply, and no others', async () => {
    const memory = five();
    await watch(memory, open);
    const frozen = [...memory.source.rows.values()].map((row) => Object.isFrozen(row) && Object.isFrozen(row.tags));
    expect(frozen).toEqual([false, false, false, true, true]);
    memory.commit(['t5', undefined]);
    expect(Object.isFrozen(memory.source.rows.get('t3'))).toBe(true);
  });
});

describe('without an order', () => {
  test('rows stand as they were first seen: an update keeps the place, a deletion gives it up', async () => {
    const memory = five();
    const { last } = await watch(memory, all);
    memory.commit(['t2', todo('t2', 99)], ['t0', todo('t0', 0)]);
    expect(last()).toEqual(['t1', 't2', 't3', 't4', 't5', 't0']);
    memory.commit(['t1', undefined], ['t3', undefined]);
    memory.commit(['t3', todo('t3', 3)]);
    expect(last()).toEqual(['t2', 't4', 't5', 't0', 't3']);
  });

  test('a row that comes to match takes the place of its arrival', async () => {
    const memory = createMemorySource([todo('a', 1), todo('b', 1, true), todo('c', 1)]);
    const { last } = await watch(memory, { ...all, conditions: open.conditions });
    expect(last()).toEqual(['a', 'c']);
    memory.commit(['d', todo('d', 1, true)], ['e', todo('e', 1)]);
    memory.commit(['d', todo('d', 1)], ['b', todo('b', 1)]);
    expect(last()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

test('a batch that is told twice, or was in the rows already, does no harm', async () => {
  for (const spec of [all, open]) {
    const memory = five();
    const deltas = memory.commit(
      ['t5', todo('t5', 4.5)],
      ['t9', todo('t9', 9)],
      ['t4', undefined],
      ['t9', todo('t9', 8)],
    );
    const { last } = await watch(memory, spec);
    const before = last();
    memory.tell(deltas);
    expect(last()).toEqual(before);
    memory.commit(['t9', undefined]);
    expect(last()).not.toContain('t9');
  }
});

describe('errors of the callback', () => {
  test('go to onError, and neither the query nor the others stop', async () => {
    const memory = five();
    const errors: unknown[] = [];
    const boom = new Error('boom');
    let calls = 0;
    createLiveQuery(
      memory.source,
      all,
      () => {
        calls++;
        throw boom;
      },
      (error) => errors.push(error),
    );
    const { results } = await watch(memory, all);
    memory.commit(['t9', todo('t9', 9)]);
    expect(errors).toEqual([boom, boom]);
    expect(calls).toBe(2);
    expect(results).toHaveLength(2);
  });

  test('are uncaught errors without onError', async () => {
    const memory = five();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
      const boom = new Error('boom');
      createLiveQuery(memory.source, all, () => {
        throw boom;
      });
      const { results } = await watch(memory, all);
      expect(await uncaught).toBe(boom);
      expect(results).toHaveLength(1);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});

test('stop is final, and may be called again', async () => {
  const memory = five();
  const { results, stop } = await watch(memory, all);
  stop();
  stop();
  memory.commit(['t9', todo('t9', 9)]);
  expect(results).toHaveLength(1);
  expect(memory.listeners()).toBe(0);
});

test('a change that the callback makes is told in its turn', async () => {
  const memory = five();
  const seen: number[] = [];
  createLiveQuery(memory.source, all, (rows) => {
    seen.push(rows.length);
    const id = `n${rows.length}`;
    if (rows.length < 8) memory.commit([id, todo(id, 1)]);
  });
  await Promise.resolve();
  expect(seen).toEqual([5, 6, 7, 8]);
});

import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { createQuery } from '../../../src/query/query.js';
import { createMemorySource } from './memory-source.js';

const row = (id: string): Row => ({ id });
const ids = (rows: readonly Row[] | undefined) => rows?.map(({ id }) => id).join('');
const setup = (initial = ['a'], options: { ready?: boolean } = {}) => {
  const memory = createMemorySource(initial.map(row), options);
  const iterable = createQuery(memory.source).watch();
  return {
    ...memory,
    iterable,
    iterator: iterable[Symbol.asyncIterator](),
    add: (id: string) => memory.commit([id, row(id)]),
  };
};
const end = { done: true, value: undefined };

describe('for await over a query', () => {
  test('gives each result; break unsubscribes', async () => {
    const { iterable, add, listeners } = setup();
    const seen: unknown[] = [];
    for await (const rows of iterable) {
      seen.push(ids(rows));
      expect(listeners()).toBe(1);
      if (rows.length === 3) break;
      add(String(rows.length));
    }
    expect(seen).toEqual(['a', 'a1', 'a12']);
    expect(listeners()).toBe(0);
  });

  test('a throw in the loop unsubscribes', async () => {
    const { iterable, listeners } = setup();
    const loop = async () => {
      for await (const _ of iterable) throw new Error('mine');
    };
    await expect(loop()).rejects.toThrow('mine');
    expect(listeners()).toBe(0);
  });

  test('a slow loop gets the newest result, not a backlog', async () => {
    const { iterable, add } = setup();
    const seen: unknown[] = [];
    for await (const rows of iterable) {
      seen.push(ids(rows));
      if (seen.length === 1) for (const id of ['b', 'c', 'd']) add(id);
      else break;
    }
    expect(seen).toEqual(['a', 'abcd']);
  });

  test('two loops over one iterable are independent', async () => {
    const { iterable, add, listeners } = setup();
    const [one, two] = [iterable[Symbol.asyncIterator](), iterable[Symbol.asyncIterator]()];
    expect(ids((await one.next()).value)).toBe('a');
    expect(ids((await two.next()).value)).toBe('a');
    expect(listeners()).toBe(2);
    await one.return?.();
    add('b');
    expect(ids((await two.next()).value)).toBe('ab');
    expect(await one.next()).toEqual(end);
    await two.return?.();
    expect(listeners()).toBe(0);
  });

  test('subscribes only with the first step', async () => {
    const { iterator, listeners } = setup();
    expect(listeners()).toBe(0);
    await iterator.return?.();
    expect(await iterator.next()).toEqual(end);
    expect(listeners()).toBe(0);
  });

  test('return ends a step that is waiting', async () => {
    const { iterator, listeners } = setup();
    await iterator.next();
    const waiting = iterator.next();
    expect(await iterator.return?.()).toEqual(end);
    expect(await waiting).toEqual(end);
    expect(listeners()).toBe(0);
  });

  test('return drops a result that was not taken', async () => {
    const { iterator, add } = setup();
    await iterator.next();
    add('b');
    await iterator.return?.();
    expect(await iterator.next()).toEqual(end);
  });

  test('steps asked for at once are served in order', async () => {
    const { iterator, add } = setup();
    const steps = [iterator.next(), iterator.next(), iterator.next()];
    await steps[0];
    add('b');
    add('c');
    expect((await Promise.all(steps)).map(({ value }) => ids(value))).toEqual(['a', 'ab', 'abc']);
  });
});

describe('loading', () => {
  test('an empty result comes only once it is known to be empty', async () => {
    const { iterator, becomeReady } = setup([], { ready: false });
    const first = iterator.next();
    let settled = false;
    void first.then(() => {
      settled = true;
    });
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect(settled).toBe(false);
    becomeReady();
    expect(await first).toEqual({ done: false, value: [] });
  });

  test('rows that are there already do not wait, and may go again', async () => {
    const { iterator, commit } = setup(['a'], { ready: false });
    expect(ids((await iterator.next()).value)).toBe('a');
    commit(['a', undefined]);
    expect((await iterator.next()).value).toEqual([]);
  });
});

describe('when the collection is closed', () => {
  test('a waiting loop ends', async () => {
    const { iterable, close, listeners } = setup();
    for await (const _ of iterable) queueMicrotask(close);
    expect(listeners()).toBe(0);
  });

  test('the newest result is given first', async () => {
    const { iterator, add, close } = setup();
    await iterator.next();
    add('b');
    close();
    expect(ids((await iterator.next()).value)).toBe('ab');
    expect(await iterator.next()).toEqual(end);
  });

  test('a loop that begins afterwards ends at once', async () => {
    const { iterator, close, listeners } = setup();
    close();
    expect(await iterator.next()).toEqual(end);
    expect(listeners()).toBe(0);
  });

  test('the signal holds no listener of a loop that has ended', async () => {
    const { source } = createMemorySource([row('a')]);
    const signal = source.closed as AbortSignal;
    const held = new Set<unknown>();
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      held.add(args[1]);
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      held.delete(args[1]);
      removeEventListener.apply(signal, args);
    };
    for await (const _ of createQuery(source).watch()) {
      expect(held.size).toBe(1);
      break;
    }
    expect(held.size).toBe(0);
  });
});

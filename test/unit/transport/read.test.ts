import { describe, expect, it } from 'vitest';
import { abort } from '../../../src/base/abort.js';
import type { Change } from '../../../src/base/change.js';
import { completed, type PullOne, readKeys, readPages, readRows } from '../../../src/transport/read.js';
import type { PullPage, RecordKey } from '../../../src/transport/transport.js';

const row = (recordId: string, more: object = {}): Change =>
  ({ type: 'update', collection: 'todos', recordId, version: 1, data: { id: recordId }, ...more }) as Change;
const page = (cursor: number, ...ids: string[]): PullPage => ({ changes: ids.map((id) => row(id)), cursor });
const never = new AbortController().signal;

/** Gives these pages; a page that is missing never comes. */
function backend(...pages: PullPage[]) {
  const asked: [unknown, boolean][] = [];
  const pull: PullOne = (cursor, start) => {
    const next = pages[asked.push([cursor, start]) - 1];
    return next ? Promise.resolve(next) : new Promise(() => undefined);
  };
  return { asked, pull };
}

describe('readPages', () => {
  it('gives every page and the empty one, with the cursor of the page before and the start flag once', async () => {
    const { asked, pull } = backend(page(1, 'a', 'b'), page(2, 'c'), page(3));
    const cursors: unknown[] = [];
    for await (const { cursor } of readPages(pull, 0, never)) cursors.push(cursor);
    expect(cursors).toEqual([1, 2, 3]);
    expect(asked).toEqual([
      [0, true],
      [1, false],
      [2, false],
    ]);
  });

  it('asks for the next page before this one is worked at', async () => {
    const { asked, pull } = backend(page(1, 'a'), page(2));
    await readPages(pull, null, never).next();
    expect(asked).toHaveLength(2);
  });

  it('ends the wait for a page that hangs when it is aborted', async () => {
    const controller = new AbortController();
    const pages = readPages(backend(page(1, 'a')).pull, null, controller.signal);
    await pages.next();
    const hanging = pages.next();
    abort(controller, new Error('stopped'));
    await expect(hanging).rejects.toThrow('stopped');
  });

  it('asks for nothing once it is aborted', async () => {
    const controller = new AbortController();
    controller.abort();
    const { asked, pull } = backend(page(1));
    await expect(readPages(pull, null, controller.signal).next()).rejects.toThrow();
    expect(asked).toEqual([]);
  });
});

describe('readRows', () => {
  it('asks for each id once, in batches', async () => {
    const sizes: number[] = [];
    const fetch = async (ids: readonly string[]) => {
      sizes.push(ids.length);
      return ids.map((id) => row(id));
    };
    const ids = Array.from({ length: 250 }, (_, index) => `r${index}`);
    expect(await readRows(fetch, [...ids, 'r0'], never)).toHaveLength(250);
    expect(sizes).toEqual([100, 100, 50]);
  });

  it('does not wait for a fetch that hangs once it is aborted', async () => {
    const controller = new AbortController();
    const rows = readRows(() => new Promise(() => undefined), ['a'], controller.signal);
    abort(controller, new Error('stopped'));
    await expect(rows).rejects.toThrow('stopped');
  });
});

describe('completed', () => {
  it('replaces partial changes by rows that are read once, and leaves out those that are gone', async () => {
    const asked: (readonly string[])[] = [];
    const read = async (ids: readonly string[]) => {
      asked.push(ids);
      return [row('a', { version: 2 })];
    };
    const partial = [row('a', { partial: true }), row('a', { partial: true }), row('gone', { partial: true })];
    expect(await completed([...partial, row('b')], read)).toEqual([row('b'), row('a', { version: 2 })]);
    expect(asked).toEqual([['a', 'gone']]);
  });
});

describe('readKeys', () => {
  it('gives up a list that hangs when it is aborted, and ends it', async () => {
    let returned = false;
    const list: AsyncIterable<RecordKey[]> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const controller = new AbortController();
    const hanging = readKeys(list, controller.signal).next();
    abort(controller, new Error('stopped'));
    await expect(hanging).rejects.toThrow('stopped');
    expect(returned).toBe(true);
  });
});

import { expect, test } from 'vitest';
import type { Change } from '../../../../src/base/change.js';
import { createLiveBuffer } from '../../../../src/sync/collection/live-buffer.js';

const change = (recordId: string): Change => ({ type: 'delete', collection: 'todos', recordId, version: 1 });

function setUp({ isHeld = false, isEarly = false } = {}) {
  const state = { isHeld, isEarly };
  const batches: string[][] = [];
  let overflows = 0;
  const buffer = createLiveBuffer({
    limit: 3,
    isHeld: () => state.isHeld,
    isEarly: () => state.isEarly,
    flush: () => void batches.push(buffer.take().map(({ recordId }) => recordId)),
    overflowed: () => {
      overflows += 1;
    },
  });
  const add = (...ids: string[]): void => {
    for (const id of ids) buffer.add(change(id));
  };
  return { buffer, state, batches, add, overflows: () => overflows };
}

test('what arrives in one turn is one batch', async () => {
  const { add, batches } = setUp();
  add('a', 'b');
  expect(batches).toEqual([]);
  await null;
  add('c');
  await null;
  expect(batches).toEqual([['a', 'b'], ['c']]);
});

test('during a catch-up it waits, also when that begins in the same turn', async () => {
  const { add, batches, state, buffer } = setUp({ isHeld: true });
  add('a');
  await null;
  state.isHeld = false;
  add('b');
  state.isHeld = true;
  await null;
  expect(batches).toEqual([]);
  expect(buffer.ids()).toEqual(['a', 'b']);
});

test('a buffer that is full is dropped, and says so', async () => {
  const { add, overflows, buffer } = setUp({ isHeld: true });
  add('a', 'b', 'c');
  expect(overflows()).toBe(0);
  add('d');
  expect([overflows(), buffer.ids()]).toEqual([1, []]);
});

test('before it is live, a buffer that is full is applied: the pull is still to come', () => {
  const { add, overflows, batches } = setUp({ isEarly: true });
  add('a', 'b', 'c', 'd');
  expect([overflows(), batches]).toEqual([0, [['a', 'b', 'c', 'd']]]);
});

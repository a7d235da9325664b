import { expect, test } from 'vitest';
import { FIRST_LIMITS } from '../../../src/sync/batch-limits.js';
import type { OutboxEntry } from '../../../src/sync/replica-state.js';
import { type BatchRules, takeBatch } from '../../../src/sync/take-batch.js';

const queueOf = (...ids: string[]): OutboxEntry[] =>
  ids.map((id) => ({ collection: id[0], recordId: id }) as unknown as OutboxEntry);
const idsOf = (entries: readonly OutboxEntry[]): string[] => entries.map(({ recordId }) => recordId);

/** The batches that come of a queue. */
function batches(queue: OutboxEntry[], rules: Partial<BatchRules>): string[][] {
  const all = {
    limits: FIRST_LIMITS,
    sizeOf: () => 100,
    isDoubtful: () => false,
    isApart: () => false,
    ...rules,
  };
  const taken: string[][] = [];
  while (queue.length > 0) taken.push(idsOf(takeBatch(queue, all).entries));
  return taken;
}

test('as many as may go, in their order, whatever their collection', () => {
  const limits = { ...FIRST_LIMITS, edits: 2 };
  expect(batches(queueOf('a1', 'b1', 'a2'), { limits })).toEqual([['a1', 'b1'], ['a2']]);
  expect(batches(queueOf('a1', 'b1', 'a2'), { limits: { ...FIRST_LIMITS, bytes: 250 } })).toEqual([
    ['a1', 'b1'],
    ['a2'],
  ]);
});

test('one edit may always go, and none is passed over for a smaller one', () => {
  const sizeOf = ({ recordId }: OutboxEntry): number => (recordId === 'a2' ? 1000 : 100);
  expect(batches(queueOf('a1', 'a2', 'a3'), { limits: { ...FIRST_LIMITS, bytes: 250 }, sizeOf })).toEqual([
    ['a1'],
    ['a2'],
    ['a3'],
  ]);
});

test('doubtful ones go with their like', () => {
  const isDoubtful = ({ recordId }: OutboxEntry): boolean => recordId.endsWith('!');
  expect(batches(queueOf('a1', 'b2', 'a3!', 'b4!'), { isDoubtful })).toEqual([
    ['a1', 'b2'],
    ['a3!', 'b4!'],
  ]);
});

test('edits of a collection that may be locked go with no others', () => {
  const queue = () => queueOf('a1', 'b1', 'c1', 'a2', 'c2', 'b2');
  expect(batches(queue(), { isApart: (name) => name === 'b' })).toEqual([
    ['a1', 'c1', 'a2', 'c2'],
    ['b1', 'b2'],
  ]);
  expect(batches(queue(), { isApart: () => true })).toEqual([
    ['a1', 'a2'],
    ['b1', 'b2'],
    ['c1', 'c2'],
  ]);
});

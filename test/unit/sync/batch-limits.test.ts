import { describe, expect, test } from 'vitest';
import {
  afterAnswer,
  afterSilence,
  afterTooLarge,
  afterUnclear,
  type BatchLimits,
  FIRST_LIMITS,
  halved,
  sizeOf,
} from '../../../src/sync/batch-limits.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';

const limits = (change: Partial<BatchLimits> = {}): BatchLimits => ({ ...FIRST_LIMITS, ...change });
const sent = (bytes: number, ms: number, edits = 100) => ({ bytes, ms, edits });

describe('the size of the next batch', () => {
  test('a full batch that is answered quickly lets the next one be twice as large, up to what the backend takes', () => {
    expect(afterAnswer(limits(), sent(60_000, 200)).bytes).toBe(131_072);
    expect(afterAnswer(limits({ ceiling: 70_000 }), sent(60_000, 200)).bytes).toBe(70_000);
  });

  test('a small batch says nothing of what a large one takes', () => {
    expect(afterAnswer(limits(), sent(500, 10)).bytes).toBe(65_536);
    expect(afterAnswer(limits(), sent(500, 9000)).bytes).toBe(65_536);
  });

  test('a batch that took long makes the next one take two seconds', () => {
    expect(afterAnswer(limits(), sent(64_000, 8000)).bytes).toBe(16_000);
    expect(afterAnswer(limits(), sent(64_000, 100_000)).bytes, 'but not nothing').toBe(8192);
  });

  test('no answer: half of it, and slow growth from there; a link that was not there says nothing', () => {
    const after = afterSilence(limits(), sent(64_000, 15_000));
    expect(after).toMatchObject({ bytes: 32_000, growth: 1.1 });
    const next = afterAnswer(after, sent(31_000, 300));
    expect(next.bytes).toBe(35_200);
    expect(next.growth).toBeCloseTo(1.155);
    expect(afterSilence(limits(), sent(64_000, 50))).toEqual(FIRST_LIMITS);
  });

  test('what was too large once is never tried again', () => {
    const after = afterTooLarge(limits(), sent(60_000, 100));
    expect(after).toMatchObject({ bytes: 30_000, ceiling: 30_000 });
    expect(afterAnswer(after, sent(30_000, 10)).bytes).toBe(30_000);
  });

  test('fewer edits go while one of them is looked for, and more again once they are taken', () => {
    expect(afterUnclear(limits(), sent(1, 1, 250)).edits).toBe(63);
    expect(afterUnclear(limits(), sent(1, 1, 1)).edits).toBe(1);
    expect(halved(limits(), sent(1, 1, 3)).edits).toBe(2);
    expect(afterAnswer(limits({ edits: 1 }), sent(1, 1, 1)).edits).toBe(4);
    expect(afterAnswer(limits({ edits: 100 }), sent(1, 1, 1)).edits).toBe(250);
  });
});

test('an update weighs what it changes, an insert its row, a delete next to nothing', () => {
  const row = { id: 'a', text: 'x'.repeat(1000) };
  const change = { data: row, base: null } as unknown as OutgoingChange;
  expect(sizeOf(change)).toBeGreaterThan(1000);
  expect(sizeOf({ ...change, patch: { n: 1 } })).toBeLessThan(300);
  expect(sizeOf({ ...change, data: null })).toBeLessThan(300);
});

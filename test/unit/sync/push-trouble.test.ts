import { describe, expect, test } from 'vitest';
import { type ErrorCode, SyncLayerError } from '../../../src/base/errors.js';
import { FIRST_LIMITS } from '../../../src/sync/batch-limits.js';
import { remedyFor, type Trouble } from '../../../src/sync/push-trouble.js';
import type { OutboxEntry } from '../../../src/sync/replica-state.js';

const batchOf = (count: number) =>
  Array.from({ length: count }, () => ({ collection: 'todos', recordId: 'a' }) as OutboxEntry);

function remedy(code: ErrorCode, count: number, more: Partial<Trouble> & { details?: object } = {}) {
  const { details = {}, ...rest } = more;
  return remedyFor({
    error: new SyncLayerError(code, 'words', { details: { ...details } }),
    batch: batchOf(count),
    sent: { edits: count, bytes: 50_000, ms: 100 },
    limits: FIRST_LIMITS,
    unclear: 0,
    taken: false,
    doubtful: false,
    ...rest,
  });
}

test("the backend's trouble, or the link's: all of it waits, and stays whole", () => {
  for (const code of ['CONNECTION_LOST', 'PROTOCOL_VIOLATION', 'AUTH_REQUIRED', 'UNSUPPORTED'] as const)
    expect(remedy(code, 100)).toEqual({ remedy: { type: 'wait' }, limits: FIRST_LIMITS });
  expect(remedy('CONNECTION_LOST', 1, { doubtful: true, taken: true }).remedy, 'also one edit').toEqual({
    type: 'wait',
  });
});

test('no answer in time: less goes next; a backend that says no, however late, gets whole batches', () => {
  const late = { sent: { edits: 100, bytes: 50_000, ms: 15_000 } };
  expect(remedy('CONNECTION_LOST', 100, late)).toMatchObject({ remedy: { type: 'wait' }, limits: { bytes: 25_000 } });
  for (const details of [{ status: 503 }, { code: 'postgres-error' }])
    expect(remedy('CONNECTION_LOST', 100, { ...late, details }).limits).toBe(FIRST_LIMITS);
});

describe('a batch that is too large', () => {
  test('goes in halves', () => {
    expect(remedy('TOO_LARGE', 100)).toMatchObject({
      remedy: { type: 'halve' },
      limits: { edits: 50, bytes: 25_000, ceiling: 25_000 },
    });
  });

  test('one edit is rejected with its size, and the others keep theirs', () => {
    const { remedy: found, limits } = remedy('TOO_LARGE', 1, { details: { status: 413 } });
    expect(found).toMatchObject({
      type: 'reject',
      error: {
        code: 'PUSH_REJECTED',
        message: expect.stringContaining('50000 bytes'),
        details: { bytes: 50_000, status: 413 },
      },
    });
    expect(limits).toBe(FIRST_LIMITS);
  });
});

test('a rejection that is about one of them finds it by halves', () => {
  expect(remedy('PUSH_REJECTED', 10)).toMatchObject({ remedy: { type: 'halve' }, limits: { edits: 5 } });
  expect(remedy('VALIDATION_FAILED', 1).remedy).toMatchObject({ type: 'reject', error: { message: 'words' } });
});

describe('a failure without a reason', () => {
  const details = { unclear: true };

  test('is waited out at first, in whole batches', () => {
    for (const unclear of [0, 1])
      expect(remedy('CONNECTION_LOST', 100, { details, unclear })).toEqual({
        remedy: { type: 'wait' },
        limits: FIRST_LIMITS,
      });
  });

  test('that goes on lets fewer go, until one is alone', () => {
    expect(remedy('CONNECTION_LOST', 100, { details, unclear: 2 })).toMatchObject({
      remedy: { type: 'wait' },
      limits: { edits: 25 },
    });
    const narrowed = { ...FIRST_LIMITS, edits: 25 };
    expect(remedy('CONNECTION_LOST', 25, { details, limits: narrowed }).limits.edits).toBe(7);
    expect(remedy('CONNECTION_LOST', 1, { details, unclear: 8, limits: narrowed }).remedy.type).toBe('suspect');
  });

  test('of an edit that failed before, beside others that were taken, is suspicious at once', () => {
    const again = { details, doubtful: true };
    expect(remedy('CONNECTION_LOST', 1, { ...again, taken: true }).remedy.type).toBe('suspect');
    expect(remedy('CONNECTION_LOST', 1, again).remedy.type).toBe('wait');
  });
});

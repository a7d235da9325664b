import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { type AnswerRules, type PushCircumstances, verdictOn } from '../../../src/sync/answer.js';
import type { OutboxEntry, Pending, ServerState } from '../../../src/sync/replica-state.js';
import type { PushResult } from '../../../src/transport/transport.js';

const row = (n: number): Row => ({ id: 'a', n });
const known = (n: number | null, version: number | null, rest: Partial<ServerState> = {}): ServerState => ({
  row: n === null ? null : row(n),
  version,
  ...rest,
});
const edit = (server: ServerState, local: Row | null): Pending => ({
  server,
  entries: [
    {
      opId: 'op',
      collection: 'todos',
      recordId: 'a',
      order: 1,
      base: server.row,
      baseVersion: server.row && server.version,
      local,
      editedAt: 0,
      sent: true,
      attempts: 0,
    } satisfies OutboxEntry,
  ],
});

function answer(
  edits: Pending,
  result: PushResult,
  how: Partial<PushCircumstances> = {},
  rules: Partial<AnswerRules> = {},
) {
  return verdictOn(
    edits,
    result,
    { touched: false, repeated: false, ...how },
    {
      collection: 'todos',
      maxRetries: 1,
      sameCounts: () => false,
      accept: (id, data, stamp) => ({ row: { ...data, id }, ...stamp }),
      believes: () => true,
      invalid() {},
      ...rules,
    },
  );
}
const applied = (version: number, data?: Row | null): PushResult => ({
  type: 'applied',
  version,
  ...(data !== undefined && { data }),
});
const conflict = (data: Row | null, version: number, hidden?: true): PushResult => ({
  type: 'conflict',
  current: { data, version, ...(hidden && { hidden }) },
});

describe('an edit that was taken', () => {
  const edits = edit(known(1, 5), row(2));
  test('is what the backend holds, even with an older version than is known', () => {
    expect(answer(edits, applied(4))).toMatchObject({ type: 'done', state: { row: row(2), version: 4 }, own: true });
  });
  test('unless something newer came while it was on its way', () => {
    expect(answer(edits, applied(4), { touched: true })).toMatchObject({
      state: { row: row(1), version: 5 },
      own: false,
    });
  });
  test('and sent before, is doubtful: the row may be gone since', () => {
    expect(answer(edits, applied(6), { repeated: true })).toMatchObject({ state: { version: 6 }, doubtful: true });
    expect(answer(edits, applied(4), { repeated: true })).toMatchObject({ state: { version: 5 }, own: false });
  });
  test('and sent before, is as the backend says it is now', () => {
    expect(answer(edits, applied(8, row(8)), { repeated: true })).toMatchObject({
      state: { row: row(8), version: 8 },
      doubtful: false,
    });
    expect(answer(edits, applied(8, null), { repeated: true })).toMatchObject({
      type: 'done',
      state: { row: null, version: 5, inferred: true },
      own: false,
    });
  });
  test('is doubtful where the row was found missing meanwhile', () => {
    const missing = edit(known(null, null, { inferred: true }), row(2));
    expect(answer(missing, applied(6))).toMatchObject({ state: { row: row(2) }, doubtful: true });
  });
  test('a delete that was sent before is answered with the row where that was created again', () => {
    const removed = edit(known(1, 5), null);
    expect(answer(removed, applied(9, row(9)), { repeated: true })).toMatchObject({
      state: { row: row(9), version: 9 },
    });
    expect(answer(removed, applied(6, row(1)))).toMatchObject({ state: { row: null, version: 6 } });
    expect(answer(edit(known(8, 8), null), applied(6), { repeated: true })).toMatchObject({ state: { row: row(8) } });
  });
});

describe('a conflict', () => {
  const edits = edit(known(1, 5), row(2));
  test('shows what the backend holds, even with an older version than is known', () => {
    expect(answer(edits, conflict(row(3), 4))).toEqual({
      type: 'merge',
      state: { row: row(3), version: 4, timestamp: undefined },
    });
  });
  test('is sent again where reads can lag behind, until a second look', () => {
    const believes = () => false;
    expect(answer(edits, conflict(row(3), 4), {}, { believes })).toEqual({ type: 'again', counts: false });
  });
  test('with nothing is no delete where its version is not newer: the same row may come back', () => {
    for (const version of [4, 5])
      expect(answer(edits, conflict(null, version))).toEqual({
        type: 'merge',
        state: { row: null, version: 5, inferred: true },
      });
    expect(answer(edits, conflict(null, 6))).toMatchObject({ type: 'merge', state: { row: null, version: 6 } });
    expect(answer(edits, conflict(null, 6))).not.toMatchObject({ state: { inferred: true } });
  });
  test('with nothing changes nothing that is known of the delete', () => {
    const deleted = { ...edit(known(1, 5), row(2)), server: known(null, 7, { timestamp: 70 }) };
    expect(answer(deleted, conflict(null, 5), { touched: true })).toMatchObject({
      state: { version: 7, timestamp: 70 },
    });
  });
  test('with a hidden row keeps the edit aside', () => {
    expect(answer(edits, conflict(null, 9, true))).toEqual({
      type: 'hidden',
      state: { row: null, version: 5, inferred: true },
    });
  });
});

import { expect, test } from 'vitest';
import { outgoing } from '../../../src/sync/outgoing.js';
import type { OutboxEntry } from '../../../src/sync/replica-state.js';

const entry = (base: OutboxEntry['base'], local: OutboxEntry['local']): OutboxEntry => ({
  opId: 'op',
  collection: 'todos',
  recordId: 'a',
  order: 1,
  base,
  baseVersion: base && 7,
  local,
  editedAt: 1000,
  sent: true,
  attempts: 0,
});

const common = { collection: 'todos', recordId: 'a', opId: 'op', timestamp: 1500 };

test('an insert carries the row, and that there must be none', () => {
  const row = { id: 'a', n: 1 };
  expect(outgoing(entry(null, row), 500)).toEqual({
    ...common,
    type: 'insert',
    data: row,
    base: null,
    baseVersion: null,
  });
});

test('an update carries what changed, and what was removed', () => {
  const base = { id: 'a', n: 1, same: [1], gone: 1, alsoGone: 1 };
  const local = { id: 'a', n: 2, same: [1], alsoGone: undefined, fresh: 1 };
  expect(outgoing(entry(base, local), 500)).toEqual({
    ...common,
    type: 'update',
    data: local,
    base,
    baseVersion: 7,
    patch: { n: 2, fresh: 1 },
    unset: ['gone', 'alsoGone'],
  });
});

test('a delete carries what it deletes', () => {
  const base = { id: 'a', n: 1 };
  expect(outgoing(entry(base, null), 500)).toEqual({ ...common, type: 'delete', data: null, base, baseVersion: 7 });
});

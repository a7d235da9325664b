import { expect, test } from 'vitest';
import type { Row } from '../../../../src/base/change.js';
import { createRespelled } from '../../../../src/sync/collection/respelled.js';
import type { OutboxEntry, Pending } from '../../../../src/sync/replica-state.js';

const edit = (recordId: string, more: Partial<OutboxEntry> = {}): OutboxEntry => ({
  ...{ opId: recordId, collection: 'todos', recordId, order: 1, base: null, baseVersion: null },
  ...{ local: { id: recordId } as Row, editedAt: 0, sent: false, attempts: 0 },
  ...more,
});
const pendingOf = (...entries: OutboxEntry[]): Map<string, Pending> =>
  new Map(entries.map((entry) => [entry.recordId, { server: { row: null, version: null }, entries: [entry] }]));

test('a record that is being made may come as the backend spells its id', () => {
  const respelled = createRespelled(new Map());
  respelled.note(edit('0071'));
  respelled.note(edit('42'));
  respelled.note(edit('0072', { base: { id: '0072' } }));
  respelled.note(edit('0073', { local: null }));
  expect(['71', '42', '72', '73'].map(respelled.of)).toEqual(['0071', undefined, undefined, undefined]);
  respelled.forget('71');
  expect(respelled.of('71')).toBeUndefined();
});

test('so may one whose making was on its way when the app ended', () => {
  const respelled = createRespelled(pendingOf(edit('0071', { sent: true }), edit('0072')));
  expect(['71', '72'].map(respelled.of)).toEqual(['0071', undefined]);
});

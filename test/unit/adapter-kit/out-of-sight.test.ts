import { expect, test } from 'vitest';
import { withoutOutOfSight } from '../../../src/adapter-kit/out-of-sight.js';
import { SyncLayerError } from '../../../src/base/errors.js';
import type { OutgoingChange, PushResult } from '../../../src/transport/transport.js';

const edit = (recordId: string, type: OutgoingChange['type'] = 'update', collection = 'mine'): OutgoingChange => ({
  type,
  collection,
  recordId,
  opId: `op ${recordId}`,
  data: { id: recordId },
  base: null,
  baseVersion: 1,
  timestamp: 0,
});
const applied: PushResult = { type: 'applied', version: 2, data: { n: 1 } };
const conflict: PushResult = { type: 'conflict', current: { data: { n: 1 }, version: 2 } };
const rejected: PushResult = { type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'no') };

test('a row that the condition leaves out goes, whoever wrote last; all else stays as it was answered', async () => {
  const changes = [
    edit('in'),
    edit('written'),
    edit('met'),
    edit('no'),
    edit('gone', 'delete'),
    edit('all', 'update', 'all'),
  ];
  const asked: unknown[] = [];
  const results = await withoutOutOfSight(
    changes,
    [applied, applied, conflict, rejected, applied, applied],
    (name, ids) => {
      asked.push([name, ids]);
      return name === 'mine' ? Promise.resolve(new Set(['in'])) : undefined;
    },
  );
  expect(results).toEqual([
    applied,
    { type: 'applied', version: 2, data: null },
    { type: 'conflict', current: { data: null, version: 2, hidden: true } },
    rejected,
    applied,
    applied,
  ]);
  expect(asked).toEqual([
    ['mine', ['in', 'written', 'met']],
    ['all', ['all']],
  ]);
});

test('nothing is asked where no row is shown', async () => {
  const never = () => Promise.reject(new Error('asked'));
  expect(await withoutOutOfSight([edit('a', 'delete')], [applied], never)).toEqual([applied]);
});

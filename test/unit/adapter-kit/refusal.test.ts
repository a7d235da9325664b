import { expect, test } from 'vitest';
import { refusalOf } from '../../../src/adapter-kit/refusal.js';
import { SyncLayerError } from '../../../src/base/errors.js';

test('an answer about an edit is a result for it; anything else is trouble of the link or of the backend', () => {
  const waiting = new SyncLayerError('WAITING', 'no parent', { details: { edit: 'waiting' } });
  expect(refusalOf(waiting)).toEqual({ type: 'waiting', error: waiting });
  const retry = new SyncLayerError('CONFLICT', 'taken', { details: { edit: 'retry' } });
  expect(refusalOf(retry)).toEqual({ type: 'retry', error: retry });
  const refused = new SyncLayerError('PUSH_REJECTED', 'no');
  expect(refusalOf(refused)).toEqual({ type: 'rejected', error: refused });
  for (const other of [
    new SyncLayerError('CONNECTION_LOST', 'gone'),
    new SyncLayerError('TOO_LARGE', '413'),
    new Error('x'),
  ])
    expect(refusalOf(other)).toBeUndefined();
});

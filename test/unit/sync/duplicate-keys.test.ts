import { expect, test } from 'vitest';
import type { Change } from '../../../src/base/change.js';
import { checkKeys, checkRows } from '../../../src/sync/duplicate-keys.js';
import { closed, open, settle } from '../../conformance/laws/harness.js';

const row = (recordId: string, data: object, version: number | string = 1): Change => ({
  type: 'insert',
  collection: 'todos',
  recordId,
  version,
  data: { id: recordId, ...data },
});
const problem = expect.objectContaining({
  code: 'PROTOCOL_VIOLATION',
  message: expect.stringContaining('Two rows of "todos" have the key "a". Is its key made of several columns?'),
  details: { collection: 'todos', recordId: 'a' },
});

test('a key that is listed twice is refused', () => {
  expect(() => checkKeys('todos', [{ recordId: 'a' }, { recordId: 'b' }])).not.toThrow();
  expect(() => checkKeys('todos', [{ recordId: 'a' }, { recordId: 'b' }, { recordId: 'a' }])).toThrow(problem);
});

test('two rows of one key are refused; one row twice, a delete and a part of a row are not', () => {
  const gone: Change = { type: 'delete', collection: 'todos', recordId: 'a', version: 0 };
  const part: Change = {
    type: 'update',
    collection: 'todos',
    recordId: 'a',
    version: 2,
    data: { n: 2 },
    partial: true,
  };
  expect(() => checkRows('todos', [row('a', { n: 1 }), row('b', {}), row('a', { n: 1 }), gone, part])).not.toThrow();
  expect(() => checkRows('todos', [row('a', { n: 1 }), row('b', {}), row('a', { n: 2 })])).toThrow(problem);
  expect(() => checkRows('todos', [row('a', { n: 1 }), row('a', { n: 1 }, 2)])).toThrow(problem);
});

test('a collection whose pages have two rows of one key is not live, and says why', async () => {
  const client = await open({
    cursor: 'timestamp',
    wrap: (transport) => ({
      ...transport,
      pull: async (request) => {
        const page = await transport.pull(request);
        return request.cursor === null
          ? { ...page, changes: [row('a', { part: 1 }, '1'), row('a', { part: 2 }, '2')] }
          : page;
      },
    }),
  });
  const error = await client.sync.events.once('error');
  expect(error.error).toEqual(problem);
  await settle();
  expect(client.sync.status.phase).not.toBe('live');
  await closed(client.sync);
});

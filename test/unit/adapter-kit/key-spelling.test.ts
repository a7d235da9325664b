import { expect, test } from 'vitest';
import { rowsOf } from '../../../src/adapter-kit/key-spelling.js';
import type { Change } from '../../../src/base/change.js';
import { usualSpelling } from '../../../src/transport/key-spelling.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';

const UPPER = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
const LOWER = UPPER.toLowerCase();

const insert = (recordId: string, title = ''): OutgoingChange => ({
  ...{ type: 'insert', collection: 'todos', recordId, opId: `op ${recordId}`, data: { id: recordId, title } },
  ...{ base: null, baseVersion: null, timestamp: 1 },
});
const row = (recordId: string, title = '', opId?: string): Change => ({
  ...{ type: 'update', collection: 'todos', recordId, version: 'v', data: { id: recordId, title } },
  ...(opId !== undefined && { metadata: { opId, opIds: [opId] } }),
});

test.each([
  [UPPER, LOWER],
  [`{${UPPER}}`, LOWER],
  [UPPER.replaceAll('-', ''), LOWER],
  ['0071', '71'],
  [' +7', '7'],
  ['-007', '-7'],
  ['-0', '0'],
  ['000', '0'],
  ['padded   ', 'padded'],
  ['as it is', 'as it is'],
  ['A0EE', 'A0EE'],
  ['1.50', '1.50'],
])('%s is usually spelled %s', (id, usual) => {
  expect(usualSpelling(id)).toBe(usual);
});

test('a row is found by its key, then by another spelling of it, and none twice', () => {
  const [respelled, exact, gone] = [insert(UPPER), insert('71'), insert('0071')];
  const rows = [row('71'), row(LOWER)];
  expect(rowsOf([gone, respelled, exact], rows, false)).toEqual(
    new Map([
      [respelled, rows[1]],
      [exact, rows[0]],
    ]),
  );
});

test('a row with a key of a trigger is found by its op, or by its content among those that were just written', () => {
  const [first, second] = [insert('a', 'one'), insert('b', 'two')];
  expect(rowsOf([first, second], [row('x', 'changed', second.opId)], false)).toEqual(
    new Map([[second, row('x', 'changed', second.opId)]]),
  );
  const rows = [row('x', 'two'), row('y', 'one')];
  expect(rowsOf([first, second], rows, false).size).toBe(0);
  expect(rowsOf([first, second], rows, true)).toEqual(
    new Map([
      [first, rows[1]],
      [second, rows[0]],
    ]),
  );
});

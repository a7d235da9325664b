import { expect, test } from 'vitest';
import {
  COMPLETE,
  createReader,
  GONE,
  stampOf,
  timeOf,
  updatedAtOf,
  versionOf,
} from '../../../adapters/appsync/normalize.js';
import { createTable } from '../../../adapters/appsync/table.js';
import type { Change } from '../../../src/base/change.js';

const plain = createTable('todos', { table: 'Todo', fields: ['text', 'done'] });
const versioned = createTable('todos', { table: 'Todo', fields: ['text', 'done'], versioned: true });
const updatedAt = '2026-01-02T03:04:05.678Z';
const row = { id: 'a', text: 'Milk', done: false };

test('an event with every field is a change', () => {
  expect(createReader(versioned)('create', { ...row, _version: 1, _deleted: null, _lastChangedAt: 5 })).toEqual({
    type: 'insert',
    collection: 'todos',
    recordId: 'a',
    version: 1,
    timestamp: 5,
    data: row,
  });
  expect(createReader(plain)('update', { ...row, updatedAt })).toMatchObject({
    type: 'update',
    timestamp: Date.parse(updatedAt),
    data: row,
  });
});

test('a field that is null or missing is unknown: the row is read', () => {
  for (const event of [
    { id: 'a', text: 'Milk' },
    { ...row, done: null },
  ]) {
    expect(createReader(versioned)('update', { ...event, _version: 4 })).toEqual({ read: 'a', atLeast: 4 });
    expect(createReader(plain)('create', event)).toEqual({ read: 'a', atLeast: undefined });
  }
  const trusting = createTable('todos', { table: 'Todo', fields: ['text', 'done'], versioned: true, events: 'whole' });
  expect(createReader(trusting)('update', { id: 'a', text: 'Milk', done: null, _version: 4 })).toMatchObject({
    data: { id: 'a', text: 'Milk', done: null },
  });
  const ids = createTable('todos', { table: 'Todo', fields: ['text', 'done'], events: 'ids' });
  expect(createReader(ids)('update', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
});

test('without an id only a catch-up can tell', () => {
  for (const event of [null, undefined, 'a', [], {}, { id: '' }, { text: 'Milk', _version: 1 }])
    expect(createReader(versioned)('update', event)).toBe('gap');
});

test('deletes: the tombstone, the last version of what is gone for good, or a look', () => {
  expect(createReader(versioned)('delete', { id: 'a', _version: 5 })).toMatchObject({ type: 'delete', version: 5 });
  expect(createReader(versioned)('update', { ...row, _version: 5, _deleted: true })).toMatchObject({ type: 'delete' });
  expect(createReader(versioned)('delete', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
  const read = createReader(plain);
  const last = read('update', { ...row, updatedAt }) as Change;
  const gone = read('delete', { id: 'a', updatedAt }) as Change;
  expect(gone).toMatchObject({ type: 'delete', recordId: 'a' });
  expect(gone).not.toHaveProperty('data');
  expect(gone.version > last.version).toBe(true);
  expect(read('delete', { id: 'a' })).toEqual({ read: 'a', atLeast: undefined });
});

test('two changes of a row in one millisecond are told apart, a repeated event is not', () => {
  const read = createReader(plain);
  const version = (text: string, id = 'a') => (read('update', { ...row, id, text, updatedAt }) as Change).version;
  const [one, again, two, three] = [version('one'), version('one'), version('two'), version('three')];
  expect(again).toBe(one);
  expect(one < two && two < three).toBe(true);
  expect(version('one', 'b')).toBe(one);
});

test('times become texts that sort, in UTC', () => {
  expect(stampOf('2026-01-02T03:04:05.678Z')).toBe('2026-01-02T03:04:05.678000000');
  expect(stampOf('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.000000000');
  expect(stampOf('2026-01-02T05:04:05.678901+02:00')).toBe('2026-01-02T03:04:05.678901000');
  for (const wrong of [undefined, null, 5, '', 'today', '2026-01-02', '2026-13-02T03:04:05Z'])
    expect(stampOf(wrong)).toBeUndefined();
  expect(timeOf('2026-01-02T03:04:05.678901000')).toBe(Date.parse('2026-01-02T03:04:05.678Z'));
});

test('versions of a row go up: the next of that millisecond, what was read, its delete, the next millisecond', () => {
  const at = '2026-01-02T03:04:05.678Z';
  const versions = [
    versionOf(at),
    versionOf(at, '0001'),
    versionOf(at, '0010'),
    versionOf(at, COMPLETE),
    versionOf(at, GONE),
    versionOf('2026-01-02T03:04:05.679Z'),
  ];
  expect([...versions].sort()).toEqual(versions);
  for (const version of versions.slice(0, 5)) expect(updatedAtOf(version ?? '')).toBe(at);
});

test('a time that was written in an unusual way comes back as it was: conditions compare texts', () => {
  for (const odd of ['2026-01-02T03:04:05Z', '2026-01-02T05:04:05.678901+02:00', '2026-01-02T03:04:05.6Z']) {
    expect(updatedAtOf(versionOf(odd) ?? '')).toBe(odd);
    expect(updatedAtOf(versionOf(odd, COMPLETE) ?? '')).toBe(odd);
    expect((versionOf(odd) ?? '') < (versionOf(odd, '0001') ?? '')).toBe(true);
  }
});

test("another backend's version stands for no time", () => {
  for (const version of [null, 7, '7', '2026-01-02T03:04:05.123456Z']) expect(updatedAtOf(version)).toBeUndefined();
});

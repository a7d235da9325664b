import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toError } from '../../../adapters/websocket/errors.js';
import {
  byteLength,
  fromEvent,
  fromRecord,
  parseJson,
  seqCursor,
  toPage,
  toResult,
  toWrite,
} from '../../../adapters/websocket/normalize.js';
import type { EventMessage, OutgoingChange, SyncLayerError } from '../../../src/adapter-kit/index.js';

const at = '2026-01-02T03:04:05.678Z';
const time = Date.parse(at);

describe('an event', () => {
  const event: EventMessage = {
    type: 'update',
    collection: 'todos',
    recordId: '1',
    data: { text: 'Milk' },
    timestamp: at,
    metadata: { version: 7, seq: 7 },
  };

  test('becomes a change', () => {
    const base = { collection: 'todos', recordId: '1', version: 7, timestamp: time };
    expect(fromEvent(event)).toEqual({ type: 'update', ...base, data: { text: 'Milk' } });
    expect(fromEvent({ ...event, type: 'insert' })).toEqual({ type: 'insert', ...base, data: { text: 'Milk' } });
    expect(fromEvent({ ...event, type: 'delete' })).toEqual({ type: 'delete', ...base });
    const hidden = fromEvent({ ...event, type: 'delete', metadata: { version: 7, hidden: true } });
    expect(hidden).toEqual({ type: 'delete', ...base, inferred: true, hidden: true });
  });

  test('takes seq where there is no version, and can do without a time', () => {
    const { timestamp: _, ...rest } = event;
    expect(fromEvent({ ...rest, metadata: { seq: 8 } })).toEqual({
      type: 'update',
      collection: 'todos',
      recordId: '1',
      version: 8,
      data: { text: 'Milk' },
    });
    expect(fromEvent({ ...event, timestamp: 'soon' })).not.toHaveProperty('timestamp');
  });

  test.each([{ metadata: {} }, { metadata: null }, { recordId: 7 }, { data: null }, { data: [] }, { data: 'x' }])(
    'that is malformed is none: %j',
    (wrong) => expect(fromEvent({ ...event, ...wrong } as EventMessage)).toBeUndefined(),
  );
});

describe('a record', () => {
  test('of a socket page and of an HTTP page', () => {
    const change = { type: 'update', collection: 'todos', recordId: '1', version: 3, timestamp: time, data: { n: 1 } };
    expect(fromRecord('todos', { id: '1', version: 3, updatedAt: at, data: { n: 1 } })).toEqual(change);
    expect(fromRecord('todos', { recordId: '1', version: 3, updatedAt: at, data: { n: 1 } })).toEqual(change);
  });

  test('that is a tombstone', () => {
    const gone = { type: 'delete', collection: 'todos', recordId: '1', version: 3, timestamp: time };
    expect(fromRecord('todos', { id: '1', version: 3, updatedAt: at, data: null })).toEqual(gone);
    expect(fromRecord('todos', { id: '1', version: 3, updatedAt: at, data: { n: 1 }, deleted: true })).toEqual(gone);
    const hidden = { id: '1', version: 3, updatedAt: at, data: null, deleted: true, hidden: true };
    expect(fromRecord('todos', hidden)).toEqual({ ...gone, inferred: true, hidden: true });
  });

  test.each([
    null,
    7,
    'x',
    [],
    {},
    { id: 1, version: 1, data: {} },
    { id: '1', data: {} },
    { id: '1', version: 1, data: 7 },
  ])('that is malformed is none: %j', (record) => expect(fromRecord('todos', record)).toBeUndefined());
});

describe('a page', () => {
  const record = { id: '1', version: 3, updatedAt: at, data: {} };
  const skipped: SyncLayerError[] = [];
  const page = (records: unknown[], info: object) =>
    toPage('todos', records, { seq: 2 }, info, (error) => skipped.push(error));

  test('moves the cursor to where the server says, and carries its clock', () => {
    expect(page([record], { seq: 9, timestamp: at })).toMatchObject({ cursor: { seq: 9 }, serverTime: time });
    expect(page([], {})).toEqual({ changes: [], ended: true, cursor: { seq: 2 } });
  });

  test('of a snapshot asks for the next one as such, until it is empty', () => {
    expect(page([record], { seq: 9, snapshot: true, snapshotSeq: 5 })).toMatchObject({
      snapshot: true,
      cursor: { seq: 9, snapshot: 5 },
    });
    expect(page([record], { seq: 9, snapshot: true })).toMatchObject({ cursor: { seq: 9, snapshot: true } });
    expect(page([], { seq: 9, snapshot: true, snapshotSeq: 5 })).toEqual({
      changes: [],
      ended: true,
      snapshot: true,
      cursor: { seq: 9 },
    });
  });

  test('with one bad record keeps the others; with nothing else it is no end, and leads on', () => {
    skipped.length = 0;
    expect(page([null, record], { seq: 9 }).changes.map(({ recordId }) => recordId)).toEqual(['1']);
    expect(skipped.map(({ code }) => code)).toEqual(['PROTOCOL_VIOLATION']);
    expect(page([null], { seq: 9 })).toMatchObject({ changes: [], ended: false, cursor: { seq: 9 } });
    expect(() => page([null], { seq: 2 })).toThrow('No record of a page');
  });
});

test('a cursor of the other protocol is told from one of this', () => {
  expect(seqCursor(null)).toEqual({ seq: 0 });
  expect(seqCursor({ seq: 4, snapshot: true })).toEqual({ seq: 4, snapshot: true });
  expect(seqCursor({ since: 1, count: 2, last: 'x', max: 3, moves: 0 })).toBeUndefined();
  expect(seqCursor('text')).toBeUndefined();
});

describe('a push', () => {
  const change: OutgoingChange = {
    type: 'update',
    collection: 'todos',
    recordId: '1',
    opId: 'op',
    data: { id: '1', a: 1, b: 2 },
    patch: { b: 2 },
    unset: ['c'],
    base: { id: '1', a: 1, c: 3 },
    baseVersion: 6,
    timestamp: time,
  };

  test('carries what changed, its opId and what it started from', () => {
    expect(toWrite(change)).toEqual({
      type: 'update',
      collection: 'todos',
      recordId: '1',
      data: { b: 2 },
      timestamp: at,
      metadata: { opId: 'op', baseVersion: 6, unset: ['c'] },
    });
    const { patch: _, unset: __, ...whole } = change;
    expect(toWrite({ ...whole, type: 'insert', baseVersion: null })).toMatchObject({
      data: { id: '1', a: 1, b: 2 },
      metadata: { opId: 'op', baseVersion: null },
    });
    expect(toWrite({ ...whole, type: 'delete', data: null })).not.toHaveProperty('data');
  });

  test('that started from a version of another backend cannot pass for up to date', () => {
    expect(toWrite({ ...change, baseVersion: '2026-01-01#1' }).metadata?.baseVersion).toBe(0);
  });

  test('is answered: applied, conflict, refused, later', () => {
    const where = { collection: 'todos', recordId: '1', timestamp: at };
    expect(toResult({ type: 'ack', ...where, metadata: { opId: 'op', version: 7, seq: 7 } })).toEqual({
      type: 'applied',
      version: 7,
      timestamp: time,
    });
    expect(
      toResult({ type: 'ack', ...where, data: { n: 1 }, metadata: { opId: 'op', version: 7, seq: 7 } }),
    ).toMatchObject({ data: { n: 1 } });
    expect(toResult({ type: 'conflict', ...where, data: null, metadata: { opId: 'op', version: 8 } })).toEqual({
      type: 'conflict',
      current: { data: null, version: 8, timestamp: time },
    });
    const error = { type: 'error', error: 'no' } as const;
    expect(toResult({ ...error, code: 'UNAUTHORIZED' })).toMatchObject({
      type: 'rejected',
      error: { code: 'PUSH_REJECTED' },
    });
    expect(toResult({ ...error, code: 'SERVER_ERROR' })).toMatchObject({
      type: 'retry',
      error: { code: 'CONNECTION_LOST' },
    });
    expect(toResult(undefined)).toMatchObject({ type: 'retry' });
    expect(toResult({ type: 'ack' } as never)).toMatchObject({ type: 'retry', error: { code: 'PROTOCOL_VIOLATION' } });
  });
});

test("an error of the server's says what failed, and which code it gave", () => {
  const error = toError(
    { type: 'error', code: 'UNAUTHORIZED', error: 'not yours', metadata: { recordId: '1' } },
    'Saving',
  );
  expect(error).toMatchObject({
    code: 'PUSH_REJECTED',
    adapter: 'websocket',
    message: 'Saving: the server answered UNAUTHORIZED: not yours',
    details: { serverCode: 'UNAUTHORIZED', recordId: '1' },
  });
  expect(toError({ type: 'error', code: 'AUTH_FAILED', error: '' }, 'x').code).toBe('AUTH_REQUIRED');
  expect(toError({ type: 'error', error: '' }, 'x').message).toContain('an error');
});

describe('JSON', () => {
  test('loses __proto__ however it is written, and nothing else', () => {
    for (const key of ['__proto__', '\\u005f_proto__', '\\u005F\\u005fproto\\u005f_']) {
      const { value, poisoned } = parseJson(`{"a":[{"${key}":{"x":1},"b":2}]}`);
      expect(value).toEqual({ a: [{ b: 2 }] });
      expect(Object.hasOwn((value as { a: object[] }).a[0] as object, '__proto__')).toBe(false);
      expect(poisoned).toBe(true);
    }
    expect(parseJson('{"a":"__proto__","b_":null}')).toEqual({ value: { a: '__proto__', b_: null }, poisoned: false });
    expect(() => parseJson('{')).toThrow(SyntaxError);
  });

  test('is measured in bytes', () => {
    expect([byteLength(''), byteLength('a'), byteLength('ä'), byteLength('🦄')]).toEqual([0, 1, 2, 4]);
  });
});

test('the length of a text is that of its UTF-8, short or long', () => {
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.constantFrom(1, 41), (text, times) => {
      const whole = text.repeat(times);
      expect(byteLength(whole)).toBe(encoder.encode(whole).length);
    }),
  );
});

test.each([
  '{"__proto__":{"a":1},"b":2}',
  '{"\\u005f_proto__":1,"b":2}',
  '{"_\\u005Fproto__":[],"b":2}',
  '{"__\\u0070roto__":{},"b":2}',
])('%s is poisoned, however it is written', (text) => {
  const { value, poisoned } = parseJson(text);
  expect(poisoned).toBe(true);
  expect(value).toEqual({ b: 2 });
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

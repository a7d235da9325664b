import { describe, expect, test } from 'vitest';
import { cloneJson } from '../../../src/base/json.js';
import { parseBatchItem, parseFrame } from '../../../src/server/parse.js';

const write = (extra: object) => JSON.stringify({ type: 'insert', collection: 'c', recordId: '1', data: {}, ...extra });
/** A row of so many levels, itself one of them. */
const nested = (levels: number): object =>
  Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ a: inner }), {});
const reasonOf = (text: string) => {
  const parsed = parseFrame(text);
  return parsed.type === 'invalid' ? parsed.reason : `taken as ${parsed.type}`;
};

describe('what is taken', () => {
  test('every client message', () => {
    expect(parseFrame('{"type":"ping"}')).toEqual({ type: 'ping' });
    expect(parseFrame('{"type":"auth","token":"t"}')).toEqual({ type: 'auth', token: 't' });
    expect(parseFrame('{"type":"unsubscribe","collection":"c"}')).toEqual({ type: 'unsubscribe', collection: 'c' });
    expect(parseFrame('{"type":"subscribe","collection":"c"}')).toEqual({ type: 'subscribe', collection: 'c' });
    const metadata = { requestId: 'r', since: 0, limit: 5, filter: { where: { a: 1 } }, snapshot: true };
    expect(parseFrame(JSON.stringify({ type: 'subscribe', collection: 'c', metadata }))).toEqual({
      type: 'subscribe',
      collection: 'c',
      ...metadata,
      snapshot: 0,
    });
    expect(parseFrame(write({ metadata: { opId: 'o', baseVersion: null } }))).toEqual({
      type: 'insert',
      collection: 'c',
      recordId: '1',
      data: {},
      unset: [],
      opId: 'o',
      baseVersion: null,
    });
  });

  test('a version without opId is not compare-and-set: the original protocol never compared it', () => {
    expect(parseFrame(write({ metadata: { baseVersion: 3 } }))).not.toHaveProperty('baseVersion');
  });

  test('null stands for absent data and metadata', () => {
    const text = '{"type":"delete","collection":"c","recordId":"1","data":null,"metadata":null}';
    expect(parseFrame(text)).toMatchObject({ type: 'delete', data: {} });
  });

  test('an update that only removes fields', () => {
    const text = '{"type":"update","collection":"c","recordId":"1","metadata":{"unset":["a"]}}';
    expect(parseFrame(text)).toMatchObject({ data: {}, unset: ['a'] });
  });
});

describe('what is refused', () => {
  test.each([
    ['not JSON', '{', /not valid JSON/],
    ['no object', '[]', /must be a JSON object/],
    ['null', 'null', /must be a JSON object/],
    ['no type', '{}', /type must be a string/],
    ['an unknown type', '{"type":"shout"}', /Unknown message type: shout/],
    ['a type that objects inherit', '{"type":"toString"}', /Unknown message type: toString/],
    ['no collection', '{"type":"subscribe"}', /collection must be a non-empty string/],
    ['an empty collection', '{"type":"subscribe","collection":""}', /collection must be a non-empty string/],
    ['a long id', write({ recordId: 'x'.repeat(1001) }), /recordId is longer than 1000/],
    ['an id that is a number', write({ recordId: 1 }), /recordId must be a non-empty string/],
    ['an id with NUL', write({ recordId: 'a\0' }), /recordId must be well-formed/],
    ['an id that is half a character', '{"type":"delete","collection":"c","recordId":"\\ud800"}', /well-formed/],
    ['data that is a list', write({ data: [] }), /data must be an object/],
    ['data that is text', write({ data: 'x' }), /data must be an object/],
    ['an insert without data', write({ data: undefined }), /insert needs data/],
    ['an update of nothing', '{"type":"update","collection":"c","recordId":"1"}', /update needs data/],
    ['metadata that is a list', write({ metadata: [] }), /metadata must be an object/],
    ['an opId that is a number', write({ metadata: { opId: 1 } }), /metadata.opId must be/],
    ['a version that is text', write({ metadata: { opId: 'o', baseVersion: '1' } }), /metadata.baseVersion must be/],
    ['unset that is text', write({ metadata: { unset: 'a' } }), /metadata.unset must be a list/],
    ['a negative since', '{"type":"subscribe","collection":"c","metadata":{"since":-1}}', /since must be a whole/],
    ['a limit of 0', '{"type":"subscribe","collection":"c","metadata":{"limit":0}}', /limit must be a whole/],
    ['a filter that is a list', '{"type":"subscribe","collection":"c","metadata":{"filter":[]}}', /filter must be/],
    [
      'a filter of too many fields',
      JSON.stringify({
        type: 'subscribe',
        collection: 'c',
        metadata: { filter: { where: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, i])) } },
      }),
      /more than 100 fields/,
    ],
    ['a token that is a number', '{"type":"auth","token":1}', /token must be a string/],
    ['a key __proto__', '{"type":"insert","collection":"c","recordId":"1","data":{"__proto__":{"a":1}}}', /__proto__/],
    ['an escaped key', '{"type":"insert","collection":"c","recordId":"1","data":{"\\u005f_proto__":1}}', /__proto__/],
    [
      'a nested key',
      write({ data: { list: [JSON.parse('{"__proto__":1}')] } }),
      /it\.data\.list\[0\] has a field named __proto__/,
    ],
    ['data that nests too deep', write({ data: nested(501) }), /deeper than 500 levels/],
    [
      'a number that JSON cannot write',
      '{"type":"insert","collection":"c","recordId":"1","data":{"n":1e999}}',
      /is Infinity/,
    ],
  ])('%s', (_name, text, reason) => {
    expect(reasonOf(text)).toMatch(reason);
  });

  // The same rule as for save(): what it takes, the server does not refuse for good.
  test.each([
    ['the deepest that can be saved', nested(500)],
    ['names that objects inherit', { constructor: 1, prototype: { constructor: 2 }, toString: 3 }],
    ['what is only nearly such a name', { proto: 1, __proto: 2 }],
  ])('takes what save() takes: %s', (_name, data) => {
    expect(cloneJson(data, 'data')).toEqual(data);
    expect(parseFrame(write({ data }))).toMatchObject({ type: 'insert', data });
  });

  test('refuses what save() refuses', () => {
    for (const data of [nested(501), JSON.parse('{"a":{"__proto__":1}}')]) {
      expect(() => cloneJson(data, 'data')).toThrow('data');
      expect(parseFrame(write({ data }))).toMatchObject({ type: 'invalid' });
    }
  });

  test('tells which write it was, where that can be told', () => {
    expect(parseFrame(write({ data: 1, metadata: { opId: 'o', requestId: 7 } }))).toMatchObject({
      metadata: { opId: 'o', collection: 'c', recordId: '1' },
    });
  });

  test('a batch takes writes with an opId only', () => {
    const change = JSON.parse(write({}));
    expect(parseBatchItem(change)).toMatchObject({
      type: 'invalid',
      reason: expect.stringMatching(/needs metadata.opId/),
    });
    expect(parseBatchItem({ type: 'ping' })).toMatchObject({
      type: 'invalid',
      reason: expect.stringMatching(/inserts, updates/),
    });
    expect(parseBatchItem({ ...change, metadata: { opId: 'o' } })).toMatchObject({ type: 'insert', opId: 'o' });
  });
});

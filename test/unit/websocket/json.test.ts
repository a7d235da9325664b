import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteLength, parseJson } from '../../../adapters/websocket/json.js';

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

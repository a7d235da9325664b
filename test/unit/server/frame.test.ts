import { expect, test } from 'vitest';
import { textFrame } from '../../../src/server/frame.js';

test.each([
  [0, [0]],
  [1, [1]],
  [125, [125]],
  [126, [126, 0, 126]],
  [65_535, [126, 0xff, 0xff]],
  [65_536, [127, 0, 0, 0, 0, 0, 1, 0, 0]],
  [70_000, [127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]],
])('a text of %i bytes has the header of RFC 6455', (bytes, length) => {
  const text = 'x'.repeat(bytes);
  const frame = textFrame(text);
  expect([...frame.subarray(0, 1 + length.length)]).toEqual([0x81, ...length]);
  expect(frame.subarray(1 + length.length).toString()).toBe(text);
});

test('the length counts bytes, not characters', () => {
  expect([...textFrame('ø😀')]).toEqual([0x81, 6, ...Buffer.from('ø😀')]);
});

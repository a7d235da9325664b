import { expect, test } from 'vitest';
import { createUploads } from '../../../src/adapter-kit/uploads.js';

test('a large upload may take longer, and the longer each time that it was cut off', () => {
  const uploads = createUploads();
  const limits = Array.from({ length: 6 }, () => {
    const limit = uploads.limit(160_000);
    uploads.missed(160_000);
    return limit;
  });
  expect(limits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 160_000]);
  uploads.met(160_000, 6000);
  expect(uploads.limit(160_000), 'no quick one').toBe(160_000);
  uploads.met(160_000, 400);
  expect(uploads.limit(160_000)).toBe(80_000);
});

test('a small one is given up as soon as ever, and says nothing about the line', () => {
  const uploads = createUploads();
  for (let tries = 0; tries < 9; tries++) uploads.missed(300);
  expect(uploads.limit(300)).toBeLessThan(20);
  uploads.missed(160_000);
  for (let tries = 0; tries < 9; tries++) uploads.met(300, 1);
  expect(uploads.limit(160_000)).toBe(20_000);
});

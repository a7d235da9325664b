import { expect, test } from 'vitest';
import { createServerClock } from '../../../adapters/firestore/reads.js';

/** A document as SDK 12 gives it, read at this time. */
const readAt = (ms: number) => ({
  toJSON: () => ({
    type: 'firestore/documentSnapshot/1.0',
    bundle: `136{"documentMetadata":{"name":"todos/x","readTime":"${new Date(ms).toISOString()}","exists":true}}`,
  }),
});

const NOW = Date.parse('2026-03-01T12:00:00Z');

test('the time of an answer goes on by a clock that nobody sets', () => {
  let local = 500;
  const clock = createServerClock(() => local);
  expect(clock.at(local)).toBeUndefined();
  clock.learn([readAt(NOW)]);
  local += 7000;
  expect(clock.at(local)).toBe(NOW + 7000);
});

test('a document that the SDK has had for a while sets nothing back', () => {
  let local = 0;
  const clock = createServerClock(() => local);
  clock.learn([readAt(NOW)]);
  local += 120_000;
  clock.learn([readAt(NOW)]);
  expect(clock.at(local)).toBe(NOW + 120_000);
  // The device slept: its clock stood still.
  local += 120_000;
  clock.learn([readAt(NOW + 3_600_000)]);
  expect(clock.at(local)).toBe(NOW + 3_600_000);
});

test('an SDK that does not tell, and a document that cannot be told of, say nothing', () => {
  const clock = createServerClock(() => 0);
  const broken = {
    toJSON: () => {
      throw new Error('no');
    },
  };
  for (const found of [{}, broken, readAt(0), { toJSON: () => ({ bundle: '' }) }]) clock.learn([found]);
  clock.learn([]);
  expect(clock.at(0)).toBeUndefined();
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clockOfWrites, serverClock } from '../../../src/adapter-kit/server-clock.js';

const NOW = Date.parse('2026-03-01T12:00:00.400Z');
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

const answer = (date?: string): Response => new Response(null, { headers: date === undefined ? {} : { date } });
const host = () => {
  const told: unknown[][] = [];
  return { told, serverTime: (...sample: unknown[]) => void told.push(sample) };
};

test('the header Date tells whole seconds', () => {
  const to = host();
  expect(serverClock(answer('Sun, 01 Mar 2026 12:00:00 GMT'), NOW - 100, to)).toBe(NOW - 50);
  expect(serverClock(answer('Sun, 01 Mar 2026 13:00:00 GMT'), NOW - 100, to)).toBe(Date.parse('2026-03-01T13:00:00Z'));
  expect(to.told).toEqual([
    [Date.parse('2026-03-01T12:00:00Z'), NOW - 100, 999],
    [Date.parse('2026-03-01T13:00:00Z'), NOW - 100, 999],
  ]);
});

test('where it is hidden nothing is told', () => {
  const to = host();
  expect(serverClock(answer(), NOW, to)).toBeUndefined();
  expect(to.told).toEqual([]);
  expect(serverClock(answer('Sun, 01 Mar 2026 12:00:00 GMT'), NOW, {})).toBe(NOW);
});

test('the earliest stamp of what a request wrote is the time of its answer', () => {
  const to = host();
  clockOfWrites([{ timestamp: 9000 }, { timestamp: 7000 }, {}], 5, to);
  clockOfWrites([], 5, to);
  expect(to.told).toEqual([[7000, 5, 1]]);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTimers } from '../../../src/base/timers.js';

const DAY = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('one of each name: a later one takes its place', () => {
  const ran: string[] = [];
  const timers = createTimers<'a' | 'b'>();
  timers.schedule('a', 10, () => ran.push('first a'));
  timers.schedule('b', 10, () => ran.push('b'));
  timers.schedule('a', 20, () => ran.push('second a'));
  expect(vi.getTimerCount()).toBe(2);
  vi.advanceTimersByTime(20);
  expect(ran).toEqual(['b', 'second a']);
});

test('a task may schedule itself again', () => {
  let runs = 0;
  const timers = createTimers<'a'>();
  const again = (): void => {
    runs += 1;
    timers.schedule('a', 10, again);
  };
  timers.schedule('a', 10, again);
  vi.advanceTimersByTime(35);
  expect(runs).toBe(3);
});

test('closed, none is left and none begins', () => {
  const timers = createTimers<'a'>();
  timers.schedule('a', 10, () => expect.unreachable());
  timers.close();
  timers.schedule('a', 10, () => expect.unreachable());
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(100);
});

test('a timer of 90 days does not fire at once, and one without end never does', () => {
  const ran: string[] = [];
  const timers = createTimers<'long' | 'endless'>();
  timers.schedule('long', 90 * DAY, () => ran.push('long'));
  timers.schedule('endless', Number.POSITIVE_INFINITY, () => ran.push('endless'));
  vi.advanceTimersByTime(90 * DAY - 1);
  expect(ran).toEqual([]);
  expect(timers.has('long')).toBe(true);
  vi.advanceTimersByTime(1);
  expect(ran).toEqual(['long']);
  vi.advanceTimersByTime(1000 * DAY);
  expect(ran).toEqual(['long']);
  timers.close();
  expect(vi.getTimerCount()).toBe(0);
});

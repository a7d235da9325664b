import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClock } from '../../../src/sync/clock.js';

const NOW = 1_000_000;
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }));
afterEach(() => void vi.useRealTimers());

test('without a sample the clocks are taken to be equal', () => {
  expect(createClock().offset()).toBe(0);
});

test('the device is right for as long as it can be', () => {
  const clock = createClock();
  clock.measure(NOW - 30, NOW - 200);
  expect(clock.offset(), 'between 30 ms behind and 170 ms ahead').toBe(0);
});

test('the answer is taken to be made in the middle of the round trip', () => {
  const clock = createClock();
  clock.measure(NOW + 5000, NOW - 200);
  expect(clock.offset()).toBe(5100);
});

test('all answers that can be right together are believed', () => {
  const clock = createClock();
  clock.measure(NOW + 1000, NOW - 400);
  expect(clock.offset()).toBe(1200);
  clock.measure(NOW + 1000, NOW - 20);
  expect(clock.offset()).toBe(1010);
  clock.measure(NOW + 900, NOW - 300);
  expect(clock.offset(), 'a longer one that says no more').toBe(1010);
  clock.measure(NOW + 1004, NOW - 20);
  expect(clock.offset(), 'one as short, which leaves less').toBe(1012);
});

test('a clock that was set is noticed, however long the round trip', () => {
  const clock = createClock();
  clock.measure(NOW, NOW - 2);
  clock.measure(NOW + 3_600_000, NOW - 500);
  expect(clock.offset()).toBe(3_600_250);
});

test('an answer that tells whole seconds can be made anywhere in its second', () => {
  const clock = createClock();
  clock.measure(NOW - 600, NOW, 999);
  expect(clock.offset()).toBe(0);
  clock.measure(NOW + 3_600_000, NOW, 999);
  expect(clock.offset()).toBe(3_600_499.5);
  clock.measure(NOW + 3_600_700, NOW - 10);
  expect(clock.offset(), 'a finer one is believed as far as it goes').toBe(3_600_705);
});

import { expect, test } from 'vitest';
import { renewalDelay } from '../../../../src/sync/supervisor/renewal-delay.js';

test.each([
  [0, 30_000, 2500, 5000],
  [1, 30_000, 5000, 10_000],
  [3, 30_000, 15_000, 30_000],
  [1000, 30_000, 15_000, 30_000],
  // However short the app wants to wait for a link.
  [0, 10, 500, 1000],
  [1000, 10, 3000, 6000],
])('after %i refusals more, with at most %i ms: from %i to %i ms', (times, longest, least, most) => {
  expect(renewalDelay(times, longest, () => 0)).toBe(least);
  expect(renewalDelay(times, longest, () => 1)).toBe(most);
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRenewal } from '../../../src/adapter-kit/renewal.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A JWT that ends in so many seconds. */
const jwt = (seconds: number): string =>
  `h.${btoa(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + seconds }))}.s`;

test('a token is renewed before it ends, and asked for again while there is none', async () => {
  let token = jwt(100);
  const answers = [
    () => Promise.reject(new Error('The test has no token yet.')),
    async () => {
      token = jwt(3600);
    },
  ];
  const renew = vi.fn(() => answers.shift()?.() ?? Promise.resolve());
  const failed = vi.fn();
  const renewal = createRenewal(() => token, renew, failed);
  renewal.start();
  await vi.advanceTimersByTimeAsync(79_000);
  expect(renew).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(failed).toHaveBeenCalledTimes(1);
  expect(renew).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(renew).toHaveBeenCalledTimes(2);
});

test('once it is stopped nothing is asked, and what was asked means nothing', async () => {
  let fail = (): void => undefined;
  const renew = vi.fn(
    () =>
      new Promise<void>((_, reject) => {
        fail = () => reject(new Error('The test answers too late.'));
      }),
  );
  const failed = vi.fn();
  const token = jwt(10);
  const renewal = createRenewal(() => token, renew, failed);
  renewal.start();
  await vi.advanceTimersByTimeAsync(9000);
  renewal.stop();
  fail();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renew).toHaveBeenCalledTimes(1);
  expect(failed).not.toHaveBeenCalled();
});

test('what is no JWT is never renewed', async () => {
  const renew = vi.fn(async () => undefined);
  createRenewal(
    () => 'opaque',
    renew,
    () => undefined,
  ).start();
  await vi.advanceTimersByTimeAsync(10_000_000);
  expect(renew).not.toHaveBeenCalled();
});

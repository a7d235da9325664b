import { expect, onTestFinished, test, vi } from 'vitest';
import { createRequests } from '../../../adapters/websocket/link.js';

const live = (): AbortSignal => new AbortController().signal;

test('a request that was given up before it began takes nothing from one under the same id', async () => {
  const requests = createRequests<string>('the push', 1000);
  const waiting = requests.expect('op', live());
  // A push that was overtaken by a new token, and comes late.
  await expect(requests.expect('op', AbortSignal.abort())).rejects.toMatchObject({ code: 'CLOSED' });
  expect(requests.settle('op', 'taken')).toBe(true);
  expect(await waiting).toBe('taken');
});

test('the later of two under one id gets the answer, and the earlier is told at once', async () => {
  const requests = createRequests<string>('the push', 1000);
  const earlier = requests.expect('op', live());
  const later = requests.expect('op', live());
  await expect(earlier).rejects.toMatchObject({ code: 'CLOSED' });
  expect(requests.settle('op', 'taken')).toBe(true);
  expect(await later).toBe('taken');
  expect(requests.settle('op', 'again')).toBe(false);
});

test('each answer shows life of the call that waits for it', async () => {
  const heard: AbortSignal[] = [];
  const requests = createRequests<string>('a push', 1000, (signal) => heard.push(signal));
  const [mine, other] = [live(), live()];
  const answers = [requests.expect('a', mine), requests.expect('b', mine), requests.expect('c', other)];
  for (const id of ['b', 'c', 'a']) requests.settle(id, id);
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
  expect(heard).toEqual([mine, other, mine]);
});

test('an answer behind large frames may take longer, and the longer each time that it was cut off', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const requests = createRequests<string>('a push', 1000);
  for (const limit of [11_000, 21_000]) {
    let failed = 0;
    for (const [id, size] of [
      ['large', 160_000],
      ['small', 300],
    ] as const)
      requests.expect(id, live(), size).catch(() => {
        failed += 1;
      });
    await vi.advanceTimersByTimeAsync(limit - 1);
    expect(failed).toBe(0);
    await vi.advanceTimersByTimeAsync(100);
    expect(failed).toBe(2);
  }
  const alone = expect(requests.expect('small', live(), 300)).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  await vi.advanceTimersByTimeAsync(1400);
  await alone;
});

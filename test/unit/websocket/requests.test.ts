import { expect, test } from 'vitest';
import { createRequests } from '../../../adapters/websocket/requests.js';

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

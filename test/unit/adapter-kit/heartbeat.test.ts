import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHeartbeat } from '../../../src/adapter-kit/heartbeat.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server that answers as long as it is `there`. */
function beating() {
  const server = { there: true };
  const ask = vi.fn(
    (signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (server.there) resolve();
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  const dead = vi.fn();
  return { server, ask, dead, heartbeat: createHeartbeat(100, ask, dead) };
}

test('a server that speaks is not asked; a silent one is, and lives if it answers', async () => {
  const { heartbeat, ask, dead } = beating();
  heartbeat.start();
  await vi.advanceTimersByTimeAsync(60);
  heartbeat.heard();
  await vi.advanceTimersByTimeAsync(60);
  expect(ask).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(500);
  expect(ask.mock.calls.length).toBeGreaterThan(1);
  expect(dead).not.toHaveBeenCalled();
});

test('silence for twice the interval is death, once, and for longer where a large message is on its way', async () => {
  const { heartbeat, server, dead } = beating();
  server.there = false;
  heartbeat.start();
  await vi.advanceTimersByTimeAsync(199);
  expect(dead).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(dead).toHaveBeenCalledTimes(1);

  heartbeat.start();
  heartbeat.expectLarge();
  await vi.advanceTimersByTimeAsync(400);
  expect(dead).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(dead).toHaveBeenCalledTimes(2);
});

test('once it is stopped nothing is asked, and an answer that is out means nothing', async () => {
  const { heartbeat, server, ask, dead } = beating();
  server.there = false;
  heartbeat.start();
  await vi.advanceTimersByTimeAsync(150);
  heartbeat.stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(ask).toHaveBeenCalledTimes(1);
  expect(dead).not.toHaveBeenCalled();
});

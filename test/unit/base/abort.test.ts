import { getEventListeners } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { abort, abortable, createLifetime, joined, reasonOf, throwIfAborted } from '../../../src/base/abort.js';

test('settles as the work does, and leaves no listener', async () => {
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('ends with the reason of the signal, whether the work ends or not', async () => {
  const controller = new AbortController();
  const waiting = abortable(new Promise(() => {}), controller.signal);
  const reason = new Error('stopped');
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
});

/** As React Native up to 0.86 has it (abort-controller 3). */
function withoutReasons(controller: AbortController): AbortController {
  Object.defineProperty(controller.signal, 'reason', { value: undefined });
  return controller;
}

test('a reason is kept where the platform has none', () => {
  const controller = withoutReasons(new AbortController());
  throwIfAborted(controller.signal);
  const reason = new Error('stopped');
  abort(controller, reason);
  abort(controller, new Error('again'));
  expect(reasonOf(controller.signal)).toBe(reason);
  expect(() => throwIfAborted(controller.signal)).toThrow(reason);

  const silent = withoutReasons(new AbortController());
  silent.abort();
  expect(reasonOf(silent.signal)).toMatchObject({ name: 'AbortError' });
});

test('joined work ends with the first of its signals, with its reason, and lets go of both', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const seen: AbortSignal[] = [];
  const waiting = joined([one.signal, other.signal], (signal) => {
    seen.push(signal);
    return abortable(new Promise(() => {}), signal);
  });
  const reason = new Error('stopped');
  abort(other, reason);
  await expect(waiting).rejects.toBe(reason);
  expect(seen.map(reasonOf)).toEqual([reason]);
  for (const { signal } of [one, other]) expect(getEventListeners(signal, 'abort')).toEqual([]);
  await expect(joined([one.signal, other.signal], async (signal) => throwIfAborted(signal))).rejects.toBe(reason);
});

test('joined work has a limit, and leaves no timer', async () => {
  vi.useFakeTimers();
  try {
    const waiting = joined([], (signal) => abortable(new Promise(() => {}), signal), 1000);
    waiting.catch(() => undefined);
    vi.advanceTimersByTime(1000);
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await joined([], async () => 'done', 1000)).toBe('done');
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('what a transport does ends with its life', async () => {
  const life = createLifetime();
  const { signal } = new AbortController();
  const read = life.during(signal, (signal) => abortable(new Promise(() => {}), signal));
  const pages = life.each(signal, async function* (signal) {
    yield 1;
    throwIfAborted(signal);
    yield 2;
  });
  expect(await pages.next()).toEqual({ value: 1, done: false });
  life.end();
  expect(life.over).toBe(true);
  await expect(read).rejects.toThrow();
  await expect(pages.next()).rejects.toThrow();
  for (const each of [signal, life.signal]) expect(getEventListeners(each, 'abort')).toEqual([]);
});

test('a limit longer than a timer can be is not over at once', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const controller = new AbortController();
  const work = joined([controller.signal], () => new Promise(() => undefined), Number.POSITIVE_INFINITY);
  const failed = expect(work).rejects.toThrow('enough');
  await vi.advanceTimersByTimeAsync(1000);
  abort(controller, new Error('enough'));
  await failed;
});

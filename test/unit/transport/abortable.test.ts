import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { abortable } from '../../../src/transport/abortable.js';

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

import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createSyncLayer } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

const open = async () => {
  const sync = await createSyncLayer({
    transport: memoryTransport(),
    enableAutoSync: false,
    enableRealtimeSync: false,
    collections: ['todos'],
  });
  onTestFinished(() => sync.close());
  return sync.collection('todos');
};

test('a loop of awaited saves lets timers and sockets have their turn', async () => {
  const todos = await open();
  const http = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  let timers = 0;
  let answers = 0;
  const timer = setInterval(() => timers++, 1);
  onTestFinished(() => clearInterval(timer));
  get({ port: (http.address() as AddressInfo).port, agent: false }, (response) => {
    answers += 1;
    response.resume();
  });
  // Without turns it would end here only by its count.
  let saves = 0;
  while ((answers === 0 || timers < 3) && saves < 200_000) await todos.save({ n: saves++ }, `${saves % 100}`);
  expect([answers, timers >= 3]).toEqual([1, true]);
});

test('some saves take no turn at all', async () => {
  const todos = await open();
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  for (let n = 0; n < 8; n++) await todos.save({ n }, `${n}`);
  expect(turned).toBe(false);
});

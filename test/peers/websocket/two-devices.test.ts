import { expect, test } from 'vitest';
import { device, live, mirror, pushed, startServer, until } from './harness.js';

test('what one device saves, changes and deletes is on the other well within a second', async () => {
  const server = await startServer();
  const a = await device({ websocketUrl: server.url });
  const b = await device({ websocketUrl: server.url });
  await Promise.all([live(a), live(b)]);
  const seen = mirror(b);
  const polls = b.metrics().sync.attempts;
  const took: number[] = [];
  const todos = a.collection('todos');
  for (let n = 0; n < 60; n++) {
    const id = `t${n % 20}`;
    const startedAt = performance.now();
    if (n < 20) {
      await todos.save({ n }, id);
      await seen.when((rows) => rows.get(id)?.n === n);
    } else if (n < 40) {
      await todos.update(id, { n });
      await seen.when((rows) => rows.get(id)?.n === n);
    } else {
      await todos.delete(id);
      await seen.when((rows) => !rows.has(id));
    }
    took.push(performance.now() - startedAt);
  }
  const sorted = took.sort((x, y) => x - y);
  const [p50 = 0, p95 = 0, max = 0] = [sorted[30], sorted[57], sorted.at(-1)];
  console.log(`two devices: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, max ${max.toFixed(1)} ms`);
  expect(b.metrics().sync.attempts).toBe(polls);
  await pushed(a);
  expect(server.collection('todos').count()).toBe(0);
  expect(a.metrics().errors).toEqual({});
  expect(b.metrics().errors).toEqual({});
});

test('what is saved before there is a link goes out with it, in the way that the server understands', async () => {
  const server = await startServer();
  const sync = await device({ websocketUrl: server.url, baseUrl: server.httpUrl });
  await sync.collection('todos').save({ n: 1 }, '1');
  await live(sync);
  await pushed(sync);
  const other = await device({ websocketUrl: server.url });
  // No turn of the event loop between the link and the first push: the server has not said yet what it can do.
  await until(other, () => other.realtime.state.status === 'connected');
  await other.collection('todos').save({ n: 2 }, '2');
  await pushed(other);
  expect(server.collection('todos').count()).toBe(2);
  expect(sync.metrics().errors).toEqual({});
  expect(other.metrics().errors).toEqual({});
});

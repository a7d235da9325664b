import { expect, onTestFinished, test } from 'vitest';
import { type AppsyncProcess, startAppsyncProcess } from '../appsync/start-process.js';
import { until } from '../until.js';
import { models, openClient } from './harness.js';

const row = { text: 'x', done: false, count: 1 };

async function started(): Promise<AppsyncProcess> {
  const auth = { apiKey: 'da2-of-these-tests' };
  const peer = await startAppsyncProcess({ models, auth, keepAlive: 50, connectionTimeout: 400 });
  onTestFinished(() => peer.close());
  return peer;
}

test('a server that is killed and comes back has lost nobody a row: 36 written around it', {
  timeout: 300_000,
}, async () => {
  const peer = await started();
  const client = await openClient(peer, ['todos', 'tasks']);
  await client.live();
  const types = { todos: 'Todo', tasks: 'Task' } as const;
  const write = async (from: number, to: number): Promise<void> => {
    for (let index = from; index < to; index++)
      for (const type of Object.values(types)) await peer.write(type, `row ${index}`, row);
  };
  for (let round = 0; round < 3; round++) {
    await write(round * 6, round * 6 + 3);
    await peer.kill();
    await client.sync.collection('todos').save(row, `mine ${round}`);
    await until('the loss', () => client.sync.status.phase !== 'live');
    await peer.start();
    await write(round * 6 + 3, round * 6 + 6);
    await client.live();
  }
  for (const [name, type] of Object.entries(types)) {
    const there = (await peer.read(type)).map(({ id }) => id).sort();
    await until(
      'all rows',
      async () => [...(await client.rows(name)).keys()].sort().join() === there.join(),
      client.state,
    );
    expect(there.filter((id) => id.startsWith('row'))).toHaveLength(18);
  }
  const told = client.told.map(({ type, recordId }) => `${type} ${recordId}`);
  // One event for each row of each of the two: not one lost, not one twice.
  expect(told.filter((each) => each.startsWith('Insert row'))).toHaveLength(36);
  expect((await peer.read('Todo')).filter(({ id }) => id.startsWith('mine'))).toHaveLength(3);
});

test('an outage ends within the reconnect delay that was configured', { timeout: 300_000 }, async () => {
  const peer = await started();
  const client = await openClient(peer, ['todos'], {
    config: { websocketReconnectDelay: 300, maxReconnectDelay: 300 },
  });
  await client.live();
  const waits: number[] = [];
  client.sync.events.on('error', () => {
    const { state } = client.sync.realtime;
    if (state.status === 'disconnected') waits.push(state.retryAt - Date.now());
  });
  await peer.kill();
  // Long enough for a backoff that grows to have grown far beyond the delay.
  await until(
    'many attempts',
    () => client.codes().filter((code) => code === 'CONNECT_FAILED').length >= 8,
    client.state,
  );
  await peer.start();
  await peer.write('Todo', 'missed', row);
  await until('the row', async () => (await client.rows()).has('missed'), client.state);
  expect(Math.max(...waits)).toBeLessThanOrEqual(300);
});

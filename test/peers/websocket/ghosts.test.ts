import { expect, onTestFinished, test } from 'vitest';
import { websocketTransport } from '../../../adapters/websocket/index.js';
import { createSyncLayer, SyncLayerError } from '../../../src/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import { live, startServer, until } from './harness.js';

const lost = (): SyncLayerError => new SyncLayerError('CONNECTION_LOST', 'The answer was lost by the test.');

/** A device whose first read fails, and whose answers to pushes are lost, for as long as the test wants. */
async function newDevice(url: string, wrap: (transport: RealtimeTransport) => RealtimeTransport = (same) => same) {
  const inner = websocketTransport({ url });
  const trouble = { pull: true, push: true };
  const transport = wrap({
    ...inner,
    get capabilities() {
      return inner.capabilities;
    },
    async pull(request) {
      if (trouble.pull) throw lost();
      return inner.pull(request);
    },
    async push(changes, options) {
      const results = await inner.push(changes, options);
      if (trouble.push) throw lost();
      return results;
    },
  });
  const sync = await createSyncLayer({
    transport,
    collections: ['todos'],
    store: { type: 'memory' },
    websocketReconnectDelay: 0,
    auditInterval: 3_600_000,
  });
  onTestFinished(() => sync.close());
  return { sync, trouble };
}

test('a row that was saved before the first read, and deleted since, is no ghost', async () => {
  const server = await startServer();
  server.collection('todos').save('other', { n: 0 });
  const { sync, trouble } = await newDevice(server.url);
  await sync.collection('todos').save({ n: 1 }, 'k');
  await until(sync, () => server.collection('todos').get('k') !== undefined);
  server.collection('todos').delete('k');
  // A snapshot, which holds no tombstones of before; only then the push is sent again.
  trouble.pull = false;
  await until(sync, () => sync.inspect().collections.todos?.phase === 'live');
  trouble.push = false;
  await sync.syncNow();
  expect((await sync.collection('todos').getAll()).map(({ id }) => id)).toEqual(['other']);
});

test('an audit finds a ghost: the server lists its keys', async () => {
  const server = await startServer();
  server.collection('todos').save('other', { n: 0 });
  const inner = websocketTransport({ url: server.url });
  let hides = false;
  const sync = await createSyncLayer({
    transport: {
      ...inner,
      get capabilities() {
        return inner.capabilities;
      },
      // The tombstone never comes.
      subscribe: (request, sink) =>
        inner.subscribe(request, { ...sink, change: (change) => (hides ? undefined : sink.change(change)) }),
      async pull(request) {
        const page = await inner.pull(request);
        return hides ? { ...page, changes: page.changes.filter(({ type }) => type !== 'delete') } : page;
      },
    },
    collections: ['todos'],
    store: { type: 'memory' },
    auditInterval: 1000,
  });
  onTestFinished(() => sync.close());
  await live(sync);
  hides = true;
  server.collection('todos').delete('other');
  await until(sync, () => sync.inspect().collections.todos?.rows === 0);
});

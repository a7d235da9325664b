import { afterEach, describe, expect, test, vi } from 'vitest';
import { isSurelyRight } from '../../../src/config/check.js';
import { createSyncLayer, memoryStore, registerTransport, type SyncLayerConfig } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';
import { notLoaded } from '../../../src/transport/not-loaded.js';

afterEach(() => {
  vi.doUnmock('../../../adapters/websocket/index.js');
  vi.doUnmock('../../../src/config/rules.js');
  vi.resetModules();
});

/** A configuration that TypeScript has not checked, as one from JSON. */
const loose = (transport: object): SyncLayerConfig =>
  ({ transport, collections: ['todos'] }) as unknown as SyncLayerConfig;

test('an unknown name is told with those that exist', async () => {
  const unregister = registerTransport('mqtt', () => memoryTransport());
  const creating = createSyncLayer(loose({ type: 'websockets', key: 'secret' }));
  await expect(creating).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const message = await creating.catch((error: Error) => error.message);
  expect(message).toBe(
    'There is no transport "websockets" (one of your own needs registerTransport() first); did you mean "websocket"?',
  );
  expect(message).not.toContain('secret');
  unregister();
});

test('names that objects inherit are unknown too', async () => {
  await expect(createSyncLayer(loose({ type: 'constructor' }))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

test('one of the app’s own, made with its options, until it is taken out again', async () => {
  const given: unknown[] = [];
  const factory = async (options: object) => {
    given.push(options);
    return memoryTransport();
  };
  const unregister = registerTransport('mine', factory);
  expect(() => registerTransport('mine', factory)).toThrow('A transport named "mine" is registered already');
  expect(() => registerTransport('websocket', factory)).toThrow('"websocket" is registered already');
  const sync = await createSyncLayer(loose({ type: 'mine', topic: 'a' }));
  await sync.collection('todos').save({ text: 'Milk' });
  await sync.close();
  expect(given).toEqual([{ topic: 'a' }]);
  unregister();
  await expect(createSyncLayer(loose({ type: 'mine' }))).rejects.toThrow('There is no transport "mine"');
});

test('options of a transport are checked by that transport', async () => {
  const creating = createSyncLayer(
    loose({ type: 'websocket', url: 'ws://127.0.0.1:1/ws', heartbeatIntervall: 5, heartbeatTimeout: -5 }),
  );
  await expect(creating).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    details: {
      problems: [
        expect.stringMatching(/^heartbeatTimeout must be a number above 0.* \(got a negative number\)$/),
        expect.stringMatching(/^heartbeatIntervall is not an option; did you mean "heartbeatInterval"\?$/),
      ],
    },
  });
});

test('the websocket transport by name takes the general addresses', async () => {
  const sync = await createSyncLayer({
    transport: { type: 'websocket', heartbeatInterval: 5000 },
    baseUrl: 'http://127.0.0.1:1',
    enableRealtimeSync: false,
    enableAutoSync: false,
    collections: ['todos'],
  });
  expect(sync.inspect().transport).toBe('websocket');
  await sync.close();
});

test('a transport whose code is out of reach', async () => {
  const cause = new TypeError('Failed to fetch dynamically imported module');
  vi.doMock('../../../adapters/websocket/index.js', () => {
    throw cause;
  });
  const fresh = await import('../../../src/index.js');
  const creating = fresh.createSyncLayer({ websocketUrl: 'ws://127.0.0.1:1/ws', collections: ['todos'] });
  await expect(creating).rejects.toMatchObject({ code: 'CONNECT_FAILED', adapter: 'websocket' });
});

describe('a transport that prepares itself', () => {
  const opened = (prepare: () => Promise<unknown>) => {
    const store = memoryStore();
    const closed = vi.spyOn(store, 'close');
    const creating = createSyncLayer({ transport: { ...memoryTransport(), prepare }, collections: ['todos'], store });
    return { creating, closed };
  };

  test('keeps the app from starting where a package is not installed', async () => {
    const cause = Object.assign(new Error("Cannot find package 'acme'"), { code: 'ERR_MODULE_NOT_FOUND' });
    const { creating, closed } = opened(async () => {
      throw notLoaded('acme', cause);
    });
    await expect(creating).rejects.toMatchObject({ code: 'PEER_MISSING', cause });
    await expect(creating).rejects.toThrow('npm install acme');
    expect(closed).toHaveBeenCalledOnce();
  });

  test('does not where it is only out of reach', async () => {
    const { creating } = opened(async () => {
      throw notLoaded('acme', new TypeError('Failed to fetch dynamically imported module: /acme.js'));
    });
    await (await creating).close();
  });

  test('is not waited for for long', async () => {
    vi.useFakeTimers();
    try {
      const { creating } = opened(() => new Promise(() => {}));
      await vi.advanceTimersByTimeAsync(1000);
      const sync = await creating;
      await sync.close();
    } finally {
      vi.useRealTimers();
    }
  });
});

test('offline, where the rules of the configuration cannot be loaded, the app starts all the same', async () => {
  vi.doMock('../../../src/config/rules.js', () => {
    throw new Error('Failed to fetch dynamically imported module');
  });
  const config = { transport: memoryTransport(), collections: ['todos'], maxRetries: 2 ** 31 };
  expect(isSurelyRight(config)).toBe(false);
  const sync = await createSyncLayer(config);
  await sync.collection('todos').save({ text: 'Milk' });
  await sync.close();
});

test('while what sends edits is out of reach they wait in the outbox, and leave once it is there', async () => {
  vi.resetModules();
  vi.doMock('../../../src/sync/work.js', () => {
    throw new TypeError('Failed to fetch dynamically imported module');
  });
  const fresh = await import('../../../src/index.js');
  const { memoryTransport: transportOf } = await import('../../../src/testing/index.js');
  const transport = transportOf();
  const sync = await fresh.createSyncLayer({ transport, collections: ['todos'] });
  await sync.collection('todos').save({ text: 'Milk' }, '1');
  await expect(sync.syncNow()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  expect(sync.status.pending).toBe(1);
  vi.doUnmock('../../../src/sync/work.js');
  await sync.syncNow();
  expect(sync.status.pending).toBe(0);
  await sync.close();
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createSyncLayer, type SyncLayerConfig } from '../../../src/index.js';
import { createSyncServer } from '../../../src/server/index.js';

test('a wrong baseUrl is named, without its query, when it is answered with 404', async () => {
  const server = await createSyncServer();
  onTestFinished(() => server.close());
  const sync = await createSyncLayer({
    baseUrl: `${server.httpUrl}/wrong`,
    enableAutoSync: false,
    collections: { todos: { filter: { where: { key: 'secret' } } } },
  });
  onTestFinished(() => sync.close());
  const failure = await sync.syncNow().catch((error: Error) => error);
  expect(failure).toMatchObject({ code: 'SUBSCRIBE_REJECTED' });
  expect((failure as Error).message).toContain(`GET ${server.httpUrl}/wrong/sync/todos was answered with 404.`);
  expect((failure as Error).message).not.toMatch(/\?seq|secret/);
});

test('one that knows no reason is asked to be looked at', async () => {
  const http = createServer((_, response) => response.writeHead(404).end('<html>Not here</html>'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  const baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const sync = await createSyncLayer({ baseUrl, enableAutoSync: false, collections: ['todos'] });
  onTestFinished(() => sync.close());
  await expect(sync.syncNow()).rejects.toThrow(
    `Reading "todos": GET ${baseUrl}/sync/todos was answered with status 404. Is baseUrl the address of a SyncLayer server?`,
  );
});

test.each<[string, Omit<SyncLayerConfig, 'collections'>]>([
  ['baseUrl', {}],
  ['the transport', { baseUrl: undefined, transport: { type: 'websocket', baseUrl: 'http://127.0.0.1:1' } }],
  ['enableRealtimeSync: false', { enableRealtimeSync: false }],
])('with an address for polling only, by %s, enable() says what to set and changes nothing', async (_, extra) => {
  const server = await createSyncServer();
  onTestFinished(() => server.close());
  const { baseUrl, transport, ...more } = { baseUrl: server.httpUrl, ...extra };
  const address = transport ? { transport: { ...transport, baseUrl: server.httpUrl } } : { baseUrl };
  const sync = await createSyncLayer({ ...address, ...more, collections: ['todos'] } as SyncLayerConfig);
  onTestFinished(() => sync.close());
  const told: unknown[] = [];
  sync.events.on('statusChanged', (status) => told.push(status));
  sync.events.on('error', (event) => told.push(event));
  await sync.syncNow();
  const before = [sync.status, sync.realtime.state, sync.realtime.enabled];
  expect(before).toEqual([{ phase: 'polling', pending: 0 }, { status: 'idle' }, false]);
  await expect(sync.realtime.enable()).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: 'There is an address for polling only. Set websocketUrl (url) for a live link.',
  });
  expect([sync.status, sync.realtime.state, sync.realtime.enabled]).toEqual(before);
  await sync.syncNow();
  expect(sync.realtime.enabled).toBe(false);
  expect(told).toEqual([]);
});

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createSyncLayer } from '../../src/index.js';

/** A JWT of one user that is good for so many seconds, which is all that a client looks at. */
const jwt = (name: string, seconds: number): string =>
  `h.${Buffer.from(JSON.stringify({ sub: 'me', jti: name, exp: Math.floor(Date.now() / 1000) + seconds })).toString('base64url')}.s`;

test('a refusal of the old token that crosses the new one is not taken for one of the new', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const shown: string[] = [];
  const tokens = [jwt('first', 2), jwt('second', 3600)];
  server.on('connection', (socket: WebSocket) => {
    let greeted = false;
    socket.on('message', (data) => {
      const { type, token, collection, metadata } = JSON.parse(String(data));
      const say = (message: object): void => socket.send(JSON.stringify(message));
      if (type === 'auth') {
        shown.push(token);
        // The link is closed about the token that it began with, while the next one is on its way.
        if (greeted) socket.close(4401, 'token expired');
        else say({ type: 'authenticated' });
        greeted = true;
      }
      const { requestId, since } = metadata ?? {};
      if (type !== 'subscribe') return;
      say({ type: 'subscribed', collection, metadata: { requestId, seq: 1 } });
      if (since !== undefined)
        say({ type: 'sync', collection, data: { records: [] }, metadata: { requestId, seq: 1 } });
    });
  });
  const sync = await createSyncLayer({
    websocketUrl: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`,
    collections: ['todos'],
    websocketReconnectDelay: 10,
    authToken: () => tokens[Math.min(shown.length, 1)],
  });
  onTestFinished(() => sync.close());
  const isLive = ({ phase }: { phase: string }): boolean => phase === 'live';
  if (!isLive(sync.status)) await sync.events.once('statusChanged', isLive);
  await sync.events.once('realtimeDisconnected');
  await sync.events.once('statusChanged', isLive);
  expect(shown).toEqual([tokens[0], tokens[1], tokens[1]]);
});

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp } from 'node:net';
import express from 'express';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createSyncServer, type SyncServer, type SyncServerOptions } from '../../../src/server/index.js';
import { connect } from './fixtures/client.js';

async function listen(http: Server): Promise<number> {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  return (http.address() as AddressInfo).port;
}

async function attach(http: Server, options: SyncServerOptions = {}): Promise<SyncServer> {
  const server = await createSyncServer({ server: http, now: () => 0, ...options });
  onTestFinished(() => server.close());
  return server;
}

const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ recordId: '1', data: { a: 1 } });

describe('in an Express 5 app', () => {
  test.each([
    ['alone', false],
    ['behind express.json()', true],
  ])('REST and socket work, and the rest of the app does, %s', async (_name, parsed) => {
    const app = express();
    const http = createServer(app);
    const server = await attach(http);
    if (parsed) app.use(express.json());
    app.use('/api', server.handler);
    app.get('/hello', (_request, response) => void response.send('hello'));
    const origin = `http://127.0.0.1:${await listen(http)}`;
    expect(server.httpUrl).toBe(origin);

    const reader = await connect(server.url);
    reader.send({ type: 'subscribe', collection: 'todos' });
    await reader.expect('subscribed');
    const posted = await fetch(`${origin}/api/sync/todos`, { method: 'POST', headers: json, body });
    expect(posted.status).toBe(200);
    expect(await reader.expect('insert')).toMatchObject({ recordId: '1', data: { a: 1 } });
    expect(await (await fetch(`${origin}/hello`)).text()).toBe('hello');
    expect((await fetch(`${origin}/api/hello`)).status).toBe(404);
    expect((await fetch(`${origin}/sync/todos`)).status).toBe(404);

    await server.close();
    expect((await reader.closed).code).toBe(1001);
    expect(await (await fetch(`${origin}/hello`)).text()).toBe('hello');
    expect((await fetch(`${origin}/api/sync/todos?seq=0`)).status).toBe(503);
    expect((await fetch(`${origin}/api/hello`)).status).toBe(404);
  });

  test('what express.json() lets through is still checked', async () => {
    const app = express();
    const http = createServer(app);
    const server = await attach(http);
    app.use(express.json(), server.handler);
    const url = `http://127.0.0.1:${await listen(http)}/sync/todos`;
    const poisoned = '{"recordId":"1","data":{"__proto__":{"polluted":1}}}';
    expect((await fetch(url, { method: 'POST', headers: json, body: poisoned })).status).toBe(400);
    expect(server.collection('todos').count()).toBe(0);
  });
});

describe('on an http.Server of the app', () => {
  test('another upgrade path and the request handler are left alone', async () => {
    const http = createServer((_request, response) => response.end('theirs'));
    const theirs = new WebSocketServer({ noServer: true });
    http.on('upgrade', (request, socket, head) => {
      if (request.url !== '/other') return;
      theirs.handleUpgrade(request, socket, head, (ws) => ws.send('{"type":"theirs"}'));
    });
    const server = await attach(http, { path: '/sync-socket' });
    const port = await listen(http);
    expect(server.url).toBe(`ws://127.0.0.1:${port}/sync-socket`);

    const other = await connect(`ws://127.0.0.1:${port}/other`);
    expect(await other.next()).toEqual({ type: 'theirs' });
    const ours = await connect(server.url);
    ours.send({ type: 'ping' });
    await ours.expect('pong');
    expect(await (await fetch(`http://127.0.0.1:${port}/sync/todos`)).text()).toBe('theirs');

    await server.close();
    expect(other.ws.readyState).toBe(other.ws.OPEN);
    expect(http.listening).toBe(true);
    expect(http.listenerCount('upgrade')).toBe(1);
    await other.close();
  });

  test('where nobody else takes upgrades, another path is refused', async () => {
    const http = createServer();
    await attach(http);
    const port = await listen(http);
    await expect(connect(`ws://127.0.0.1:${port}/nobody`)).rejects.toThrow('refused');
  });

  test('the URL is known once it listens', async () => {
    const http = createServer();
    const server = await attach(http);
    expect(() => server.url).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }));
    await listen(http);
    expect(server.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/ws$/);
  });
});

test('a server of its own refuses other paths, and survives nonsense', async () => {
  const server = await createSyncServer();
  onTestFinished(() => server.close());
  await expect(connect(server.url.replace('/ws', '/other'))).rejects.toThrow('refused');
  const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
  socket.write('GET // HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 404/);
  const client = await connect(server.url);
  client.send({ type: 'ping' });
  await client.expect('pong');
});

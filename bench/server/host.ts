/** A server in a process of its own: `host.ts synclayer|ws|socket.io`. Told by messages; answers with what it cost. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { createSyncServer } from '../../src/server/index.js';

interface Host {
  readonly port: number;
  /** Sends one change to everybody. */
  send(count: number): void;
}

const row = (count: number) => ({ text: `Task ${count}`, done: false, updatedAt: count, tags: ['a', 'b'] });

const kinds: Readonly<Record<string, () => Promise<Host>>> = {
  async synclayer() {
    const server = await createSyncServer({ collections: ['todos'] });
    const todos = server.collection('todos');
    return { port: Number(new URL(server.url).port), send: (count) => void todos.save('row', row(count)) };
  },
  async ws() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws' });
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      send(count) {
        const frame = JSON.stringify({ type: 'update', collection: 'todos', recordId: 'row', data: row(count) });
        for (const client of server.clients) client.send(frame);
      },
    };
  },
  async 'socket.io'() {
    const http = createServer();
    const server = new Server(http, { transports: ['websocket'] });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return {
      port: (http.address() as AddressInfo).port,
      send: (count) => void server.emit('update', { collection: 'todos', recordId: 'row', data: row(count) }),
    };
  },
};

const host = await kinds[process.argv[2] ?? '']?.();
if (!host) throw new Error(`Choose from ${Object.keys(kinds).join(', ')}.`);
let before = process.cpuUsage();
process.on('message', (told: { send?: number; stats?: true }) => {
  if (told.send !== undefined) host.send(told.send);
  if (told.stats) {
    const { user, system } = process.cpuUsage(before);
    // For the memory; its time is nobody's.
    globalThis.gc?.();
    before = process.cpuUsage();
    process.send?.({ cpu: (user + system) / 1000, memory: process.memoryUsage().rss });
  }
});
process.on('disconnect', () => process.exit());
process.send?.({ port: host.port });

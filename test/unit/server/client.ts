import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { ServerMessage } from '../../../src/protocol.js';

export type Message<T extends ServerMessage['type'] = ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** A bare client of the wire protocol: what the server says can be awaited message by message. */
export interface TestClient {
  readonly ws: WebSocket;
  /** All that came in and was not taken yet. */
  readonly inbox: ServerMessage[];
  send(message: object | string): void;
  /** The next message, of whatever type. */
  next(): Promise<ServerMessage>;
  /** The next message, which must be of this type. */
  expect<T extends ServerMessage['type']>(type: T): Promise<Message<T>>;
  /** All that comes before the answer to a ping: what the server has to say until then. */
  settled(): Promise<ServerMessage[]>;
  /** Code and reason with which the connection ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

export async function connect(url: string): Promise<TestClient> {
  const ws = new WebSocket(url);
  const inbox: ServerMessage[] = [];
  let waiting: (() => void) | undefined;
  ws.on('message', (data) => {
    inbox.push(JSON.parse(data.toString()) as ServerMessage);
    waiting?.();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
      waiting?.();
    });
  });
  ws.on('error', () => {});
  const opened = await Promise.race([once(ws, 'open').then(() => true), closed.then(() => false)]);
  if (!opened) throw new Error('The server refused the connection');

  async function next(): Promise<ServerMessage> {
    while (inbox.length === 0) {
      if (ws.readyState === ws.CLOSED) throw new Error('The connection was closed while waiting for a message');
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
    }
    return inbox.shift() as ServerMessage;
  }

  return {
    ws,
    inbox,
    closed,
    next,
    send(message) {
      ws.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    async expect(type) {
      const message = await next();
      if (message.type !== type) throw new Error(`Expected ${type}, got ${JSON.stringify(message)}`);
      return message as Message<typeof type>;
    },
    async settled() {
      this.send({ type: 'ping' });
      const messages: ServerMessage[] = [];
      for (;;) {
        const message = await next();
        if (message.type === 'pong') return messages;
        messages.push(message);
      }
    },
    async close() {
      ws.close();
      await closed;
    },
  };
}

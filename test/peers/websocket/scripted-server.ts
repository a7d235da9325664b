import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface ClientFrame {
  readonly type: string;
  readonly collection?: string;
  readonly recordId?: string;
  readonly token?: string;
  readonly data?: Record<string, unknown>;
  readonly metadata?: Record<string, unknown> & { readonly requestId?: string; readonly opId?: string };
}

export interface Peer {
  readonly socket: WebSocket;
  say(message: unknown): void;
}

/** What a test wants otherwise. Truthy: it has answered, or wants no answer. */
export type Script = (frame: ClientFrame, peer: Peer) => unknown;

/**
 * A server that counts changes and holds none: it answers each frame as it should, unless the script does something else.
 * For what no sane server does.
 */
export async function startScriptedServer(script: Script = () => false) {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 64 * 1_048_576 });
  const frames: ClientFrame[] = [];
  let seq = 100;
  let said = 0;
  const state = { script };

  function answer({ type, collection, recordId, metadata = {} }: ClientFrame, { say }: Peer): void {
    const { requestId, opId, since } = metadata;
    const timestamp = new Date().toISOString();
    switch (type) {
      case 'auth':
        say({ type: 'authenticated', timestamp });
        break;
      case 'ping':
        say({ type: 'pong', timestamp });
        break;
      case 'subscribe':
        say({ type: 'subscribed', collection, timestamp, metadata: { requestId, seq } });
        if (since !== undefined)
          say({ type: 'sync', collection, data: { records: [] }, timestamp, metadata: { requestId, seq } });
        break;
      case 'insert':
      case 'update':
      case 'delete':
        seq += 1;
        say({ type: 'ack', collection, recordId, timestamp, metadata: { opId, version: seq, seq } });
    }
  }

  wss.on('connection', (socket) => {
    const peer: Peer = {
      socket,
      say(message) {
        said += 1;
        socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      },
    };
    socket.on('error', () => undefined);
    socket.on('message', (text) => {
      const frame = JSON.parse(String(text)) as ClientFrame;
      frames.push(frame);
      if (!state.script(frame, peer)) answer(frame, peer);
    });
  });
  await once(wss, 'listening');

  const server = {
    url: `ws://127.0.0.1:${(wss.address() as AddressInfo).port}/ws`,
    /** All that clients sent. */
    frames,
    /** How many frames it answered. */
    get said(): number {
      return said;
    },
    /** Changes the script. */
    play(next: Script): void {
      state.script = next;
    },
    /** To everybody. */
    say(message: unknown): void {
      for (const socket of wss.clients) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    sendBinary(bytes: Uint8Array): void {
      for (const socket of wss.clients) socket.send(bytes);
    },
    closeAll(code: number, reason?: string): void {
      for (const socket of wss.clients) socket.close(code, reason);
    },
    get connections(): number {
      return wss.clients.size;
    },
    async close(): Promise<void> {
      for (const socket of wss.clients) socket.terminate();
      await new Promise((resolve) => wss.close(resolve));
    },
  };
  return server;
}

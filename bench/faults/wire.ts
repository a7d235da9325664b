import { WebSocket } from 'ws';
import type { BackendEvent } from './backend.js';

/** How long an answer may take, in ms. */
const TIMEOUT = 2000;

/** A connection to the backend, the same for SyncLayer and for RxDB's handlers. */
export interface Wire {
  /** Rejects when the connection ends, or the answer is late. */
  request<T>(method: string, ...params: readonly unknown[]): Promise<T>;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Connects; rejects if nobody is there. */
export function openWire(url: string, onEvent: (event: BackendEvent) => void): Promise<Wire> {
  const socket = new WebSocket(url);
  const waiting = new Map<string, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let next = 0;
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      for (const { reject } of [...waiting.values()]) reject(new Error('The connection ended.'));
      resolve();
    });
  });
  socket.on('message', (text) => {
    const { id, result } = JSON.parse(String(text));
    if (id === 'stream') onEvent(result);
    else waiting.get(id)?.resolve(result as never);
  });

  function request<T>(method: string, ...params: readonly unknown[]): Promise<T> {
    const id = String(next++);
    return new Promise<T>((resolve, reject) => {
      if (socket.readyState !== WebSocket.OPEN) return reject(new Error('There is no connection.'));
      const timer = setTimeout(() => socket.terminate(), TIMEOUT);
      const settle = (action: () => void): void => {
        clearTimeout(timer);
        waiting.delete(id);
        action();
      };
      waiting.set(id, {
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(error)),
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  }

  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      socket.on('error', () => undefined);
      resolve({ request, closed, close: () => socket.terminate() });
    });
  });
}

import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ServerMessage } from '../base/protocol.js';
import type { Subscriber } from './fan-out.js';
import type { Settings } from './options.js';

export interface Counters {
  messagesIn: number;
  messagesOut: number;
  dropped: number;
}

/** All that goes out to one client. Answers are always sent; events only while the client keeps up. */
export interface Outlet extends Subscriber {
  isOpen(): boolean;
  send(message: ServerMessage): void;
  /** A message that is JSON already. */
  sendText(text: string): void;
  /** Undefined: the client keeps up. Else resolves once all that was sent so far has left. */
  congestion(): Promise<void> | undefined;
}

export interface OutletContext {
  readonly settings: Settings;
  readonly counters: Counters;
  /** Writes a whole frame beside `ws`. */
  write(socket: Duplex, frame: Buffer): void;
}

export function createOutlet(
  { settings: { maxBufferedBytes, perMessageDeflate }, counters, write }: OutletContext,
  ws: WebSocket,
  socket: Duplex,
  onGap: (collection: string) => void,
): Outlet {
  /** Collections whose events were dropped since the socket became too slow; undefined: it keeps up. */
  let missed: Set<string> | undefined;

  const isOpen = () => ws.readyState === ws.OPEN;
  // A ping is behind all the rest in the queue, and `ws` tells when it has left or cannot any more.
  const drained = () => new Promise<void>((resolve) => ws.ping(undefined, false, () => resolve()));

  function catchUp(): void {
    const collections = missed ?? [];
    missed = undefined;
    if (isOpen()) for (const collection of collections) onGap(collection);
  }

  function sendText(text: string): void {
    if (!isOpen()) return;
    counters.messagesOut++;
    ws.send(text);
  }

  return {
    isOpen,
    sendText,
    send: (message) => sendText(JSON.stringify(message)),
    congestion: () => (ws.bufferedAmount > maxBufferedBytes ? drained() : undefined),
    deliver(collection, event) {
      if (!isOpen()) return;
      if (!missed && ws.bufferedAmount > maxBufferedBytes) {
        missed = new Set();
        void drained().then(catchUp);
      }
      if (missed) {
        missed.add(collection);
        counters.dropped++;
        return;
      }
      counters.messagesOut++;
      // `ws` builds each frame anew; without compression the same bytes do for all sockets.
      if (perMessageDeflate) ws.send(event.text);
      else write(socket, event.frame);
    },
  };
}

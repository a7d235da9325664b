import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { LONGEST_TIMER } from '../base/timers.js';
import { createCoalescer } from './coalesce.js';
import type { SyncUser } from './options.js';
import { openSession, type Session, type SessionContext } from './socket-session.js';

export interface Connections {
  readonly size: number;
  readonly counters: SessionContext['counters'];
  add(ws: WebSocket, socket: Duplex, request: IncomingMessage, token: string | undefined): void;
  /** Cuts all; with a code they get a close frame first. */
  drop(code?: number): void;
  /** Says goodbye; who has not answered after `grace` ms is cut. */
  close(grace: number): Promise<void>;
  /** Ends the timer that looks for silent clients. */
  stop(): void;
}

/** Goodbye of a server that stops (RFC 6455, 7.4.1). */
const GOING_AWAY = 1001;

/** All open connections: their number, who holds them, and an end for those that went silent. */
export function createConnections(shared: Omit<SessionContext, 'counters' | 'seat' | 'write'>): Connections {
  const { idleTimeout, maxConnectionsPerUser } = shared.settings;
  const sessions = new Map<WebSocket, Session>();
  const seats = new Map<string, number>();
  const counters = { messagesIn: 0, messagesOut: 0, dropped: 0 };
  let allClosed: (() => void) | undefined;

  function seat({ id }: SyncUser): (() => void) | undefined {
    const taken = seats.get(id) ?? 0;
    if (taken >= maxConnectionsPerUser) return undefined;
    seats.set(id, taken + 1);
    return () => {
      const left = (seats.get(id) ?? 1) - 1;
      if (left > 0) seats.set(id, left);
      else seats.delete(id);
    };
  }

  const context: SessionContext = { ...shared, counters, seat, write: createCoalescer() };
  // One timer for all: a timer per message would cost more than the message.
  const timer = setInterval(
    () => {
      const oldest = performance.now() - idleTimeout;
      for (const session of sessions.values()) if (session.heardAt < oldest) session.expire();
    },
    Math.min(Math.max(10, idleTimeout / 4), LONGEST_TIMER),
  );

  const drop = (code?: number) => {
    for (const ws of sessions.keys()) {
      if (code === undefined) ws.terminate();
      else ws.close(code);
    }
  };

  return {
    counters,
    get size() {
      return sessions.size;
    },
    add(ws, socket, request, token) {
      sessions.set(ws, openSession(context, ws, socket, request, token));
      ws.on('close', () => {
        sessions.delete(ws);
        if (sessions.size === 0) allClosed?.();
      });
    },
    drop,
    async close(grace) {
      clearInterval(timer);
      if (sessions.size === 0) return;
      const done = new Promise<void>((resolve) => {
        allClosed = resolve;
      });
      drop(GOING_AWAY);
      const cut = setTimeout(drop, grace);
      await done;
      clearTimeout(cut);
    },
    stop: () => clearInterval(timer),
  };
}

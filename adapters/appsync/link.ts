import {
  createTimers,
  isObject,
  newId,
  parseUrl,
  reasonOf,
  type SyncLayerError,
  type TransportHost,
  throwIfAborted,
  toSyncLayerError,
} from '../../src/adapter-kit/kit.js';
import { renewalDelay } from '../../src/adapter-kit/renewal-delay.js';
import type { Authorizer } from './auth.js';
import { type ErrorEntry, errorOf } from './failure.js';
import type { Request } from './model.js';

import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';

/** What happens to one `start`. */
export interface Listener {
  started(): void;
  event(payload: unknown): void;
  /** It is over. */
  failed(error: SyncLayerError): void;
}

/** An open socket that AppSync has acknowledged. */
export interface Link {
  readonly isOpen: boolean;
  /** Asks for a subscription. Returns what ends it. */
  start(what: string, request: Request, listener: Listener): () => void;
  /** Resolves when the socket is closed, or has had a second to close. */
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly options: Pick<ParsedOptions, 'endpoint' | 'keepAliveTimeout' | 'WebSocket'>;
  readonly authorizer: Authorizer;
  readonly renew: () => Promise<Readonly<Record<string, string>>>;
  readonly host: TransportHost;
  readonly signal: AbortSignal;
  /** Once, after the link was open. */
  readonly onLost: (error: SyncLayerError) => void;
}

/** AppSync's own default for the silence that ends a socket, ms. */
const SILENCE = 300_000;

/** Longest setTimeout, ms. */
const MAX_TIMER = 2 ** 31 - 1;

/** How long a peer may take to answer a close, ms. */
const CLOSE_TIMEOUT = 1000;

const CLOSED = 3;

interface Started {
  readonly what: string;
  readonly listener: Listener;
  /** What it was asked for with. */
  headers?: Readonly<Record<string, string>>;
}

interface Message {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly payload?: unknown;
}

/**
 * Where the subscriptions are: a host of its own on AWS, `/realtime` below the endpoint of a custom domain. Always `wss`, but
 * to this machine.
 */
export function realtimeUrl(endpoint: string): string {
  const { scheme = '', host = '', path = '' } = parseUrl(endpoint) ?? {};
  const onAws = /^(\w{26}\.appsync)-(api\.[\w-]+\.amazonaws\.com(?:\.cn)?)$/.exec(host);
  const place = onAws ? `${onAws[1]}-realtime-${onAws[2]}${path}` : `${host}${path}/realtime`;
  return `${scheme === 'http' ? 'ws' : 'wss'}://${place}`;
}

/** As a subprotocol can carry it. What is in a header is ASCII. */
const base64url = (text: string): string => btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

/** Cuts a socket whose peer may be gone. Only the `ws` package can; the platform's waits for the peer. */
const cut = (socket: WebSocket): void => {
  const { terminate } = socket as { terminate?: () => void };
  if (terminate) terminate.call(socket);
  else socket.close();
};

const errorsIn = (payload: unknown): readonly ErrorEntry[] => {
  const { errors } = Object(payload) as { readonly errors?: unknown };
  return Array.isArray(errors) ? errors.filter(isObject) : [];
};

/**
 * Opens a socket, greets, and keeps watch over it ("Building a real-time WebSocket client" in AppSync's developer guide).
 * Rejects if it cannot; after it has resolved, `onLost` tells the end.
 */
export async function openLink({ options, authorizer, renew, host, signal, onLost }: LinkOptions): Promise<Link> {
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) {
    const fix = 'Pass one: appsyncTransport({ WebSocket }), e.g. of the "ws" package.';
    throw problem('UNSUPPORTED', `This platform has no WebSocket. ${fix}`);
  }
  const headers = await authorizer.headers('{}', 'connect');
  throwIfAborted(signal);
  const token = authorizer.tokenIn(headers);
  const url = realtimeUrl(options.endpoint);
  const where = url.replace(/^\w+:\/\//, '');
  let socket: WebSocket;
  try {
    socket = new Socket(url, ['graphql-ws', `header-${base64url(JSON.stringify(headers))}`]);
  } catch (error) {
    throw problem('CONNECT_FAILED', `${where} cannot be opened here: ${(error as Error).name}.`);
  }
  const timers = createTimers<'silence' | 'token'>();
  const listeners = new Map<string, Started>();
  let open = false;
  let over = false;
  let heardAt = 0;
  let silence = options.keepAliveTimeout ?? SILENCE;

  return new Promise<Link>((resolve, reject) => {
    /** Once, whatever comes first: an error, a close, silence, an abort. */
    function end(reason: SyncLayerError | undefined): void {
      if (over) return;
      over = true;
      const error = reason && authorizer.judge(headers, reason);
      timers.close();
      listeners.clear();
      if (error?.code === 'HEARTBEAT_TIMEOUT') cut(socket);
      else socket.close();
      if (!open) reject(error ?? problem('CONNECT_FAILED', 'The connection was given up.'));
      else if (error) onLost(error);
    }

    function close(): Promise<void> {
      end(undefined);
      return new Promise((done) => {
        if (socket.readyState === CLOSED) return done();
        const timer = setTimeout(() => {
          cut(socket);
          done();
        }, CLOSE_TIMEOUT);
        const onEnd = (): void => {
          clearTimeout(timer);
          done();
        };
        socket.addEventListener('close', onEnd, { once: true });
      });
    }

    function onAbort(): void {
      // Once open the link lives by itself; the signal was for the attempt.
      if (!open) end(toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'The connection was given up.'));
    }

    function say(message: object): void {
      const frame = JSON.stringify(message);
      host.traffic('out', frame.length);
      socket.send(frame);
    }

    /** `ka` comes about every minute; a half-open socket says nothing, not even that it is dead. */
    function watch(): void {
      // A timer for each frame would cost as much as the frame.
      const left = heardAt + silence - performance.now();
      if (left > 0) timers.schedule('silence', left, watch);
      else end(problem('HEARTBEAT_TIMEOUT', `${where} was silent for ${silence} ms; a new link is made.`));
    }

    /** The token is good for one connection: before it ends, another one is made. */
    function renewInTime(): void {
      const delay = renewalDelay(token);
      if (delay !== undefined) timers.schedule('token', delay, () => void tryRenewal());
    }

    async function tryRenewal(): Promise<void> {
      try {
        const fresh = authorizer.tokenIn(await renew());
        if (over) return;
        if (fresh !== token)
          return end(problem('CONNECTION_LOST', 'The token is about to expire; the link is made anew.'));
      } catch (error) {
        if (over) return;
        host.report(toSyncLayerError(error, 'AUTH_REQUIRED', 'The token could not be renewed.'));
      }
      renewInTime();
    }

    function start(what: string, request: Request, listener: Listener): () => void {
      const id = newId();
      const data = JSON.stringify(request);
      const entry: Started = { what, listener };
      listeners.set(id, entry);
      const mine = (): boolean => listeners.get(id) === entry;
      void authorizer.headers(data, 'start').then(
        (authorization) => {
          entry.headers = authorization;
          if (mine()) say({ id, type: 'start', payload: { data, extensions: { authorization } } });
        },
        (error: unknown) => {
          if (!mine()) return;
          listeners.delete(id);
          listener.failed(toSyncLayerError(error, 'CONNECT_FAILED', `${what} failed; it is tried again.`));
        },
      );
      return () => {
        if (!mine()) return;
        listeners.delete(id);
        if (!over && socket.readyState === 1) say({ id, type: 'stop' });
      };
    }

    function read(frame: unknown): Message | undefined {
      try {
        const message: unknown = typeof frame === 'string' ? JSON.parse(frame) : undefined;
        if (isObject(message)) return message;
      } catch {}
      host.report(problem('PROTOCOL_VIOLATION', 'The server sent a frame that is no message; it was skipped.'));
      return undefined;
    }

    function onFrame({ data }: MessageEvent): void {
      if (over) return;
      host.traffic('in', typeof data === 'string' ? data.length : 0);
      heardAt = performance.now();
      const { type, id, payload } = read(data) ?? {};
      const known = listeners.get(String(id));
      if (type === 'connection_ack') onAck(payload);
      else if (type === 'connection_error') end(errorOf(`The connection to ${where}`, 'connect', 0, errorsIn(payload)));
      else if (type === 'start_ack') known?.listener.started();
      else if (type === 'data') known?.listener.event(payload);
      else if (type === 'error' || type === 'complete') {
        listeners.delete(String(id));
        const error = errorOf(known?.what ?? where, 'start', 0, errorsIn(payload));
        if (known && type === 'error') known.listener.failed(authorizer.judge(known.headers ?? headers, error));
        else if (known) known.listener.failed(problem('CONNECT_FAILED', `${known.what} was ended by the server.`));
        else if (type === 'error') host.report(error);
      }
    }

    function onAck(payload: unknown): void {
      if (open) return;
      const { connectionTimeoutMs } = Object(payload) as { readonly connectionTimeoutMs?: unknown };
      if (typeof connectionTimeoutMs === 'number' && connectionTimeoutMs > 0)
        silence = Math.min(options.keepAliveTimeout ?? MAX_TIMER, connectionTimeoutMs);
      open = true;
      watch();
      renewInTime();
      resolve({
        get isOpen() {
          return !over;
        },
        start,
        close,
      });
    }

    function onClose({ code }: CloseEvent): void {
      const text = `${where} closed the connection (${code}).`;
      if (open) end(problem('CONNECTION_LOST', text));
      else end(problem('CONNECT_FAILED', `${text} Is the API up, and the endpoint right?`));
    }

    signal.addEventListener('abort', onAbort, { once: true });
    socket.addEventListener('open', () => over || say({ type: 'connection_init' }));
    socket.addEventListener('message', onFrame);
    socket.addEventListener('close', onClose);
    // A close follows each error, with what little is known. Without a listener it would be uncaught in Node.
    socket.addEventListener('error', () => undefined);
  });
}

import {
  createTimers,
  isObject,
  LONGEST_TIMER,
  newId,
  parseUrl,
  reasonOf,
  type SyncLayerError,
  type TransportHost,
  throwIfAborted,
  toSyncLayerError,
} from '../../src/adapter-kit/kit.js';
import { createRenewal } from '../../src/adapter-kit/renewal.js';
import { type ErrorEntry, errorOf } from './errors.js';
import { type ParsedOptions, problem } from './options.js';
import type { Authorizer } from './reads.js';
import type { Request } from './table.js';

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
  readonly options: Pick<ParsedOptions, 'url' | 'heartbeatTimeout' | 'WebSocket' | 'subscribeTimeout'>;
  readonly authorizer: Authorizer;
  readonly host: TransportHost;
  readonly signal: AbortSignal;
  /** Once, after the link was open. */
  readonly onLost: (error: SyncLayerError) => void;
}

/** AppSync's own default for the silence that ends a socket, ms. */
const SILENCE = 300_000;

/** How long a peer may take to answer a close, ms. */
const CLOSE_TIMEOUT = 1000;

const OPEN = 1;
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
 * Where the subscriptions are: a host of its own on AWS, `/realtime` below the url of a custom domain. Always `wss`, but
 * to this machine.
 */
export function realtimeUrl(url: string): string {
  const { scheme = '', host = '', path = '' } = parseUrl(url) ?? {};
  const onAws = /^(\w{26}\.appsync)-(api\.[\w-]+\.amazonaws\.com(?:\.cn)?)$/.exec(host);
  const place = onAws ? `${onAws[1]}-realtime-${onAws[2]}${path}` : `${host}${path}/realtime`;
  return `${scheme === 'http' ? 'ws' : 'wss'}://${place}`;
}

/** For messages: a URL without its protocol. */
const placeIn = (url: string): string => url.replace(/^\w+:\/\//, '');

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

/** A socket of JSON messages. */
interface Channel {
  send(message: object): void;
  /** From now on silence for so long, in ms, is the end. */
  limitSilence(ms: number): void;
  /** No event follows. `dead`: the peer answers no more. */
  end(dead: boolean): void;
  /** Resolves when the socket is closed, or has had a second to close. */
  closed(): Promise<void>;
}

interface ChannelEvents {
  opened(): void;
  message(message: Message): void;
  closed(code: number): void;
  silent(ms: number): void;
}

/** Throws CONNECT_FAILED where the platform cannot open such a socket. */
function openChannel(
  Socket: typeof WebSocket,
  url: string,
  protocols: string[],
  host: TransportHost,
  events: ChannelEvents,
): Channel {
  let socket: WebSocket;
  try {
    socket = new Socket(url, protocols);
  } catch (error) {
    throw problem('CONNECT_FAILED', `${placeIn(url)} cannot be opened here: ${(error as Error).name}.`);
  }
  const timers = createTimers<'silence'>();
  let over = false;
  let heardAt = 0;

  function read(frame: unknown): Message | undefined {
    try {
      const message: unknown = typeof frame === 'string' ? JSON.parse(frame) : undefined;
      if (isObject(message)) return message;
    } catch {}
    host.report(problem('PROTOCOL_VIOLATION', 'The server sent a frame that is no message; it was skipped.'));
    return undefined;
  }

  /** `ka` comes about every minute; a half-open socket says nothing, not even that it is dead. */
  function limitSilence(ms: number): void {
    // A timer for each frame would cost as much as the frame.
    const left = heardAt + ms - performance.now();
    if (left > 0) timers.schedule('silence', left, () => limitSilence(ms));
    else events.silent(ms);
  }

  socket.addEventListener('open', () => over || events.opened());
  socket.addEventListener('message', ({ data }: MessageEvent) => {
    if (over) return;
    host.traffic('in', typeof data === 'string' ? data.length : 0);
    heardAt = performance.now();
    const message = read(data);
    if (message) events.message(message);
  });
  socket.addEventListener('close', ({ code }: CloseEvent) => over || events.closed(code));
  // A close follows each error, with what little is known. Without a listener it would be uncaught in Node.
  socket.addEventListener('error', () => undefined);

  return {
    send(message) {
      if (socket.readyState !== OPEN) return;
      const frame = JSON.stringify(message);
      host.traffic('out', frame.length);
      socket.send(frame);
    },
    limitSilence,
    end(dead) {
      over = true;
      timers.close();
      if (dead) cut(socket);
      else socket.close();
    },
    closed: () =>
      new Promise((done) => {
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
      }),
  };
}

/**
 * Opens a socket, greets, and keeps watch over it ("Building a real-time WebSocket client" in AppSync's developer guide).
 * Rejects if it cannot; after it has resolved, `onLost` gets the end.
 */
export async function openLink({ options, authorizer, host, signal, onLost }: LinkOptions): Promise<Link> {
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) {
    const fix = 'Pass one: appsyncTransport({ WebSocket }), e.g. of the "ws" package.';
    throw problem('UNSUPPORTED', `This platform has no WebSocket. ${fix}`);
  }
  const headers = await authorizer.headers('{}', 'connect');
  throwIfAborted(signal);
  const url = realtimeUrl(options.url);
  const where = placeIn(url);
  const started = new Map<string, Started>();
  let state: 'opening' | 'open' | 'over' = 'opening';

  return new Promise<Link>((resolve, reject) => {
    /** Once, whatever comes first: an error, a close, silence, an abort. */
    function end(reason?: SyncLayerError): void {
      if (state === 'over') return;
      const wasOpen = state === 'open';
      state = 'over';
      const error = reason && authorizer.explain(headers, reason);
      renewal.stop();
      started.clear();
      channel.end(error?.code === 'HEARTBEAT_TIMEOUT');
      if (!wasOpen) reject(error ?? problem('CONNECT_FAILED', 'The connection was given up.'));
      else if (error) onLost(error);
    }

    const token = authorizer.tokenIn(headers);
    const renewal = createRenewal(
      () => token,
      async () => {
        const fresh = authorizer.tokenIn(await authorizer.headers('{}', 'connect'));
        if (fresh !== token) end(problem('CONNECTION_LOST', 'The token is about to expire; a new link is made.'));
      },
      (error) => host.report(toSyncLayerError(error, 'AUTH_REQUIRED', 'The token could not be renewed.')),
    );

    function start(what: string, request: Request, listener: Listener): () => void {
      const id = newId();
      const data = JSON.stringify(request);
      const entry: Started = { what, listener };
      started.set(id, entry);
      const mine = (): boolean => started.get(id) === entry;
      void authorizer.headers(data, 'start').then(
        (authorization) => {
          entry.headers = authorization;
          if (mine()) channel.send({ id, type: 'start', payload: { data, extensions: { authorization } } });
        },
        (error: unknown) => {
          if (!mine()) return;
          started.delete(id);
          listener.failed(toSyncLayerError(error, 'CONNECT_FAILED', `${what} failed; it is tried again.`));
        },
      );
      return () => {
        if (!mine()) return;
        started.delete(id);
        channel.send({ id, type: 'stop' });
      };
    }

    function onAck(payload: unknown): void {
      if (state !== 'opening') return;
      state = 'open';
      const { heartbeatTimeout: own } = options;
      const { connectionTimeoutMs: said } = Object(payload) as { readonly connectionTimeoutMs?: unknown };
      const servers = typeof said === 'number' && said > 0 ? Math.min(said, LONGEST_TIMER) : undefined;
      channel.limitSilence(Math.min(own ?? servers ?? SILENCE, servers ?? LONGEST_TIMER));
      renewal.start();
      resolve({
        get isOpen() {
          return state === 'open';
        },
        start,
        close() {
          end();
          return channel.closed();
        },
      });
    }

    /** The end of one subscription. */
    function onEnd(id: string, failed: boolean, payload: unknown): void {
      const known = started.get(id);
      started.delete(id);
      const error = errorOf(known?.what ?? where, 'start', 0, errorsIn(payload));
      if (known && failed) known.listener.failed(authorizer.explain(known.headers ?? headers, error));
      else if (known) known.listener.failed(problem('CONNECT_FAILED', `${known.what} was ended by the server.`));
      else if (failed) host.report(error);
    }

    function onMessage({ type, id, payload }: Message): void {
      const known = started.get(String(id));
      if (type === 'connection_ack') onAck(payload);
      else if (type === 'connection_error') end(errorOf(`The connection to ${where}`, 'connect', 0, errorsIn(payload)));
      else if (type === 'start_ack') known?.listener.started();
      else if (type === 'data') known?.listener.event(payload);
      else if (type === 'error' || type === 'complete') onEnd(String(id), type === 'error', payload);
    }

    const protocols = ['graphql-ws', `header-${base64url(JSON.stringify(headers))}`];
    const channel = openChannel(Socket, url, protocols, host, {
      opened: () => channel.send({ type: 'connection_init' }),
      message: onMessage,
      closed(code) {
        const text = `${where} closed the connection (${code}).`;
        if (state === 'open') end(problem('CONNECTION_LOST', text));
        else end(problem('CONNECT_FAILED', `${text} Is the API up, and the url right?`));
      },
      silent: (ms) => end(problem('HEARTBEAT_TIMEOUT', `${where} was silent for ${ms} ms; a new link is made.`)),
    });
    // Once open the link lives by itself; the signal was for the attempt.
    const onAbort = (): void => {
      if (state === 'opening')
        end(toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'The connection was given up.'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

import {
  type ClientMessage,
  createTimers,
  type ErrorMessage,
  isObject,
  reasonOf,
  type ServerMessage,
  type SyncLayerError,
  type TransportHost,
  throwIfAborted,
  toSyncLayerError,
} from '../../src/adapter-kit/kit.js';
import { renewalDelay } from '../../src/adapter-kit/renewal.js';
import { createUploads, type Uploads } from '../../src/adapter-kit/uploads.js';
import { problem, toError, withoutToken } from './errors.js';
import { byteLength, parseJson } from './normalize.js';
import type { ParsedOptions } from './options.js';

/** An open, authenticated socket. */
export interface Link {
  readonly isOpen: boolean;
  /** Sends a frame that is JSON already. Lost without a word if the socket has just died: `onLost` tells. */
  send(frame: string): void;
  /** Resolves when the socket is closed, or has had a second to close. */
  close(): Promise<void>;
}

export interface LinkOptions
  extends Pick<
    ParsedOptions,
    'url' | 'authMode' | 'authToken' | 'heartbeatInterval' | 'heartbeatTimeout' | 'WebSocket'
  > {
  readonly uploads: Uploads;
  readonly host: TransportHost;
  readonly signal: AbortSignal;
  readonly onMessage: (message: ServerMessage) => void;
  /** Once, after the link was open. `code`: the close code, where there was a close. */
  readonly onLost: (error: SyncLayerError, code: number | undefined) => void;
}

/** 4401 is our server's, 1008 what servers of the original protocol use. */
const isAuthClose = (code: number): boolean => code === 4401 || code === 1008;

/** How long a peer may take to answer a close, in ms. */
const CLOSE_TIMEOUT = 1000;

const OPEN = 1;
const CLOSED = 3;

/** The address with this token in its query, instead of one that is there. */
function withToken(url: string, token: string): string {
  const [address, query = ''] = url.split('?');
  const others = query.split('&').filter((part) => part !== '' && !part.startsWith('token='));
  return `${address}?${[...others, `token=${encodeURIComponent(token)}`].join('&')}`;
}

/** A frame as a message; reports and skips what is none. */
function parse(frame: unknown, host: TransportHost): ServerMessage | undefined {
  const report = (what: string): undefined =>
    host.report(problem('PROTOCOL_VIOLATION', `The server sent ${what}.`)) as undefined;
  if (typeof frame !== 'string') return report('a binary frame; it was skipped');
  try {
    const { value, poisoned } = parseJson(frame);
    if (poisoned) report('a field named __proto__; it was left out');
    if (isObject(value) && typeof value.type === 'string') return value as unknown as ServerMessage;
    return report('JSON that is no message; it was skipped');
  } catch {
    return report('text that is not JSON; it was skipped');
  }
}

/** Cuts a socket whose peer may be gone. Only the `ws` package can; the platform's waits for the peer. */
const cut = (socket: WebSocket): void => {
  const { terminate } = socket as { terminate?: () => void };
  if (terminate) terminate.call(socket);
  else socket.close();
};

/**
 * Opens a socket, authenticates, and keeps watch over it. Rejects if it cannot; after it has resolved, `onLost` tells
 * the end.
 */
export async function openLink(options: LinkOptions): Promise<Link> {
  const { host, signal, authMode, heartbeatInterval, heartbeatTimeout, uploads } = options;
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) {
    const fix = 'Pass one: websocketTransport({ WebSocket }), e.g. of the "ws" package.';
    throw problem('UNSUPPORTED', `This platform has no WebSocket. ${fix}`);
  }
  let token = await host.authToken(options.authToken);
  throwIfAborted(signal);
  const { url = '' } = options;
  const [where = ''] = url.split('?');
  let socket: WebSocket;
  try {
    socket = new Socket(authMode === 'query' && token !== undefined ? withToken(url, token) : url);
  } catch (error) {
    // Its message may quote the URL, and with it the token.
    throw problem('CONNECT_FAILED', `${where} cannot be opened here: ${(error as Error).name}.`);
  }
  const timers = createTimers<'ping' | 'pong' | 'token'>();
  let open = false;
  let over = false;
  /** The token that the server has answered: a refusal may cross the next one on its way. */
  let admitted = token;
  /** Bytes sent since a frame has come: an answer waits behind them. */
  let ahead = 0;

  return new Promise<Link>((resolve, reject) => {
    /** Once, whatever comes first: an error, a close, silence, an abort. */
    function end(reason: SyncLayerError | undefined, code?: number): void {
      if (over) return;
      over = true;
      const error = reason && (host.refused?.(admitted, reason) ?? reason);
      timers.close();
      signal.removeEventListener('abort', onAbort);
      socket.removeEventListener('open', onOpen);
      socket.removeEventListener('message', onFrame);
      socket.removeEventListener('close', onClose);
      // The error listener stays: closing a socket that is still connecting makes one, and in Node it would be uncaught.
      if (error?.code === 'HEARTBEAT_TIMEOUT') cut(socket);
      else socket.close();
      if (!open) reject(error ?? problem('CONNECT_FAILED', 'The connection was given up.'));
      else if (error) options.onLost(error, code);
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

    const onAbort = (): void => {
      end(
        toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'The connection was given up.', { adapter: 'websocket' }),
      );
    };

    function ready(): void {
      open = true;
      // From here on the link lives by itself; the signal was for the attempt.
      signal.removeEventListener('abort', onAbort);
      timers.schedule('ping', heartbeatInterval, ping);
      renewInTime();
      resolve({
        get isOpen() {
          return !over;
        },
        send,
        close,
      });
    }

    function send(frame: string): void {
      if (socket.readyState !== OPEN) return;
      const size = byteLength(frame);
      ahead += size;
      host.traffic('out', size);
      socket.send(frame);
    }

    const say = (message: ClientMessage): void => send(JSON.stringify(message));

    /** However much comes in: the server drops who says nothing. */
    function ping(): void {
      say({ type: 'ping' });
      timers.schedule('ping', heartbeatInterval, ping);
      // A half-open socket says nothing: no error, no close. Any frame is a sign of life.
      if (timers.has('pong')) return;
      const bytes = ahead;
      const limit = Math.round(heartbeatTimeout + uploads.limit(bytes));
      timers.schedule('pong', limit, () => {
        uploads.missed(bytes);
        end(problem('HEARTBEAT_TIMEOUT', `${where} is silent: no answer to a ping for ${limit} ms.`));
      });
    }

    /** Asks for a new token while the old one is good for a little longer, again and again until there is one. */
    function renewInTime(): void {
      const delay = renewalDelay(token);
      if (delay !== undefined) timers.schedule('token', delay, () => void renew());
    }

    async function renew(): Promise<void> {
      try {
        const next = await host.authToken(options.authToken);
        if (over) return;
        if (next !== undefined && next !== token) {
          if (authMode === 'query')
            return end(problem('CONNECTION_LOST', 'The token is about to expire; the link is made anew.'));
          token = next;
          say({ type: 'auth', token });
        }
      } catch (error) {
        if (over) return;
        host.report(error as SyncLayerError);
      }
      renewInTime();
    }

    function onOpen(): void {
      if (token === undefined || authMode === 'query') ready();
      else say({ type: 'auth', token });
    }

    function onFrame({ data }: MessageEvent): void {
      host.traffic('in', typeof data === 'string' ? byteLength(data) : 0);
      timers.cancel('pong');
      ahead = 0;
      const message = parse(data, host);
      if (message?.type === 'error') onError({ ...message, error: withoutToken(String(message.error), token) });
      else if (message?.type === 'authenticated') {
        admitted = token;
        if (!open) ready();
      } else if (message && open) options.onMessage(message);
    }

    function onError(message: ErrorMessage): void {
      if (open && message.code !== 'AUTH_FAILED') {
        options.onMessage(message);
        return;
      }
      const error = toError(message, `${where} refused the connection`);
      const hint = open || authMode === 'query' ? '' : ". If it wants the token in the URL, set authMode: 'query'.";
      // Whatever comes instead of a welcome is about the token, but for what passes by itself.
      if (error.code === 'CONNECTION_LOST') end(error);
      else
        end(problem('AUTH_REQUIRED', `${error.message.replace(/\.$/, '')}${hint || '.'}`, { details: error.details }));
    }

    function onClose({ code, reason }: CloseEvent): void {
      const text = `${where} closed the connection (${code}${reason ? `, ${withoutToken(reason, token)}` : ''}).`;
      if (isAuthClose(code)) end(problem('AUTH_REQUIRED', text), code);
      else if (open) end(problem('CONNECTION_LOST', text), code);
      else end(problem('CONNECT_FAILED', `${text} Is the server up, and its address right?`), code);
    }

    signal.addEventListener('abort', onAbort);
    socket.addEventListener('open', onOpen);
    socket.addEventListener('message', onFrame);
    socket.addEventListener('close', onClose);
    // A close follows each error, with what little is known.
    socket.addEventListener('error', () => undefined);
  });
}

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: SyncLayerError) => void;
  readonly size: number;
  readonly since: number;
  /** Bytes that were to be sent by then and are not answered: they are on the line before its answer. */
  readonly ahead: number;
  /** How long it may take, in ms. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

const givenUp = (): SyncLayerError => problem('CLOSED', 'The request was given up.');

/**
 * Answers that are awaited, each by the id that it will name. One is given up when it has not come for `timeout` ms and
 * no other has come meanwhile, beside what the frames up to its own take on the line: a busy server answers a long queue one by one,
 * and is not silent. `alive` is called with the signal of each that is answered: a call may wait for many.
 */
export function createRequests<Answer>(
  what: string,
  timeout: number,
  alive?: (signal: AbortSignal) => void,
  uploads = createUploads(),
) {
  const waiting = new Map<string, Waiting<Answer>>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heardAt = 0;
  /** Bytes of the frames that are not answered. */
  let sent = 0;
  /** The silence after what was sent last has been noted: its frames are given up one by one. */
  let noted = false;

  /** How long this one still has, in ms. */
  const left = ({ since, limit }: Waiting<Answer>): number => Math.max(since, heardAt) + limit - performance.now();

  function watch(): void {
    clearTimeout(timer);
    // The first in the map is the oldest.
    const [oldest] = waiting.values();
    if (oldest) timer = setTimeout(expire, Math.max(0, left(oldest)));
  }

  function expire(): void {
    const error = problem('CONNECTION_LOST', `The server has not answered ${what} for ${timeout} ms.`);
    const late = [...waiting.values()].filter((waiter) => left(waiter) < 1);
    if (late.length > 0 && !noted) uploads.missed(sent);
    noted ||= late.length > 0;
    for (const { reject } of late) reject(error);
    watch();
  }

  return {
    /** The answer to the frame of `size` bytes that is about to be sent. */
    expect(id: string, signal: AbortSignal, size = 0): Promise<Answer> {
      return new Promise((resolve, reject) => {
        // Before it takes the place of another: a push that was given up may be sent again under the same id by now.
        if (signal.aborted) {
          reject(givenUp());
          return;
        }
        waiting.get(id)?.reject(givenUp());
        const settle = (action: () => void): void => {
          signal.removeEventListener('abort', onAbort);
          waiting.delete(id);
          sent -= size;
          watch();
          action();
        };
        const onAbort = (): void => settle(() => reject(givenUp()));
        sent += size;
        noted = false;
        waiting.set(id, {
          ahead: sent,
          limit: timeout + uploads.limit(sent),
          resolve: (answer) => settle(() => resolve(answer)),
          reject: (error) => settle(() => reject(error)),
          size,
          since: performance.now(),
          signal,
        });
        signal.addEventListener('abort', onAbort);
        if (waiting.size === 1) watch();
      });
    },
    /** False if nobody waits for it. */
    settle(id: string | undefined, answer: Answer): boolean {
      const waiter = id === undefined ? undefined : waiting.get(id);
      if (!waiter) return false;
      heardAt = performance.now();
      uploads.met(waiter.ahead, heardAt - waiter.since);
      alive?.(waiter.signal);
      waiter.resolve(answer);
      return true;
    },
    /** Gives all of them up. */
    fail(error: SyncLayerError): void {
      for (const { reject } of [...waiting.values()]) reject(error);
    },
    /** The largest frame whose answer is awaited, in bytes. */
    largest: (): number => Math.max(0, ...[...waiting.values()].map(({ size }) => size)),
  };
}

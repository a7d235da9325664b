import {
  type ClientMessage,
  type ErrorMessage,
  type ServerMessage,
  SyncLayerError,
  type TransportHost,
  tokenExpiry,
} from '../../src/adapter-kit.js';
import { toError } from './normalize.js';
import type { ParsedOptions } from './options.js';

/** An open, authenticated socket. */
export interface Link {
  send(message: ClientMessage): void;
  close(): void;
}

export interface LinkOptions
  extends Pick<ParsedOptions, 'url' | 'authMode' | 'authToken' | 'pingInterval' | 'pongTimeout' | 'WebSocket'> {
  readonly host: TransportHost;
  readonly signal: AbortSignal;
  readonly onMessage: (message: ServerMessage) => void;
  /** Once, after the link was open. `code`: the close code, where there was a close. */
  readonly onLost: (error: SyncLayerError, code: number | undefined) => void;
}

const failure = (
  code: 'CONNECT_FAILED' | 'CONNECTION_LOST' | 'HEARTBEAT_TIMEOUT' | 'AUTH_REQUIRED',
  message: string,
): SyncLayerError => new SyncLayerError(code, message, { adapter: 'websocket' });

/** 4401 is our server's, 1008 what servers of the original protocol use. */
const isAuthClose = (code: number): boolean => code === 4401 || code === 1008;

/** Longest setTimeout, in ms. */
const MAX_TIMER = 2 ** 31 - 1;

/** A frame as a message; reports and skips what is none. */
function parse(text: unknown, host: TransportHost): ServerMessage | undefined {
  const skip = (what: string): undefined => {
    host.report(
      new SyncLayerError('PROTOCOL_VIOLATION', `The server sent ${what}; the frame was skipped.`, {
        adapter: 'websocket',
      }),
    );
  };
  if (typeof text !== 'string') return skip('a binary frame');
  try {
    const poisoned = text.includes('"__proto__"');
    const message: unknown = JSON.parse(
      text,
      poisoned ? (key, value: unknown) => (key === '__proto__' ? undefined : value) : undefined,
    );
    if (poisoned)
      host.report(
        new SyncLayerError('PROTOCOL_VIOLATION', 'The server sent a field named __proto__; it was left out.', {
          adapter: 'websocket',
        }),
      );
    if (typeof message === 'object' && message !== null && typeof (message as ServerMessage).type === 'string')
      return message as ServerMessage;
    return skip('JSON that is no message');
  } catch {
    return skip('text that is not JSON');
  }
}

/**
 * Opens a socket, authenticates, and keeps watch over it. Rejects if it cannot; after it has resolved, `onLost` tells
 * the end.
 */
export async function openLink(options: LinkOptions): Promise<Link> {
  const { host, signal, authMode, pingInterval, pongTimeout } = options;
  const token = await host.authToken(options.authToken);
  signal.throwIfAborted();
  const url = new URL(options.url ?? '');
  const where = `${url.origin}${url.pathname}`;
  if (token !== undefined && authMode === 'query') url.searchParams.set('token', token);
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  if (!Socket) {
    throw new SyncLayerError(
      'UNSUPPORTED',
      'This platform has no WebSocket. Pass one: websocketTransport({ WebSocket }), e.g. of the "ws" package.',
    );
  }
  const socket = new Socket(url);
  const timers = new Map<'ping' | 'pong' | 'token', ReturnType<typeof setTimeout>>();
  let open = false;
  let over = false;

  return new Promise<Link>((resolve, reject) => {
    const arm = (name: 'ping' | 'pong' | 'token', delay: number, task: () => void): void => {
      clearTimeout(timers.get(name));
      timers.set(name, setTimeout(task, Math.min(delay, MAX_TIMER)));
    };

    /** Once, whatever comes first: an error, a close, silence, an abort. */
    function end(error: SyncLayerError | undefined, code?: number): void {
      if (over) return;
      over = true;
      for (const timer of timers.values()) clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeEventListener('open', onOpen);
      socket.removeEventListener('message', onFrame);
      socket.removeEventListener('close', onClose);
      // The error listener stays: closing a socket that is still connecting makes one, and in Node it would be uncaught.
      socket.close();
      if (!open) reject(error ?? failure('CONNECT_FAILED', 'The connection was given up.'));
      else if (error) options.onLost(error, code);
    }

    const onAbort = (): void => end(signal.reason instanceof SyncLayerError ? signal.reason : undefined);

    function ready(): void {
      open = true;
      // From here on the link lives by itself; the signal was for the attempt.
      signal.removeEventListener('abort', onAbort);
      beat();
      if (token !== undefined) renewBefore(token);
      resolve({ send, close: () => end(undefined) });
    }

    function send(message: ClientMessage): void {
      const frame = JSON.stringify(message);
      host.traffic('out', frame.length);
      if (socket.readyState === 1) socket.send(frame);
    }

    function beat(): void {
      clearTimeout(timers.get('pong'));
      arm('ping', pingInterval, () => {
        send({ type: 'ping' });
        // Half-open sockets say nothing: no error, no close.
        arm('pong', pongTimeout, () =>
          end(failure('HEARTBEAT_TIMEOUT', `${where} has not answered a ping for ${pongTimeout} ms.`)),
        );
      });
    }

    function renewBefore(current: string): void {
      const expiry = tokenExpiry(current);
      if (expiry === undefined) return;
      const left = expiry - Date.now();
      arm('token', Math.max(1000, left - Math.min(60_000, left / 5)), () => {
        host.authToken(options.authToken).then(
          (next) => {
            if (over || next === undefined) return;
            if (next === current) return;
            if (authMode === 'query')
              end(failure('CONNECTION_LOST', 'The token is about to expire; the link is made anew.'));
            else {
              send({ type: 'auth', token: next });
              renewBefore(next);
            }
          },
          (error: SyncLayerError) => host.report(error),
        );
      });
    }

    function onOpen(): void {
      if (token === undefined || authMode === 'query') ready();
      else send({ type: 'auth', token });
    }

    function onFrame({ data }: MessageEvent): void {
      host.traffic('in', typeof data === 'string' ? data.length : 0);
      const message = parse(data, host);
      if (open) beat();
      if (!message) return;
      if (message.type === 'error' && message.code === 'AUTH_FAILED')
        end(toError(message, `${where} refused the token`));
      else if (open) options.onMessage(message);
      else if (message.type === 'authenticated') ready();
      else if (message.type === 'error') end(refused(message));
    }

    const refused = (message: ErrorMessage): SyncLayerError =>
      message.code === 'INVALID_MESSAGE'
        ? failure('AUTH_REQUIRED', `${where} does not take the token as a message; set authMode: 'query'.`)
        : toError(message, `${where} refused the connection`);

    function onClose({ code, reason }: CloseEvent): void {
      const text = `${where} closed the connection (${code}${reason ? `, ${reason}` : ''}).`;
      if (isAuthClose(code)) end(failure('AUTH_REQUIRED', text), code);
      else if (open) end(failure('CONNECTION_LOST', text), code);
      else end(failure('CONNECT_FAILED', `${text} Is the server up, and its address right?`), code);
    }

    signal.addEventListener('abort', onAbort);
    socket.addEventListener('open', onOpen);
    socket.addEventListener('message', onFrame);
    socket.addEventListener('close', onClose);
    // A close follows each error, with what little is known.
    socket.addEventListener('error', () => undefined);
  });
}

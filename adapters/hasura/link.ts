import {
  joined,
  notLoaded,
  reasonOf,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
} from '../../src/adapter-kit/kit.js';
import { createRenewal } from '../../src/adapter-kit/renewal.js';
import { socketError, whyRefused } from './errors.js';
import { type ParsedOptions, problem } from './options.js';
import type { Credentials, Reads } from './reads.js';

/** What is used of graphql-ws' client; its own types bring all of `graphql`. */
export interface GraphqlClient {
  subscribe(
    payload: { readonly query: string; readonly variables?: Record<string, unknown> },
    sink: {
      next(result: { readonly data?: unknown; readonly errors?: unknown }): void;
      error(cause: unknown): void;
      complete(): void;
    },
  ): () => void;
  on(event: 'message' | 'closed', listener: (value: unknown) => void): () => void;
  terminate(): void;
}

/** The one socket of all collections. */
export interface Link {
  /** Once it was connected. */
  readonly client: GraphqlClient | undefined;
  /** What a subscription ended with, seen in the light of the token that the socket has. */
  explain(error: SyncLayerError): SyncLayerError;
  connect(signal: AbortSignal): Promise<void>;
  /** `dead`: the server answers no more. */
  disconnect(dead?: true): Promise<void>;
}

export interface LinkEvents {
  /** The server spoke. */
  heard(): void;
  /** The socket is gone. */
  lost(error: SyncLayerError): void;
  /** `client` is another one, with a fresh token; the one before is closed after this. */
  renewed(): void;
}

/** How long a close may take, in ms: a dead socket answers none. */
const CLOSE_TIMEOUT = 1000;

/**
 * Asks the server something that needs neither database nor rights. Hasura takes the messages of a socket one after another:
 * what was sent before this has been understood, or refused, when it is answered.
 */
export function ask(client: GraphqlClient, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    function end(error?: SyncLayerError): void {
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    }
    function onAbort(): void {
      stop();
      end(toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'Hasura did not answer.', { adapter: 'hasura' }));
    }
    signal.addEventListener('abort', onAbort);
    // It ends by itself: stopped while its answer is handed out, graphql-ws would count the end that follows once more, and
    // close the socket of all.
    const stop = client.subscribe(
      { query: '{ __typename }' },
      // Errors of GraphQL are an answer, too.
      {
        // Not the end: graphql-ws counts the `complete` in the same packet as another one, and then closes the socket.
        next: () => undefined,
        error: (cause) => end(Array.isArray(cause) ? undefined : socketError(cause)),
        complete: () => end(),
      },
    );
    if (signal.aborted) onAbort();
  });
}

/** A client of the app's: its token and its reconnecting are its own; its closes are a loss all the same. */
export function appLink(client: GraphqlClient, reads: Reads, events: LinkEvents): Link {
  let off: readonly (() => void)[] = [];
  const leave = (): void => {
    for (const each of off) each();
    off = [];
  };
  return {
    client,
    explain: (error) => error,
    async connect(signal) {
      leave();
      // It subscribes again by itself, with the same old cursor: core does it better.
      off = [client.on('message', events.heard), client.on('closed', (event) => events.lost(socketError(event)))];
      try {
        await ask(client, signal);
      } catch (thrown) {
        throw await meaningOf(thrown, reads, undefined, signal);
      }
    },
    async disconnect(dead) {
      leave();
      if (dead) client.terminate();
    },
  };
}

/** The client alone: the package's main entry brings the server, and with it all of `graphql`. */
export async function loadSdk(): Promise<typeof import('graphql-ws/client')> {
  try {
    return await import('graphql-ws/client');
  } catch (cause) {
    throw notLoaded('graphql-ws', cause, { adapter: 'hasura' });
  }
}

interface Socket {
  readonly client: GraphqlClient;
  close(dead?: true): Promise<void>;
}

interface SocketEvents {
  heard(socket: Socket): void;
  /** After it was open. Without an error: `close` was called. */
  ended(socket: Socket, error?: SyncLayerError): void;
}

const givenUp = (signal: AbortSignal): SyncLayerError =>
  toSyncLayerError(reasonOf(signal), 'CONNECT_FAILED', 'The connection was given up.', { adapter: 'hasura' });

/** Opens a socket, with a client of its own. */
async function openSocket(
  options: ParsedOptions,
  { headers }: Credentials,
  signal: AbortSignal,
  events: SocketEvents,
): Promise<Socket> {
  const { createClient } = await loadSdk();
  if (signal.aborted) throw problem('CONNECT_FAILED', 'The connection was given up.');
  return new Promise<Socket>((resolve, reject) => {
    let phase: 'opening' | 'open' | 'over' = 'opening';
    let onClosed = (): void => undefined;
    const closed = new Promise<void>((done) => {
      onClosed = done;
    });

    /** Once, whatever comes first. */
    function end(error?: SyncLayerError): void {
      if (phase === 'over') return;
      const wasOpen = phase === 'open';
      phase = 'over';
      signal.removeEventListener('abort', onAbort);
      // Else it would connect again after a close with 1000.
      Promise.resolve(client.dispose()).catch(() => undefined);
      if (wasOpen) events.ended(socket, error);
      else {
        // Nothing else ends a socket that was not acknowledged.
        client.terminate();
        reject(error ?? socketError(undefined));
      }
    }
    const onAbort = (): void => end(givenUp(signal));

    /** graphql-ws counts an operation twice whose error and end come in one read, and then closes the socket of all others. */
    class Held extends (options.WebSocket ?? WebSocket) {
      override close(code?: number, reason?: string): void {
        if (code !== 1000 || phase === 'over') super.close(code, reason);
      }
    }

    const client = createClient({
      url: options.url.replace(/^http/i, 'ws'),
      connectionParams: { headers },
      lazy: false,
      // Core connects again, with a fresh token.
      retryAttempts: 0,
      onNonLazyError: (cause) => end(socketError(cause)),
      webSocketImpl: Held,
      on: {
        message: () => events.heard(socket),
        connected() {
          if (phase !== 'opening') return;
          phase = 'open';
          signal.removeEventListener('abort', onAbort);
          resolve(socket);
        },
        error: (cause) => end(socketError(cause)),
        closed(event) {
          onClosed();
          end(socketError(event));
        },
      },
    });
    const socket: Socket = {
      client: client as unknown as GraphqlClient,
      async close(dead) {
        end();
        if (dead) client.terminate();
        let late: ReturnType<typeof setTimeout> | undefined;
        await Promise.race([
          closed,
          new Promise((done) => {
            late = setTimeout(done, CLOSE_TIMEOUT);
          }),
        ]);
        clearTimeout(late);
      },
    };
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** A client of our own for each connection: graphql-ws' would connect again with a token that was refused. */
export function ownLink(options: ParsedOptions, reads: Reads, host: () => TransportHost, events: LinkEvents): Link {
  let current: Socket | undefined;
  let token: string | undefined;
  /** From one disconnect to the next: what was begun in an earlier one is void. */
  let turn = new AbortController();

  const about = (used: string | undefined, error: SyncLayerError): SyncLayerError =>
    host().refused?.(used, error) ?? error;

  const open = (signed: Credentials, signal: AbortSignal): Promise<Socket> =>
    openSocket(options, signed, signal, {
      heard: (socket) => current === socket && events.heard(),
      ended(socket, error) {
        if (current !== socket) return;
        // To subscribe on it would make graphql-ws open another one, which nothing would close.
        current = undefined;
        if (error) events.lost(about(signed.token, error));
      },
    });

  /** Opens a socket, or fails with what the refusal means. */
  async function openWith(signed: Credentials, signal: AbortSignal): Promise<Socket> {
    try {
      return await open(signed, signal);
    } catch (thrown) {
      throw about(signed.token, await meaningOf(thrown, reads, signed, signal));
    }
  }

  /** Takes a new socket instead of the one before. */
  function take(socket: Socket, fresh: string | undefined): Socket | undefined {
    const before = current;
    current = socket;
    token = fresh;
    renewal.start();
    return before;
  }

  /** A new token is a new connection: Hasura cuts the one whose token ends, without a word. */
  async function renew(): Promise<void> {
    const mine = turn;
    const signed = await reads.credentials();
    if (mine !== turn || signed.token === token) return;
    const socket = await joined([mine.signal], (signal) => open(signed, signal), options.requestTimeout);
    if (mine !== turn) {
      await socket.close();
      return;
    }
    const before = take(socket, signed.token);
    events.renewed();
    await before?.close();
  }

  const renewal = createRenewal(
    () => token,
    renew,
    (error) => host().report(error as SyncLayerError),
  );

  async function disconnect(dead?: true): Promise<void> {
    turn.abort();
    turn = new AbortController();
    renewal.stop();
    const before = current;
    current = undefined;
    await before?.close(dead);
  }

  return {
    get client() {
      return current?.client;
    },
    explain: (error) => about(token, error),
    async connect(signal) {
      const before = disconnect();
      const mine = turn;
      await before;
      const signed = await reads.credentials();
      const socket = await openWith(signed, signal);
      if (mine === turn) {
        take(socket, signed.token);
        return;
      }
      await socket.close();
      throw problem('CONNECT_FAILED', 'The connection was given up.');
    },
    disconnect,
  };
}

/** What a failure to connect means: where the server refused, that is asked for by HTTP. */
async function meaningOf(
  thrown: unknown,
  reads: Reads,
  signed: Credentials | undefined,
  signal: AbortSignal,
): Promise<SyncLayerError> {
  const error = socketError(thrown);
  // 2.0.8 and 2.0.9 close with 1000.
  if (error.code !== 'AUTH_REQUIRED' && error.details.closeCode !== 1000) return unreached(error);
  return whyRefused(error, reads, signed, signal);
}

/** Of a socket that never was acknowledged. */
function unreached(error: SyncLayerError): SyncLayerError {
  if (error.code !== 'CONNECTION_LOST') return error;
  const what = 'Hasura could not be reached by WebSocket. Is the server up, and the url right?';
  return problem(
    'CONNECT_FAILED',
    `${what} A server that knows only the older subprotocol "graphql-ws" (before Hasura 2.1) is not supported: update it.`,
  );
}

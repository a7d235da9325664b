import type { WebSocket } from 'ws';
import { errorEntry, HasuraError } from '../failure.js';
import { readJson, writeJson } from '../json.js';
import { type GraphqlRequest, type Prepared, readRequest } from '../request.js';
import { type Headers, lowerCased, type Session } from '../session.js';
import type { Pollers } from './pollers.js';
import { closeWith, refuseInit } from './refusal.js';

/** What a connection asks of the rest. All throw `HasuraError`. */
export interface Engine {
  openSession(headers: Headers): Promise<Session>;
  prepare(session: Session, request: GraphqlRequest): Prepared;
  /** Runs a query, a mutation (in a transaction) or one turn of a subscription. */
  run(session: Session, prepared: Prepared, cursor?: { value: string | null | undefined }): Promise<object>;
}

export interface ConnectionOptions {
  readonly engine: Engine;
  readonly pollers: Pollers;
  readonly version: string;
  /** Between two pings, ms. */
  readonly pingInterval: number;
  /** For the `connection_init`, ms. */
  readonly initTimeout: number;
  /** Those of the upgrade. */
  readonly headers: Headers;
}

interface Message {
  readonly type?: unknown;
  readonly id?: unknown;
  readonly payload?: unknown;
}

const known = ['connection_init', 'ping', 'pong', 'subscribe', 'complete'];

const failureOf = (cause: unknown): HasuraError =>
  cause instanceof HasuraError
    ? cause
    : new HasuraError('unexpected', cause instanceof Error ? cause.message : String(cause));

/** Timers can wait 24 days at most. */
const LONGEST = 2_147_483_647;

/** Speaks `graphql-transport-ws` on one socket, with Hasura's habits. It ends with the socket. */
export function serveConnection(socket: WebSocket, options: ConnectionOptions): void {
  const { engine, pollers, version, pingInterval, initTimeout, headers } = options;
  const operations = new Map<string, () => void>();
  let session: Session | undefined;
  let expiry: NodeJS.Timeout | undefined;

  const send = (message: object): void => socket.send(writeJson(message));
  const ping = (): void => send({ type: 'ping', payload: { message: 'keepalive' } });
  // The first comes before the acknowledgement.
  ping();
  const pings = setInterval(ping, pingInterval);
  const late = setTimeout(() => socket.close(4408, 'Connection initialisation timed out'), initTimeout);

  const isOpen = (): boolean => socket.readyState === socket.OPEN;

  async function init(payload: unknown): Promise<void> {
    clearTimeout(late);
    // A second one is taken too: it may bring another session.
    clearTimeout(expiry);
    const given = (payload as { headers?: object } | undefined)?.headers ?? {};
    try {
      session = await engine.openSession({ ...headers, ...lowerCased(given) });
    } catch (cause) {
      return refuseInit(socket, version, failureOf(cause).message);
    }
    // It may be gone by now.
    if (!isOpen()) return;
    if (session.expires !== undefined)
      // Without a close frame: the client cannot tell it from a lost network.
      expiry = setTimeout(() => socket.terminate(), Math.min(session.expires - Date.now(), LONGEST));
    send({ type: 'connection_ack' });
    ping();
  }

  /** A `subscribe` that cannot even begin takes the socket with it. */
  function refuseStart(id: string, why: string): void {
    send({ type: 'error', id, payload: why });
    socket.close(1000, JSON.stringify({ server_error_msg: `4400: ${why}` }));
  }

  function refuse(id: string, error: HasuraError): void {
    operations.delete(id);
    if (!isOpen()) return;
    send({ type: 'error', id, payload: [errorEntry(error, session?.role)] });
    // The protocol ends with the error; Hasura completes all the same.
    send({ type: 'complete', id });
  }

  function subscribeTo(id: string, session: Session, prepared: Prepared, request: GraphqlRequest): void {
    const stop = pollers.subscribe(
      {
        poller: JSON.stringify([session.role, prepared.shape, request.operationName]),
        cohort: writeJson([request.variables, session.variables]),
        stream: prepared.stream,
        run: (cursor) => engine.run(session, prepared, cursor),
      },
      {
        next: (data) => socket.send(`{"type":"next","id":${JSON.stringify(id)},"payload":{"data":${data}}}`),
        error: (error) =>
          send({ type: 'next', id, payload: { data: null, errors: [errorEntry(error, session.role)] } }),
      },
    );
    operations.set(id, stop);
  }

  async function subscribe(id: string, payload: unknown): Promise<void> {
    if (!session) return refuseStart(id, 'start received before the connection is initialised');
    if (operations.has(id)) return refuseStart(id, `an operation already exists with this id: ${id}`);
    try {
      const request = readRequest(payload);
      const prepared = engine.prepare(session, request);
      if (prepared.kind === 'subscription') return subscribeTo(id, session, prepared, request);
      const data = await engine.run(session, prepared);
      if (!isOpen()) return;
      send({ type: 'next', id, payload: { data } });
      send({ type: 'complete', id });
    } catch (cause) {
      refuse(id, failureOf(cause));
    }
  }

  async function handle(text: string): Promise<void> {
    if (!isOpen()) return;
    let message: Message;
    try {
      message = readJson(text) as Message;
    } catch {
      return closeWith(socket, 4400, 'Parsing client message failed: not JSON');
    }
    const { type, id, payload } = message;
    if (type === 'connection_init') return init(payload);
    if (type === 'ping') return send({ type: 'pong', ...(payload !== undefined && { payload }) });
    if (type === 'pong') return;
    if (!known.includes(String(type)))
      return closeWith(socket, 4400, `Parsing client message failed: unexpected type ${String(type)}`);
    if (typeof id !== 'string') return closeWith(socket, 4400, "Parsing client message failed: key 'id' not found");
    if (type === 'subscribe') return subscribe(id, payload);
    operations.get(id)?.();
    operations.delete(id);
  }

  // One message after the other, as they came.
  let tail = Promise.resolve();
  socket.on('message', (data) => {
    tail = tail.then(() => handle(String(data)));
  });
  // A reset: `close` follows.
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(pings);
    clearTimeout(late);
    clearTimeout(expiry);
    for (const stop of operations.values()) stop();
    operations.clear();
  });
}

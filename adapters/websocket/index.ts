import {
  type AckMessage,
  type ChangeSink,
  type ClientMessage,
  type ConflictMessage,
  type ErrorMessage,
  type PullPage,
  type PullRequest,
  type PushResult,
  parseOptions,
  type RealtimeTransport,
  type ServerMessage,
  type SyncFilter,
  SyncLayerError,
  type SyncMessage,
  type TransportCapabilities,
  type TransportHost,
} from '../../src/adapter-kit.js';
import { type Link, openLink } from './link.js';
import { fromEvent, fromRecord, seqCursor, toError, toPage, toResult, toWrite } from './normalize.js';
import { optionsSchema, type WebSocketTransportOptions } from './options.js';
import { createRest } from './rest.js';

export type { WebSocketTransportOptions } from './options.js';

type Answer = AckMessage | ConflictMessage | ErrorMessage | SyncMessage;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: SyncLayerError) => void;
  readonly size: number;
}

const sequenced: TransportCapabilities = {
  push: true,
  deletes: 'tombstones',
  cursor: 'sequence',
  reconnect: 'core',
  filters: true,
  idempotent: true,
};
const original: TransportCapabilities = {
  push: true,
  deletes: 'none',
  cursor: 'timestamp',
  reconnect: 'core',
  filters: false,
};

const problem = (
  code: 'CONNECTION_LOST' | 'UNSUPPORTED' | 'PUSH_REJECTED' | 'SUBSCRIBE_REJECTED' | 'PROTOCOL_VIOLATION',
  message: string,
): SyncLayerError => new SyncLayerError(code, message, { adapter: 'websocket' });

/**
 * A backend that speaks the SyncLayer protocol over one WebSocket, with HTTP while the socket is down. With our server it
 * counts changes, so nothing is missed; with a server of the original protocol it needs `baseUrl`, takes live events for
 * hints, and reads the truth by HTTP.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 * @example
 * const transport = websocketTransport({ url: 'wss://api.example.com/ws', baseUrl: 'https://api.example.com' });
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 */
export function websocketTransport(input: WebSocketTransportOptions): RealtimeTransport {
  const options = parseOptions(optionsSchema, input, 'websocketTransport');
  const address = new URL(options.url ?? options.baseUrl ?? '');
  const subscriptions = new Map<string, { readonly sink: ChangeSink; readonly filter: SyncFilter | undefined }>();
  const waiting = new Map<string, Waiting>();
  let host: TransportHost = { authToken: async () => undefined, log() {}, traffic() {}, report() {} };
  let link: Link | undefined;
  /** Whether the server counts changes; unknown until its first answer. */
  let counts: boolean | undefined;
  let requests = 0;
  /** Learnt: a frame of this size was too big for the server. */
  let maxPayload = options.maxPayload;
  const rest = createRest(options, () => host);

  function onLost(error: SyncLayerError, code: number | undefined): void {
    link = undefined;
    // 1009: one of the frames under way was too big. The largest is refused next time, so that the others get through.
    if (code === 1009) maxPayload = Math.max(0, ...[...waiting.values()].map(({ size }) => size)) - 1 || maxPayload;
    for (const { reject } of [...waiting.values()]) reject(error);
    for (const { sink } of [...subscriptions.values()]) sink.error(error);
  }

  function onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'subscribed': {
        counts = typeof message.metadata?.seq === 'number';
        // The reply to a pull carries its requestId; without one the subscription is live, or has lost events.
        if (message.metadata?.requestId === undefined) subscriptions.get(message.collection)?.sink.live();
        return;
      }
      case 'insert':
      case 'update':
      case 'delete': {
        const sink = subscriptions.get(message.collection)?.sink;
        const change = fromEvent(message);
        if (change) sink?.change(change);
        else sink?.gap('an event without a version');
        return;
      }
      case 'sync':
        if (!answer(message.metadata?.requestId, message))
          subscriptions.get(message.collection)?.sink.gap('the server asks for a sync');
        return;
      case 'ack':
      case 'conflict':
        answer(message.metadata.opId, message);
        return;
      case 'error':
        if (!answer(message.metadata?.opId ?? message.metadata?.requestId, message)) onError(message);
        return;
      case 'authenticated':
      case 'unsubscribed':
      case 'pong':
        return;
      default:
        host.report(
          problem(
            'PROTOCOL_VIOLATION',
            `The server sent a message of the unknown type ${JSON.stringify((message as { type: string }).type).slice(0, 40)}; it was skipped.`,
          ),
        );
    }
  }

  function answer(id: string | undefined, message: Answer): boolean {
    const waiter = id === undefined ? undefined : waiting.get(id);
    waiter?.resolve(message);
    return waiter !== undefined;
  }

  function onError(message: ErrorMessage): void {
    const { code, metadata } = message;
    const sink =
      metadata?.collection === undefined || metadata.recordId !== undefined
        ? undefined
        : subscriptions.get(metadata.collection)?.sink;
    if (sink && (code === 'UNAUTHORIZED' || code === 'COLLECTION_NOT_FOUND')) {
      sink.error(
        problem('SUBSCRIBE_REJECTED', `Subscribing to "${metadata?.collection}" was refused: ${message.error}`),
      );
    } else host.report(toError(message, 'The server reported a problem'));
  }

  /** Sends a frame and waits for the answer that names `id`. */
  function ask(id: string, message: ClientMessage, signal: AbortSignal): Promise<Answer> {
    const current = link;
    if (!current) return Promise.reject(problem('CONNECTION_LOST', 'The socket is not connected.'));
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        waiting.delete(id);
        action();
      };
      const onAbort = (): void => settle(() => reject(problem('CONNECTION_LOST', 'The request was given up.')));
      const timer = setTimeout(
        () =>
          settle(() =>
            reject(
              problem(
                'CONNECTION_LOST',
                `The server has not answered a ${message.type} for ${options.requestTimeout} ms.`,
              ),
            ),
          ),
        options.requestTimeout,
      );
      signal.addEventListener('abort', onAbort);
      waiting.set(id, {
        resolve: (reply) => settle(() => resolve(reply)),
        reject: (error) => settle(() => reject(error)),
        size: JSON.stringify(message).length,
      });
      current.send(message);
    });
  }

  async function pullBySocket({ collection, cursor, limit, filter, signal }: PullRequest): Promise<PullPage> {
    const from = seqCursor(cursor);
    const requestId = `r${++requests}`;
    const metadata = {
      requestId,
      since: from.seq,
      limit,
      ...(from.snapshot !== undefined && { snapshot: from.snapshot }),
      ...(filter?.where && { filter: { where: filter.where } }),
    };
    const reply = await ask(requestId, { type: 'subscribe', collection, metadata }, signal);
    if (reply.type === 'error') {
      const error = toError(reply, `Reading "${collection}" failed`);
      throw error.code === 'PUSH_REJECTED' ? problem('SUBSCRIBE_REJECTED', error.message) : error;
    }
    const { data, metadata: info, timestamp } = reply as SyncMessage;
    return toPage(
      data.records.map((record) => fromRecord(collection, record)),
      from,
      info ?? {},
      timestamp,
    );
  }

  async function pullByHttp(request: PullRequest): Promise<PullPage> {
    if (!options.baseUrl) {
      throw link
        ? problem(
            'UNSUPPORTED',
            'This server speaks the original protocol, which cannot replay what was missed. Set baseUrl, where its /sync/... is.',
          )
        : problem('CONNECTION_LOST', 'The socket is down and there is no baseUrl to poll.');
    }
    if (counts !== false) {
      const page = await rest.pull(request);
      counts = page !== undefined;
      if (page) return page;
    }
    return rest.pullOriginal(request);
  }

  async function pushBySocket(
    changes: readonly ClientMessage[],
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<PushResult[]> {
    const settled = await Promise.allSettled(
      changes.map((message, index) => ask(ids[index] as string, message, signal)),
    );
    return settled.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return toResult(result.value as AckMessage | ConflictMessage | ErrorMessage);
    });
  }

  const transport: RealtimeTransport = {
    name: 'websocket',
    source: `${address.host}${address.pathname}`,
    get capabilities() {
      return counts === false ? original : sequenced;
    },
    attach(given) {
      host = given;
    },

    async connect({ signal }) {
      if (!options.url)
        throw problem(
          'UNSUPPORTED',
          'websocketTransport has no url, so it can only poll. Set url, or enableRealtimeSync: false.',
        );
      link?.close();
      link = undefined;
      link = await openLink({ ...options, host, signal, onMessage, onLost });
    },

    subscribe({ collection, filter }, sink) {
      const subscription = { sink, filter };
      subscriptions.set(collection, subscription);
      link?.send({
        type: 'subscribe',
        collection,
        ...(filter?.where && { metadata: { filter: { where: filter.where } } }),
      });
      return () => {
        if (subscriptions.get(collection) !== subscription) return;
        subscriptions.delete(collection);
        link?.send({ type: 'unsubscribe', collection });
      };
    },

    pull: (request) => (link && counts ? pullBySocket(request) : pullByHttp(request)),

    async push(changes, { signal }) {
      if (counts === undefined && !link && options.baseUrl) {
        // Which protocol the server speaks shows in its answer to a read.
        await pullByHttp({ collection: changes[0]?.collection ?? '', cursor: null, start: true, limit: 1, signal });
      }
      if (counts === false) return pushOriginal(changes, signal);
      const writes = changes.map(toWrite);
      const results = new Map<number, PushResult>();
      const fitting = writes.filter((write, index) => {
        const size = JSON.stringify(write).length;
        if (size <= maxPayload) return true;
        const text = `${write.collection}/${write.recordId} makes a frame of ${size} bytes; the server takes ${maxPayload}. Store large values elsewhere and keep their address, or raise maxPayload on both sides.`;
        results.set(index, { type: 'rejected', error: problem('PUSH_REJECTED', text) });
        return false;
      });
      if (fitting.length === 0) return writes.map((_, index) => results.get(index) as PushResult);
      const ids = fitting.map(({ metadata }) => metadata?.opId as string);
      const sent = link ? await pushBySocket(fitting, ids, signal) : await pushByHttp(fitting, signal);
      return writes.map((_, index) => results.get(index) ?? (sent.shift() as PushResult));
    },

    get keys() {
      return counts === false
        ? (collection: string, { signal }: { signal: AbortSignal }) => rest.keysOriginal(collection, signal)
        : undefined;
    },
    get fetch() {
      return counts === false
        ? (collection: string, ids: readonly string[], { signal }: { signal: AbortSignal }) =>
            rest.fetchOriginal(collection, ids, signal)
        : undefined;
    },

    async disconnect() {
      link?.close();
      link = undefined;
      for (const { reject } of [...waiting.values()]) reject(problem('CONNECTION_LOST', 'The socket was closed.'));
    },

    async close() {
      await transport.disconnect?.();
      subscriptions.clear();
    },
  };

  async function pushByHttp(writes: Parameters<typeof rest.push>[0], signal: AbortSignal): Promise<PushResult[]> {
    if (!options.baseUrl) throw problem('CONNECTION_LOST', 'The socket is down and there is no baseUrl to push to.');
    const results = await rest.push(writes, signal);
    if (!results)
      throw problem('PROTOCOL_VIOLATION', 'The server counts changes but has no POST /sync. Is a proxy in between?');
    return results;
  }

  async function pushOriginal(
    changes: Parameters<RealtimeTransport['push']>[0],
    signal: AbortSignal,
  ): Promise<PushResult[]> {
    if (!options.baseUrl)
      throw problem(
        'UNSUPPORTED',
        'This server speaks the original protocol, which acknowledges nothing. Set baseUrl, where its /sync/... is.',
      );
    const results: PushResult[] = [];
    for (const change of changes) {
      const result = await rest.pushOriginal(change, signal);
      results.push(result);
      // Such a server tells its other sockets only of what came by a socket, as Flutter apps send it: both ways.
      const { type, collection, recordId, data } = change;
      if (result.type === 'applied')
        link?.send({ type, collection, recordId, ...(data && { data }), timestamp: new Date().toISOString() });
    }
    return results;
  }

  return transport;
}

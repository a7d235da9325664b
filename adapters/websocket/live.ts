import type {
  ChangeSink,
  ClientMessage,
  ErrorMessage,
  EventMessage,
  OutgoingChange,
  PullRequest,
  PushResult,
  ServerMessage,
  SubscribedMessage,
  SubscribeRequest,
  SyncFilter,
  SyncLayerError,
  SyncMessage,
  TransportHost,
  Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { createUploads } from '../../src/adapter-kit/uploads.js';
import { problem, toError } from './errors.js';
import { createRequests, type Link, openLink } from './link.js';
import { type Answer, type CountedPage, fromEvent, type SeqCursor, toPage } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { createReads, type ServerState } from './reads.js';
import { type Frame, pushWrites } from './writes.js';

interface Subscription {
  readonly sink: ChangeSink;
  readonly requestId: string;
}

export interface ChannelHooks {
  readonly host: () => TransportHost;
  /** The server has shown whether it counts changes. */
  readonly counts: (yes: boolean) => void;
  /** The server takes no frame above so many bytes. */
  readonly tooLarge: (maxPayload: number) => void;
}

const notConnected = (): SyncLayerError => problem('CONNECTION_LOST', 'The socket is not connected.');

const filterOf = (filter: SyncFilter | undefined) => filter?.where && { filter: { where: filter.where } };

/** A refused subscription or pull. */
function refused(
  collection: string,
  message: ErrorMessage,
  passing: 'CONNECTION_LOST' | 'CONNECT_FAILED',
): SyncLayerError {
  const { code, details, message: text } = toError(message, `Reading "${collection}" was refused`);
  return problem(code === 'CONNECTION_LOST' ? passing : 'SUBSCRIBE_REJECTED', text, { details });
}

/** What is said over the socket: subscriptions and their events, pulls and pushes and their answers. */
export function createChannel(options: ParsedOptions, { host, counts, tooLarge }: ChannelHooks) {
  const subscriptions = new Map<string, Subscription>();
  const subscribes = createRequests<SubscribedMessage | ErrorMessage>('a subscription', options.requestTimeout);
  /** Of what this line carries: it is the same with the next link. */
  const uploads = createUploads();
  const alive = (signal: AbortSignal): void => host().alive?.(signal);
  const pulls = createRequests<SyncMessage | ErrorMessage>('a pull', options.requestTimeout, alive);
  const pushes = createRequests<Answer>('a push', options.requestTimeout, alive, uploads);
  let link: Link | undefined;
  let lastRequest = 0;
  /** Of the server behind this link, which may have been updated since the last one. */
  let sequenced = false;

  const nextId = (): string => `r${++lastRequest}`;
  const send = (message: ClientMessage): void => link?.send(JSON.stringify(message));
  const report = (what: string, cause?: unknown): void =>
    host().report(problem('PROTOCOL_VIOLATION', `The server sent ${what}.`, { cause }));

  function giveUp(error: SyncLayerError): void {
    link = undefined;
    for (const requests of [subscribes, pulls, pushes]) requests.fail(error);
  }

  function onLost(error: SyncLayerError, code?: number): void {
    // 1009: one of the frames under way was too big. The largest is refused next time, so that the others get through.
    const largest = pushes.largest();
    if (code === 1009 && largest > 0) tooLarge(largest - 1);
    const lost = [...subscriptions.values()];
    subscriptions.clear();
    giveUp(error);
    for (const { sink } of lost) sink.error(error);
  }

  function onMessage(message: ServerMessage): void {
    const type = message.type.slice(0, 40);
    try {
      if (!take(message)) report(`a message of the unknown type "${type}"; it was skipped`);
    } catch (error) {
      report(`a malformed "${type}"; it was skipped`, error);
    }
  }

  /** False: the type is unknown. */
  function take(message: ServerMessage): boolean {
    switch (message.type) {
      case 'subscribed':
        onSubscribed(message);
        return true;
      case 'insert':
      case 'update':
      case 'delete':
        onEvent(message);
        return true;
      case 'sync':
        if (!pulls.settle(message.metadata?.requestId, message))
          subscriptions.get(message.collection)?.sink.gap('the server asks for a sync');
        return true;
      case 'ack':
      case 'conflict':
        pushes.settle(message.metadata?.opId, message);
        return true;
      case 'error':
        onError(message);
        return true;
      case 'authenticated':
      case 'unsubscribed':
      case 'pong':
        return true;
      default:
        return false;
    }
  }

  function onSubscribed(message: SubscribedMessage): void {
    const { collection, metadata } = message;
    sequenced = typeof metadata?.seq === 'number';
    counts(sequenced);
    if (!sequenced) pulls.fail(problem('UNSUPPORTED', 'The server repeats nothing.'));
    const subscription = subscriptions.get(collection);
    const requestId = metadata?.requestId ?? subscription?.requestId;
    // With the id of a pull it is that one's. Without any, the server is an original one, or has dropped events.
    if (!subscription || requestId !== subscription.requestId) return;
    subscribes.settle(requestId, message);
    subscription.sink.live();
  }

  function onEvent(message: EventMessage): void {
    const sink = subscriptions.get(message.collection)?.sink;
    const change = fromEvent(message);
    // An original server hands on what it was sent: changed fields, with a version that may not count.
    if (!sequenced) sink?.gap('an event of the original protocol');
    else if (change) sink?.change(change);
    else {
      report(`a malformed "${message.type}"; the record is read instead`);
      sink?.gap('a malformed event');
    }
  }

  function onError(message: ErrorMessage): void {
    const { code, metadata } = message;
    const { opId, requestId, recordId, collection = '' } = metadata ?? {};
    if (pushes.settle(opId, message)) return;
    if (pulls.settle(requestId, message) || subscribes.settle(requestId, message)) {
      // Only who knows the additions repeats an id.
      counts(true);
      return;
    }
    const subscription = recordId === undefined ? subscriptions.get(collection) : undefined;
    if (!subscription || (code !== 'UNAUTHORIZED' && code !== 'COLLECTION_NOT_FOUND'))
      host().report(toError(message, 'The server reported a problem'));
    else if (!subscribes.settle(subscription.requestId, message))
      subscription.sink.error(refused(collection, message, 'CONNECT_FAILED'));
  }

  return {
    get isOpen(): boolean {
      return link !== undefined;
    },

    async connect(signal: AbortSignal): Promise<void> {
      void link?.close();
      onLost(notConnected());
      const opened = await openLink({ ...options, uploads, host: host(), signal, onMessage, onLost });
      if (!signal.aborted && opened.isOpen) {
        link = opened;
        return;
      }
      void opened.close();
      throw problem('CONNECT_FAILED', 'The connection was given up.');
    },

    subscribe({ collection, filter }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
      const subscription: Subscription = { sink, requestId: nextId() };
      const { requestId } = subscription;
      const ended = new AbortController();
      const fail = (error: SyncLayerError): void => {
        if (subscriptions.get(collection) === subscription) sink.error(error);
      };
      subscriptions.set(collection, subscription);
      subscribes.expect(requestId, ended.signal).then(
        // Not CONNECTION_LOST: core subscribes again then, and need not connect again.
        (reply) => reply.type === 'error' && fail(refused(collection, reply, 'CONNECT_FAILED')),
        (error: SyncLayerError) => fail(link ? problem('CONNECT_TIMEOUT', error.message) : error),
      );
      if (!link) subscribes.fail(notConnected());
      send({ type: 'subscribe', collection, metadata: { requestId, ...filterOf(filter) } });
      return () => {
        ended.abort();
        if (subscriptions.get(collection) !== subscription) return;
        subscriptions.delete(collection);
        send({ type: 'unsubscribe', collection });
      };
    },

    /** A page, from a server that counts changes. */
    async pull(
      { collection, limit, filter, signal }: PullRequest,
      from: SeqCursor,
      keys: boolean,
    ): Promise<CountedPage> {
      if (!link) throw notConnected();
      const requestId = nextId();
      const answer = pulls.expect(requestId, signal);
      const snapshot = from.snapshot === undefined ? {} : { snapshot: from.snapshot };
      const metadata = { requestId, since: from.seq, limit, ...snapshot, ...filterOf(filter), ...(keys && { keys }) };
      send({ type: 'subscribe', collection, metadata });
      const reply = await answer;
      if (reply.type === 'error') throw refused(collection, reply, 'CONNECTION_LOST');
      const info = { ...reply.metadata, timestamp: reply.timestamp };
      return toPage(collection, reply.data?.records, from, info, host().report);
    },

    /** The answers to writes; see `Deliver`. */
    async deliver(frames: readonly Frame[], signal: AbortSignal): Promise<(Answer | undefined)[]> {
      const current = link;
      if (!current) throw notConnected();
      const settled = await Promise.allSettled(
        frames.map(({ opId, text, size }) => {
          const answer = pushes.expect(opId, signal, size);
          current.send(text);
          return answer;
        }),
      );
      const failed = settled.find((result) => result.status === 'rejected');
      if (failed && (current !== link || signal.aborted)) throw failed.reason;
      // The link is up, and the server says nothing of these writes.
      if (failed && settled.every(({ status }) => status === 'rejected'))
        throw problem('CONNECTION_LOST', (failed.reason as SyncLayerError).message, { details: { unclear: true } });
      return settled.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
    },

    /** Tells the other clients of an original server, which hands on what came by a socket only. */
    tell: send,

    async close(): Promise<void> {
      const closing = link?.close();
      subscriptions.clear();
      giveUp(notConnected());
      await closing;
    },
  };
}

export type Channel = ReturnType<typeof createChannel>;

/**
 * What is said to the server, by the socket or by HTTP; in a chunk of its own, since an app shows the rows of its store first.
 */
export function createLive(options: ParsedOptions, host: () => TransportHost) {
  const server: ServerState = { counts: undefined, outdated: false };
  /** Less than the option, once a frame was too big for the server. */
  let { maxPayload } = options;

  const channel = createChannel(options, {
    host,
    counts: (yes) => {
      server.counts = yes;
    },
    tooLarge: (bytes) => {
      maxPayload = Math.min(maxPayload, bytes);
    },
  });
  const reads = createReads(options, host, channel, server);

  async function push(changes: readonly OutgoingChange[], signal: AbortSignal): Promise<PushResult[]> {
    const collection = changes[0]?.collection ?? '';
    // Which protocol the server speaks shows in its answer to a read. An original one would not answer a write.
    if (server.counts === undefined) {
      await reads.pull({ collection, cursor: null, start: true, limit: 1, signal }).catch((error: unknown) => {
        if (server.counts === undefined) throw error;
      });
    }
    reads.checkReachable();
    if (server.outdated) throw await reads.notComparable();
    if (server.counts) {
      const deliver = channel.isOpen ? channel.deliver : (await reads.fallback()).rest.deliver;
      return pushWrites(changes, maxPayload, deliver, signal);
    }
    // Such a server tells its other sockets only of what came by a socket. So Flutter apps send it both ways, too.
    return (await reads.original()).push(changes, signal, channel.tell);
  }

  return {
    /** Whether the server counts changes; undefined: it has not shown it yet. */
    get counts(): boolean | undefined {
      return server.counts;
    },
    connect: channel.connect,
    subscribe: channel.subscribe,
    pull: reads.pull,
    push,
    keys: reads.keys,
    fetch: reads.fetch,
    close: channel.close,
  };
}

export type Live = ReturnType<typeof createLive>;

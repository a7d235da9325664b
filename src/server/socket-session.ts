import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ServerMessage, SubscribedMessage, WireErrorCode } from '../protocol.js';
import type { Access } from './access.js';
import { answerTo, errorMessage, invalidMessage, iso, writeOrigin } from './answers.js';
import type { Authenticator } from './authenticate.js';
import type { Committer } from './committer.js';
import type { FanOut, Subscriber } from './fan-out.js';
import type { Prepared } from './frame.js';
import type { Settings, SyncUser } from './options.js';
import { readPage, wireRecord } from './pages.js';
import { type Incoming, type Invalid, parseFrame, type Subscribe } from './parse.js';
import { createLimiter } from './rate-limit.js';
import type { Write } from './write-rules.js';

/** What all sessions share. */
export interface SessionContext {
  readonly settings: Settings;
  readonly access: Access;
  readonly authenticate: Authenticator;
  readonly committer: Committer;
  readonly fanOut: FanOut;
  readonly counters: { messagesIn: number; messagesOut: number; dropped: number };
  /** Counts one more connection of this user; false if there are too many. The function gives the place back. */
  seat(user: SyncUser): (() => void) | undefined;
  sweep(): void;
  /** Writes a whole frame beside `ws`. */
  write(socket: Duplex, frame: Buffer): void;
}

export interface Session {
  /** Time of the last sign of life, ms, on the clock of `performance.now()`. */
  readonly heardAt: number;
  /** Drops the connection of a client that is silent. */
  expire(): void;
}

/** Close codes of our own: 4401 a wrong or missing token, 4408 a silent client. 1013 asks to come again later. */
const REFUSED = 4401;
const SILENT = 4408;
const LATER = 1013;
const FAILED = 1011;

/** So many messages or writes may wait, or so much text, before the socket is read no further. */
const MAX_WAITING = 256;
const MAX_WAITING_LENGTH = 1_048_576;
const MAX_SUBSCRIPTIONS = 1000;

/** One client: reads its messages in order, answers them, and hands it events. */
export function openSession(
  context: SessionContext,
  ws: WebSocket,
  socket: Duplex,
  request: IncomingMessage,
  token: string | undefined,
): Session {
  const { settings, access, committer, fanOut, counters } = context;
  const { now, log, store, maxBufferedBytes, perMessageDeflate } = settings;
  const limiter = createLimiter(settings.rateLimit, now);
  const subscriptions = new Map<string, Subscribe>();
  const inbox: string[] = [];
  /** Collections whose events were dropped since the socket became too slow; undefined: it keeps up. */
  let missed: Set<string> | undefined;
  let heardAt = performance.now();
  let busy = false;
  let waitingLength = 0;
  let user: SyncUser | null = null;
  let admitted = false;
  let release: (() => void) | undefined;
  let authTimer: NodeJS.Timeout | undefined;

  const isOpen = () => ws.readyState === ws.OPEN;

  function send(message: ServerMessage): void {
    sendText(JSON.stringify(message));
  }

  function sendText(text: string): void {
    if (!isOpen()) return;
    counters.messagesOut++;
    ws.send(text);
  }

  /** Calls back once all that was sent so far has left: a ping is behind it in the queue. */
  const drained = () => new Promise<void>((resolve) => ws.ping(undefined, false, () => resolve()));

  const subscriber: Subscriber = {
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
      write(event);
    },
  };
  // `ws` builds each frame anew; without compression the same bytes do for all sockets.
  const write: (event: Prepared) => void = perMessageDeflate
    ? (event) => ws.send(event.text)
    : (event) => context.write(socket, event.frame);

  function catchUp(): void {
    const collections = missed ?? [];
    missed = undefined;
    for (const collection of collections) {
      if (subscriptions.has(collection)) send(subscribed(collection, { gap: true }));
    }
  }

  function subscribed(collection: string, extra: SubscribedMessage['metadata']): SubscribedMessage {
    const metadata = { ...extra, seq: store.seq(collection) };
    return { type: 'subscribed', collection, timestamp: iso(now()), metadata };
  }

  function refuse(code: WireErrorCode, error: string, closeCode: number): void {
    send(errorMessage(code, error));
    ws.close(closeCode, code);
  }

  /** Who the token belongs to, and whether there is room. Undefined: the connection is closed. */
  async function admit(secret: string | undefined): Promise<boolean> {
    const answer = await context.authenticate(secret, request);
    if (!isOpen()) return false;
    if (answer.kind === 'unknown') {
      refuse('SERVER_ERROR', 'The token could not be checked; try again', FAILED);
      return false;
    }
    if (answer.kind === 'refused') return false;
    const next = answer.user;
    if (next?.id !== user?.id || !admitted) {
      release?.();
      release = next ? context.seat(next) : undefined;
      if (next && !release) {
        refuse('RATE_LIMIT_EXCEEDED', 'This user has too many connections', LATER);
        return false;
      }
    }
    user = next;
    admitted = true;
    return true;
  }

  /** The token of the URL, or cookies; else there is still the `auth` message. */
  async function welcome(): Promise<void> {
    if ((await admit(token)) || !isOpen()) return;
    if (token !== undefined) return refuse('AUTH_FAILED', 'The token was refused; sign in again', REFUSED);
    const late = () => refuse('AUTH_FAILED', 'No auth message came in time', REFUSED);
    authTimer = setTimeout(late, settings.authTimeout);
  }

  async function authenticate(secret: string): Promise<void> {
    clearTimeout(authTimer);
    const before = user;
    if (await admit(secret)) {
      send({ type: 'authenticated', timestamp: iso(now()) });
      if (before && before.id !== user?.id) await checkSubscriptions();
    } else if (isOpen()) refuse('AUTH_FAILED', 'The token was refused; sign in again', REFUSED);
  }

  /** Another user has taken over the connection. */
  async function checkSubscriptions(): Promise<void> {
    for (const [collection, { filter }] of subscriptions) {
      if (await access.subscribe(user, collection)) {
        fanOut.subscribe(subscriber, collection, access.reader(user, collection, filter));
      } else {
        drop(collection);
        send(errorMessage('UNAUTHORIZED', `Not allowed to read collection '${collection}'`, { collection }));
      }
    }
  }

  function drop(collection: string): void {
    subscriptions.delete(collection);
    fanOut.unsubscribe(subscriber, collection);
  }

  async function subscribe(message: Subscribe): Promise<void> {
    const { collection, requestId, since } = message;
    const metadata = { ...(requestId !== undefined && { requestId }), collection };
    if (!access.exists(collection)) {
      send(errorMessage('COLLECTION_NOT_FOUND', `There is no collection '${collection}'`, metadata));
      return;
    }
    if (subscriptions.size >= MAX_SUBSCRIPTIONS && !subscriptions.has(collection)) {
      send(errorMessage('INVALID_MESSAGE', `More than ${MAX_SUBSCRIPTIONS} subscriptions`, metadata));
      return;
    }
    if (!(await access.subscribe(user, collection))) {
      drop(collection);
      send(errorMessage('UNAUTHORIZED', `Not allowed to read collection '${collection}'`, metadata));
      return;
    }
    // The sender's own writes come before what it asked for after them.
    await lane.idle();
    if (!isOpen()) return;
    const filter = message.filter ?? subscriptions.get(collection)?.filter;
    const sees = access.reader(user, collection, filter);
    // From here to the answer nothing may be awaited: no commit falls between the sequence number and the first event.
    committer.flush();
    context.sweep();
    subscriptions.set(collection, { ...message, ...(filter && { filter }) });
    fanOut.subscribe(subscriber, collection, sees);
    const echo = requestId === undefined ? {} : { requestId };
    send(subscribed(collection, { ...echo, ...(!sees && { recordCount: store.count(collection) }) }));
    if (since !== undefined) await pull(message, since, sees);
  }

  async function pull(message: Subscribe, since: number, sees: ReturnType<Access['reader']>): Promise<void> {
    const { collection, requestId, snapshot } = message;
    const limit = Math.min(message.limit ?? settings.pageSize, settings.pageSize);
    const request = { collection, since, limit, snapshot, sees };
    const page = await readPage(store, request, (record) => JSON.stringify(wireRecord(record)));
    const metadata = {
      ...(requestId !== undefined && { requestId }),
      seq: page.seq,
      ...(page.snapshotSeq !== undefined && { snapshot: true, snapshotSeq: page.snapshotSeq }),
    };
    const rest = JSON.stringify({ timestamp: iso(now()), metadata }).slice(1);
    const name = JSON.stringify(collection);
    sendText(`{"type":"sync","collection":${name},"data":{"records":[${page.records.join(',')}]},${rest}`);
  }

  function submit(message: Write): void {
    const { opId } = message;
    lane.submit(message, user, (outcome) => {
      if (opId !== undefined) send(answerTo(message, opId, outcome));
      else if (outcome.kind === 'refused') send(errorMessage(outcome.code, outcome.reason, writeOrigin(message)));
    });
  }

  function handle(message: Incoming | Invalid): void | Promise<void> {
    const retryAfter = limiter();
    if (retryAfter > 0) {
      const about = 'collection' in message ? { collection: message.collection } : {};
      const ids = message.type === 'invalid' ? message.metadata : 'opId' in message ? writeOrigin(message) : about;
      const requestId = 'requestId' in message && message.requestId ? { requestId: message.requestId } : {};
      send(errorMessage('RATE_LIMIT_EXCEEDED', 'Too many messages', { ...ids, ...requestId, retryAfter }));
      return undefined;
    }
    switch (message.type) {
      case 'invalid':
        return send(invalidMessage(message));
      case 'ping':
        return send({ type: 'pong', timestamp: iso(now()) });
      case 'auth':
        return authenticate(message.token);
    }
    if (!admitted) {
      const { collection } = message;
      return send(errorMessage('AUTH_FAILED', 'Send {"type":"auth","token":...} first', { collection }));
    }
    switch (message.type) {
      case 'subscribe':
        return subscribe(message);
      case 'unsubscribe':
        drop(message.collection);
        return send({ type: 'unsubscribed', collection: message.collection });
      default:
        submit(message);
        // A slow `authorize`, or a client that does not read its answers, must not fill the memory.
        return lane.size >= MAX_WAITING ? lane.idle() : undefined;
    }
  }

  /** Messages are handled one after another; while one takes its time the others wait. */
  async function work(first: Promise<void>): Promise<void> {
    busy = true;
    let step: void | Promise<void> = first;
    for (;;) {
      await step?.catch(failed);
      if (ws.bufferedAmount > maxBufferedBytes) await drained();
      const text = inbox.shift();
      waitingLength -= text?.length ?? 0;
      if (text === undefined || !isOpen()) break;
      step = take(text);
    }
    busy = false;
    if (ws.isPaused) ws.resume();
  }

  function failed(error: unknown): void {
    log('error', 'A message could not be handled', { error });
    send(errorMessage('SERVER_ERROR', 'The server could not handle the message'));
  }

  function take(text: string): void | Promise<void> {
    try {
      return handle(parseFrame(text));
    } catch (error) {
      failed(error);
    }
  }

  function receive(text: string): void {
    if (busy) {
      inbox.push(text);
      waitingLength += text.length;
      if (inbox.length >= MAX_WAITING || waitingLength >= MAX_WAITING_LENGTH) ws.pause();
      return;
    }
    const step = take(text);
    if (step !== undefined) void work(step);
    else if (ws.bufferedAmount > maxBufferedBytes) void work(Promise.resolve());
  }

  const hear = () => {
    heardAt = performance.now();
  };
  const lane = committer.lane(subscriber);
  ws.on('ping', hear);
  ws.on('pong', hear);
  ws.on('message', (data, isBinary) => {
    hear();
    counters.messagesIn++;
    if (isBinary) send(errorMessage('INVALID_MESSAGE', 'Messages are text frames'));
    else receive(data.toString());
  });
  ws.on('error', (error) => log('debug', 'A connection failed', { error }));
  ws.on('close', () => {
    clearTimeout(authTimer);
    inbox.length = 0;
    for (const collection of subscriptions.keys()) fanOut.unsubscribe(subscriber, collection);
    subscriptions.clear();
    release?.();
    release = undefined;
  });

  void work(welcome());

  return {
    get heardAt() {
      return heardAt;
    },
    expire() {
      // The second time round it did not even answer the close.
      if (isOpen()) ws.close(SILENT, 'No message in time; send a ping');
      else ws.terminate();
    },
  };
}

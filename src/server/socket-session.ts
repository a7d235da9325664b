import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { SubscribedMessage, WireErrorCode, WireFilter } from '../base/protocol.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { Access, Sees } from './access.js';
import { answerTo, errorMessage, invalidMessage, iso } from './answers.js';
import type { Authenticator } from './authenticate.js';
import type { Committer } from './committer.js';
import type { FanOut } from './fan-out.js';
import { createInbox } from './inbox.js';
import type { SyncUser } from './options.js';
import { createOutlet, type OutletContext } from './outlet.js';
import { readPage, wireRecord } from './pages.js';
import { type Incoming, type Invalid, originOf, parseFrame, type Subscribe } from './parse.js';
import { createLimiter } from './rate-limit.js';
import type { Write } from './write-rules.js';

/** What all sessions share. */
export interface SessionContext extends OutletContext {
  readonly access: Access;
  readonly authenticate: Authenticator;
  readonly committer: Committer;
  readonly fanOut: FanOut;
  /** Counts one more connection of this user; undefined if there are too many. The function gives the place back. */
  seat(user: SyncUser): (() => void) | undefined;
  sweep(): void;
}

export interface Session {
  /** Time of the last sign of life, ms, on the clock of `performance.now()`. */
  readonly heardAt: number;
  /** Ends the connection of a client that is silent. */
  expire(): void;
}

/** Close codes. Our own are 4401, a wrong or missing token, and 4408, a silent client. 1013: come again later. */
const REFUSED = 4401;
const SILENT = 4408;
const LATER = 1013;
const FAILED = 1011;

/** Writes of one client that may wait for `authorize`. */
const MAX_WRITES = 256;
const MAX_SUBSCRIPTIONS = 1000;

/** One client: who it is, what it is subscribed to, and the answers to its messages. */
export function openSession(
  context: SessionContext,
  ws: WebSocket,
  socket: Duplex,
  request: IncomingMessage,
  token: string | undefined,
): Session {
  const { settings, access, committer, fanOut, counters } = context;
  const { now, log, store, pageSize } = settings;
  const limiter = createLimiter(settings.rateLimit, now);
  const subscriptions = new Map<string, WireFilter | undefined>();
  let heardAt = performance.now();
  let received = 0;
  let user: SyncUser | null = null;
  let admitted = false;
  let release: (() => void) | undefined;
  let authTimer: NodeJS.Timeout | undefined;

  const outlet = createOutlet(context, ws, socket, (collection) => {
    if (subscriptions.has(collection)) outlet.send(subscribed(collection, { gap: true }));
  });
  const { send, isOpen } = outlet;
  const writes = committer.writes(outlet);

  function subscribed(collection: string, extra: SubscribedMessage['metadata']): SubscribedMessage {
    const metadata = { ...extra, seq: store.seq(collection) };
    return { type: 'subscribed', collection, timestamp: iso(now()), metadata };
  }

  function refuse(code: WireErrorCode, error: string, closeCode: number): void {
    send(errorMessage(code, error));
    ws.close(closeCode, code);
  }

  /** Finds out who the token belongs to, and whether there is room. False: not let in, perhaps closed already. */
  async function admit(secret: string | undefined): Promise<boolean> {
    const identity = await context.authenticate(secret, request);
    if (!isOpen()) return false;
    if (identity.kind === 'unknown') refuse('SERVER_ERROR', 'The token could not be checked; try again', FAILED);
    if (identity.kind !== 'known') return false;
    const next = identity.user;
    if (!admitted || next?.id !== user?.id) {
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
    authTimer = setTimeout(late, Math.min(settings.authTimeout, LONGEST_TIMER));
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
    for (const [collection, filter] of subscriptions) {
      const allowed = await access.subscribe(user, collection);
      if (!isOpen()) return;
      if (allowed) fanOut.subscribe(outlet, collection, access.reader(user, collection, filter));
      else refuseSubscription('UNAUTHORIZED', `Not allowed to read collection '${collection}'`, { collection });
    }
  }

  function unsubscribe(collection: string): void {
    subscriptions.delete(collection);
    fanOut.unsubscribe(outlet, collection);
  }

  function refuseSubscription(
    code: WireErrorCode,
    error: string,
    about: { readonly collection: string; readonly requestId?: string },
  ): void {
    unsubscribe(about.collection);
    send(errorMessage(code, error, about));
  }

  async function subscribe(message: Subscribe): Promise<void> {
    const { collection, requestId, since } = message;
    const echo = requestId === undefined ? {} : { requestId };
    const about = { ...echo, collection };
    if (!access.exists(collection)) {
      return refuseSubscription('COLLECTION_NOT_FOUND', `There is no collection '${collection}'`, about);
    }
    if (subscriptions.size >= MAX_SUBSCRIPTIONS && !subscriptions.has(collection)) {
      return refuseSubscription('INVALID_MESSAGE', `More than ${MAX_SUBSCRIPTIONS} subscriptions`, about);
    }
    if (!(await access.subscribe(user, collection))) {
      return refuseSubscription('UNAUTHORIZED', `Not allowed to read collection '${collection}'`, about);
    }
    // What the client wrote before it asked comes before the answer.
    await writes.idle();
    if (!isOpen()) return;
    const filter = message.filter ?? subscriptions.get(collection);
    const sees = access.reader(user, collection, filter);
    context.sweep();
    // From here to the answer nothing is awaited: no commit falls between the sequence number and the first event.
    subscriptions.set(collection, filter);
    fanOut.subscribe(outlet, collection, sees);
    send(subscribed(collection, { ...echo, ...(!sees && { recordCount: store.count(collection) }) }));
    if (since !== undefined) await sendPage(message, since, sees);
  }

  async function sendPage(message: Subscribe, since: number, sees: Sees | undefined): Promise<void> {
    const { collection, requestId, snapshot, keys } = message;
    const limit = Math.min(message.limit ?? pageSize, pageSize);
    const wanted = { collection, since, limit, snapshot, sees };
    const page = await readPage(store, wanted, (record, visible) => JSON.stringify(wireRecord(record, visible, keys)));
    const metadata = {
      ...(requestId !== undefined && { requestId }),
      seq: page.seq,
      ...(page.snapshotSeq !== undefined && { snapshot: true, snapshotSeq: page.snapshotSeq }),
    };
    const rest = JSON.stringify({ timestamp: iso(now()), metadata }).slice(1);
    const name = JSON.stringify(collection);
    outlet.sendText(`{"type":"sync","collection":${name},"data":{"records":[${page.records.join(',')}]},${rest}`);
  }

  function submit(message: Write): void | Promise<void> {
    const { opId } = message;
    writes.submit(message, user, (outcome) => {
      if (opId !== undefined) send(answerTo(message, opId, outcome));
      else if (outcome.kind === 'refused') send(errorMessage(outcome.code, outcome.reason, originOf(message)));
    });
    // A slow `authorize` must not let writes pile up.
    if (writes.size >= MAX_WRITES) return writes.idle();
  }

  function answer(message: Incoming): void | Promise<void> {
    switch (message.type) {
      case 'ping':
        return send({ type: 'pong', timestamp: iso(now()) });
      case 'auth':
        return authenticate(message.token);
    }
    if (!admitted) {
      return send(errorMessage('AUTH_FAILED', 'Send {"type":"auth","token":...} first', originOf(message)));
    }
    switch (message.type) {
      case 'subscribe':
        return subscribe(message);
      case 'unsubscribe':
        unsubscribe(message.collection);
        return send({ type: 'unsubscribed', collection: message.collection });
      default:
        return submit(message);
    }
  }

  function handle(message: Incoming | Invalid): void | Promise<void> {
    const retryAfter = limiter();
    if (retryAfter > 0) {
      const about = message.type === 'invalid' ? message.metadata : originOf(message);
      return send(
        errorMessage('RATE_LIMIT_EXCEEDED', `Too many messages; wait ${retryAfter} ms`, { ...about, retryAfter }),
      );
    }
    return message.type === 'invalid' ? send(invalidMessage(message)) : answer(message);
  }

  const inbox = createInbox(
    ws,
    outlet,
    (text) => handle(parseFrame(text)),
    (error) => {
      log('error', 'A message could not be handled', { error });
      send(errorMessage('SERVER_ERROR', 'The server could not handle the message'));
    },
  );
  const hear = () => {
    heardAt = performance.now();
  };
  ws.on('ping', hear);
  ws.on('pong', hear);
  ws.on('message', (data, isBinary) => {
    hear();
    counters.messagesIn++;
    if (isBinary) send(errorMessage('INVALID_MESSAGE', 'Messages are text frames'));
    else inbox.receive(data.toString());
  });
  ws.on('error', (error) => log('debug', 'A connection failed', { error }));
  ws.on('close', () => {
    clearTimeout(authTimer);
    for (const collection of subscriptions.keys()) unsubscribe(collection);
    release?.();
  });
  inbox.hold(welcome());

  return {
    get heardAt() {
      // A large message on a slow line is not whole for long.
      const { bytesRead = received } = socket as Partial<Socket>;
      if (bytesRead !== received) hear();
      received = bytesRead;
      return heardAt;
    },
    expire() {
      // The second time round it did not even answer the close.
      if (isOpen()) ws.close(SILENT, 'No message in time; send a ping');
      else ws.terminate();
    },
  };
}

import type { FirebaseApp, FirebaseOptions } from 'firebase/app';
import type { Firestore } from 'firebase/firestore';
import { isSyncLayerError } from '../../src/kit.js';
import { codeOf, readError } from './failure.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import type { ValueMaker } from './values.js';

export type Sdk = typeof import('firebase/firestore');

/** The SDK, and one instance of its client. */
export interface Session {
  readonly sdk: Sdk;
  readonly db: Firestore;
  readonly make: ValueMaker;
  /** Aborts once the client is dropped: what it was asked is never answered then. */
  readonly lost?: AbortSignal;
}

/** How to get a client. */
export interface Link {
  /** For a read or a write: made if there is none. */
  session(): Promise<Session>;
  readonly current: Session | undefined;
  /** A client that does not know of the last loss. `refused`: the server could not be reached with the one that there is. */
  renew(refused: boolean): Promise<Session>;
  /** Ends the client, if it is ours. */
  drop(): Promise<void>;
  close(): Promise<void>;
}

const missing = (cause: unknown): never => {
  throw problem('PEER_MISSING', 'firebase could not be loaded. Install it: npm install firebase', { cause });
};

function sessionOf(sdk: Sdk, db: Firestore, lost?: AbortSignal): Session {
  const make: ValueMaker = {
    timestamp: (seconds, nanoseconds) => new sdk.Timestamp(seconds, nanoseconds),
    geoPoint: (latitude, longitude) => new sdk.GeoPoint(latitude, longitude),
    bytes: (base64) => sdk.Bytes.fromBase64String(base64),
    reference: (path) => sdk.doc(db, path),
    vector: (values) => sdk.vector([...values]),
  };
  return { sdk, db, make, ...(lost && { lost }) };
}

const loadSdk = (): Promise<Sdk> => import('firebase/firestore').catch(missing);

/** A Firestore of the app's own. It reconnects by itself, in its own time. */
export function appLink(db: Firestore): Link {
  let current: Session | undefined;
  const session = async (): Promise<Session> => {
    current ??= sessionOf(await loadSdk(), db);
    return current;
  };
  return {
    session,
    get current() {
      return current;
    },
    renew: session,
    drop: async () => undefined,
    close: async () => undefined,
  };
}

/**
 * How long a client is kept that meets no server, ms. grpc-js 1.9 lets one that is ended then connect once more, a second later:
 * a new one for each attempt would leave a socket for each that found the server back.
 */
const PATIENCE = 15_000;

/** A Firestore of our own. In Node one that lost its server can take 90 s to notice; a new one takes 0.3 s. */
export function ownLink({ app: given, config, emulator }: ParsedOptions): Link {
  let app: FirebaseApp | undefined;
  let current: Promise<Session> | undefined;
  let ready: Session | undefined;
  let life = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  /** It was not connected yet: a pull came first. */
  let fresh = false;
  let closed = false;
  let madeAt = 0;

  async function make(): Promise<Session> {
    const [firebase, sdk] = await Promise.all([import('firebase/app').catch(missing), loadSdk()]);
    // A second client on the same host would take over the dead connection of the first.
    await ended;
    app ??=
      (given as FirebaseApp | undefined) ??
      firebase.initializeApp(config as FirebaseOptions, `synclayer-${crypto.randomUUID()}`);
    let db: Firestore;
    try {
      db = sdk.initializeFirestore(app, { localCache: sdk.memoryLocalCache() });
    } catch (cause) {
      const fix = 'The app has a Firestore already; give it to firestoreTransport as "firestore" instead of "app".';
      throw problem('CONFIG_INVALID', fix, { cause });
    }
    if (emulator !== undefined) {
      const at = emulator.lastIndexOf(':');
      sdk.connectFirestoreEmulator(db, emulator.slice(0, at), Number(emulator.slice(at + 1)));
    }
    madeAt = performance.now();
    ready = sessionOf(sdk, db, life.signal);
    return ready;
  }

  async function session(): Promise<Session> {
    // A pull or a push that was held up until now.
    if (closed) throw problem('CLOSED', 'This transport is closed; make a new one.');
    if (!current) {
      fresh = true;
      const made = make();
      current = made;
      made.catch(() => {
        if (current === made) current = undefined;
      });
    }
    return current;
  }

  function drop(): Promise<void> {
    const was = current;
    current = undefined;
    ready = undefined;
    life.abort(problem('CONNECTION_LOST', 'The link to Firestore was given up.'));
    life = new AbortController();
    if (was)
      ended = was.then(
        ({ sdk, db }) => sdk.terminate(db),
        () => undefined,
      );
    return ended;
  }

  return {
    session,
    get current() {
      return ready;
    },
    async renew(refused) {
      const patient = refused && performance.now() - madeAt < PATIENCE;
      if (!fresh && !patient) await drop();
      const made = await session();
      fresh = false;
      return made;
    },
    drop,
    async close() {
      closed = true;
      await drop();
      if (!app || app === given) return;
      const { deleteApp } = await import('firebase/app');
      await deleteApp(app);
      app = undefined;
    },
  };
}

/**
 * The SDK's promises may never end: it waits for a link that it takes for alive, and can cancel nothing.
 *
 * @throws SyncLayerError CLOSED when the signal aborts, CONNECTION_LOST when it took too long or its client was dropped.
 */
export async function within<T>(
  { lost }: Session,
  work: Promise<T>,
  what: string,
  ms: number,
  signal?: AbortSignal,
): Promise<T> {
  const over = AbortSignal.any([signal, lost].filter((each) => each !== undefined));
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort = (): void => undefined;
  const end = new Promise<never>((_, reject) => {
    onAbort = () => reject(isSyncLayerError(over.reason) ? over.reason : problem('CLOSED', `${what} was given up.`));
    timer = setTimeout(() => reject(problem('CONNECTION_LOST', `${what} got no answer within ${ms} ms.`)), ms);
  });
  if (over.aborted) onAbort();
  over.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
    over.removeEventListener('abort', onAbort);
    // Nobody waits for what comes later.
    work.catch(() => undefined);
    end.catch(() => undefined);
  }
}

/**
 * Asks the server for a document, over the very stream that the listeners use: `fromCache: false` stays on a dead socket. That
 * the rules forbid it is an answer too.
 */
export async function probe(session: Session, ms: number, signal?: AbortSignal): Promise<void> {
  const { sdk, db } = session;
  const what = 'A heartbeat';
  try {
    await within(session, sdk.getDocFromServer(sdk.doc(db, 'synclayer', 'heartbeat')), what, ms, signal);
  } catch (error) {
    if (codeOf(error) === 'permission-denied') return;
    throw isSyncLayerError(error) ? error : readError(what, error);
  }
}

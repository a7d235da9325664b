import { setTimeout as wait } from 'node:timers/promises';
import { abortable } from '../base/abort.js';
import type { Change } from '../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { backoffDelay } from '../transport/backoff.js';
import { readPages, readRows } from '../transport/read.js';
import { createTokenSource } from '../transport/token.js';
import type { ChangeSink, Cursor, PullPage, RealtimeTransport } from '../transport/transport.js';
import type { MigrationEnd } from './types.js';

/** How long one attempt to connect may take, ms. */
const CONNECT_TIMEOUT = 20_000;
const BACKOFF = { base: 250, max: 10_000 };

/** Not every backend has the id among the fields; rows have. */
const withId = (change: Change): Change =>
  change.type === 'delete' ? change : { ...change, data: { ...change.data, id: change.recordId } };

export interface EndpointOptions {
  /** How long it may be out of reach, ms. */
  readonly giveUpAfter: number;
  readonly signal: AbortSignal;
  readonly onRetry: (error: SyncLayerError) => void;
}

/** One backend, whose losses and refusals for now are waited out. */
export function createEndpoint({ transport, authToken }: MigrationEnd, options: EndpointOptions) {
  const { signal } = options;
  const tokens = createTokenSource(authToken);
  /** The link, made when it is first needed; undefined: there is none, or it is known to be lost. */
  let link: Promise<void> | undefined;
  transport.attach?.({
    authToken: tokens.get,
    refused: tokens.refused,
    log: () => undefined,
    traffic: () => undefined,
    report: options.onRetry,
  });

  function connected(): Promise<void> {
    // A backend that can only be polled has no link.
    if (transport.capabilities.live === false) return Promise.resolve();
    if (!link) {
      const within = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT)]);
      const made = abortable(transport.connect({ signal: within }), within).catch((error: unknown) => {
        if (link === made) link = undefined;
        throw toSyncLayerError(error, 'CONNECT_FAILED', `${transport.name} could not be reached.`);
      });
      link = made;
    }
    return link;
  }

  /** Whoever finds the link lost says which one: by then another may be up. */
  function lost(which: Promise<void> | undefined, error: SyncLayerError): void {
    const what = error.kind;
    if (what === 'auth') tokens.refuse(error);
    if (link === which && what !== 'fatal' && error.code !== 'CONFLICT') link = undefined;
  }

  /** Does something that may fail for now, until it works. Throws what no other attempt can cure. */
  async function run<T>(what: string, work: () => Promise<T>): Promise<T> {
    let since: number | undefined;
    let refusals = 0;
    for (let failures = 1; ; failures += 1) {
      let used: Promise<void> | undefined;
      try {
        used = connected();
        await used;
        return await abortable(work(), signal);
      } catch (thrown) {
        signal.throwIfAborted();
        const error = toSyncLayerError(thrown, 'CONNECTION_LOST', `${what} failed.`, { adapter: transport.name });
        lost(used, error);
        const kind = error.kind;
        since ??= Date.now();
        const tooLong = Date.now() - since > options.giveUpAfter;
        // One more try asks for a fresh token.
        if (kind === 'fatal' || error.code === 'TOO_LARGE' || (kind === 'auth' && ++refusals > 1) || tooLong)
          throw error;
        options.onRetry(error);
        await wait(backoffDelay(failures, BACKOFF), undefined, { signal });
      }
    }
  }

  let reading: Promise<unknown> = Promise.resolve();
  /** One read at a time: a backend that is in use has other things to do, and Firestore's stream takes no more. */
  function read<T>(what: string, work: () => Promise<T>): Promise<T> {
    const mine = reading.then(() => run(what, work));
    reading = mine.catch(() => undefined);
    return mine;
  }

  return {
    transport,
    name: transport.name,
    run,
    /** All pages from a cursor on. `within`: ends it before the next page too. */
    pages(collection: string, from: Cursor | null, limit: number, within = signal): AsyncGenerator<PullPage> {
      const pull = async (cursor: Cursor | null, start: boolean): Promise<PullPage> => {
        const request = { collection, cursor, start, limit, signal };
        const page = await read(`Reading "${collection}"`, () => transport.pull(request));
        return { ...page, changes: page.changes.map(withId) };
      };
      return readPages(pull, from, within);
    },

    /** The rows of these ids as they are now; undefined: this backend gives no single rows. */
    async fetch(collection: string, ids: readonly string[]): Promise<Change[] | undefined> {
      const fetch = transport.fetch?.bind(transport);
      if (!fetch) return undefined;
      const what = `Reading rows of "${collection}"`;
      const part = (some: readonly string[]) => read(what, () => fetch(collection, some, { signal }));
      return (await readRows(part, ids, signal)).map(withId);
    },

    /** Live changes, for as long as it is wanted: a subscription that ends is made anew, and says `gap`. */
    listen(collection: string, sink: Omit<ChangeSink, 'error'>): () => void {
      const over = new AbortController();
      const ended = AbortSignal.any([over.signal, signal]);
      const open = (): Promise<SyncLayerError> =>
        new Promise((resolve) => {
          const guard =
            <A extends unknown[]>(fn: (...args: A) => void) =>
            (...args: A): void => {
              if (!ended.aborted) fn(...args);
            };
          let stop = (): void => undefined;
          const end = (error: SyncLayerError): void => {
            ended.removeEventListener('abort', onAbort);
            stop();
            resolve(error);
          };
          const onAbort = (): void => end(new SyncLayerError('CLOSED', 'No longer wanted.'));
          ended.addEventListener('abort', onAbort);
          const change = (it: Change): void => sink.change(withId(it));
          const sinks = { change: guard(change), live: guard(sink.live), gap: guard(sink.gap), error: end };
          try {
            stop = transport.subscribe({ collection }, sinks);
          } catch (error) {
            end(toSyncLayerError(error, 'SUBSCRIBE_REJECTED', `"${collection}" cannot be listened to.`));
          }
        });
      async function keep(): Promise<void> {
        for (let failures = 1; !ended.aborted; failures += 1) {
          const used = connected();
          let error: SyncLayerError;
          try {
            await used;
            const openedAt = Date.now();
            error = await open();
            if (Date.now() - openedAt > BACKOFF.max) failures = 1;
          } catch (thrown) {
            error = thrown as SyncLayerError;
          }
          if (ended.aborted) return;
          lost(used, error);
          options.onRetry(error);
          // Until then pulls go on: a backend that cannot be listened to is only slower.
          await wait(backoffDelay(failures, BACKOFF), undefined, { signal: ended });
        }
      }
      keep().catch(() => undefined);
      return () => over.abort();
    },

    close: (): Promise<void> => transport.close(),
  };
}

export type Endpoint = ReturnType<typeof createEndpoint>;

/** Which backend this is, for the state file. */
export const sourceOf = ({ name, source }: RealtimeTransport): string => JSON.stringify([name, source ?? '']);

import {
  type ChangeSink,
  type createLifetime,
  isSyncLayerError,
  reasonOf,
  type TransportHost,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { type Link, probe, type Session } from './link.js';
import { listen } from './listener.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import { createPulse } from './pulse.js';
import { conditionsOf, type Reads, since } from './reads.js';
import { recent } from './recent.js';
import type { Table } from './table.js';

export interface LiveOptions {
  readonly link: Link;
  readonly options: ParsedOptions;
  readonly reads: Reads;
  readonly life: ReturnType<typeof createLifetime>;
  readonly host: () => TransportHost;
}

/** The live link: its heartbeat, and its listeners. */
export function createLive({ link, options, reads, life, host }: LiveOptions) {
  /** Since when no server is found. */
  let refusedAt: number | undefined;
  function judge(error: unknown): void {
    const refused = isSyncLayerError(error) && error.details.code === 'unavailable';
    refusedAt = refused ? (refusedAt ?? performance.now()) : undefined;
  }

  async function ask(session: Session, ms: number, signal: AbortSignal): Promise<void> {
    await probe(session, ms, signal);
    host().reads?.(1);
  }

  const pulse = createPulse(
    options.heartbeatInterval,
    async (ms) => {
      if (link.current) await ask(link.current, ms, life.signal);
    },
    (error) => {
      judge(error);
      link.lose(toSyncLayerError(error, 'CONNECTION_LOST', 'A heartbeat failed.', { adapter: 'firestore' }));
    },
  );

  return {
    heard: pulse.heard,
    stop: pulse.stop,

    async connect(signal: AbortSignal): Promise<void> {
      if (life.over || signal.aborted) throw problem('CONNECT_FAILED', 'The connection was given up.');
      pulse.stop();
      link.lose(problem('CONNECTION_LOST', 'A new link to Firestore is being made.'));
      try {
        const session = await link.renew(refusedAt);
        await life.during(signal, (signal) => ask(session, options.requestTimeout, signal));
        refusedAt = undefined;
      } catch (error) {
        judge(error);
        throw error;
      }
      pulse.start();
    },

    subscribe(table: Table, sink: ChangeSink): Unsubscribe {
      const over = new AbortController();
      const session = link.current;
      let stop = (): void => undefined;
      function end(error?: unknown): void {
        if (over.signal.aborted) return;
        over.abort();
        session?.lost.removeEventListener('abort', lose);
        stop();
        if (isSyncLayerError(error)) sink.error(error);
      }
      const lose = (): void => end(session && reasonOf(session.lost));
      async function open(): Promise<void> {
        if (!session) throw problem('CONNECTION_LOST', 'Firestore is not connected.');
        // Where deletes leave their mark, the rest of the collection need not be read again for each listener. Elsewhere only a
        // document that it holds is heard to go. And no condition on the time without need: a `serverTimestamp()` of the app's
        // own is none until the server has it, and its document would leave such a query for as long.
        const from =
          table.deletedAt === undefined
            ? undefined
            : await life.during(over.signal, (signal) => recent(reads, options, table, signal));
        const conditions = await conditionsOf(session, table);
        if (over.signal.aborted) return;
        const heard = (documents: number): void => {
          pulse.heard();
          host().reads?.(documents);
        };
        stop = listen(session, table, [...conditions, ...(from ? [since(session, table, from)] : [])], sink, {
          heard,
          doubt: pulse.doubt,
          check: () => link.check?.(),
          found: reads.clock.learn,
          unstamped: () => void reads.unstamped(table),
          failed: end,
        });
      }
      session?.lost.addEventListener('abort', lose);
      // Not before the caller has what it needs to end it.
      void Promise.resolve()
        .then(open)
        .catch((error: unknown) =>
          end(toSyncLayerError(error, 'CONNECTION_LOST', `"${table.collection}" could not be listened to.`)),
        );
      return () => end();
    },
  };
}

export type Live = ReturnType<typeof createLive>;

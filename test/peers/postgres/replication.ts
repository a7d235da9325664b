import type pg from 'pg';
import { createDecoder, type RowEvent } from './pgoutput.js';

export interface ReplicationOptions {
  /** A connection for this slot alone. It is asked for again after Postgres restarted. */
  readonly connect: () => Promise<pg.Client>;
  readonly publication: string;
  /** Unique among those that live, in `[a-z0-9_]`. */
  readonly slot: string;
  /** How often the slot is asked for changes, in ms. */
  readonly pollMs: number;
  /**
   * Once it has lost its connection, how long it waits after Postgres is back, in ms. What is committed meanwhile is not
   * seen.
   */
  readonly reconnectMs: number;
  /** Committed changes in commit order. The next poll waits for it. */
  readonly onEvents: (events: readonly RowEvent[]) => Promise<void>;
}

export interface Replication {
  /** Resolves when every commit from now on will be seen. */
  ready(): Promise<void>;
  /** Resolves when `onEvents` is done with all that was committed before. */
  delivered(): Promise<void>;
  /** Ends, and leaves no slot behind. */
  close(): Promise<void>;
}

/** Between two attempts to reach Postgres. */
const RETRY_MS = 25;

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });

/**
 * Polls a temporary slot, as Realtime does. The slot dies with its connection: what is committed between a lost
 * connection and the next slot never arrives.
 */
export function startReplication(options: ReplicationOptions): Replication {
  const { connect, publication, slot, pollMs, reconnectMs, onEvents } = options;
  const closing = new AbortController();
  const { signal } = closing;
  let waiting: (() => void)[] = [];
  const drains: (() => void)[] = [];
  let live = false;

  const poll = async (client: pg.Client): Promise<void> => {
    await client.query("select pg_create_logical_replication_slot($1, 'pgoutput', true)", [slot]);
    live = true;
    for (const resolve of waiting) resolve();
    waiting = [];
    const decode = createDecoder();
    const text = `select data from pg_logical_slot_get_binary_changes($1, null, null, 'proto_version', '1',
      'publication_names', $2)`;
    while (!signal.aborted) {
      const asked = drains.length;
      const { rows } = await client.query<{ data: Buffer }>({ name: 'poll', text, values: [slot, publication] });
      const events = rows.flatMap(({ data }) => decode(data) ?? []);
      if (events.length > 0) await onEvents(events);
      for (const resolve of drains.splice(0, asked)) resolve();
      if (events.length === 0) await pause(pollMs, signal);
    }
  };

  const run = async (): Promise<void> => {
    let delay = 0;
    while (!signal.aborted) {
      let client: pg.Client | undefined;
      try {
        client = await connect();
        await pause(delay, signal);
        if (!signal.aborted) await poll(client);
      } catch {
        // Postgres is away, or was. Whatever it was, a new connection and a new slot is the only remedy.
      } finally {
        live = false;
        await client?.end().catch(() => {});
      }
      delay = reconnectMs;
      await pause(RETRY_MS, signal);
    }
  };
  const running = run();

  return {
    ready: () => (live || signal.aborted ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    delivered: () => (signal.aborted ? Promise.resolve() : new Promise((resolve) => drains.push(resolve))),
    close: async () => {
      closing.abort();
      for (const resolve of [...waiting, ...drains]) resolve();
      await running;
    },
  };
}

import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js';
import {
  type ChangeSink,
  type SubscribeRequest,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { channelError } from './errors.js';
import type { Link } from './link.js';
import { createReader, type DatabaseEvent, fromBroadcast, fromPostgresChange } from './normalize.js';
import { type ParsedOptions, problem } from './options.js';
import { schemaOf } from './reads.js';
import type { Table, Tables } from './table.js';

/** A dead socket answers no leave. In ms. */
const LEAVE_TIMEOUT = 1000;

/** Channels of all instances: a name that was used before is still being left, or another instance's. */
let made = 0;

/**
 * Realtime 2.123 and newer stop reading the log while the publication has no table, and look again every 60 s; a subscription made
 * meanwhile is told `ok` at once. So after one that was refused, what the first minutes bring is read as well. In ms.
 */
const LOOKS_AFTER_REFUSAL = [60_000, 120_000];
/** How a subscription fails that Realtime has refused: that its table is not published may pass. */
const REFUSALS: ReadonlySet<string> = new Set(['SUBSCRIBE_REJECTED', 'CONNECT_FAILED']);

export interface ChannelEvents {
  report(error: SyncLayerError): void;
  /** The channel is over. */
  failed(error: SyncLayerError): void;
}

/**
 * One subscription on one channel, since a bad binding kills all others on its channel. supabase-js lets channels die in
 * many ways and revives few of them: here each of these ends the channel, and core makes a new one.
 * Returns what ends it, and resolves when it is left.
 */
export function openChannel(
  client: SupabaseClient,
  schema: string,
  table: Table,
  { mode, subscribeTimeout }: Pick<ParsedOptions, 'mode' | 'subscribeTimeout'>,
  sink: Omit<ChangeSink, 'error'>,
  { report, failed }: ChannelEvents,
  wasRefused = false,
): () => Promise<void> {
  const { collection } = table;
  const read = createReader(table);
  let over = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const looks: ReturnType<typeof setTimeout>[] = [];

  let left: Promise<void> | undefined;
  function end(): Promise<void> {
    over = true;
    for (const each of [timer, ...looks]) clearTimeout(each);
    left ??= channel.unsubscribe(LEAVE_TIMEOUT).then(() => channel.teardown());
    return left;
  }

  function fail(error: SyncLayerError): void {
    if (over) return;
    void end();
    failed(error);
  }

  function live(): void {
    clearTimeout(timer);
    if (wasRefused && looks.length === 0)
      for (const delay of LOOKS_AFTER_REFUSAL)
        looks.push(setTimeout(() => sink.gap('Realtime may have begun to read only now'), delay));
    sink.live();
  }

  function onSystem(said: {
    readonly status?: unknown;
    readonly extension?: unknown;
    readonly message?: unknown;
  }): void {
    if (over) return;
    if (said.status === 'error') fail(channelError(collection, String(said.message)));
    // A second one follows a new publication, new claims, a restart: what came in between is lost.
    else if (said.extension === (mode === 'broadcast' ? 'system' : 'postgres_changes')) live();
  }

  function onStatus(status: string, error?: Error): void {
    if (over) return;
    if (status === 'SUBSCRIBED') {
      // Of database changes this is only the answer to the join; live is what `system` says.
      if (mode === 'broadcast') live();
    } else if (status === 'TIMED_OUT') fail(late());
    else fail(channelError(collection, error?.message ?? `the server closed it (${status})`));
  }

  const late = (): SyncLayerError =>
    problem('CONNECT_TIMEOUT', `The subscription to "${collection}" was not live within ${subscribeTimeout} ms.`);

  function onEvent(event: DatabaseEvent | undefined): void {
    if (over) return;
    const taken = event ? read(event) : 'gap';
    if (taken !== 'gap') {
      for (const change of taken) sink.change(change);
      return;
    }
    if (!event)
      report(problem('PROTOCOL_VIOLATION', `An event of "${collection}" is malformed; the rows are read instead.`));
    sink.gap('an event that does not say enough');
  }

  function open(): RealtimeChannel {
    if (mode === 'broadcast') {
      return client
        .channel(table.topic, { config: { private: true, broadcast: { replication_ready: true } } })
        .on('broadcast', { event: '*' }, (message) => {
          const event = fromBroadcast(message, table);
          // The topic may carry other messages, too.
          if (event) onEvent(event);
        });
    }
    made += 1;
    const { where } = table;
    return client
      .channel(`synclayer:${made}:${Math.random().toString(36).slice(2)}`)
      .on('postgres_changes', { event: '*', schema, table: table.table, ...(where && { filter: where }) }, (payload) =>
        onEvent(fromPostgresChange(payload)),
      );
  }

  const channel = open();
  timer = setTimeout(() => fail(late()), subscribeTimeout);
  channel.on('system', {}, onSystem).subscribe(onStatus, subscribeTimeout);
  return end;
}

/** The subscriptions. */
export function createLive(link: Link, options: ParsedOptions, tables: Tables, host: () => TransportHost) {
  /** What ends each subscription. */
  const stops = new Set<Unsubscribe>();
  /** Collections whose last subscription was refused. */
  const refused = new Set<string>();
  /** Channels that are being left: a broadcast topic is free only afterwards. */
  const leaving = new Set<Promise<void>>();

  /** The topic is the trigger's, so it may be the app's as well: then supabase-js would give us the app's own channel. */
  const isTaken = (client: SupabaseClient, topic: string): boolean =>
    client.getChannels().some((channel) => channel.topic === `realtime:${topic}`);

  return {
    subscribe({ collection }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
      const table = tables.get(collection);
      let over = false;
      let end: (() => Promise<void>) | undefined;
      const stop = (): void => {
        over = true;
        stops.delete(stop);
        const left = end?.();
        if (!left) return;
        leaving.add(left);
        void left.then(() => leaving.delete(left));
      };
      const fail = (error: SyncLayerError): void => {
        if (!over) sink.error(error);
      };
      const open = async (): Promise<void> => {
        await Promise.all(leaving);
        if (over) return;
        const client = link.current;
        if (!client?.realtime.isConnected()) return fail(problem('CONNECTION_LOST', 'Realtime is not connected.'));
        if (options.mode === 'broadcast' && isTaken(client, table.topic)) {
          const what = `The app has a channel for the topic "${table.topic}" already`;
          return fail(problem('SUBSCRIBE_REJECTED', `${what}; give supabaseTransport a client of its own.`));
        }
        const events: ChannelEvents = {
          report: (error) => host().report(error),
          failed(error) {
            if (REFUSALS.has(error.code)) refused.add(collection);
            sink.error(link.asRefusal(error));
          },
        };
        end = openChannel(client, schemaOf(client, table), table, options, sink, events, refused.delete(collection));
      };
      stops.add(stop);
      void open().catch((error: unknown) =>
        fail(toSyncLayerError(error, 'CONNECT_FAILED', `Subscribing to "${collection}" failed; it is tried again.`)),
      );
      return stop;
    },

    /** Leaves all channels. */
    async stop(): Promise<void> {
      for (const stop of [...stops]) stop();
      await Promise.all(leaving);
    },
  };
}

export type Live = ReturnType<typeof createLive>;

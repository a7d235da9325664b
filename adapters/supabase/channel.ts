import type { RealtimeChannel, SupabaseClient } from '@supabase/supabase-js';
import type { ChangeSink, SyncLayerError } from '../../src/adapter-kit/kit.js';
import { channelError } from './channel-failure.js';
import { createReader, type DatabaseEvent, fromBroadcast, fromPostgresChange } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import type { Table } from './table.js';

/** A dead socket answers no leave. In ms. */
const LEAVE_TIMEOUT = 1000;

/** Channels of all instances: a name that was used before is still being left, or another instance's. */
let made = 0;

/**
 * Realtime 2.123 and newer stop reading the log while the publication has no table, and look again every 60 s; a subscription made
 * meanwhile is told `ok` at once. So after one that was refused, what the first minutes bring is read as well. In ms.
 */
const LOOKS_AFTER_REFUSAL = [60_000, 120_000];

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
    const { filter } = table;
    return client
      .channel(`synclayer:${made}:${Math.random().toString(36).slice(2)}`)
      .on('postgres_changes', { event: '*', schema, table: table.table, ...(filter && { filter }) }, (payload) =>
        onEvent(fromPostgresChange(payload)),
      );
  }

  const channel = open();
  timer = setTimeout(() => fail(late()), subscribeTimeout);
  channel.on('system', {}, onSystem).subscribe(onStatus, subscribeTimeout);
  return end;
}

import {
  type Change,
  type ChangeSink,
  createTimers,
  isObject,
  type SyncLayerError,
  type Unsubscribe,
  type Version,
} from '../../src/adapter-kit/kit.js';
import { type Link, type LinkOptions, openLink } from './link.js';
import { COMPLETE, createReader, fromItem, idOf } from './normalize.js';
import { problem } from './options.js';
import type { ById, Reads } from './reads.js';
import { type Item, LAG, type Operation, operations, type Table } from './table.js';

/** What an event said of a row that must be read. */
interface Wanted {
  readonly gone: boolean;
  readonly atLeast: Version | undefined;
  readonly tries: number;
}

/** Rows that wait; more of them are left to a catch-up. */
const LIMIT = 1000;
/** Per query. */
const BATCH = 25;
/** DynamoDB's reads may lag behind its writes: the pauses between two looks, ms. */
const PAUSES = [50, 100, 200, 400];

/** Newer than any, for the delete of a row whose last version is not known. */
const newest = ({ versioned }: Table): Version => (versioned ? Number.MAX_SAFE_INTEGER : '9');

/** Reads the rows of events that do not say enough, and hands them to the sink whole. */
export function createLateRows(
  table: Table,
  sink: Pick<ChangeSink, 'change' | 'gap'>,
  byIds: (ids: readonly string[], signal: AbortSignal) => Promise<ById>,
) {
  const wanted = new Map<string, Wanted>();
  const timers = createTimers<'again'>();
  const ended = new AbortController();
  const { signal } = ended;
  let reading = false;

  /** What was read, or undefined if it is older than the event. */
  function changeOf(id: string, { gone, atLeast, tries }: Wanted, item: Item | undefined): Change | undefined {
    const change: Change =
      (item && fromItem(table, item, COMPLETE)) ??
      ({ type: 'delete', collection: table.collection, recordId: id, version: newest(table), inferred: true } as const);
    const behind = atLeast !== undefined && change.version < atLeast;
    return tries < PAUSES.length && (behind || (change.type === 'delete') !== gone) ? undefined : change;
  }

  async function readBatch(): Promise<void> {
    const batch = [...wanted].slice(0, BATCH);
    for (const [id] of batch) wanted.delete(id);
    const items = await byIds(
      batch.map(([id]) => id),
      signal,
    );
    let pause = 0;
    for (const [id, entry] of batch) {
      // What an event said meanwhile is newer than this.
      if (signal.aborted || wanted.has(id)) continue;
      const item = items.get(id);
      // It is there, or may be: nothing can be said of it.
      if (typeof item === 'string') continue;
      const change = changeOf(id, entry, item);
      if (change) sink.change(change);
      else {
        pause = Math.max(pause, PAUSES[entry.tries] ?? 0);
        wanted.set(id, { ...entry, tries: entry.tries + 1 });
      }
    }
    if (pause > 0) await new Promise<void>((resolve) => timers.schedule('again', pause, resolve));
  }

  async function readAll(): Promise<void> {
    if (reading) return;
    reading = true;
    try {
      while (wanted.size > 0 && !signal.aborted) await readBatch();
    } catch {
      wanted.clear();
      if (!signal.aborted) sink.gap('a row could not be read');
    } finally {
      reading = false;
    }
  }

  return {
    /** `gone`: the event was a delete. `atLeast`: the version that it named. */
    want(id: string, gone: boolean, atLeast: Version | undefined): void {
      wanted.set(id, { gone, atLeast, tries: 0 });
      if (wanted.size <= LIMIT) return void readAll();
      wanted.clear();
      sink.gap('too many rows to read one by one');
    },
    close(): void {
      ended.abort();
      timers.close();
      wanted.clear();
    },
  };
}

/** An open link, and what is subscribed to over it. */
export interface Live {
  readonly isOpen: boolean;
  subscribe(table: Table, sink: ChangeSink): Unsubscribe;
  /** Closes the link. `error`: what each subscription ends with; without it they end without a word. */
  end(error?: SyncLayerError): Promise<void>;
}

interface LiveOptions extends Omit<LinkOptions, 'onLost'> {
  readonly reads: Reads;
}

/** A collection's three subscriptions, which live and end together. Returns what ends them. */
function openSubscription(link: Link, { reads, options }: LiveOptions, table: Table, sink: ChangeSink): Unsubscribe {
  const { collection } = table;
  const { subscribeTimeout } = options;
  function emit(change: Change): void {
    table.note(change.recordId, change.type !== 'delete');
    sink.change(change);
  }
  const take = createReader(table);
  const late = createLateRows(table, { change: emit, gap: (reason) => sink.gap(reason) }, (ids, signal) =>
    reads.byIds(table, ids, signal),
  );
  const timers = createTimers<'live' | 'again'>();
  const waiting = new Set<Operation>(operations);
  let stops: readonly (() => void)[] = [];
  let over = false;

  function end(): void {
    over = true;
    timers.close();
    late.close();
    for (const stop of stops) stop();
  }

  function fail(error: SyncLayerError): void {
    if (over) return;
    end();
    sink.error(error);
  }

  function onStarted(operation: Operation): void {
    if (over || !waiting.delete(operation) || waiting.size > 0) return;
    timers.cancel('live');
    sink.live();
    // What was written just before may be missing from what is read now.
    timers.schedule('again', LAG, () => sink.gap('reads of DynamoDB may have lagged behind'));
  }

  function onEvent(operation: Operation, field: string, payload: unknown): void {
    if (over) return;
    const { data, errors } = Object(payload) as { readonly data?: unknown; readonly errors?: unknown };
    const item = isObject(data) ? data[field] : undefined;
    const gone = operation === 'delete';
    const id = isObject(item) ? idOf(table, item) : undefined;
    // A field that the mutation did not select and that must not be null spoils the event, or a part of it.
    if (Array.isArray(errors) && errors.length > 0 && id !== undefined) {
      late.want(id, gone, undefined);
      return;
    }
    const taken = take(operation, item);
    if (taken === 'gap') sink.gap('an event that does not say which row it is about');
    else if ('read' in taken) late.want(taken.read, gone, taken.atLeast);
    else emit(taken);
  }

  timers.schedule('live', subscribeTimeout, () => {
    const message = `The subscription to "${collection}" was not live within ${subscribeTimeout} ms; it is tried again.`;
    fail(problem('CONNECT_TIMEOUT', message));
  });
  stops = operations.map((operation) => {
    const request = table.subscription(operation);
    return link.start(`The subscription ${request.field}`, request, {
      started: () => onStarted(operation),
      event: (payload) => onEvent(operation, request.field, payload),
      failed: fail,
    });
  });
  return end;
}

/** Rejects if the link cannot be opened. Once it is lost, each subscription ends with why. */
export async function openLive(options: LiveOptions): Promise<Live> {
  const subscriptions = new Map<Unsubscribe, ChangeSink>();

  function endAll(error?: SyncLayerError): void {
    const ended = [...subscriptions];
    subscriptions.clear();
    for (const [stop, sink] of ended) {
      stop();
      if (error) sink.error(error);
    }
  }

  const link = await openLink({ ...options, onLost: endAll });
  return {
    get isOpen() {
      return link.isOpen;
    },
    subscribe(table, sink) {
      const stop = openSubscription(link, options, table, sink);
      subscriptions.set(stop, sink);
      return () => {
        subscriptions.delete(stop);
        stop();
      };
    },
    end(error) {
      endAll(error);
      return link.close();
    },
  };
}

import type { Change } from '../base/change.js';
import type { SyncLayerError } from '../base/errors.js';
import type { ChangeSink, OutgoingChange, PullRequest, PushResult, RealtimeTransport } from '../transport/transport.js';

/** What core asks a transport to do. */
export type TransportStep =
  | 'connect'
  | 'subscribe'
  | 'pull'
  | 'push'
  | 'fetch'
  | 'keys'
  | 'count'
  | 'disconnect'
  | 'close';

/** What a step was called with, where that matters: the page wanted, the edits sent, the ids fetched. */
export type StepDetail = PullRequest | readonly OutgoingChange[] | readonly string[] | string | undefined;

/** The handles on a transport with faults. Assign to them at any time. */
export interface Faults {
  /** What core is given for a live change: nothing (lost), another, several. Default: the change itself. */
  change: (change: Change) => readonly Change[];
  /**
   * Runs before each step, which waits for it and fails with what it throws: a lost connection before the backend has
   * heard of it. `subscribe` answers at once, so it does not wait.
   */
  before: (step: TransportStep, detail: StepDetail) => void | Promise<void>;
  /** Runs after each step that worked, and before core has the answer: with a throw the answer is lost. */
  after: (step: TransportStep, detail: StepDetail) => void | Promise<void>;
  /** Answers a push instead of the backend, which never sees the edit. Undefined: the backend answers. */
  decide: (change: OutgoingChange) => PushResult | undefined;
  /** Tells every subscription that it is live, once more: as an SDK does that has reconnected by itself. */
  live(): void;
  /** Tells every subscription that something may have been missed. */
  gap(reason?: string): void;
  /** Ends every subscription: as a lost connection does, if the error says CONNECTION_LOST. */
  end(error: SyncLayerError): void;
  /** Hands core a live change that the backend never sent. */
  inject(change: Change): void;
  /** Every live change that the transport gave, whatever became of it. */
  readonly seen: readonly Change[];
  /** How often each step was begun. */
  readonly calls: Readonly<Record<TransportStep, number>>;
}

/**
 * Puts faults between a transport and SyncLayer. Without any it changes nothing, so it can stay in front in every test.
 *
 * @example
 * const { transport, faults } = withFaults(websocketTransport({ url }));
 * const sync = await createSyncLayer({ transport, collections: ['todos'] });
 * faults.change = () => []; // live events are lost silently
 * faults.after = (step) => { if (step === 'push') throw new SyncLayerError('CONNECTION_LOST', 'The answer is lost.'); };
 */
export function withFaults(transport: RealtimeTransport): { transport: RealtimeTransport; faults: Faults } {
  const sinks = new Set<{ readonly collection: string; readonly sink: ChangeSink }>();
  const calls = { connect: 0, subscribe: 0, pull: 0, push: 0, fetch: 0, keys: 0, count: 0, disconnect: 0, close: 0 };
  const seen: Change[] = [];

  const faults: Faults = {
    change: (change) => [change],
    before: () => undefined,
    after: () => undefined,
    decide: () => undefined,
    live() {
      for (const { sink } of [...sinks]) sink.live();
    },
    gap(reason = 'told by the test') {
      for (const { sink } of [...sinks]) sink.gap(reason);
    },
    end(error) {
      for (const { sink } of [...sinks]) sink.error(error);
    },
    inject(change) {
      for (const { collection, sink } of [...sinks]) if (collection === change.collection) sink.change(change);
    },
    seen,
    calls,
  };

  async function step<T>(name: TransportStep, detail: StepDetail, work: () => Promise<T>): Promise<T> {
    calls[name] += 1;
    await faults.before(name, detail);
    const result = await work();
    await faults.after(name, detail);
    return result;
  }

  async function push(changes: readonly OutgoingChange[], signal: AbortSignal): Promise<PushResult[]> {
    const decided = changes.map((change) => faults.decide(change));
    const rest = changes.filter((_, index) => !decided[index]);
    const answers = rest.length > 0 ? await transport.push(rest, { signal }) : [];
    let next = 0;
    return decided.map((result) => result ?? (answers[next++] as PushResult));
  }

  const keys: NonNullable<RealtimeTransport['keys']> = async function* (collection, options) {
    calls.keys += 1;
    await faults.before('keys', collection);
    yield* transport.keys?.(collection, options) ?? [];
    await faults.after('keys', collection);
  };

  const count: NonNullable<RealtimeTransport['count']> = (collection, options) =>
    step('count', collection, async () => (await transport.count?.(collection, options)) ?? 0);

  const fetch: NonNullable<RealtimeTransport['fetch']> = (collection, ids, options) =>
    step('fetch', ids, async () => (await transport.fetch?.(collection, ids, options)) ?? []);

  const faulty: RealtimeTransport = {
    name: transport.name,
    get source() {
      return transport.source as string;
    },
    get capabilities() {
      return transport.capabilities;
    },
    get capabilitiesOf() {
      return transport.capabilitiesOf?.bind(transport);
    },
    mapping: (collection) => transport.mapping?.(collection),
    attach: (host) => transport.attach?.(host),
    connect: (options) => step('connect', undefined, () => transport.connect(options)),
    subscribe(request, sink) {
      calls.subscribe += 1;
      // It cannot wait; a test that holds or fails it does so with its other steps.
      void faults.before('subscribe', request.collection);
      const entry = { collection: request.collection, sink };
      sinks.add(entry);
      const unsubscribe = transport.subscribe(request, {
        live: () => sink.live(),
        gap: (reason) => sink.gap(reason),
        error: (error) => sink.error(error),
        change(change) {
          seen.push(change);
          for (const each of faults.change(change)) sink.change(each);
        },
      });
      void faults.after('subscribe', request.collection);
      return () => {
        sinks.delete(entry);
        unsubscribe();
      };
    },
    pull: (request) => step('pull', request, () => transport.pull(request)),
    push: (changes, { signal }) => step('push', changes, () => push(changes, signal)),
    // Asked each time: a transport may learn from its backend that it has none.
    get fetch() {
      return transport.fetch && fetch;
    },
    get keys() {
      return transport.keys && keys;
    },
    get count() {
      return transport.count && count;
    },
    disconnect: () => step('disconnect', undefined, async () => transport.disconnect?.()),
    close: () => step('close', undefined, () => transport.close()),
  };
  return { transport: faulty, faults };
}

import { throwIfAborted } from '../../base/abort.js';
import { type SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { capabilitiesOf } from '../../transport/capabilities.js';
import type { listenFor } from '../audit.js';
import type { Checks } from './checks.js';
import type { LiveBuffer } from './live-buffer.js';
import type { Phases } from './phases.js';
import type { Pull } from './pull.js';
import type { SessionHooks, SessionOptions } from './session.js';

export interface CatchUpOptions extends Pick<SessionOptions, 'collection' | 'transport' | 'replica'> {
  readonly phases: Phases;
  readonly pull: Pull;
  readonly checks: Checks;
  readonly buffer: LiveBuffer;
  /** Applies what is in the buffer. */
  readonly flush: () => void;
  /** Aborted when reading is stopped. */
  readonly signal: () => AbortSignal;
  readonly isSubscribed: () => boolean;
  /** The live link does not bring what an audit has found. */
  readonly silent: (error: SyncLayerError) => void;
  readonly hooks: Pick<SessionHooks, 'caughtUp' | 'failed'>;
}

/** The hook has reported it already. */
const ignore = (): void => undefined;

/** Pulls until nothing is new, one run at a time, and compares what no pull tells. */
export function createCatchUp(options: CatchUpOptions) {
  const { collection, transport, replica, phases, pull, checks, buffer, flush, hooks } = options;
  let running: Promise<number> | undefined;
  let again = false;
  /** What is to be compared: everything at an audit; after a gap, what no pull tells. */
  let due: 'audit' | 'gap' | undefined;
  /** Nothing was missed as far as is known: what is found all the same, the live link should have brought. */
  let looking = false;
  /** Listens for what a look has found while live. */
  let listening: ReturnType<typeof listenFor> | undefined;

  /** Begins to wait for what a look has found, and the live link should have brought. */
  async function listen(news: Set<string>, signal: AbortSignal): Promise<void> {
    for (const id of buffer.ids()) news.delete(id);
    if (phases.current !== 'live' || news.size === 0) return;
    const audit = await checks.load(signal);
    listening?.stop();
    listening = audit.listenFor(news, () => options.silent(audit.silent(collection, news.size)));
  }

  /** Hard deletes leave no trace in this backend's pulls. */
  const isBlind = (): boolean =>
    transport.keys !== undefined && capabilitiesOf(transport, collection).deletes !== 'tombstones';

  async function work(signal: AbortSignal): Promise<number> {
    if (phases.current !== 'live') phases.set('catching-up');
    let count = 0;
    do {
      again = false;
      const news = looking && phases.current === 'live' ? new Set<string>() : undefined;
      const { count: more, whole } = await pull.all(signal, news);
      count += more;
      // Audits look at the versions of all others too.
      if (due && !whole) await checks.compare(signal, news);
      await checks.settleDoubts(signal);
      throwIfAborted(signal);
      due = undefined;
      looking = false;
      if (news) await listen(news, signal);
    } while (again);
    hooks.caughtUp(count);
    return count;
  }

  function run(compare?: boolean): Promise<number> {
    looking ||= compare !== undefined;
    if (compare) due = 'audit';
    else if (compare === undefined && isBlind()) due ??= 'gap';
    if (running) {
      again = true;
      return running;
    }
    const mine: Promise<number> = work(options.signal()).then(
      (count) => {
        if (running !== mine) return count;
        running = undefined;
        flush();
        phases.set(phases.resting);
        if (again) void run().catch(ignore);
        else if (replica.doubtful.size > 0) look();
        return count;
      },
      (thrown: unknown) => {
        const error = toSyncLayerError(thrown, 'CONNECTION_LOST', `Reading "${collection}" failed; it is tried again.`);
        if (running === mine) {
          running = undefined;
          phases.set(error.code === 'INTERNAL' ? 'failed' : options.isSubscribed() ? 'catching-up' : phases.resting);
          // Versions protect what is here; holding the buffer back would only delay it.
          flush();
          hooks.failed(error);
        }
        throw error;
      },
    );
    running = mine;
    return mine;
  }

  /** Something may have been missed. */
  function gap(): void {
    if (phases.current === 'live') phases.set('catching-up');
    void run().catch(ignore);
  }

  function look(): void {
    const signal = options.signal();
    // A catch-up looks before it ends.
    if (running) return;
    if (transport.fetch) void checks.settleDoubts(signal).catch(() => signal.aborted || gap());
    // Reading all again is a catch-up, and two at once would take each other's pages for theirs.
    else void run().catch(ignore);
  }

  return {
    run,
    gap,
    look,
    isRunning: (): boolean => running !== undefined,
    /** A live change came. */
    heard: (id: string): void => listening?.heard(id),
    /** What runs belongs to the past: its end changes nothing here. */
    abandon(): void {
      listening?.stop();
      running = undefined;
      again = false;
    },
  };
}

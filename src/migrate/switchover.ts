import { abortable, joined } from '../base/abort.js';
import type { Row } from '../base/change.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { CollectionsConfig, CollectionsInput, CollectionsOf, SyncLayerConfig } from '../config/types.js';
import type { SyncLayerInstance } from '../instance.js';
import { createSyncLayer } from '../sync-layer.js';

/** Where clients work: on `from`, nowhere for a moment (edits wait on the device), on `to`. */
export type SwitchPhase = 'from' | 'hold' | 'to';

/** Times in ms. */
export interface SwitchoverOptions<
  C extends CollectionsConfig = CollectionsConfig,
  Input extends CollectionsConfig = C,
> {
  /** Asks for the flag that the migration writes: a small file, a row, a remote configuration. */
  readonly read: (options: { readonly signal: AbortSignal }) => SwitchPhase | Promise<SwitchPhase>;
  /** The configuration for each backend, on the same durable store: unsent edits go along. */
  readonly from: SyncLayerConfig<Input>;
  readonly to: SyncLayerConfig<Input>;
  /** How often the flag is read, and at least twice in `maxAge`. Default 5000. */
  readonly every?: number;
  /**
   * After so long without an answer the device holds: it cannot know whether the others have moved. The cut-over must wait longer than
   * this, and a request's time. Default 15 000.
   */
  readonly maxAge?: number;
  /** Where this device was when it last ran, if the app has kept that: for a start without a network. Default `from`. */
  readonly last?: SwitchPhase;
  /** Told of the instance to use from now on: of the first one too, and after each move. Watches are to be made anew on it. */
  readonly onSwitch?: (sync: SyncLayerInstance<C>, phase: SwitchPhase) => void;
}

/** A SyncLayer that goes where the flag says. */
export interface Switchover<C extends CollectionsConfig = CollectionsConfig> {
  /** The instance to use now. After a move it is another one, and the old one is closed. */
  readonly sync: SyncLayerInstance<C>;
  readonly phase: SwitchPhase;
  /** Reads the flag now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

type Place = 'from' | 'to';
const placeOf = (phase: SwitchPhase, now: Place): Place => (phase === 'hold' ? now : phase);

/**
 * The client side of a cut-over: opens a SyncLayer on the backend that the flag names, holds back all traffic while it says
 * `hold` (saving goes on, on the device), and moves to the other backend with the store and its unsent edits when it says so.
 *
 * @throws what `createSyncLayer` throws.
 * @example
 * const app = await createSwitchover({
 *   read: async ({ signal }) => (await (await fetch('/phase.json', { signal })).json()).phase,
 *   from: { transport: { type: 'supabase', url, key }, collections: ['todos'], store: { type: 'indexeddb' } },
 *   to: { transport: { type: 'firestore', config }, collections: ['todos'], store: { type: 'indexeddb' } },
 *   onSwitch: (sync) => sync.collection('todos').watch(render),
 * });
 * await app.sync.collection('todos').save({ text: 'Buy milk' });
 */
export async function createSwitchover<const Names extends string = never, Schemas extends Row = Row>(
  options: SwitchoverOptions<CollectionsOf<Names, Schemas>, CollectionsInput<Names, Schemas>>,
): Promise<Switchover<CollectionsOf<Names, Schemas>>>;
export async function createSwitchover(options: SwitchoverOptions): Promise<Switchover> {
  const { every = 5000, maxAge = 15_000, last = 'from' } = options;
  const closing = new AbortController();
  let answeredAt = Number.NEGATIVE_INFINITY;
  let said = last;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn: Promise<void> = Promise.resolve();

  /** How long what the flag said last is still good. */
  const left = (): number => answeredAt + maxAge - Date.now();

  /** What the flag says; if it cannot be read within `limit`, what it said, but not for ever. */
  async function ask(limit: number): Promise<SwitchPhase> {
    try {
      const answer = await joined(
        [closing.signal],
        (signal) => abortable(Promise.resolve(options.read({ signal })), signal),
        Math.max(0, limit),
      );
      if (answer !== 'from' && answer !== 'hold' && answer !== 'to') throw new Error('No phase.');
      answeredAt = Date.now();
      said = answer;
      return said;
    } catch {
      return left() <= 0 ? 'hold' : said;
    }
  }

  async function open(next: Place, held: boolean): Promise<SyncLayerInstance> {
    const fresh: SyncLayerInstance = await createSyncLayer(options[next]);
    // Before anything could be sent: that takes a link, which takes longer.
    if (held)
      await fresh.pause().catch(async (error: unknown) => {
        await fresh.close();
        throw error;
      });
    return fresh;
  }

  let phase = await ask(maxAge);
  let place = placeOf(phase, last === 'to' ? 'to' : 'from');
  let sync = await open(place, phase === 'hold');
  /** False after a move that failed half way: then there is nothing to pause or to resume, only to open. */
  let opened = true;
  options.onSwitch?.(sync, phase);

  async function obey(): Promise<void> {
    // Others may have moved once the last answer is too old: a read that hangs must not keep this device going.
    const next = await ask(phase === 'hold' ? maxAge : left());
    if (closing.signal.aborted) return;
    const where = placeOf(next, place);
    if (where !== place || !opened) {
      if (opened) {
        opened = false;
        // Saves that have resolved are in the store, and go along.
        await sync.close();
      }
      sync = await open(where, next === 'hold');
      opened = true;
      place = where;
      phase = next;
      options.onSwitch?.(sync, phase);
    } else if (next !== phase) {
      if (next === 'hold') await sync.pause();
      else if (phase === 'hold') sync.resume();
      phase = next;
    }
  }

  function check(): Promise<void> {
    // What failed (a store that is full) is tried again.
    turn = turn.catch(() => undefined).then(obey);
    return turn;
  }

  function later(): void {
    if (closing.signal.aborted) return;
    const age = left();
    const wait = Math.min(every, maxAge / 2, age > 0 ? age : every, LONGEST_TIMER);
    timer = setTimeout(() => {
      void check()
        .catch(() => undefined)
        .then(later);
    }, wait);
  }
  later();

  return {
    get sync() {
      return sync;
    },
    get phase() {
      return phase;
    },
    check,
    async close() {
      closing.abort();
      clearTimeout(timer);
      await turn.catch(() => undefined);
      await sync.close();
    },
  };
}

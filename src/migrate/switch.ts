import { setTimeout as wait } from 'node:timers/promises';
import { abortable } from '../base/abort.js';
import { SyncLayerError } from '../base/errors.js';
import { LONGEST_TIMER } from '../base/timers.js';
import { backoffDelay } from '../transport/backoff.js';
import type { Reader } from './reader.js';
import type { State } from './state.js';
import type { CutOverOptions, CutOverResult, MigrationPhase, SwitchPhase, Verification } from './types.js';

/** Which way rows are carried: away from where clients are. */
export type Way = 'forward' | 'backward';

/**
 * Where clients are, as the state file has it. `verified`: both sides were equal, and the flag may name the other backend
 * already; whatever its write said, clients may be there, and have saved there.
 */
export type Clients =
  | { readonly phase: 'from' | 'to' }
  | { readonly phase: 'hold'; readonly way: Way; readonly verified?: Verification };

/** So many times longer than the quiet time each look at the source is apart. */
const LOOKS = 4;
/** How often the last write of the flag is tried. */
const FLAG_TRIES = 3;

const ends = { forward: ['from', 'to'], backward: ['to', 'from'] } as const;
const stepNames = { forward: 'cut-over', backward: 'go-back' } as const;

export const clientsOf = (state: State): Clients => (state.meta('clients') as Clients | undefined) ?? { phase: 'from' };

/** The step that holds clients and did not end. */
export function unfinishedOf(state: State): 'cut-over' | 'go-back' | undefined {
  const clients = clientsOf(state);
  return clients.phase === 'hold' ? stepNames[clients.way] : undefined;
}

/**
 * Rows of a side that clients have left must not be written over what they saved since.
 *
 * @throws SyncLayerError CONFIG_INVALID.
 */
export function checkWay(state: State, way: Way): void {
  const clients = clientsOf(state);
  const open = clients.phase === 'hold' && clients.verified !== undefined;
  if (open) {
    const message = `The flag was being written when the ${stepNames[clients.way]} ended, so clients may be on either side. Run the ${stepNames[clients.way]} again: it only writes the flag. Until then nothing is repaired.`;
    throw new SyncLayerError('CONFIG_INVALID', message);
  }
  const right = clients.phase === 'hold' ? clients.way : clients.phase === 'from' ? 'forward' : 'backward';
  if (right === way) return;
  const message = `Clients save on "${ends[right][0]}", so a ${way} repair would overwrite what they saved. Repair ${right}.`;
  throw new SyncLayerError('CONFIG_INVALID', message);
}

export interface SwitchOptions {
  readonly state: State;
  readonly readers: Readonly<Record<Way, readonly Reader[]>>;
  readonly signal: AbortSignal;
  /** Both end with the next page once `within` aborts. */
  readonly drain: (way: Way, audit?: boolean, within?: AbortSignal) => Promise<number>;
  readonly verify: (way: Way, within?: AbortSignal) => Promise<Verification>;
  readonly enter: (phase: MigrationPhase) => void;
}

/**
 * The times of a cut-over, with their defaults.
 *
 * @throws SyncLayerError CONFIG_INVALID if clients would be let go before anything could be done.
 */
export function timesOf({ grace = 30_000, quiet = 10_000, maxHold = 300_000 }: Omit<CutOverOptions, 'flag'>) {
  if (grace + quiet < maxHold) return { grace, quiet, maxHold };
  const message = `Clients would be let go before they could be moved: maxHold (${maxHold} ms) must be longer than grace and quiet together (${grace + quiet} ms).`;
  throw new SyncLayerError('CONFIG_INVALID', message);
}

/** Moves clients from one side to the other. */
export function createSwitch({ state, readers, signal, drain, verify, enter }: SwitchOptions) {
  /** All writes count, also those of live changes. */
  const written = (way: Way): number => readers[way].reduce((sum, reader) => sum + reader.written, 0);

  /** What was under way when clients could be held no longer. It ends with its next page. */
  let leftOver: Promise<unknown> = Promise.resolve();
  function until<T>(late: AbortSignal, work: Promise<T>): Promise<T> {
    leftOver = work.catch(() => undefined);
    return abortable(work, late);
  }

  /**
   * Resolves once nothing has come from the source for so long. Keys are compared only when it looks quiet: that can cost as much as
   * reading all rows. `stirred`: something came although the first look had brought over all that was there.
   */
  async function quiet(way: Way, time: number, late: AbortSignal, stirred: () => void): Promise<void> {
    let since = performance.now();
    let before = written(way);
    const more = async (audit: boolean): Promise<boolean> => {
      await until(late, drain(way, audit, late));
      const now = written(way);
      if (now === before) return false;
      before = now;
      since = performance.now();
      return true;
    };
    await more(false);
    for (;;) {
      if (performance.now() - since >= time && !(await more(true))) return;
      await wait(Math.max(10, time / LOOKS), undefined, { signal: AbortSignal.any([signal, late]) });
      if (await more(false)) stirred();
    }
  }

  async function change(way: Way, given: CutOverOptions): Promise<CutOverResult> {
    const { flag } = given;
    const { grace, quiet: silence, maxHold } = timesOf(given);
    const [before, after] = ends[way];
    const started = performance.now();
    let heldSince = started;
    const held = (): number => Math.round(performance.now() - heldSince);
    const set = async (clients: Clients, phase: SwitchPhase): Promise<void> => {
      // First here: a run that is killed between the two writes the flag again.
      if (clients.phase === 'hold') state.setMeta('clients', clients);
      await flag.write(phase);
      state.setMeta('clients', clients);
      enter(phase);
    };
    /** No way back from here: a write that fails may have been done, and clients may save on the other side. */
    async function letGo(verified: Verification): Promise<CutOverResult> {
      state.setMeta('clients', { phase: 'hold', way, verified } satisfies Clients);
      for (let tries = 1; ; tries += 1) {
        try {
          await set({ phase: after }, after);
          return { done: true, verification: verified, held: held() };
        } catch (error) {
          if (tries < FLAG_TRIES && !signal.aborted) {
            await wait(backoffDelay(tries, { base: 250, max: 2000 }), undefined, { signal });
            continue;
          }
          const message = `The flag could not be set to "${after}", though it may be: clients are held, or there already. Run the ${stepNames[way]} again: it only writes the flag.`;
          throw new SyncLayerError('STORE_FAILED', message, { cause: error });
        }
      }
    }
    const stay = async (
      reason: (CutOverResult & { done: false })['reason'],
      verification?: Verification,
    ): Promise<CutOverResult> => {
      const was = clientsOf(state).phase === 'hold';
      if (was) await set({ phase: before }, before);
      return { done: false, reason, verification, held: was ? held() : 0 };
    };

    const clients = clientsOf(state);
    if (clients.phase === after)
      throw new SyncLayerError('CONFIG_INVALID', `The clients are on "${after}" already; there is nothing to do.`);
    if (clients.phase === 'hold' && clients.way !== way) {
      const other = stepNames[clients.way];
      throw new SyncLayerError(
        'CONFIG_INVALID',
        `Clients are held by a ${other} that did not end. Run the ${other} again.`,
      );
    }
    if (clients.phase === 'hold' && clients.verified) return letGo(clients.verified);

    const late = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let restless = false;
    try {
      // Long before anybody has to wait.
      await drain(way);
      let verification = await verify(way);
      if (!verification.equal) return await stay('differences', verification);
      heldSince = performance.now();
      await set({ phase: 'hold', way }, 'hold');
      timer = setTimeout(
        () => late.abort(new Error('Clients were held for too long.')),
        Math.min(maxHold, LONGEST_TIMER),
      );
      await wait(grace, undefined, { signal });
      enter('drain');
      for (let seen = -1; seen !== written(way); ) {
        await quiet(way, silence, late.signal, () => {
          restless = true;
        });
        seen = written(way);
        verification = await until(late.signal, verify(way, late.signal));
        if (!verification.equal) return await stay('differences', verification);
      }
      return await letGo(verification);
    } catch (error) {
      // Clients must not be held by what nobody watches any more. If even that fails, the same step lets them go when it is
      // run again; the others refuse to run.
      const now = clientsOf(state);
      const held = now.phase === 'hold' && !now.verified;
      if (held && late.signal.aborted && !signal.aborted) return await stay(restless ? 'still writing' : 'too long');
      if (held) await set({ phase: before }, before).catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    change,
    /** Resolves when no step goes on that a hold has left behind. */
    idle: (): Promise<unknown> => leftOver,
  };
}

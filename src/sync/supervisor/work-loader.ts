import { throwIfAborted } from '../../base/abort.js';
import { SyncLayerError, toSyncLayerError } from '../../base/errors.js';
import { within } from '../../transport/within.js';
import type { Context } from './context.js';
import type { Pushing } from './pushing.js';
import type { Rounds } from './rounds.js';

/** What works with the backend, once it is loaded. */
export interface Work {
  readonly pushing: Pushing;
  readonly rounds: Rounds;
}

/** What waits for it: of each name the last one. */
export type TaskName = 'schedule' | 'poll' | 'catchUp' | 'push';

export interface WorkLoader {
  /** Undefined until it is loaded. */
  readonly current: Work | undefined;
  /** Begins to load it. */
  prefetch(): void;
  /** Rejects with CONNECTION_LOST where it cannot be loaded: a browser that is offline, or a new version on the server. */
  load(): Promise<Work>;
  /** Does this once it is loaded, however often that has to be tried. */
  use(name: TaskName, task: (work: Work) => void): void;
  /** What waits is not wanted any more, but for the schedule. */
  interrupt(): void;
}

type Parts = typeof import('../work.js');

export interface WorkLoaderOptions {
  /** For one try; its signal ends them all. */
  readonly limit: { readonly ms: number; readonly signal: AbortSignal };
  /** Before the next try after so many failures, in ms. */
  readonly delay: (failures: number) => number;
  /** Resolves once it may start. */
  readonly opened: Promise<void>;
  readonly fetch: () => Promise<Parts>;
  readonly start: (parts: Parts) => Work;
}

const unloaded = (cause?: unknown): SyncLayerError =>
  new SyncLayerError('CONNECTION_LOST', 'What pulls and pushes could not be loaded; it is tried again.', { cause });

/** Loads the chunk, once. What could not be loaded is tried again with the next attempt to connect, and by backoff. */
export function createWorkLoader(
  context: Pick<Context, 'timers' | 'dispatch' | 'state'>,
  { limit, delay, opened, fetch, start }: WorkLoaderOptions,
): WorkLoader {
  const { timers, dispatch } = context;
  let current: Work | undefined;
  let loading: Promise<Work> | undefined;
  let failures = 0;
  let isTrying = false;
  const waiting = new Map<TaskName, (work: Work) => void>();

  async function fetchWork(): Promise<Work> {
    try {
      const [parts] = await within(Promise.all([fetch(), opened]), { ...limit, late: unloaded });
      throwIfAborted(limit.signal);
      current = start(parts);
    } catch (thrown) {
      throw toSyncLayerError(thrown, 'CONNECTION_LOST', unloaded().message);
    } finally {
      loading = undefined;
    }
    timers.cancel('load');
    for (const task of waiting.values()) task(current);
    waiting.clear();
    return current;
  }

  async function prefetch(): Promise<void> {
    try {
      await fetch();
    } catch {
      // It is loaded again when it is needed.
    }
  }

  const load = async (): Promise<Work> => {
    if (current) return current;
    loading ??= fetchWork();
    return loading;
  };

  /** One at a time: however much waits, a failure is one failure. */
  async function tryToLoad(): Promise<void> {
    if (isTrying) return;
    isTrying = true;
    timers.cancel('load');
    try {
      await load();
    } catch (thrown) {
      failures += 1;
      const { name } = context.state.link;
      // An attempt to connect loads it too, and reports why it failed.
      if (name !== 'connecting' && name !== 'renewing')
        dispatch({ type: 'workFailed', error: thrown as SyncLayerError });
      dispatch({ type: 'roundFailed' });
      timers.schedule('load', delay(failures), () => void tryToLoad());
    } finally {
      isTrying = false;
    }
  }

  return {
    get current(): Work | undefined {
      return current;
    },
    prefetch: () => void prefetch(),
    load,
    use(name, task): void {
      if (current) {
        task(current);
        return;
      }
      waiting.set(name, task);
      // Edits wait for the backoff. What is asked for otherwise is asked for since something has changed for the better.
      if (name !== 'push' || !timers.has('load')) void tryToLoad();
    },
    interrupt(): void {
      for (const name of waiting.keys()) if (name !== 'schedule') waiting.delete(name);
    },
  };
}

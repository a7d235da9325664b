import { toSyncLayerError } from '../../base/errors.js';
import { type Context, ignore } from './context.js';
import type { Pushing } from './pushing.js';
import type { Rounds } from './rounds.js';

/** What works with the backend, once it is loaded. */
export interface Work {
  readonly pushing: Pushing;
  readonly rounds: Rounds;
}

export interface WorkLoader {
  /** Undefined until it is loaded. */
  readonly current: Work | undefined;
  /** Begins to load it. */
  prefetch(): void;
  /** Rejects with CONNECTION_LOST where it cannot be loaded: a browser that is offline, or a new version on the server. */
  load(): Promise<Work>;
  /** Does this once it is loaded, however often that has to be tried. */
  use(task: (work: Work) => void): void;
}

/** Loads the chunk, once. What could not be loaded is tried again with the next attempt to connect, and by backoff. */
export function createWorkLoader(
  { timers, dispatch }: Pick<Context, 'timers' | 'dispatch'>,
  delay: (failures: number) => number,
  start: (parts: typeof import('../work.js')) => Work,
): WorkLoader {
  let current: Work | undefined;
  let loading: Promise<Work> | undefined;
  let failures = 0;
  const waiting: ((work: Work) => void)[] = [];

  async function fetchWork(): Promise<Work> {
    try {
      const parts = await import('../work.js');
      current = start(parts);
      for (const task of waiting.splice(0)) task(current);
      return current;
    } catch (thrown) {
      const message = 'What pulls and pushes could not be loaded; it is tried again.';
      throw toSyncLayerError(thrown, 'CONNECTION_LOST', message);
    } finally {
      loading = undefined;
    }
  }

  const load = async (): Promise<Work> => {
    if (current) return current;
    loading ??= fetchWork();
    return loading;
  };

  return {
    get current(): Work | undefined {
      return current;
    },
    prefetch: () => void import('../work.js').catch(ignore),
    load,
    use(task): void {
      if (current) task(current);
      else {
        waiting.push(task);
        void retry();
      }
    },
  };

  async function retry(): Promise<void> {
    try {
      await load();
    } catch (thrown) {
      dispatch({ type: 'workFailed', error: toSyncLayerError(thrown, 'CONNECTION_LOST', 'Loading failed.') });
      failures += 1;
      timers.schedule('load', delay(failures), () => void retry());
    }
  }
}

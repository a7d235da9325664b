import type { LocalStore } from './store.js';

/** How long commits may go on before one waits for a turn of the event loop, in ms. */
const MAX_BUSY = 30;

/**
 * What a store that never waits calls at each commit: only promises are between two awaited saves, and a loop of them
 * would keep sockets and timers waiting.
 */
export function createTurns(): () => Promise<void> | undefined {
  let commits = 0;
  let mayTurnAt = 0;
  return () => {
    if (++commits % 16 || Date.now() < mayTurnAt) return undefined;
    return new Promise((resolve) => {
      const turn = (): void => {
        mayTurnAt = Date.now() + MAX_BUSY;
        resolve();
      };
      (globalThis.setImmediate ?? setTimeout)(turn);
    });
  };
}

/**
 * The store of an app that asked for none. Nobody could open it again, and reads come from the replica: what it kept
 * would be a second copy that nothing reads.
 */
export function volatileStore(): LocalStore {
  const turn = createTurns();
  return {
    name: 'memory',
    volatile: true,
    open: async () => undefined,
    async *read() {},
    commit: async () => turn(),
    clear: async () => undefined,
    close: async () => undefined,
  };
}

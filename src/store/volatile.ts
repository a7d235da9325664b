import type { LocalStore } from './store.js';

/** How long commits may go on before one waits for a turn of the event loop, in ms. */
const MAX_BUSY = 30;

/**
 * What a store that never waits calls at each commit: only promises are between two awaited saves, and a loop of them
 * would keep sockets and timers waiting.
 */
export function createTurns(): () => Promise<void> {
  let commits = 0;
  let mayTurnAt = 0;
  return async () => {
    if (++commits % 16 || Date.now() < mayTurnAt) return;
    await new Promise((resolve) => void (globalThis.setImmediate ?? setTimeout)(resolve));
    mayTurnAt = Date.now() + MAX_BUSY;
  };
}

/**
 * The store of an app that asked for none. Nobody could open it again, and reads come from the replica: what it kept
 * would be a second copy that nothing reads.
 */
export function volatileStore(): LocalStore {
  const nothing = async (): Promise<void> => undefined;
  return {
    name: 'memory',
    volatile: true,
    open: nothing,
    async *read() {},
    commit: createTurns(),
    clear: nothing,
    close: nothing,
  };
}

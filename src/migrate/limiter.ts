import { setTimeout as wait } from 'node:timers/promises';

/** So many in a second, and no burst: who takes many waits for its turn. */
export function createLimiter(perSecond: number | undefined) {
  /** When the next may go, ms. */
  let free = 0;
  return {
    async take(count: number, signal: AbortSignal): Promise<void> {
      if (perSecond === undefined) return;
      const now = performance.now();
      const at = Math.max(now, free);
      free = at + (count / perSecond) * 1000;
      if (at > now) await wait(at - now, undefined, { signal });
    },
  };
}

export type Limiter = ReturnType<typeof createLimiter>;

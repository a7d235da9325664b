import { LONGEST_TIMER } from './kit.js';

/**
 * How much longer than usual something may take that took too long before. What is large, on a slow line, holds up every answer
 * behind it, and where a platform shows no part of a message until it is whole nothing tells that from silence. So each time that
 * the limit was missed the next is twice as long; an answer within half of the usual time halves it.
 *
 * @example
 * const patience = createPatience();
 * const limit = patience.of(10_000);
 */
export function createPatience(most = 16) {
  let times = 1;
  return {
    /** The limit for now, of what it is usually, in ms. */
    of: (usual: number): number => Math.min(usual * times, LONGEST_TIMER),
    missed(): void {
      times = Math.min(2 * times, most);
    },
    met(took: number, usual: number): void {
      if (took < usual / 2) times = Math.max(1, times / 2);
    },
    /** Something large is on its way. */
    atLeast(wanted: number): void {
      times = Math.max(times, wanted);
    },
  };
}

export type Patience = ReturnType<typeof createPatience>;

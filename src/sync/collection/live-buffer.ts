import type { Change } from '../../base/change.js';

export interface LiveBufferOptions {
  /** Changes at the most. */
  readonly limit: number;
  /** A catch-up is under way: what comes waits for its end. */
  readonly isHeld: () => boolean;
  /** The subscription is not live yet: a pull that brings all of this is still to come. */
  readonly isEarly: () => boolean;
  /** Applies what `take` gives. */
  readonly flush: () => void;
  /** Changes were dropped. */
  readonly overflowed: () => void;
}

/** The changes of a subscription, until they are applied: one batch for all that arrives in one turn. */
export function createLiveBuffer({ limit, isHeld, isEarly, flush, overflowed }: LiveBufferOptions) {
  let changes: Change[] = [];
  let isQueued = false;

  return {
    add(change: Change): void {
      changes.push(change);
      if (changes.length > limit && isEarly() && !isHeld()) flush();
      else if (changes.length > limit) {
        // Bounded: what is dropped here lies behind the cursor, so one more pull brings it.
        changes = [];
        overflowed();
      } else if (!isHeld() && !isQueued) {
        isQueued = true;
        queueMicrotask(() => {
          isQueued = false;
          if (!isHeld()) flush();
        });
      }
    },
    take(): readonly Change[] {
      const taken = changes;
      changes = [];
      return taken;
    },
    /** The records that wait. */
    ids: (): string[] => changes.map(({ recordId }) => recordId),
  };
}

export type LiveBuffer = ReturnType<typeof createLiveBuffer>;

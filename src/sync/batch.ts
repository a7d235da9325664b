import type { Delta } from '../query/types.js';
import type { StoreWrite } from '../store/store.js';

export interface BatchHooks {
  /** Durable soon; in one commit. */
  write(writes: readonly StoreWrite[]): void;
  changed(deltas: readonly Delta[]): void;
}

interface Gathered {
  readonly writes: StoreWrite[];
  readonly deltas: Delta[];
  readonly told: (() => void)[];
}

/** Gathers what one piece of work does: one store commit, one notification, and its events after both. */
export function createBatch(hooks: BatchHooks) {
  let current: Gathered | undefined;
  return {
    /** Runs `work` as one batch, or as a part of the one that is open. */
    run(work: () => void): void {
      if (current) {
        work();
        return;
      }
      const batch: Gathered = { writes: [], deltas: [], told: [] };
      current = batch;
      try {
        work();
      } finally {
        current = undefined;
        if (batch.writes.length > 0) hooks.write(batch.writes);
        if (batch.deltas.length > 0) hooks.changed(batch.deltas);
        for (const event of batch.told) event();
      }
    },
    write: (write: StoreWrite): void => void current?.writes.push(write),
    changed: (delta: Delta): void => void current?.deltas.push(delta),
    /** Events wait for the end of their batch: a listener that edits must not find a record half changed. */
    tell: (event: () => void): void => void current?.told.push(event),
  };
}

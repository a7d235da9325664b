import type { Settings } from './options.js';

const HOUR = 60 * 60 * 1000;

/**
 * Forgets old tombstones and ops, at most once an hour. It is called where something happens anyway, so it needs no
 * timer; a server where nothing happens has nothing to forget.
 */
export function createSweep({ store, now, log, tombstoneRetention, opRetention }: Settings): () => void {
  const every = Math.min(HOUR, tombstoneRetention, opRetention);
  let next = Number.NEGATIVE_INFINITY;
  return () => {
    const time = now();
    if (time < next) return;
    next = time + every;
    try {
      store.purge({ tombstones: time - tombstoneRetention, ops: time - opRetention });
    } catch (error) {
      log('error', 'Old tombstones could not be removed; trying again later', { error });
    }
  };
}

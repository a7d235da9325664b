import fc from 'fast-check';
import { afterEach, beforeEach, vi } from 'vitest';
import type { MemoryTransportOptions } from '../../src/testing/index.js';
import { seeded } from '../seeded.js';
import { nodeStores } from './node.js';
import type { Plan } from './plan.js';
import type { Surroundings } from './run.js';

/** Of a memory backend: what its pulls can see. */
export type Kind = Pick<MemoryTransportOptions, 'cursor' | 'deletes' | 'idempotent' | 'pageCap'>;

export const kinds = fc
  .tuple(
    fc.constantFrom<Kind>(
      { cursor: 'sequence', deletes: 'tombstones' },
      { cursor: 'sequence', deletes: 'none' },
      { cursor: 'timestamp', deletes: 'tombstones' },
      { cursor: 'timestamp', deletes: 'none' },
      { cursor: 'snapshot', deletes: 'none' },
    ),
    fc.boolean(),
    fc.integer({ min: 1, max: 3 }),
  )
  .map(([kind, idempotent, pageCap]): Kind => ({ ...kind, idempotent, pageCap }));

/** For a file of tests in which time is fake and the dice are the plan's: a run depends on its seed alone. */
export function fakeTime() {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const surroundings: Surroundings = {
    pass: async (ms) => void (await vi.advanceTimersByTimeAsync(ms)),
    patience: 10_000,
    farewell: 0,
    store: nodeStores(),
    handles: () => Array.from({ length: vi.getTimerCount() }, () => 'Timeout'),
  };
  return {
    surroundings,
    /** Does it at the same moment each time, with the plan's dice. */
    play<T>({ dice: seed }: Plan, work: () => Promise<T>): Promise<T> {
      vi.setSystemTime(1_800_000_000_000);
      vi.spyOn(Math, 'random').mockImplementation(seeded(seed));
      return work().finally(() => vi.clearAllTimers());
    },
  };
}

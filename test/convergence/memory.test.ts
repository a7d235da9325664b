import fc from 'fast-check';
import { afterEach, beforeEach, vi } from 'vitest';
import { type MemoryTransportOptions, memoryTransport } from '../../src/testing/index.js';
import { memoryConformance } from '../conformance/transports/memory-conformance.js';
import { convergence } from './converge.js';
import { nodeStores } from './node.js';
import { type Plan, plans } from './plan.js';
import { run, type Surroundings, type Tally } from './run.js';

/*
 * Time is fake and the dice are the plan's, so a run depends on its seed alone.
 */
const file = 'test/convergence/memory.test.ts';

type Kind = Pick<MemoryTransportOptions, 'cursor' | 'deletes' | 'idempotent' | 'pageCap'>;

const kinds = fc
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

const fake: Surroundings = {
  pass: async (ms) => void (await vi.advanceTimersByTimeAsync(ms)),
  patience: 10_000,
  farewell: 0,
  store: nodeStores(),
  handles: () => Array.from({ length: vi.getTimerCount() }, () => 'Timeout'),
};

/** Mulberry32. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const play = ([kind, plan]: readonly [Kind, Plan]): Promise<Tally> => {
  vi.setSystemTime(1_800_000_000_000);
  vi.spyOn(Math, 'random').mockImplementation(dice(plan.dice));
  const target = {
    name: 'memory',
    capabilities: memoryTransport(kind).capabilities,
    backend: async () => memoryConformance(kind),
    create: (backend: ReturnType<typeof memoryConformance>) => backend.transport(),
  };
  return run(target, plan, fake).finally(() => vi.clearAllTimers());
};

const pauses = [0, 0, 5, 50, 2000];

convergence({
  name: 'whatever happens, in the end all clients hold what the backend holds',
  file,
  plans: fc.tuple(kinds, plans({ maxSteps: 60, pauses })),
  runs: 120,
  run: play,
  shrink: true,
});

convergence({
  name: 'every increment of a shared counter counts once, whatever is cut, lost or repeated',
  file,
  plans: fc.tuple(
    // Elsewhere two clients that made the same edit cannot be told from one whose answer was lost.
    kinds.map((kind): Kind => ({ ...kind, idempotent: true })),
    plans({ maxSteps: 60, pauses, counting: true }),
  ),
  runs: 40,
  run: play,
  shrink: true,
});

import fc from 'fast-check';
import { memoryTransport } from '../../src/testing/index.js';
import { memoryConformance } from '../conformance/transports/memory-conformance.js';
import { convergence } from './converge.js';
import { fakeTime, type Kind, kinds } from './fake-time.js';
import { type Plan, plans } from './plan.js';
import { run, type Tally } from './run.js';

const file = 'test/convergence/memory.test.ts';
const { surroundings, play } = fakeTime();

const playPlan = ([kind, plan]: readonly [Kind, Plan]): Promise<Tally> => {
  const target = {
    name: 'memory',
    capabilities: memoryTransport(kind).capabilities,
    backend: async () => memoryConformance(kind),
    create: (backend: ReturnType<typeof memoryConformance>) => backend.transport(),
  };
  return play(plan, () => run(target, plan, surroundings));
};

const pauses = [0, 0, 5, 50, 2000];

convergence({
  name: 'whatever happens, in the end all clients hold what the backend holds',
  file,
  plans: fc.tuple(kinds, plans({ maxSteps: 60, pauses })),
  runs: 120,
  run: playPlan,
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
  run: playPlan,
  shrink: true,
});

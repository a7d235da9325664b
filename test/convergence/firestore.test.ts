import { afterAll, beforeAll } from 'vitest';
import { closeSuite, firestoreConformance, startSuite } from '../peers/firestore-adapter/conformance.js';
import { convergence } from './converge.js';
import { realTime } from './node.js';
import { plans } from './plan.js';
import { run } from './run.js';

beforeAll(startSuite, 60_000);
afterAll(closeSuite);
const surroundings = realTime();

for (const options of firestoreConformance)
  convergence({
    name: `over ${options.name}, all clients hold in the end what the backend holds`,
    file: 'test/convergence/firestore.test.ts',
    plans: plans({ minSteps: 10, maxSteps: 25, pauses: [0, 1, 5, 20, 60] }),
    runs: 2,
    run: (plan) => run(options, plan, surroundings),
    shrink: false,
  });

import { afterAll, beforeAll } from 'vitest';
import { closeSuite, firestoreConformance, startSuite } from '../peers/firestore-adapter/conformance.js';
import { convergence } from './converge.js';
import { realTime } from './node.js';
import { plans } from './plan.js';
import { run } from './run.js';

beforeAll(startSuite, 60_000);
afterAll(closeSuite);
// A read that hung on a silent line is given up after ten seconds, and only then repeated.
const surroundings = { ...realTime(), patience: 40_000 };

for (const options of firestoreConformance)
  convergence({
    name: `over ${options.name}, all clients hold in the end what the backend holds`,
    file: 'test/convergence/firestore.test.ts',
    plans: plans({ minSteps: 15, maxSteps: 30, pauses: [0, 1, 5, 20, 60] }),
    runs: 3,
    run: (plan) => run(options, plan, surroundings),
    shrink: false,
  });

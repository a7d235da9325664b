import { afterAll, beforeAll } from 'vitest';
import { closeSuite, hasuraConformance, startSuite } from '../peers/hasura-adapter/conformance.js';
import { convergence } from './converge.js';
import { realTime } from './node.js';
import { plans } from './plan.js';
import { run } from './run.js';

beforeAll(startSuite);
afterAll(closeSuite);
const surroundings = realTime();

for (const options of hasuraConformance)
  convergence({
    name: `over ${options.name}, all clients hold in the end what the backend holds`,
    file: 'test/convergence/hasura.test.ts',
    plans: plans({ minSteps: 20, maxSteps: 50, pauses: [0, 1, 5, 20, 60] }),
    runs: 3,
    run: (plan) => run(options, plan, surroundings),
    shrink: false,
  });

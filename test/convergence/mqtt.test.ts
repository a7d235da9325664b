import { mqttConformance } from '../../examples/custom-transport/conformance.js';
import { convergence } from './converge.js';
import { realTime } from './node.js';
import { plans } from './plan.js';
import { run } from './run.js';

const surroundings = realTime();

convergence({
  name: 'over the transport of the example, all clients hold in the end what the backend holds',
  file: 'test/convergence/mqtt.test.ts',
  plans: plans({ minSteps: 20, maxSteps: 50, pauses: [0, 1, 5, 20, 60] }),
  runs: 8,
  run: (plan) => run(mqttConformance, plan, surroundings),
  shrink: false,
});

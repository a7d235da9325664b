import { convergence } from './converge.js';
import { folderOfTests, realTime } from './node.js';
import { plans } from './plan.js';
import { run } from './run.js';
import { bundleServer, websocketTarget } from './websocket-target.js';

const folder = folderOfTests();
let bundled: Promise<string> | undefined;
const target = websocketTarget(() => {
  bundled ??= bundleServer(folder);
  return bundled;
});
const surroundings = realTime();

convergence({
  name: 'over a real server that is cut off, silenced and killed, all clients hold in the end what it holds',
  file: 'test/convergence/websocket.test.ts',
  plans: plans({ minSteps: 20, maxSteps: 50, pauses: [0, 1, 5, 20, 60] }),
  runs: 20,
  run: (plan) => run(target, plan, surroundings),
  shrink: false,
});

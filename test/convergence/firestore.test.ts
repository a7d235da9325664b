import { afterAll, beforeAll } from 'vitest';
import type { ConformanceOptions } from '../../src/testing/index.js';
import { type Backend, closeSuite, firestoreConformance, startSuite } from '../peers/firestore-adapter/conformance.js';
import { convergence } from './converge.js';
import { realTime } from './node.js';
import { plans } from './plan.js';
import { run, type Target } from './run.js';

beforeAll(startSuite, 60_000);
afterAll(closeSuite);
// A read that hung on a silent line is given up after ten seconds, and only then repeated.
const surroundings = { ...realTime(), patience: 40_000 };

const MINUTE = 60_000;
/** How another app stamps what it writes, one after another: ms back, by a clock that may be wrong. 0: the server's time. */
const ages = [0, -60 * MINUTE, 0, 5 * MINUTE, -MINUTE, 60 * MINUTE, 1000];

/**
 * The same backend, where another app writes too: with the server's time, with that of clocks that are ahead and behind, and where a
 * listener holds all documents, leaving the time of a document as it was.
 */
function withOtherWriters(options: ConformanceOptions<Backend>): Target<Backend> {
  const untouched = options.capabilities.deletes === 'none';
  return {
    ...options,
    name: `${options.name}, which another app writes as it likes`,
    // What is stamped before is found by an audit alone.
    config: { ...options.config, auditInterval: 1000 },
    versionsGoBack: true,
    mayReport: ['PROTOCOL_VIOLATION'],
    async backend() {
      const backend = await options.backend();
      let writes = 0;
      return {
        ...backend,
        get port() {
          return backend.port;
        },
        async write(collection, id, row) {
          const age = ages[writes++ % ages.length] ?? 0;
          if (untouched && writes % 3 === 0 && (await backend.leave(collection, id, row))) return;
          await backend.write(collection, id, row, { age });
        },
      };
    },
  };
}

const convergenceOf = (options: Target<Backend>): void =>
  convergence({
    name: `over ${options.name}, all clients hold in the end what the backend holds`,
    file: 'test/convergence/firestore.test.ts',
    plans: plans({ minSteps: 15, maxSteps: 30, pauses: [0, 1, 5, 20, 60] }),
    runs: 3,
    run: (plan) => run(options, plan, surroundings),
    shrink: false,
  });

for (const options of firestoreConformance) convergenceOf(options);
for (const options of firestoreConformance) convergenceOf(withOtherWriters(options));

import { afterAll, describe, expect, test } from 'vitest';
import { memoryTransport, transportScenarios } from '../../src/testing/index.js';
import { memoryConformance, memoryPermissions } from '../conformance/transports/memory-conformance.js';
import { SEQUENCE, transportMutants } from './transports.js';

/** A scenario that a mistake makes wait in vain is given up after so long, ms. The slowest that works takes 1.2 s. */
const PATIENCE = 4000;

const caught: { readonly mutant: string; readonly law: number; readonly scenario: string }[] = [];
afterAll(() => {
  const width = Math.max(...caught.map(({ mutant }) => mutant.length));
  const lines = caught.map(
    ({ mutant, law, scenario }) => `${mutant.padEnd(width)}  law ${String(law).padStart(2)}  ${scenario}`,
  );
  console.log(`${lines.join('\n')}\n${caught.length} mutants caught`);
});

/** The first scenario that fails. */
async function catches(scenarios: ReturnType<typeof transportScenarios>) {
  for (const { name, law, leftOut, run } of scenarios) {
    if (leftOut !== undefined) continue;
    const failed = await run().then(
      () => false,
      () => true,
    );
    if (failed) return { scenario: name, law };
  }
  return undefined;
}

describe('transports that are broken on purpose', () => {
  for (const { name, kind = SEQUENCE, breaks } of transportMutants)
    test(name, { timeout: 60_000 }, async () => {
      const found = await catches(
        transportScenarios({
          name,
          capabilities: memoryTransport(kind).capabilities,
          backend: async () => memoryConformance(kind, breaks),
          create: (backend) => backend.transport(),
          permissions: memoryPermissions,
          many: 300,
          refused: { text: 'refused', done: false, count: 0 },
          timeout: PATIENCE,
        }),
      );
      expect(found, `No scenario caught "${name}".`).toBeDefined();
      if (found) caught.push({ mutant: name, ...found });
    });
});

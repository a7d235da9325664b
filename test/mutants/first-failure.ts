import {
  type MemoryTransportOptions,
  type MemoryWire,
  type TransportScenario,
  transportScenarios,
} from '../../src/testing/index.js';
import type { RealtimeTransport, TransportCapabilities } from '../../src/transport/transport.js';
import { memoryConformance, memoryPermissions } from '../conformance/transports/memory-conformance.js';

/** A scenario that a mistake makes wait in vain is given up after so long, ms. The slowest that works takes 1.2 s. */
const PATIENCE = 4000;

export interface Failure {
  readonly scenario: string;
  readonly law: number;
}

/** The suite for a memory transport, which `breaks` may break. */
export const memorySuite = (
  kind: Omit<MemoryTransportOptions, 'backend'>,
  capabilities: TransportCapabilities,
  breaks?: (transport: RealtimeTransport, wire: MemoryWire) => RealtimeTransport,
): TransportScenario[] =>
  transportScenarios({
    name: 'memory',
    capabilities,
    backend: async () => memoryConformance(kind, breaks),
    create: (backend) => backend.transport(),
    permissions: memoryPermissions,
    many: 300,
    refused: { text: 'refused', done: false, count: 0 },
    timeout: PATIENCE,
  });

export async function firstFailure(scenarios: readonly TransportScenario[]): Promise<Failure | undefined> {
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

/** What caught what, as a table. */
export function table(caught: readonly (Failure & { readonly mutant: string })[]): string {
  const width = Math.max(0, ...caught.map(({ mutant }) => mutant.length));
  const lines = caught.map(
    ({ mutant, law, scenario }) => `${mutant.padEnd(width)}  law ${String(law).padStart(2)}  ${scenario}`,
  );
  return `${lines.join('\n')}\n${caught.length} mutants caught`;
}

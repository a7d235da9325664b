import { describe, expect, test } from 'vitest';
import { describeTransport, type MemoryTransportOptions, memoryTransport } from '../../../src/testing/index.js';
import { memoryConformance, memoryPermissions } from './memory-conformance.js';

const kinds: readonly Omit<MemoryTransportOptions, 'backend'>[] = [
  { cursor: 'sequence', deletes: 'tombstones' },
  { cursor: 'sequence', deletes: 'none' },
  { cursor: 'timestamp', deletes: 'tombstones' },
  { cursor: 'timestamp', deletes: 'none' },
  { cursor: 'timestamp', deletes: 'none', idempotent: false, pageCap: 7 },
  { cursor: 'snapshot', deletes: 'none' },
  { cursor: 'timestamp', deletes: 'none', counts: true },
  { cursor: 'timestamp', deletes: 'tombstones', counts: true },
];

for (const kind of kinds) {
  const { leftOut } = describeTransport(
    { describe, test },
    {
      name: `memory ${Object.values(kind).join(' ')}`,
      capabilities: memoryTransport(kind).capabilities,
      backend: async () => memoryConformance(kind),
      create: (backend) => backend.transport(),
      permissions: memoryPermissions,
      refused: { text: 'refused', done: false, count: 0 },
    },
  );

  test(`what is left out of ${Object.values(kind).join(' ')}`, () => {
    const reasons = [...new Set(leftOut.map(({ why }) => why))].sort();
    const noTime = kind.cursor === 'timestamp' ? [] : ['its cursor counts no time'];
    expect(reasons).toEqual([
      ...noTime,
      ...(kind.deletes === 'none' ? [] : ['its keys are compared by audits only']),
      'the suite was given no tokens',
      'the suite was given no way to hide a single row',
      'the suite was given no way to let a token expire',
    ]);
  });
}

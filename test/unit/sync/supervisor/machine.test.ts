import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LinkAction, linkTable } from '../../../../src/sync/supervisor/link-table.js';
import { walk } from './walk.js';

const worlds = fc.record({
  linkInBackground: fc.boolean(),
  renewable: fc.boolean(),
  maxAttempts: fc.constantFrom(1, 3, Number.POSITIVE_INFINITY),
});
const walks = (numRuns: number, seed?: number) =>
  fc.assert(fc.property(fc.array(fc.nat(10_000), { maxLength: 60 }), worlds, walk), {
    numRuns,
    ...(seed !== undefined && { seed }),
  });

test('whatever happens, in whatever order, the rules hold', () => walks(2000));

describe('each cell of the table matters: another one breaks a rule', () => {
  const table = linkTable as Record<string, Record<string, LinkAction>>;
  const cells = Object.entries(table).flatMap(([state, events]) =>
    Object.entries(events).flatMap(([event, action]) => (action === 'stay' ? [] : [[state, event, action] as const])),
  );
  test.each(cells)('%s, %s: %s', (state, event, action) => {
    const row = table[state] as Record<string, LinkAction>;
    row[event] = 'stay';
    try {
      expect(() => walks(3000, 1)).toThrow();
    } finally {
      row[event] = action;
    }
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { deepEqual } from '../../../src/base/json.js';
import { createLiveQuery } from '../../../src/query/live-query.js';
import { compileOrder } from '../../../src/query/order.js';
import { compilePredicate } from '../../../src/query/predicate.js';
import { createQuery } from '../../../src/query/query.js';
import type { Condition, Order, QuerySpec } from '../../../src/query/types.js';
import { createMemorySource } from './memory-source.js';

const scalar = fc.constantFrom<unknown>(
  null,
  undefined,
  false,
  true,
  0,
  1,
  2,
  3,
  Number.NaN,
  '',
  'a',
  'b',
  'ab',
  [1],
  {},
);
const fields = fc.record({
  n: fc.oneof(fc.nat({ max: 4 }), scalar),
  text: fc.constantFrom('', 'a', 'ab', 'b', 'ba'),
  done: fc.boolean(),
  tags: fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 }),
  at: fc.record({ city: fc.constantFrom('Oslo', 'Bergen', null) }, { requiredKeys: [] }),
});

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ path: fc.constant('done'), operator: fc.constantFrom('==', '!='), value: fc.boolean() }),
  fc.record({ path: fc.constant('n'), operator: fc.constantFrom('>', '>=', '<', '<='), value: fc.nat({ max: 4 }) }),
  fc.record({ path: fc.constant('n'), operator: fc.constantFrom('in', 'notIn'), value: fc.array(fc.nat({ max: 4 })) }),
  fc.record({
    path: fc.constant('text'),
    operator: fc.constantFrom('startsWith', 'endsWith', 'contains'),
    value: fc.constantFrom('a', 'b'),
  }),
  fc.record({ path: fc.constant('tags'), operator: fc.constant('arrayContains'), value: fc.constantFrom('x', 'y') }),
  fc.record({ path: fc.constant('at.city'), operator: fc.constant('isNull'), value: fc.boolean() }),
);
const order: fc.Arbitrary<Order> = fc.record({
  path: fc.constantFrom('n', 'text', 'done', 'at.city', 'tags.0', 'id'),
  direction: fc.constantFrom('asc', 'desc'),
});
const spec: fc.Arbitrary<QuerySpec> = fc
  .record({
    conditions: fc.array(condition, { maxLength: 2 }),
    order: fc.array(order, { maxLength: 2 }),
    limit: fc.option(fc.nat({ max: 8 })),
    offset: fc.oneof(fc.constant(0), fc.nat({ max: 6 })),
  })
  .map(({ limit, ...rest }) => (limit === null ? rest : { ...rest, limit }));

const id = fc.nat({ max: 15 }).map((index) => `r${index}`);
/** An edit, a deletion, or the echo of what is there already. */
const step = fc.tuple(
  id,
  fc.oneof({ weight: 5, arbitrary: fields }, fc.constant('delete' as const), fc.constant('echo' as const)),
);
const batches = fc.array(fc.array(step, { maxLength: 6 }), { minLength: 1, maxLength: 25 });

/** What a query must show, from scratch: a stable sort of the rows in the order of their arrival. */
function recompute(rows: Iterable<Row>, { conditions, order, offset, limit }: QuerySpec): Row[] {
  const matching = [...rows].filter(compilePredicate(conditions));
  if (order.length) matching.sort(compileOrder(order).compare);
  return matching.slice(offset, limit === undefined ? undefined : offset + limit);
}

test('after any changes a live query shows what a query from scratch would, and tells it only when it changed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(id, fields), { maxLength: 20 }),
      batches,
      spec,
      fc.nat({ max: 30 }),
      async (initial, batches, spec, readyAt) => {
        const start = new Map(initial.map(([id, data]) => [id, { ...data, id } as Row]));
        const memory = createMemorySource([...start.values()], { ready: false });
        // The rows as a watcher must see them: an echo leaves the object that it has.
        const model = new Map(start);
        const results: { rows: readonly Row[]; loading: boolean }[] = [];
        const stop = createLiveQuery(memory.source, spec, (rows, { loading }) => {
          results.push({ rows: [...rows], loading });
          // The array is the receiver's own.
          (rows as Row[]).reverse().pop();
        });
        await Promise.resolve();
        expect(results).toHaveLength(1);
        expect(results[0]?.loading).toBe(true);

        const check = (told: boolean, before: readonly Row[]) => {
          const expected = recompute(model.values(), spec);
          const changed = expected.length !== before.length || expected.some((row, index) => row !== before[index]);
          expect(results.length).toBe(Number(changed || told));
          const rows = results.at(-1)?.rows ?? before;
          expect(rows.map((row) => row.id)).toEqual(expected.map((row) => row.id));
          expect(rows.every((row, index) => row === expected[index])).toBe(true);
          expect(rows.every(Object.isFrozen)).toBe(true);
          results.length = 0;
          return rows;
        };

        let shown = check(true, []);
        for (const [index, batch] of batches.entries()) {
          const changes = batch.map(([id, edit]): [string, Row | undefined] => {
            const before = model.get(id);
            const after =
              edit === 'delete'
                ? undefined
                : edit === 'echo'
                  ? before && structuredClone(before)
                  : ({ ...edit, id } as Row);
            if (!after) model.delete(id);
            else if (!deepEqual(before, after)) model.set(id, after);
            return [id, after];
          });
          memory.commit(...changes);
          shown = check(false, shown);
          if (index === readyAt) {
            memory.becomeReady();
            expect(results.map(({ loading }) => loading)).toEqual([false]);
            shown = check(true, shown);
          }
          expect(await createQuery(memory.source, spec).get()).toEqual(shown);
        }
        stop();
        expect(memory.listeners()).toBe(0);
      },
    ),
    { numRuns: 1000 },
  );
});

/**
 * Single updates under a live query, at three sizes: `done == false, orderBy updatedAt desc, limit 50`.
 * Run with `npx tsx bench/live-query.ts`.
 */
import type { Row } from '../src/base/change.js';
import { createQuery } from '../src/query/query.js';
import type { Delta, RowSource } from '../src/query/types.js';

const UPDATES = 20_000;
const ROUNDS = 5;
const SIZES = [10_000, 100_000, 1_000_000];

// The same numbers in each run, so that runs can be compared.
let seed = 1;
const random = (below: number) => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

function createSource(size: number) {
  const rows = new Map<string, Row>();
  for (let index = 0; index < size; index++) {
    const id = `row-${index}`;
    rows.set(id, {
      id,
      text: `Task ${index}`,
      done: random(2) === 0,
      updatedAt: 1_700_000_000_000 + random(1e9),
      tags: ['a', 'b'],
    });
  }
  const listeners = new Set<(deltas: readonly Delta[]) => void>();
  const source: RowSource = {
    rows,
    ready: true,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  let now = 1_800_000_000_000;
  const update = (place: 'top' | 'random') => {
    const id = `row-${random(size)}`;
    const before = rows.get(id);
    const updatedAt = place === 'top' ? now++ : 1_700_000_000_000 + random(1e9);
    const after = { ...before, id, done: random(2) === 0, updatedAt };
    rows.set(id, after);
    for (const listener of listeners) listener([{ id, before, after }]);
  };
  return { source, update };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] as number;

for (const place of ['top', 'random'] as const) {
  for (const ordered of [true, false]) {
    let smallest: number | undefined;
    for (const size of SIZES) {
      const { source, update } = createSource(size);
      let query = createQuery(source).where('done', '==', false).limit(50);
      if (ordered) query = query.orderBy('updatedAt', 'desc');
      let notified = 0;
      const started = performance.now();
      const stop = query.watch(() => notified++);
      const loaded = performance.now() - started;
      await Promise.resolve();
      const round = () => {
        const start = performance.now();
        for (let count = 0; count < UPDATES; count++) update(place);
        return performance.now() - start;
      };
      const alone = () => {
        stop();
        return median(Array.from({ length: ROUNDS }, round));
      };
      const took = median(Array.from({ length: ROUNDS }, round));
      const told = notified;
      const floor = alone();
      smallest ??= took;
      console.log(
        `${place.padEnd(6)} ${ordered ? 'orderBy' : 'no order'} ${String(size).padStart(9)} rows: ` +
          `${Math.round((UPDATES / took) * 1000).toLocaleString('en')} events/s, ` +
          `${((took / UPDATES) * 1000).toFixed(2)} us each (source alone ${((floor / UPDATES) * 1000).toFixed(2)} us), ` +
          `x${(took / smallest).toFixed(2)} of the smallest, ${told} notifications, start ${loaded.toFixed(0)} ms`,
      );
    }
  }
}

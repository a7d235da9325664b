/**
 * What a live query of Hasura costs the app when one row of many has changed: the comparison alone, and with the rows as
 * text. Run with `npm run bench:hasura`.
 */
import { difference } from '../adapters/hasura/live-query.js';
import { readOptions } from '../adapters/hasura/options.js';
import { createTables } from '../adapters/hasura/table.js';
import { median } from './commit-to-app.js';

const collections = { todos: { fields: ['text', 'done', 'count'], mode: 'live' } } as const;
const table = createTables(readOptions({ url: 'https://x.example/v1/graphql', collections })).get('todos');

/** Row n of a result, as Hasura writes it. */
const row = (n: number, changed: boolean) => ({
  id: `11111111-1111-4111-8111-${String(n).padStart(12, '0')}`,
  updated_at: `2026-01-02T03:04:05.${String(n % 1_000_000).padStart(6, '0')}+00:00`.replace(
    '05',
    changed ? '06' : '05',
  ),
  text: `Todo number ${n}, and what there is to say about it`,
  done: n % 2 === 0,
  count: n,
});

const ROUNDS = 200;
const WARM_UP = 20;

for (const rows of [1000, 5000, 20_000]) {
  const text = (changed: number): string =>
    JSON.stringify(Array.from({ length: rows }, (_, n) => row(n, n === changed)));
  const results = [text(-1), text(rows >> 1)];
  const parsing: number[] = [];
  const comparing: number[] = [];
  let { times } = difference(table, new Map(), JSON.parse(results[0] ?? ''));
  for (let round = 1; round <= ROUNDS; round++) {
    const start = performance.now();
    const result = JSON.parse(results[round % 2] ?? '');
    const parsed = performance.now();
    const found = difference(table, times, result);
    const end = performance.now();
    if (found.changed.length !== 1 || found.missing.length !== 0) throw new Error('The comparison is wrong.');
    times = found.times;
    if (round <= WARM_UP) continue;
    parsing.push(parsed - start);
    comparing.push(end - parsed);
  }
  const ms = (values: readonly number[]): string =>
    `${median(values).toFixed(2)} ms (max ${Math.max(...values).toFixed(2)})`;
  console.log(`${rows} rows, one changed: compared in ${ms(comparing)}, after ${ms(parsing)} of JSON.parse`);
}

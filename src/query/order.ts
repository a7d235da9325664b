import type { Row } from '../base/change.js';
import { pathReader } from '../base/json.js';
import { invalid } from './invalid.js';
import type { Sorting } from './sorted-list.js';
import type { Order } from './types.js';

const kinds = ['boolean', 'number', 'string', 'object'];

const rank = (value: unknown): number =>
  (value ?? null) === null ? -1 : Number.isNaN(value) ? 0.5 : kinds.indexOf(typeof value);

/** Null and missing < false < true < NaN < numbers < strings < objects and arrays, which are equal among themselves. */
function compareValues(a: unknown, b: unknown): number {
  if (typeof a === typeof b && typeof a !== 'object') {
    if ((a as number) < (b as number)) return -1;
    if ((a as number) > (b as number)) return 1;
  }
  return rank(a) - rank(b);
}

/**
 * Compiles an order into a comparator that is total, whatever the rows hold: null and missing < false < true < NaN <
 * numbers < strings (by UTF-16 code unit) < objects and arrays. `desc` is the exact reverse. Ties go by ascending
 * `last`, by default the record id, so that every device shows the same order.
 *
 * @throws SyncLayerError VALIDATION_FAILED for an empty path or an unknown direction.
 * @example
 * rows.sort(compileOrder([{ path: 'priority', direction: 'desc' }]).compare);
 */
export function compileOrder(order: readonly Order[], last = (row: Row): unknown => row.id): Sorting<Row> {
  const keys = order.map(({ path, direction }) => {
    const call = `orderBy('${path}', '${direction}')`;
    if (direction !== 'asc' && direction !== 'desc') throw invalid(call, "needs 'asc' or 'desc'");
    return { read: pathReader(path), sign: direction === 'asc' ? 1 : -1 };
  });
  keys.push({ read: last, sign: 1 });
  const first = keys[0] as (typeof keys)[number];
  return {
    key: first.read,
    compareKeys: (a, b) => compareValues(a, b) * first.sign,
    compare(a, b) {
      for (const { read, sign } of keys) {
        const difference = compareValues(read(a), read(b)) * sign;
        if (difference) return difference;
      }
      return 0;
    },
  };
}

/**
 * How many there are of each, for a line of the log.
 *
 * @example
 * tally(['insert', 'delete', 'insert']); // { insert: 2, delete: 1 }
 */
export function tally(names: Iterable<string>): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Whole ms since then, by `performance.now()`. */
export const msSince = (startedAt: number): number => Math.round(performance.now() - startedAt);

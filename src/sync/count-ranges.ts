import { compareVersions, type Version } from '../base/change.js';
import type { VersionRange } from '../transport/transport.js';

/** Rows of one count at the most: a backend that charges for counting charges once for each thousand. */
const COUNTED = 1000;
/** So few rows are listed rather than counted once more. */
const LISTED = 16;

/** Where `version` is, or would be, in versions that are sorted. */
function placeOf(sorted: readonly Version[], version: Version): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareVersions(sorted[middle] as Version, version) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Those of a range, of versions that are sorted. */
export const within = (sorted: readonly Version[], { from, before }: VersionRange): readonly Version[] =>
  sorted.slice(
    from === undefined ? 0 : placeOf(sorted, from),
    before === undefined ? sorted.length : placeOf(sorted, before),
  );

/**
 * Ranges that are everything together. A row that was changed unseen has left one range for another, if both of its versions are not
 * in the same: so the cuts are elsewhere each time, and one of them is near the newest, where changes are. `random`: 0 to 1.
 */
export function rangesOf(sorted: readonly Version[], random: () => number): VersionRange[] {
  const { length } = sorted;
  if (length === 0) return [{}];
  const cuts = [length - Math.ceil(length ** random())];
  for (let at = Math.floor(random() * Math.min(length, COUNTED)); at < length; at += COUNTED) cuts.push(at);
  const versions = [...new Set(cuts.sort((a, b) => a - b).map((at) => sorted[at] as Version))];
  // Nothing is older than the first.
  const starts = versions[0] === sorted[0] ? versions.slice(1) : versions;
  return [undefined, ...starts].map((from, index) => ({
    ...(from !== undefined && { from }),
    ...(index < starts.length && { before: starts[index] as Version }),
  }));
}

/** What of these ranges the backend counts otherwise than it is known, as small ranges. */
export async function differing(
  sorted: readonly Version[],
  ranges: readonly VersionRange[],
  count: (range: VersionRange) => Promise<number>,
): Promise<VersionRange[]> {
  const found: VersionRange[] = [];

  async function look(range: VersionRange, counted: number): Promise<void> {
    const known = within(sorted, range);
    if (counted === known.length) return;
    const middle = known[known.length >> 1];
    // Rows of one commit have one version: there is no middle.
    if (known.length <= LISTED || middle === undefined || middle === known[0]) {
      found.push(range);
      return;
    }
    const older = { ...range, before: middle };
    const there = await count(older);
    await look(older, there);
    await look({ ...range, from: middle }, counted - there);
  }

  for (const range of ranges) await look(range, await count(range));
  return found;
}

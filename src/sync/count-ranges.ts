import { compareVersions, type Version } from '../base/change.js';
import type { VersionRange } from '../transport/transport.js';

/** Rows of one count at the most: a backend that charges for counting charges once for each thousand. */
const COUNTED = 1000;
/** So few rows are listed rather than counted once more. */
const LISTED = 16;

/** How many of these versions, which are sorted, are older than this one; with `orSame`, as old too. */
function countOlder(sorted: readonly Version[], version: Version, orSame: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareVersions(sorted[middle] as Version, version);
    if (order < 0 || (orSame && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Those of a range, of versions that are sorted. */
export function within(sorted: readonly Version[], { from, after, before, upTo }: VersionRange): readonly Version[] {
  const low = from ?? after;
  const high = before ?? upTo;
  return sorted.slice(
    low === undefined ? 0 : countOlder(sorted, low, after !== undefined),
    high === undefined ? sorted.length : countOlder(sorted, high, upTo !== undefined),
  );
}

/** A border between versions: just before a known one, or just after it. */
interface Cut {
  readonly version: Version;
  readonly after: boolean;
}

const lower = ({ version, after }: Cut): VersionRange => (after ? { after: version } : { from: version });
const upper = ({ version, after }: Cut): VersionRange => (after ? { upTo: version } : { before: version });

/** Multiples of it, without their whole part, spread evenly however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Ranges that are everything together. A row that was changed unseen has left one range for another, unless both of its versions are in
 * the same: so the cuts are elsewhere at each look. One of them, for each thousand rows, walks over every place: whatever is between two
 * versions is cut some time. Another one is near the newest, where changes are. `look`: how many there were before; `random`: 0 to 1.
 */
export function rangesOf(sorted: readonly Version[], look: number, random: () => number): VersionRange[] {
  const places = 2 * sorted.length;
  if (places === 0) return [{}];
  const at = [places - Math.ceil(places ** random())];
  const step = 2 * COUNTED;
  for (let place = Math.floor(((look * GOLDEN) % 1) * Math.min(places, step)); place < places; place += step)
    at.push(place);
  const cuts = at
    .sort((a, b) => a - b)
    .map((place): Cut => ({ version: sorted[place >> 1] as Version, after: place % 2 === 1 }))
    // Rows of one commit have one version.
    .filter(({ version, after }, index, all) => {
      const before = all[index - 1];
      return before === undefined || before.version !== version || (after && !before.after);
    });
  return [undefined, ...cuts].map((cut, index) => {
    const next = cuts[index];
    return { ...(cut && lower(cut)), ...(next && upper(next)) };
  });
}

/** What is set of it. */
const bound = (range: { readonly [Bound in keyof VersionRange]: Version | undefined }): VersionRange =>
  Object.fromEntries(Object.entries(range).filter(([, version]) => version !== undefined));

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
    const { from, after, before, upTo } = range;
    const older: VersionRange = { ...bound({ from, after }), before: middle };
    const newer: VersionRange = { from: middle, ...bound({ before, upTo }) };
    const there = await count(older);
    await look(older, there);
    await look(newer, counted - there);
  }

  for (const range of ranges) await look(range, await count(range));
  return found;
}

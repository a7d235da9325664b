const DAY = 86_400_000;
/** Rows that looking may cost a day where the backend charges for each: so many for pulls, and as many for comparisons. */
const READS_A_DAY = 500;
/** Longest setTimeout: what is longer fires at once. */
const LONGEST = 2 ** 31 - 1;

/** What a look has cost. */
export interface Look {
  /** Rows that the backend has read for this client. */
  readonly reads: number;
  /** Those that were news: they are what it is for. */
  readonly news: number;
}

export interface AuditPaceOptions {
  /** The shortest time between two looks, ms. */
  readonly shortest: number;
  /** What a comparison will cost, as far as is known: rows. 0: the backend does not charge for them. */
  readonly expected: () => number;
  /** Pulls; `compare`: compares everything as well. */
  readonly look: (compare: boolean) => Promise<Look>;
}

/** How long until the next look at this price, ms. */
export const pace = (reads: number, shortest: number): number =>
  Math.min(LONGEST, Math.max(shortest, (reads * DAY) / READS_A_DAY));

/**
 * Looks whether a live collection is what the backend holds: a pull each time, and a comparison of everything as often as its price
 * allows. Resolves with the time until the next look, ms.
 */
export function createAuditPace({ shortest, expected, look }: AuditPaceOptions, now: () => number = Date.now) {
  const begun = now();
  let compareAt: number | undefined;
  /** What the last one of a kind cost. */
  const last = { pull: Number.POSITIVE_INFINITY, comparison: 0 };

  /** What the next one is to cost: one that found something to mend, or read beside others, says too much. */
  function priceOf(kind: keyof typeof last, { reads, news }: Look): number {
    const price = Math.max(0, reads - news);
    const before = last[kind];
    last[kind] = price;
    return Math.min(price, before);
  }

  return async (): Promise<number> => {
    if (compareAt === undefined) {
      last.comparison = expected();
      // The first look comes after the shortest time itself.
      compareAt = begun + pace(last.comparison, shortest) - shortest;
    }
    const compare = now() >= compareAt;
    const cost = await look(compare);
    // A pull is no dearer than a comparison.
    if (!compare) return pace(Math.min(priceOf('pull', cost), expected()), shortest);
    compareAt = now() + pace(priceOf('comparison', cost), shortest);
    return shortest;
  };
}

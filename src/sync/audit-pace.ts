const DAY = 86_400_000;
/** Rows that looking may cost a day where the backend charges for each: so many for pulls, and as many for comparisons. */
const READS_A_DAY = 500;
/** The longest time between two questions whether a look is due, ms: no timer runs for weeks, in which a device sleeps or its clock is set. */
const STEP = 3_600_000;

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
export const pace = (reads: number, shortest: number): number => Math.max(shortest, (reads * DAY) / READS_A_DAY);

/**
 * Looks whether a live collection is what the backend holds: a pull each time, and a comparison of everything as often as its price
 * allows. Resolves with the time until it is to be called again, ms, at the most an hour: a look may not be due yet by then.
 */
export function createAuditPace({ shortest, expected, look }: AuditPaceOptions, now: () => number = Date.now) {
  const started = now();
  const pulls = { at: started, wait: 0 };
  let comparisons: { at: number; wait: number } | undefined;
  /** What the last one of a kind cost. */
  const last = { pull: Number.POSITIVE_INFINITY, comparison: 0 };

  /** How long until it is due, ms; 0 where the clock was set back. */
  const left = ({ at, wait }: { readonly at: number; readonly wait: number }): number => {
    const passed = now() - at;
    return passed < 0 ? 0 : Math.max(0, wait - passed);
  };

  /** What the next one is to cost: one that found something to mend, or read beside others, says too much. */
  function priceOf(kind: keyof typeof last, { reads, news }: Look): number {
    const price = Math.max(0, reads - news);
    const before = last[kind];
    last[kind] = price;
    return Math.min(price, before);
  }

  return async (): Promise<number> => {
    if (comparisons === undefined) {
      last.comparison = expected();
      // The first look comes after the shortest time itself.
      comparisons = { at: started, wait: pace(last.comparison, shortest) - shortest };
    }
    if (left(pulls) === 0) {
      const compare = left(comparisons) === 0;
      const cost = await look(compare);
      const price = priceOf(compare ? 'comparison' : 'pull', cost);
      if (compare) comparisons = { at: now(), wait: pace(price, shortest) };
      // A pull is no dearer than a comparison.
      Object.assign(pulls, { at: now(), wait: compare ? shortest : pace(Math.min(price, expected()), shortest) });
    }
    return Math.min(STEP, left(pulls));
  };
}

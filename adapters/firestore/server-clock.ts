/** What is used of a document: its `toJSON`, which the SDK has since 12.0, names when the server read it. */
export interface Dated {
  toJSON?(): object;
}

const READ_TIME = /"readTime":"([^"]+)"/;

/** When the server read a document, ms; undefined: the SDK does not tell. */
function readTimeOf(found: Dated): number | undefined {
  try {
    const { bundle } = Object(found.toJSON?.()) as { readonly bundle?: unknown };
    // A document that a transaction read has 1970.
    return Date.parse(READ_TIME.exec(String(bundle))?.[1] ?? '') || undefined;
  } catch {
    // Values that the SDK has no JSON for.
    return undefined;
  }
}

/** How long an estimate is good enough, ms: a document's `toJSON` costs time. */
const FRESH = 60_000;

/**
 * The server's clock, as its answers show it: never ahead of it, and behind by no more than an answer takes, or the device slept. The
 * device's own clock may be hours off. `local`: a clock that nobody sets, ms.
 */
export function createServerClock(local: () => number = () => performance.now()) {
  let ahead: number | undefined;
  let learned = Number.NEGATIVE_INFINITY;

  return {
    /** Reads the time off an answer, and gives it if it was made for that: the SDK shows an older one of a document that it has already. */
    learn([found]: readonly Dated[]): number | undefined {
      if (!found || local() - learned < FRESH) return undefined;
      const ms = readTimeOf(found);
      if (ms === undefined) return undefined;
      learned = local();
      if (ahead !== undefined && ms - local() <= ahead) return undefined;
      ahead = ms - local();
      return ms;
    },
    local,
    /** Ms since 1970 at a time of `local`; undefined: no answer has told yet. */
    at: (moment: number): number | undefined => (ahead === undefined ? undefined : moment + ahead),
  };
}

export type ServerClock = ReturnType<typeof createServerClock>;

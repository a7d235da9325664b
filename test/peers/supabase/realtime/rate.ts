/** The rate limit of one project. */
export interface RateLimit {
  readonly eventsPerSecond: number;
  /** The mean is taken over so many ms, or since the first event. 60 000 on a real server. */
  readonly windowMs: number;
}

/**
 * Counts what is sent, and what is dropped too: a burst silences what comes after it until it is out of the window. The
 * burst itself passes, since the mean is looked at before a batch.
 */
export function createRateLimiter(limit: RateLimit | undefined, now = Date.now): (events: number) => boolean {
  let counted: { readonly at: number; readonly events: number }[] = [];
  let started: number | undefined;
  return (events) => {
    if (limit === undefined || events === 0) return true;
    const at = now();
    started ??= at;
    counted = counted.filter((each) => each.at > at - limit.windowMs);
    const seconds = Math.max(1000, Math.min(limit.windowMs, at - started)) / 1000;
    const mean = counted.reduce((sum, each) => sum + each.events, 0) / seconds;
    counted.push({ at, events });
    return mean <= limit.eventsPerSecond;
  };
}

export interface BackoffOptions {
  /** Upper bound of the first wait, in ms. */
  readonly base: number;
  /** Upper bound of any wait, in ms. */
  readonly max: number;
}

/**
 * How long to wait before attempt `attempt` (1 is the first retry), in ms: anything from 0 to the capped bound. Full
 * jitter, applied after the cap: with jitter before it, all clients of a long outage would come back at the same time
 * (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @example
 * backoffDelay(3, { base: 1000, max: 30_000 }); // 0 to 4000
 */
export function backoffDelay(
  attempt: number,
  { base, max }: BackoffOptions,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(max, base * 2 ** Math.min(attempt - 1, 30)));
}

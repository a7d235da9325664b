import type { RateLimit } from './options.js';

/** Takes one message from the allowance. 0: there was one. Else: come again in so many ms. */
export type Limiter = () => number;

/** A bucket that holds `messages` and fills at `messages` each `perMs`. Without a limit it never runs dry. */
export function createLimiter(limit: RateLimit | undefined, now: () => number): Limiter {
  if (!limit) return () => 0;
  const { messages, perMs } = limit;
  const each = perMs / messages;
  let left = messages;
  let then = now();
  return () => {
    const time = now();
    // A clock that was set back must not empty the bucket.
    left = Math.min(messages, left + Math.max(0, time - then) / each);
    then = time;
    if (left < 1) return Math.ceil((1 - left) * each);
    left--;
    return 0;
  };
}

/** A limiter for each key; those whose bucket is full again are forgotten. */
export function createLimiters(limit: RateLimit | undefined, now: () => number): (key: string) => number {
  if (!limit) return () => 0;
  const limiters = new Map<string, { readonly take: Limiter; used: number }>();
  return (key) => {
    const time = now();
    const entry = limiters.get(key) ?? { take: createLimiter(limit, now), used: time };
    entry.used = time;
    // Last used last, so the stale ones are in front.
    limiters.delete(key);
    limiters.set(key, entry);
    for (const [other, { used }] of limiters) {
      if (time - used <= limit.perMs) break;
      limiters.delete(other);
    }
    return entry.take();
  };
}

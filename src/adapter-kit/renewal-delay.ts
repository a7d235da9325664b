import { tokenExpiry } from './kit.js';

/** Longest setTimeout, in ms: what is longer fires at once. */
const MAX_TIMER = 2 ** 31 - 1;

/** How long to wait until a new token is asked for, while this one is good for a little longer, in ms; undefined: it is no JWT. */
export function renewalDelay(token: string | undefined): number | undefined {
  const left = ((token && tokenExpiry(token)) || 0) - Date.now();
  return left > 0 ? Math.min(MAX_TIMER, Math.max(1000, left - Math.min(60_000, left / 5))) : undefined;
}

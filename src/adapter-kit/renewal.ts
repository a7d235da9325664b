import { LONGEST_TIMER, tokenExpiry } from './kit.js';

/** How long to wait until a new token is asked for, while this one is good for a little longer, in ms; undefined: it is no JWT. */
export function renewalDelay(token: string | undefined): number | undefined {
  const left = ((token && tokenExpiry(token)) || 0) - Date.now();
  return left > 0 ? Math.min(LONGEST_TIMER, Math.max(1000, left - Math.min(60_000, left / 5))) : undefined;
}

/**
 * Asks for another token while the one in use is good for a little longer, again and again until `tokenOf` gives one that lasts
 * or is no JWT. `renew` rejects: `failed` gets why, and it is tried again.
 *
 * @example
 * const renewal = createRenewal(() => token, reconnect, host.report);
 * renewal.start(); // whenever there is another token
 * renewal.stop();
 */
export function createRenewal(
  tokenOf: () => string | undefined,
  renew: () => Promise<void>,
  failed: (error: unknown) => void,
) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts starts and stops: what an earlier question brings means nothing. */
  let turn = 0;

  function stop(): void {
    clearTimeout(timer);
    turn += 1;
  }
  function start(): void {
    stop();
    const mine = turn;
    const delay = renewalDelay(tokenOf());
    if (delay === undefined) return;
    timer = setTimeout(async () => {
      try {
        await renew();
      } catch (error) {
        if (mine === turn) failed(error);
      }
      if (mine === turn) start();
    }, delay);
  }
  return { start, stop };
}

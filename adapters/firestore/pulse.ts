import { isSyncLayerError } from '../../src/adapter-kit/kit.js';

/** How much longer a server may take to answer that took too long before. */
const MOST = 16;

/**
 * Asks again and again whether the server is there, unless it spoke by itself meanwhile. An answer waits behind all that is on
 * its way: each time that none came, the next may take twice as long, else a large first load over a slow line never ends.
 */
export function createPulse(interval: number, ask: (ms: number) => Promise<void>, dead: (error: unknown) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts starts and stops: an answer to an earlier question means nothing. */
  let turn = 0;
  let heard = 0;
  let asking = false;
  let patience = 1;

  function next(): void {
    clearTimeout(timer);
    const mine = turn;
    timer = setTimeout(() => {
      if (performance.now() - heard < interval) next();
      else beat(mine);
    }, interval);
  }

  function beat(mine: number): void {
    if (asking) return;
    asking = true;
    ask(interval * patience).then(
      () => {
        asking = false;
        if (mine !== turn) return;
        patience = 1;
        heard = performance.now();
        next();
      },
      (error: unknown) => {
        asking = false;
        if (mine !== turn) return;
        if (isSyncLayerError(error) && error.code === 'HEARTBEAT_TIMEOUT') patience = Math.min(2 * patience, MOST);
        dead(error);
      },
    );
  }

  return {
    start(): void {
      turn += 1;
      heard = performance.now();
      asking = false;
      next();
    },
    stop(): void {
      turn += 1;
      clearTimeout(timer);
    },
    heard(): void {
      heard = performance.now();
    },
    /** Asks now. */
    doubt(): void {
      clearTimeout(timer);
      beat(turn);
    },
  };
}

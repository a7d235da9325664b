import { createPatience } from './patience.js';

/** How much longer than usual a large message may hold up all others. */
const LARGE = 4;

/**
 * Asks whether the server is there once it has been silent for `interval` ms; silence for as long again ends in `dead`. An answer
 * waits behind all that is on its way: see `createPatience`.
 */
export function createHeartbeat(
  interval: number,
  ask: (signal: AbortSignal) => Promise<void>,
  dead: (error: unknown) => void,
) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heard = 0;
  let asking: AbortController | undefined;
  const patience = createPatience();

  function next(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (performance.now() - heard < interval) next();
      else beat();
    }, interval);
  }

  function beat(): void {
    const mine = new AbortController();
    asking = mine;
    const since = performance.now();
    timer = setTimeout(() => mine.abort(), patience.of(interval));
    ask(mine.signal).then(
      () => {
        if (asking !== mine) return;
        patience.met(performance.now() - since, interval);
        next();
      },
      (error: unknown) => {
        if (asking !== mine) return;
        if (mine.signal.aborted) patience.missed();
        // It spoke of something else meanwhile.
        if (performance.now() - heard < interval) next();
        else dead(error);
      },
    );
  }

  function stop(): void {
    clearTimeout(timer);
    const mine = asking;
    asking = undefined;
    mine?.abort();
  }

  return {
    start(): void {
      stop();
      heard = performance.now();
      next();
    },
    stop,
    /** A large message is on its way. */
    expectLarge: (): void => patience.atLeast(LARGE),
    heard(): void {
      heard = performance.now();
    },
  };
}

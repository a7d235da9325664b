/** Asks whether the server is there once it has been silent for `interval` ms; silence for as long again is death. */
export function createPulse(
  interval: number,
  ask: (signal: AbortSignal) => Promise<void>,
  dead: (error: unknown) => void,
) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heard = 0;
  let asking: AbortController | undefined;

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
    timer = setTimeout(() => mine.abort(), interval);
    ask(mine.signal).then(
      () => asking === mine && next(),
      (error: unknown) => {
        if (asking !== mine) return;
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
    heard(): void {
      heard = performance.now();
    },
  };
}

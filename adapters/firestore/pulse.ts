/** Asks again and again whether the server is there, unless it spoke by itself meanwhile. */
export function createPulse(interval: number, ask: () => Promise<void>, dead: (error: unknown) => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts starts and stops: an answer to an earlier question means nothing. */
  let turn = 0;
  let heard = 0;
  let asking = false;

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
    ask().then(
      () => {
        asking = false;
        if (mine !== turn) return;
        heard = performance.now();
        next();
      },
      (error: unknown) => {
        asking = false;
        if (mine === turn) dead(error);
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

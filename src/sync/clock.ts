/** Measures how far the server's clock is ahead of this device's. */
export function createClock() {
  let offset = 0;
  let uncertainty = Number.POSITIVE_INFINITY;
  return {
    /** Server clock minus device clock, in ms. */
    offset: (): number => offset,
    /** The answer was made somewhere between sending and now; the sample with the shortest round trip is the best one. */
    measure(serverTime: number, sentAt: number): void {
      const now = Date.now();
      if (now - sentAt > uncertainty) return;
      uncertainty = now - sentAt;
      offset = serverTime - (sentAt + now) / 2;
    },
  };
}

export type Clock = ReturnType<typeof createClock>;

/** Measures how far the server's clock is ahead of this device's. */
export function createClock() {
  let offset = 0;
  let uncertainty = Number.POSITIVE_INFINITY;
  return {
    /** Server clock minus device clock, in ms. */
    offset: (): number => offset,
    /**
     * The answer was made somewhere between sending and now; the sample with the shortest round trip is the best one,
     * unless the two cannot both be right: then a clock was set meanwhile.
     */
    measure(serverTime: number, sentAt: number): void {
      const now = Date.now();
      const measured = serverTime - (sentAt + now) / 2;
      const wasSet = Math.abs(measured - offset) > (now - sentAt + uncertainty) / 2;
      if (now - sentAt > uncertainty && !wasSet) return;
      uncertainty = now - sentAt;
      offset = measured;
    },
  };
}

export type Clock = ReturnType<typeof createClock>;

/** Measures how far the server's clock is ahead of this device's. */
export function createClock() {
  /** The least and the most that it can be ahead, by all that was seen, in ms. */
  let least = Number.NEGATIVE_INFINITY;
  let most = Number.POSITIVE_INFINITY;
  return {
    /** Server clock minus device clock, in ms. The device is right for as long as it can be. */
    offset: (): number => (least <= 0 && most >= 0 ? 0 : (least + most) / 2),
    /**
     * An answer was made somewhere between `sentAt` and now, when the server's clock showed `serverTime`, or up to `precision`
     * ms later. What two answers say is true of both, unless they cannot both be right: then a clock was set meanwhile.
     */
    measure(serverTime: number, sentAt: number, precision = 0): void {
      if (!Number.isFinite(serverTime)) return;
      const from = serverTime - Date.now();
      const to = serverTime + precision - sentAt;
      const wasSet = from > most || to < least;
      least = wasSet ? from : Math.max(least, from);
      most = wasSet ? to : Math.min(most, to);
    },
  };
}

export type Clock = ReturnType<typeof createClock>;

/** From a commit in a backend to the app: SyncLayer's watcher beside the backend's bare SDK, on the same server in one run. */

/** Hears of commits: `next(count)` resolves with the time at which the row with this count was seen, ms. */
export interface Listener {
  next(count: number): Promise<number>;
  close(): Promise<unknown>;
}

/** Waiting for one count at a time. */
export function waiter() {
  let wanted = -1;
  let resolve: (time: number) => void = () => undefined;
  return {
    saw(count: unknown): void {
      if (count === wanted) resolve(performance.now());
    },
    next: (count: number): Promise<number> =>
      new Promise((done) => {
        wanted = count;
        resolve = done;
      }),
  };
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

export interface Contest {
  /** `supabase-js listener`. */
  readonly name: string;
  bare(): Promise<Listener>;
  synced(): Promise<Listener>;
  /** Writes this count into the row that both listen to. */
  commit(count: number): Promise<unknown>;
  readonly commits: number;
  readonly rounds: number;
}

/** The first commits of a round warm up. */
const WARM_UP = 50;

/** Prints the medians of both, and their ratio. */
export async function compare({ name, bare, synced, commit, commits, rounds }: Contest): Promise<void> {
  const times = { bare: [] as number[], synclayer: [] as number[] };
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    // A server sends to one socket after the other: each is the first in half of the rounds.
    const [one, two] = round % 2 === 0 ? [await bare(), await synced()] : [await synced(), await bare()];
    const [plain, ours] = round % 2 === 0 ? [one, two] : [two, one];
    for (let turn = 0; turn < commits; turn++) {
      count += 1;
      const seen = Promise.all([plain.next(count), ours.next(count)]);
      const start = performance.now();
      await commit(count);
      const [atPlain, atOurs] = await seen;
      if (turn < WARM_UP) continue;
      times.bare.push(atPlain - start);
      times.synclayer.push(atOurs - start);
    }
    await Promise.all([one.close(), two.close()]);
  }
  const ratio = median(times.synclayer) / median(times.bare);
  console.log(`Commit to app, median of ${times.bare.length} commits
  ${name.padEnd(20)}  ${median(times.bare).toFixed(2)} ms
  SyncLayer watcher     ${median(times.synclayer).toFixed(2)} ms
  ratio                 ${ratio.toFixed(3)}`);
}

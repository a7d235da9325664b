import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Tally } from './run.js';

/** Set by `npm run soak`, and to repeat a failure. */
const { SYNCLAYER_SEED: seed, SYNCLAYER_PATH: path, SYNCLAYER_SCALE: scale = '1' } = process.env;

interface Convergence<P> {
  readonly name: string;
  /** The test file, from the root of the project: for the command that repeats a failure. */
  readonly file: string;
  readonly plans: fc.Arbitrary<P>;
  /** How many plans CI runs. */
  readonly runs: number;
  readonly run: (plan: P) => Promise<Tally>;
  /** Looks for the smallest plan that fails the same way. Only where time is fake: elsewhere each try takes real time. */
  readonly shrink: boolean;
}

/** Runs random plans, and says how to repeat the one that failed. */
export function convergence<P>({ name, file, plans, runs, run, shrink }: Convergence<P>): void {
  test(name, { timeout: 600_000 * Math.max(1, Number(scale)) }, async () => {
    const totals: Partial<Record<keyof Tally, number>> = {};
    const property = fc.asyncProperty(plans, async (plan) => {
      const tally = await run(plan);
      for (const [what, n] of Object.entries(tally) as [keyof Tally, number][]) totals[what] = (totals[what] ?? 0) + n;
    });
    const result = await fc.check(property, {
      numRuns: Math.ceil(runs * Number(scale)),
      endOnFailure: !shrink,
      ...(seed && { seed: Number(seed) }),
      ...(path && { path }),
    });
    if (result.failed) {
      const again = `SYNCLAYER_SEED=${result.seed} SYNCLAYER_PATH=${result.counterexamplePath} npx vitest run ${file} -t '${name}'`;
      const plan = fc.stringify(result.counterexample?.[0]);
      const why = result.errorInstance instanceof Error ? result.errorInstance.stack : String(result.errorInstance);
      throw new Error(`Run ${result.numRuns} went wrong. Repeat it with\n  ${again}\n${why}\nThe plan: ${plan}`);
    }
    console.log(`${name}: seed ${result.seed}, ${result.numRuns} plans, ${JSON.stringify(totals)}`);
    // Plans that do nothing would prove nothing.
    if (!path)
      for (const what of ['edits', 'acknowledged', 'events', 'proved'] as const)
        expect(totals[what]).toBeGreaterThan(0);
  });
}

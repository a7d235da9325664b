import { SyncLayerError } from '../base/errors.js';
import { createMigration } from './migration.js';
import type { Finding, MigrationOptions, MigrationPlan, Refusal, TrialRows, Verification } from './types.js';

/** What came of a migration. `done` is false where something is missing or different, or was not even begun. */
export interface MigrationReport {
  readonly done: boolean;
  readonly plan: MigrationPlan;
  /** Of rows that were really written. */
  readonly trial: readonly Finding[];
  /** Undefined: the findings say that rows would be refused or damaged, so nothing more was written. */
  readonly verification: Verification | undefined;
  readonly refused: readonly Refusal[];
  /** Where it ended with the trial: the rows that this left at the target. The next run goes on with them; else delete them. */
  readonly trialRows: readonly TrialRows[];
  /** ms. */
  readonly took: number;
}

/** The findings that stand in the way: nobody said that they are to be accepted. */
export const blocking = (findings: readonly Finding[], accept: readonly string[] = []): Finding[] =>
  findings.filter(
    ({ level, collection, field, seen }) =>
      (level === 'blocks' || (level === 'lossy' && seen)) && !accept.includes(`${collection}.${field}`),
  );

/**
 * Copies all rows of some collections from one backend to another, while both go on being used, and proves that they are equal:
 * plan, a few rows on trial, backfill, what changed meanwhile, verification. Run it again at any time: it goes on where it was.
 * Both transports are closed at the end. For following live changes, cutting over and going back see `createMigration`.
 *
 * @throws SyncLayerError CONFIG_INVALID, STORE_FAILED, or the error of a backend that could not be reached for `giveUpAfter` ms.
 * @example
 * const { done, verification } = await migrate({
 *   from: { transport: supabaseTransport({ url, key }) },
 *   to: { transport: firestoreTransport({ config }) },
 *   collections: ['todos'],
 *   stateFile: 'move.db',
 *   onEvent: (event) => console.error(event.type),
 * });
 */
export async function migrate(options: MigrationOptions): Promise<MigrationReport> {
  const started = performance.now();
  const migration = createMigration(options);
  try {
    if (migration.phase === 'to')
      throw new SyncLayerError('CONFIG_INVALID', 'The clients are on "to" already. To go back, see goBack.');
    if (migration.unfinished) {
      const message = `Clients are held by a ${migration.unfinished} that did not end: run it again first.`;
      throw new SyncLayerError('CONFIG_INVALID', message);
    }
    const plan = await migration.plan();
    const report = (done: boolean, trial: readonly Finding[], verification?: Verification): MigrationReport => ({
      done,
      plan,
      trial,
      verification,
      refused: migration.refused(),
      trialRows: verification === undefined ? migration.trialRows() : [],
      took: Math.round(performance.now() - started),
    });
    if (blocking(plan.findings, options.accept).length > 0) return report(false, []);
    const trial = await migration.tryOut();
    if (blocking(trial, options.accept).length > 0 || migration.refused().length > 0) return report(false, trial);
    await migration.backfill();
    const verification = await migration.verify();
    return report(verification.equal, trial, verification);
  } finally {
    await migration.close();
  }
}

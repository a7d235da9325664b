import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { isSyncLayerError, kindOf, type SyncLayerError } from '../../base/errors.js';
import { blocking } from '../../migrate/migrate.js';
import type { Following, Migration } from '../../migrate/migration.js';
import { type MoveReport, reportPage } from '../../migrate/report-page.js';
import { timesOf } from '../../migrate/switch.js';
import type { CutOverResult, Finding, MigrationPlan, Side, SwitchFlag, Verification } from '../../migrate/types.js';
import { flagOf } from './flag.js';
import { invalid, isLook, openMigration, type RunOptions } from './open.js';
import type { createProgress } from './progress.js';

/** 0: done. 1: differences, or rows that would not survive. 2: wrong configuration. 3: a backend failed. 130: stopped. */
export const exitCodes: Readonly<Record<MoveReport['outcome'], number>> = {
  equal: 0,
  planned: 0,
  different: 1,
  blocked: 1,
  'not moved': 1,
  failed: 3,
  stopped: 130,
};

/** Ctrl-C ends what waits, in good order; a second one ends everything. */
export interface Stop {
  /** Resolves at the first. */
  readonly asked: Promise<void>;
  /** Aborts at the second, or at the first where nothing waits. */
  readonly signal: AbortSignal;
  /** From now on the first is obeyed by the caller. */
  await(): void;
}

/** What the steps came to, for the report. */
interface Found {
  plan?: MigrationPlan;
  trial?: readonly Finding[];
  verification?: Verification | undefined;
  move?: CutOverResult;
}
type End = Pick<MoveReport, 'outcome' | 'advice'>;

/** What to do about differences, by their kinds. */
function adviceOn({ collections }: Verification): string {
  const repairable = collections.some(({ missing, different }) => missing + different > 0);
  const extra = collections.some((each) => each.extra > 0);
  return [
    ...(repairable ? ['Look at the differences; --repair writes the missing and different rows again.'] : []),
    ...(extra
      ? ['Rows that only the target has are never deleted: see whether they belong there, or delete them yourself.']
      : []),
  ].join('\n');
}

/** Goes on until it is told to stop, or cannot. */
async function untilStopped(following: Following, stop: Stop): Promise<void> {
  stop.await();
  await Promise.race([stop.asked, following.ended]);
  await following.stop();
}

function endOf(migration: Migration, verification: Verification): End {
  if (verification.equal) return { outcome: 'equal', advice: '' };
  const advice = migration.refused().length > 0 ? 'The target refused rows: see why.' : adviceOn(verification);
  return { outcome: 'different', advice };
}

async function compare(migration: Migration, found: Found, way: 'forward' | 'backward', repair: boolean): Promise<End> {
  found.verification = await migration.verify(way);
  if (!found.verification.equal && repair) {
    await migration.repair(found.verification, way);
    found.verification = await migration.verify(way);
  }
  return endOf(migration, found.verification);
}

/** Compares, and writes nothing. */
async function look(migration: Migration, { state }: RunOptions, found: Found): Promise<End> {
  const way = migration.phase === 'to' ? 'backward' : 'forward';
  const comparison = await migration.compare(way);
  found.verification = comparison;
  const end = endOf(migration, comparison);
  if (comparison.unfinished.length === 0) return end;
  const names = comparison.unfinished.join(', ');
  const next = way === 'forward' ? 'Without --verify it copies' : '--reverse carries them back';
  const advice = existsSync(state)
    ? `By ${state} these are not carried over to their end yet: ${names}. ${next}.`
    : `There is no ${state}: nothing was copied with it yet. ${next}.`;
  return { ...end, advice: end.advice === '' ? advice : `${advice}\n${end.advice}` };
}

const flagFor = ({ flag }: RunOptions): Promise<SwitchFlag> =>
  flagOf(flag ?? invalid('Moving clients needs --flag: where the phase is written.'));

async function move(
  migration: Migration,
  options: RunOptions,
  found: Found,
  way: 'forward' | 'backward',
): Promise<End> {
  const { grace, quiet, maxHold } = options;
  const flag = await flagFor(options);
  const given = { flag, grace, quiet, maxHold };
  const result = await (way === 'forward' ? migration.cutOver(given) : migration.goBack(given));
  found.move = result;
  found.verification = result.verification;
  if (result.done) return { outcome: 'equal', advice: '' };
  const why = {
    differences: result.verification ? adviceOn(result.verification) : '',
    'too long': `Clients were let go after ${result.held} ms, before the last changes were over and compared. They are where they were, and nothing is lost. Give it more time with --max-hold, or bring over less at once: --follow until little changes.`,
    'still writing':
      'Somebody went on writing to the old backend while all were told to hold: find that client, or take its right to write away.',
  }[result.reason];
  return { outcome: 'not moved', advice: why };
}

/** Ids that are named; the rest is counted. */
const MOST_NAMED = 20;

/** What was written on trial stays where it is: it is said, with the ids. */
function blockedByTrial(migration: Migration, advice: string): End {
  const names = migration
    .trialRows()
    .flatMap(({ collection, recordIds }) => recordIds.map((id) => `${collection}/${id}`));
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  const left =
    names.length === 0
      ? 'The trial left nothing at the target.'
      : `The trial left ${names.length} ${names.length === 1 ? 'row' : 'rows'} at the target: ${names.slice(0, MOST_NAMED).join(', ')}${more}. They are rows of the source under their own ids: the next run goes on with them; if there is none, delete them.`;
  return { outcome: 'blocked', advice: `${advice}\n${left}` };
}

/** Copies, and does what is to come after it. */
async function goForward(migration: Migration, options: RunOptions, found: Found, stop: Stop): Promise<End> {
  if (migration.unfinished) return move(migration, options, found, 'forward');
  if (migration.phase === 'to')
    invalid('The clients are on the new backend. --reverse keeps the old one up to date, --go-back moves them back.');
  found.plan = await migration.plan();
  const expected = blocking(found.plan.findings, options.accept);
  const advice = 'Change the target, or say with --accept collection.field which fields may be lost.';
  if (expected.length > 0) return { outcome: 'blocked', advice };
  if (options.step === 'plan') return { outcome: 'planned', advice: '' };
  found.trial = await migration.tryOut();
  if (blocking(found.trial, options.accept).length > 0) return blockedByTrial(migration, advice);
  if (migration.refused().length > 0)
    return blockedByTrial(migration, 'The target refused rows on trial: see why, put it right, and run it again.');
  await migration.backfill();
  if (options.step === 'copy') return compare(migration, found, 'forward', options.repair);
  const following = migration.follow();
  const first = await compare(migration, found, 'forward', options.repair);
  if (options.step === 'follow') {
    await untilStopped(following, stop);
    await migration.drain();
    return compare(migration, found, 'forward', options.repair);
  }
  if (first.outcome !== 'equal') return first;
  const moved = await move(migration, options, found, 'forward');
  await following.stop();
  return moved;
}

async function goBackward(migration: Migration, options: RunOptions, found: Found, stop: Stop): Promise<End> {
  if (migration.phase === 'from') invalid('The clients are on the old backend: there is nothing to carry back.');
  if (migration.unfinished) return move(migration, options, found, 'backward');
  const following = migration.follow('backward');
  if (options.step === 'go-back') {
    const moved = await move(migration, options, found, 'backward');
    await following.stop();
    return moved;
  }
  await untilStopped(following, stop);
  await migration.drain('backward');
  return compare(migration, found, 'backward', options.repair);
}

/** `waitedFor`: the configuration of the backend that was tried again. The state file is not: what fails there is told at once. */
function whyOf({ code, message }: SyncLayerError, waitedFor: string | undefined): string {
  if (waitedFor === undefined || code === 'STORE_FAILED' || kindOf(code) !== 'retry') return message;
  return `${waitedFor}: ${message} It was given up; --give-up <ms> waits longer.`;
}

/** Runs one step of a migration, and reports. Throws CONFIG_INVALID. */
export async function run(
  options: RunOptions,
  progress: Pick<ReturnType<typeof createProgress>, 'show'>,
  stop: Stop,
): Promise<MoveReport> {
  const started = performance.now();
  const startedAt = new Date().toISOString();
  // Told before hours of copying.
  if (options.step === 'cut-over' || options.step === 'go-back') {
    timesOf(options);
    await flagFor(options);
  }
  const counts = { overwritten: 0, retries: 0 };
  let waitedFor: Side | undefined;
  const { migration, names, close } = await openMigration(
    options,
    (event) => {
      if (event.type === 'overwritten') counts.overwritten += 1;
      if (event.type === 'retry') {
        counts.retries += 1;
        waitedFor = event.side;
      }
      progress.show(event);
    },
    stop.signal,
  );
  const found: Found = {};
  let end: End;
  let error: string | undefined;
  try {
    const { unfinished } = migration;
    if (unfinished && options.step !== unfinished)
      invalid(`Clients are held by a ${unfinished} that did not end. Run --${unfinished} again: it lets them go.`);
    if (options.step === 'verify' && isLook(options)) end = await look(migration, options, found);
    else if (options.step === 'verify') {
      const way = migration.phase === 'to' ? 'backward' : 'forward';
      end = await compare(migration, found, way, options.repair);
    } else if (options.step === 'reverse' || options.step === 'go-back')
      end = await goBackward(migration, options, found, stop);
    else end = await goForward(migration, options, found, stop);
  } catch (thrown) {
    if (isSyncLayerError(thrown) && thrown.code === 'CONFIG_INVALID') {
      await close();
      throw thrown;
    }
    if (!stop.signal.aborted && !isSyncLayerError(thrown)) {
      await close();
      throw thrown;
    }
    error = stop.signal.aborted ? undefined : whyOf(thrown as SyncLayerError, waitedFor && options[waitedFor]);
    const outcome = stop.signal.aborted ? 'stopped' : 'failed';
    const advice = isLook(options)
      ? 'Nothing was written.'
      : 'What was carried over is remembered: run the same command again.';
    end = { outcome, advice };
  }
  const report: MoveReport = {
    ...end,
    ...names,
    startedAt,
    took: Math.round(performance.now() - started),
    phase: options.step === 'plan' ? undefined : migration.phase,
    ...found,
    refused: migration.refused(),
    ...counts,
    error,
  };
  await close();
  if (options.report !== undefined) await writeFile(options.report, reportPage(report));
  return report;
}

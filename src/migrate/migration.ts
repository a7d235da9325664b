import { SyncLayerError } from '../base/errors.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import { nullIsMissing, valuesOf } from '../transport/values.js';
import type { Sameness } from './canonical.js';
import { createEndpoint, sourceOf } from './endpoint.js';
import { createLimiter } from './limiter.js';
import { checkOptions } from './options.js';
import { examine, trialFindings } from './plan.js';
import type { Examples } from './profile.js';
import { createReader, type Reader } from './reader.js';
import { openState } from './state.js';
import { checkWay, clientsOf, createSwitch, unfinishedOf } from './switch.js';
import type {
  Comparison,
  CutOverOptions,
  CutOverResult,
  Finding,
  MigrationEvent,
  MigrationOptions,
  MigrationPhase,
  MigrationPlan,
  Refusal,
  Side,
  SwitchPhase,
  TrialRows,
  Verification,
} from './types.js';
import { MOST_LISTED, verifyCollection } from './verify.js';
import { backward, type Direction, forward } from './wanted.js';
import { createWriter } from './writer.js';

/** Live changes that are copied over until it is stopped. */
export interface Following {
  /** Rows written since it began. */
  readonly copied: number;
  /** Stops listening; what has come is copied over first. */
  stop(): Promise<void>;
  /** Rejects if it ends by itself: a backend was out of reach for too long, or refuses us. */
  readonly ended: Promise<void>;
}

/** The steps of a move from one backend to another. Each may be called alone, and again. */
export interface Migration {
  /** What there is, and what will not stay as it is. Writes nothing. */
  plan(): Promise<MigrationPlan>;
  /**
   * Writes a few rows that together show every kind of value, and tells what the target made of them. They are rows of the
   * source under their own ids, so nothing needs to be cleared away if the move goes on.
   */
  tryOut(): Promise<readonly Finding[]>;
  /** The rows that the trial left at the target. Where the move ends there, delete them by these ids. */
  trialRows(): readonly TrialRows[];
  /** Carries over all rows that are not there yet. */
  backfill(): Promise<void>;
  /** Carries over what changes from now on; deletes too. */
  follow(direction?: 'forward' | 'backward'): Following;
  /** Brings the target up to date. Resolves with how many rows were written. */
  drain(direction?: 'forward' | 'backward'): Promise<number>;
  /** Compares all rows of both sides, and brings the target up to date meanwhile: what is only on its way is no difference. */
  verify(direction?: 'forward' | 'backward'): Promise<Verification>;
  /** Compares all rows of both sides as they are. Writes nothing: what was not copied over yet is a difference. */
  compare(direction?: 'forward' | 'backward'): Promise<Comparison>;
  /**
   * Writes what a verification found to be missing or different once more. Rows that only the target has stay.
   *
   * @throws SyncLayerError CONFIG_INVALID where clients are on the side that would be written, or may be.
   */
  repair(verification: Verification, direction?: 'forward' | 'backward'): Promise<void>;
  /** Moves the clients to the target: holds them, brings over the last changes, compares, and lets them go on there. */
  cutOver(options: CutOverOptions): Promise<CutOverResult>;
  /** The way back, with the same care. */
  goBack(options: CutOverOptions): Promise<CutOverResult>;
  /** Where the clients are, as far as `cutOver` and `goBack` moved them. */
  readonly phase: SwitchPhase;
  /**
   * The step that holds clients and did not end: its process was killed, or the flag could not be written. Run it again: it
   * lets them go, on one side or the other.
   */
  readonly unfinished: 'cut-over' | 'go-back' | undefined;
  /** The rows that a target refused, up to 100. */
  refused(): readonly Refusal[];
  /** Closes both transports and the state file. */
  close(): Promise<void>;
}

/** Rows in one push, where a backend says nothing of its own: what fails is sent again whole. */
const MOST_PUSHED = 1000;

const directions = { forward, backward };

/**
 * Opens the state file, and gives the steps of a move from one backend to another.
 *
 * @throws SyncLayerError CONFIG_INVALID for wrong options, or a state file of other backends; STORE_FAILED if the state file
 *   cannot be used.
 * @example
 * const migration = createMigration({ from: { transport: a }, to: { transport: b }, collections: ['todos'], stateFile: 'move.db' });
 * await migration.backfill();
 * const following = migration.follow();
 * console.log((await migration.verify()).equal);
 * await migration.cutOver({ flag: { write: (phase) => putFlag(phase) } });
 * await following.stop();
 * await migration.close();
 */
export function createMigration(input: MigrationOptions): Migration {
  const options = checkOptions(input);
  const { collections, pageSize } = options;
  const closing = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
  const emit = (event: MigrationEvent): void => options.onEvent?.(event);
  const enter = (phase: MigrationPhase, collection?: string): void =>
    emit({ type: 'phase', phase, ...(collection !== undefined && { collection }) });

  const transports = { from: options.from.transport, to: options.to.transport };
  const state = openState(options.stateFile, { from: sourceOf(transports.from), to: sourceOf(transports.to) });
  const endpoint = (side: Side) =>
    createEndpoint(options[side], {
      giveUpAfter: options.giveUpAfter,
      signal,
      onRetry: (error) => emit({ type: 'retry', side, error }),
    });
  const ends = { from: endpoint('from'), to: endpoint('to') };
  const limiter = createLimiter(options.rateLimit);
  const samenessOf = (collection: string): Sameness => ({
    nullIsMissing:
      options.nullIsMissing ??
      nullIsMissing(valuesOf(transports.from, collection), valuesOf(transports.to, collection)),
    ignored: new Set(
      options.accept.flatMap((name) => (name.startsWith(`${collection}.`) ? [name.slice(collection.length + 1)] : [])),
    ),
  });
  const totals = new Map<string, number>();
  const examples = new Map<string, Examples>();
  /** What the trial was made with. */
  const tried = new Map<string, readonly string[]>();

  /** Progress of what is read, for who watches. */
  function counter(collection: string): (count: number) => void {
    const started = performance.now();
    let done = 0;
    return (count) => {
      done += count;
      const seconds = (performance.now() - started) / 1000;
      emit({
        type: 'progress',
        collection,
        done,
        total: totals.get(collection),
        rate: seconds > 0 ? done / seconds : 0,
      });
    };
  }

  function makeReader(collection: string, direction: Direction): Reader {
    const writer = createWriter({
      collection,
      direction,
      target: ends[direction.target],
      state,
      sameness: samenessOf(collection),
      limiter,
      pushSize: Math.min(
        options.pushSize,
        capabilitiesOf(transports[direction.target], collection).pushSize ?? MOST_PUSHED,
      ),
      concurrency: options.concurrency,
      giveUpAfter: options.giveUpAfter,
      signal,
      onEvent: emit,
    });
    return createReader({
      ...options,
      collection,
      direction,
      source: ends[direction.source],
      writer,
      state,
      signal,
      onRows: (count) => onRows.get(collection)?.(count),
    });
  }
  const onRows = new Map<string, (count: number) => void>();
  const readers = {
    forward: collections.map((collection) => makeReader(collection, forward)),
    backward: collections.map((collection) => makeReader(collection, backward)),
  };

  async function drain(way: keyof typeof readers, audit = true, within?: AbortSignal): Promise<number> {
    let written = 0;
    for (const reader of readers[way]) written += await reader.catchUp(audit, within);
    return written;
  }

  async function plan(): Promise<MigrationPlan> {
    enter('plan');
    const started = performance.now();
    const found = [];
    // One after the other: each holds a few rows of its own.
    for (const collection of collections) found.push(await examine(collection, ends, pageSize));
    for (const { plan, examples: rows } of found) {
      totals.set(plan.collection, plan.rows.from);
      examples.set(plan.collection, rows);
    }
    return {
      from: transports.from.name,
      to: transports.to.name,
      collections: found.map((each) => each.plan),
      findings: found.flatMap(({ findings }) => findings),
      took: Math.round(performance.now() - started),
    };
  }

  async function tryOut(): Promise<readonly Finding[]> {
    if (examples.size === 0) await plan();
    enter('trial');
    const findings: Finding[] = [];
    for (const reader of readers.forward) {
      const rows = examples.get(reader.collection) ?? new Map();
      tried.set(reader.collection, [...rows.keys()]);
      await reader.copy([...rows.values()]);
      findings.push(...trialFindings(reader.collection, rows, forward, state));
    }
    return findings;
  }

  const trialRows = (): readonly TrialRows[] =>
    [...tried].flatMap(([collection, ids]) => {
      const recordIds = ids.filter((id) => state.pair(collection, id).to?.row);
      return recordIds.length > 0 ? [{ collection, recordIds }] : [];
    });

  async function backfill(): Promise<void> {
    for (const reader of readers.forward) {
      const { collection } = reader;
      enter('backfill', collection);
      onRows.set(collection, counter(collection));
      try {
        await reader.catchUp(true);
        await reader.retryRefused();
      } finally {
        onRows.delete(collection);
      }
    }
  }

  function follow(way: keyof typeof readers = 'forward'): Following {
    enter('follow');
    let fail: (error: unknown) => void = () => undefined;
    let stop: () => void = () => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      stop = resolve;
      fail = reject;
    });
    // Who does not ask is told by the next step.
    ended.catch(() => undefined);
    const running = readers[way].map((reader) => reader.follow(fail));
    return {
      ended,
      get copied() {
        return running.reduce((sum, { copied }) => sum + copied, 0);
      },
      async stop() {
        await Promise.all(running.map((each) => each.stop()));
        stop();
      },
    };
  }

  async function check(way: keyof typeof readers, writes: boolean, within?: AbortSignal): Promise<Verification> {
    enter('verify');
    const started = performance.now();
    const done = [];
    for (const reader of readers[way]) {
      const { collection } = reader;
      done.push(
        await verifyCollection({
          collection,
          ends,
          state,
          source: directions[way].source,
          sameness: samenessOf(collection),
          pageSize,
          drain: writes ? () => reader.catchUp(true, within) : undefined,
          within,
        }),
      );
    }
    const found = done.map(({ result }) => result);
    const differences = done.flatMap((each) => each.differences);
    for (const difference of differences) emit({ type: 'difference', ...difference });
    return {
      equal: found.every(({ missing, extra, different }) => missing + extra + different === 0),
      collections: found,
      differences,
      took: Math.round(performance.now() - started),
    };
  }

  const verify = (way: keyof typeof readers, within?: AbortSignal): Promise<Verification> => check(way, true, within);

  async function compare(way: keyof typeof readers): Promise<Comparison> {
    const { source } = directions[way];
    const unfinished = collections.filter((collection) => !state.progress(collection, source).whole);
    return { ...(await check(way, false)), unfinished };
  }

  async function repair({ differences }: Verification, way: keyof typeof readers = 'forward'): Promise<void> {
    checkWay(state, way);
    for (const reader of readers[way]) {
      const listed = differences.filter(({ collection }) => collection === reader.collection);
      const ids = listed.flatMap(({ kind, recordId }) => (kind === 'extra' ? [] : [recordId]));
      // There may be more than a list holds.
      await reader.repair(listed.length < MOST_LISTED ? ids : state.differing(reader.collection));
    }
  }

  const { change, idle } = createSwitch({ state, readers, signal, drain, verify, enter });
  const one = (direction: keyof typeof directions | undefined) => direction ?? 'forward';

  return {
    plan,
    tryOut,
    backfill,
    follow: (direction) => follow(one(direction)),
    async drain(direction) {
      await idle();
      enter('catch-up');
      return drain(one(direction));
    },
    async verify(direction) {
      await idle();
      return verify(one(direction));
    },
    async compare(direction) {
      await idle();
      return compare(one(direction));
    },
    repair: (verification, direction) => repair(verification, one(direction)),
    async cutOver(given) {
      await idle();
      return change('forward', given);
    },
    async goBack(given) {
      await idle();
      return change('backward', given);
    },
    get phase() {
      return clientsOf(state).phase;
    },
    get unfinished() {
      return unfinishedOf(state);
    },
    trialRows,
    refused: () => state.refused(),
    async close() {
      closing.abort(new SyncLayerError('CLOSED', 'The migration was closed.'));
      await Promise.allSettled([idle(), ...[...readers.forward, ...readers.backward].map((reader) => reader.idle())]);
      await Promise.allSettled([ends.from.close(), ends.to.close()]);
      state.close();
    },
  };
}

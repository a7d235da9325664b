import { setTimeout as wait } from 'node:timers/promises';
import { type Change, compareVersions, type Row } from '../base/change.js';
import { isSyncLayerError } from '../base/errors.js';
import { backoffDelay } from '../transport/backoff.js';
import type { PushResult } from '../transport/transport.js';
import type { Sameness } from './canonical.js';
import type { Endpoint } from './endpoint.js';
import type { Limiter } from './limiter.js';
import type { Pair, State } from './state.js';
import type { MigrationEvent, SideState } from './types.js';
import { type Direction, outcomeOf, type Step, stepOf, type Write } from './wanted.js';

/** How often a row is tried that others keep changing. */
const MOST_TRIES = 12;

export interface WriterOptions {
  readonly collection: string;
  readonly direction: Direction;
  readonly target: Endpoint;
  readonly state: State;
  readonly sameness: Sameness;
  readonly limiter: Limiter;
  readonly pushSize: number;
  readonly concurrency: number;
  /** How long the target may not want a row for now, ms. */
  readonly giveUpAfter: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: MigrationEvent) => void;
}

/** A row on its way. */
interface Task {
  readonly pair: Pair;
  readonly change: Change;
  /** Null: the source never told of it, or no more. */
  readonly source: SideState | null;
  /** The source's row; null: it is to be deleted. */
  readonly wanted: Row | null;
  write: Write;
  tries: number;
  /** Since when the target does not want it for now. */
  unwantedSince?: number;
}

/** Of several changes of a record only the last one matters. */
function lastOfEach(changes: readonly Change[]): Change[] {
  const last = new Map<string, Change>();
  for (const change of changes) {
    const before = last.get(change.recordId);
    // A delete that nobody knows the version of ends what came before it.
    const older = before && !isInferred(change) && !isInferred(before);
    if (older && compareVersions(change.version, before.version) < 0) continue;
    last.delete(change.recordId);
    last.set(change.recordId, change);
  }
  return [...last.values()];
}

const isInferred = (change: Change): boolean => change.type === 'delete' && change.inferred === true;

/** Brings changes of the source to the target. What the target has acknowledged is remembered, and nothing before. */
export function createWriter(options: WriterOptions) {
  const { collection, direction, target, state, sameness, limiter, signal, onEvent } = options;
  const { source: from, target: to } = direction;
  const attempt = (write: Write, task: Task): string =>
    state.opId(from, collection, task.pair.recordId, task.source?.version ?? null, write.type, write.baseVersion);

  /** Pushes some rows. Gives those that must go again. */
  async function push(tasks: readonly Task[]): Promise<Task[]> {
    await limiter.take(tasks.length, signal);
    const changes = tasks.map((task) => ({
      ...task.write,
      collection,
      opId: attempt(task.write, task),
      timestamp: Date.now(),
    }));
    const fresh = tasks.filter(({ write }) => write.type === 'insert');
    if (fresh.length > 0)
      state.transaction(() => {
        for (const { pair } of fresh) state.send(collection, from, pair.recordId);
      });
    let results: readonly PushResult[];
    try {
      results = await target.run(`Writing to "${collection}"`, () => target.transport.push(changes, { signal }));
    } catch (error) {
      if (!isSyncLayerError(error) || error.code !== 'TOO_LARGE') throw error;
      const half = Math.ceil(tasks.length / 2);
      if (tasks.length > 1) return [...(await push(tasks.slice(0, half))), ...(await push(tasks.slice(half)))];
      results = [{ type: 'rejected', error }];
    }
    const again: Task[] = [];
    state.transaction(() => {
      for (const [index, task] of tasks.entries()) {
        const result = results[index];
        if (settle(task, result)) state.answered(collection, from, task.pair.recordId);
        else again.push(task);
      }
    });
    return again;
  }

  /** True: this row needs nothing more. */
  function settle(task: Task, result: PushResult | undefined): boolean {
    const { pair, source, wanted, change } = task;
    const { recordId } = pair;
    const outcome = result ? outcomeOf(task.write, wanted, result, sameness) : ({ type: 'retry' } as const);
    if (outcome.type === 'done') {
      state.setPair(collection, { ...pair, [from]: source, [to]: outcome.target });
      state.accepted(collection, from, recordId);
      return true;
    }
    let reason = outcome.type === 'refused' ? outcome.reason : undefined;
    if (outcome.type === 'retry') {
      task.unwantedSince ??= performance.now();
      const time = Math.round(performance.now() - task.unwantedSince);
      if (time > options.giveUpAfter) reason = `The target did not take it for ${time} ms.`;
    }
    if (outcome.type === 'again') {
      delete task.unwantedSince;
      task.tries += 1;
      if (task.tries >= MOST_TRIES) reason = `Others changed it in each of ${task.tries} attempts.`;
      if (outcome.overwrites) onEvent({ type: 'overwritten', collection, recordId });
      task.write = outcome.write;
    }
    if (reason !== undefined) {
      state.refuse(from, change, reason);
      // The same version is not tried again and again. The row stays the one that the target has: what the next version
      // changes is counted from there.
      state.setPair(collection, {
        ...pair,
        [from]: source && { version: source.version, row: pair[from]?.row ?? null },
      });
      onEvent({ type: 'refused', collection, recordId, reason });
      return true;
    }
    return false;
  }

  async function pushAll(tasks: readonly Task[]): Promise<void> {
    let left: readonly Task[] = tasks;
    for (let round = 1; left.length > 0; round += 1) {
      const parts: Task[][] = [];
      for (let at = 0; at < left.length; at += options.pushSize) parts.push(left.slice(at, at + options.pushSize));
      const again: Task[] = [];
      const worker = async (): Promise<void> => {
        for (let part = parts.shift(); part; part = parts.shift()) again.push(...(await push(part)));
      };
      const workers = Array.from({ length: Math.min(options.concurrency, parts.length) }, worker);
      const ends = await Promise.allSettled(workers);
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
      left = again;
      if (left.length > 0) await wait(backoffDelay(round, { base: 50, max: 5000 }), undefined, { signal });
    }
  }

  return {
    /**
     * Resolves once the target has them all, or has refused them; with how many were written. `anew`: also what is known
     * already.
     */
    async write(changes: readonly Change[], snapshot: number | null = null, anew = false): Promise<number> {
      const tasks: Task[] = [];
      const steps: (readonly [Change, Pair, Step])[] = lastOfEach(changes).map((change) => {
        const known = state.pair(collection, change.recordId);
        const pair = anew ? { ...known, [from]: null } : known;
        return [change, pair, stepOf(change, pair, direction, sameness)];
      });
      state.transaction(() => {
        for (const [change, pair, step] of steps) {
          // The target has what the source has, so what it refused before is history.
          if (step.type === 'note' || (step.type === 'nothing' && isInferred(change)))
            state.accepted(collection, from, change.recordId);
          if (step.type === 'note') state.setPair(collection, { ...pair, [from]: step.source });
          else if (step.type === 'write')
            tasks.push({ pair, change, source: step.source, wanted: step.source.row, write: step.write, tries: 0 });
        }
      });
      await pushAll(tasks);
      if (snapshot !== null)
        state.transaction(() => {
          for (const { recordId, type } of changes)
            if (type !== 'delete') state.see(collection, from, recordId, snapshot);
        });
      return tasks.length;
    },

    /** Deletes rows that were sent, that the target may have taken, and that the source has no more. */
    async takeBack(ids: readonly string[]): Promise<number> {
      const rows = await target.fetch(collection, ids);
      const there = new Map(rows?.flatMap((row) => (row.type === 'delete' ? [] : [[row.recordId, row]])));
      const tasks = ids.flatMap((recordId): Task[] => {
        const row = there.get(recordId);
        if (rows && !row) return [];
        const [base, baseVersion] = row ? [row.data, row.version] : [null, null];
        const change: Change = { type: 'delete', collection, recordId, version: baseVersion ?? '', inferred: true };
        const write: Write = { type: 'delete', recordId, data: null, base, baseVersion };
        const pair: Pair = { recordId, from: null, to: null };
        return [{ pair, change, source: null, wanted: null, write, tries: 0 }];
      });
      await pushAll(tasks);
      return tasks.length;
    },
  };
}

export type Writer = ReturnType<typeof createWriter>;

import type { Row } from '../base/change.js';
import type { WireErrorCode } from '../base/protocol.js';
import type { Access } from './access.js';
import type { Settings, SyncUser } from './options.js';
import type { StoredOp, StoredRecord } from './store.js';
import { decide, type Write, wantedRow } from './write-rules.js';

/** A change that is in the store and goes out to subscribers. */
export interface Committed {
  readonly collection: string;
  readonly type: 'insert' | 'update' | 'delete';
  readonly record: StoredRecord;
  readonly previous: StoredRecord | undefined;
  readonly userId?: string;
}

/** What became of a write. */
export type Outcome =
  /** It is in the store. Without `change` nothing happened now: it changed nothing, or was applied before. */
  | {
      readonly kind: 'applied';
      readonly version: number;
      readonly at: number;
      readonly change?: Committed;
      /** It was applied before, and `version` is that of the record as it is now, for this user. */
      readonly now?: Row | null;
      /** Of that record. */
      readonly editedAt?: number;
    }
  | { readonly kind: 'conflict'; readonly current: Omit<StoredRecord, 'id'>; readonly hidden: boolean }
  | { readonly kind: 'refused'; readonly code: WireErrorCode; readonly reason: string };

type Settle = (outcome: Outcome) => void;

/** One sender's writes: they are committed in the order in which they were submitted. */
export interface WriteQueue {
  /** `settle` is called after the commit, in the same step as the broadcast, exactly once. */
  submit(write: Write, user: SyncUser | null, settle: Settle): void;
  /** How many writes wait. */
  readonly size: number;
  /** Resolves when none waits; undefined: none does now. */
  idle(): Promise<void> | undefined;
}

export interface Committer {
  /** `sender` is handed to `publish`, which leaves it out. */
  writes(sender?: unknown): WriteQueue;
  /** Commits now all that waits for nothing but its turn. */
  flush(): void;
  /** A write of the server itself, committed at once. */
  write(write: Write): Outcome;
}

interface Job {
  readonly write: Write;
  readonly user: SyncUser | null;
  /** Written by the server itself: nobody is asked. */
  readonly trusted: boolean;
  readonly settle: Settle;
  /** The answer of an `authorize` that took its time, and the version that it was asked about. */
  verdict?: { readonly version: number | undefined; readonly allowed: boolean };
}

interface Queue {
  readonly sender: unknown;
  jobs: Job[];
  /** `authorize` is being asked about the first job; the others wait behind it. */
  asking: boolean;
  wake: (() => void)[];
}

const refused = (code: WireErrorCode, reason: string): Outcome => ({ kind: 'refused', code, reason });

/**
 * Commits writes in groups: all that came in during one turn of the event loop is one transaction, and is answered and
 * broadcast after it, in order, with nothing in between.
 */
export function createCommitter(
  { store, now, validate, authorize, log }: Settings,
  access: Access,
  publish: (change: Committed, sender: unknown) => void,
  sweep: () => void,
): Committer {
  const ready = new Set<Queue>();
  let scheduled = false;
  let committing = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      flush();
    });
  }

  /** Why the app's `validate` does not want this row. */
  function invalid(collection: string, row: Committed['record']['data']): string | undefined {
    if (!validate || !row) return undefined;
    try {
      return validate(collection, row) || undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  function conflict(job: Job, current: StoredRecord | undefined): Outcome {
    const { collection, baseVersion } = job.write;
    if (!current) {
      // Its tombstone is gone too. Any number above what the client has will do, and below what comes next.
      const version = Math.max(store.seq(collection), baseVersion ?? 0);
      return { kind: 'conflict', current: { data: null, version, updatedAt: now() }, hidden: false };
    }
    const data = shown(job, current);
    return { kind: 'conflict', current: { ...current, data }, hidden: data !== current.data };
  }

  /** What the sender may see of a record. */
  function shown({ write: { collection, recordId }, user, trusted }: Job, { data }: StoredRecord): Row | null {
    const sees = trusted ? undefined : access.reader(user, collection);
    return data && (!sees || sees(recordId, data)) ? data : null;
  }

  /** The record may have been changed or deleted since: an answer of then would make a ghost of it. */
  function again(job: Job, op: StoredOp, current: StoredRecord | undefined): Outcome {
    if (!current) return { kind: 'applied', ...op, now: null };
    const { version, updatedAt: at, editedAt } = current;
    const edited = editedAt !== undefined && { editedAt };
    return { kind: 'applied', version, at, now: shown(job, current), ...edited };
  }

  function apply(job: Job, current: StoredRecord | undefined): Outcome {
    const { write, user } = job;
    const { collection, recordId, opId } = write;
    const decision = decide(current, write);
    if (decision.kind === 'conflict') return conflict(job, current);
    const at = now();
    if (decision.kind === 'unchanged') {
      const version = current?.version ?? store.seq(collection);
      if (opId !== undefined) store.putOp(collection, recordId, opId, { version, at });
      return { kind: 'applied', version, at: current?.updatedAt ?? at };
    }
    const reason = invalid(collection, decision.data);
    if (reason) return refused('INVALID_MESSAGE', reason);
    const version = store.seq(collection) + 1;
    // A clock that is ahead must not win over edits that are still to come.
    const edited = write.editedAt !== undefined && { editedAt: Math.min(write.editedAt, at) };
    const record: StoredRecord = { id: recordId, data: decision.data, version, updatedAt: at, ...edited };
    store.put(collection, record);
    if (opId !== undefined) store.putOp(collection, recordId, opId, { version, at });
    const change: Committed = {
      collection,
      type: decision.type,
      record,
      previous: current,
      ...(user && { userId: user.id }),
    };
    return { kind: 'applied', version, at, change };
  }

  /** The outcome; or a promise, if `authorize` must be awaited and the job then tried again. */
  function attempt(job: Job): Outcome | Promise<void> {
    const { write, user } = job;
    const { collection, recordId, opId } = write;
    if (!access.exists(collection)) {
      return refused('COLLECTION_NOT_FOUND', `There is no collection '${collection}'`);
    }
    const op = opId === undefined ? undefined : store.op(collection, recordId, opId);
    const current = store.get(collection, recordId);
    if (op) return again(job, op, current);
    if (authorize && !job.trusted) {
      let verdict = job.verdict;
      // Somebody changed the row while `authorize` was thinking: what it allowed is no longer what would happen.
      if (!verdict || verdict.version !== current?.version) {
        const previous = current?.data ?? null;
        const answer = access.write(user, { collection, recordId, row: wantedRow(previous, write), previous });
        if (typeof answer !== 'boolean') {
          return answer.then((allowed) => {
            job.verdict = { version: current?.version, allowed };
          });
        }
        verdict = { version: current?.version, allowed: answer };
      }
      if (!verdict.allowed)
        return refused('UNAUTHORIZED', `Not allowed to ${write.type} in collection '${collection}'`);
    }
    return apply(job, current);
  }

  function wait(queue: Queue, answer: Promise<void>): void {
    queue.asking = true;
    void answer.then(() => {
      queue.asking = false;
      ready.add(queue);
      schedule();
    });
  }

  /** Runs one queue as far as it goes; what is done goes to `done`. */
  function run(queue: Queue, done: { job: Job; sender: unknown; outcome: Outcome }[]): void {
    let next = 0;
    try {
      for (; next < queue.jobs.length; next++) {
        const job = queue.jobs[next] as Job;
        const outcome = attempt(job);
        if (outcome instanceof Promise) {
          wait(queue, outcome);
          return;
        }
        done.push({ job, sender: queue.sender, outcome });
      }
    } catch (error) {
      // The transaction is rolled back. This job must not be tried again with the next one.
      const job = queue.jobs[next++] as Job;
      done.push({ job, sender: queue.sender, outcome: refused('SERVER_ERROR', '') });
      throw error;
    } finally {
      queue.jobs = queue.jobs.slice(next);
    }
  }

  function flush(): void {
    if (committing || ready.size === 0) return;
    const queues = [...ready];
    ready.clear();
    let done: { job: Job; sender: unknown; outcome: Outcome }[] = [];
    committing = true;
    try {
      store.transaction(() => {
        for (const queue of queues) run(queue, done);
      });
    } catch (error) {
      log('error', 'The store could not commit; the writes were refused for now', { error });
      const outcome = refused('SERVER_ERROR', 'The server could not store the write; send it again');
      done = done.map((entry) => ({ ...entry, outcome }));
      for (const queue of queues) if (queue.jobs.length > 0 && !queue.asking) ready.add(queue);
      if (ready.size > 0) schedule();
    }
    for (const { job, sender, outcome } of done) {
      if (outcome.kind === 'applied' && outcome.change) publish(outcome.change, sender);
      job.settle(outcome);
    }
    // Only now: a hook that reads while events go out must not commit others in between.
    committing = false;
    for (const queue of queues) {
      if (queue.jobs.length === 0) for (const wake of queue.wake.splice(0)) wake();
    }
    sweep();
  }

  const queueOf = (sender: unknown): Queue => ({ sender, jobs: [], asking: false, wake: [] });

  function writes(sender: unknown): WriteQueue {
    const queue = queueOf(sender);
    return {
      get size() {
        return queue.jobs.length;
      },
      submit(write, user, settle) {
        queue.jobs.push({ write, user, trusted: false, settle });
        if (queue.asking) return;
        ready.add(queue);
        schedule();
      },
      idle() {
        flush();
        if (queue.jobs.length === 0) return undefined;
        return new Promise((resolve) => queue.wake.push(resolve));
      },
    };
  }

  const own = queueOf(undefined);
  return {
    writes,
    flush,
    write(write) {
      let outcome: Outcome = refused('SERVER_ERROR', 'authorize and validate must not write');
      if (committing) return outcome;
      const settle: Settle = (settled) => {
        outcome = settled;
      };
      own.jobs.push({ write, user: null, trusted: true, settle });
      ready.add(own);
      flush();
      return outcome;
    },
  };
}

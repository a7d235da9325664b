import type { Row } from '../base/change.js';
import type { ErrorCode } from '../base/errors.js';
import { handOut } from '../base/json.js';
import type { CollectionCore } from './collection/core.js';
import type { Replica } from './collection/replica.js';
import { type OutboxEntry, operationType } from './replica-state.js';

/** An edit that the backend has not taken. */
export interface Operation {
  readonly opId: string;
  readonly collection: string;
  readonly recordId: string;
  readonly type: 'insert' | 'update' | 'delete';
  /** The row that was wanted; null for a delete. */
  readonly data: Row | null;
  /** The row that the edit started from. */
  readonly base: Row | null;
  /** When it was made, in ms since 1970. */
  readonly editedAt: number;
  /** How often the backend answered "not now". */
  readonly attempts: number;
  /** What has to be there before the backend can take it, in the backend's words: a row that it names, a column. */
  readonly waiting?: { readonly code: ErrorCode; readonly message: string };
  /** The user who made it; null: nobody was signed in. Left out where that is not known. */
  readonly author?: string | null;
  /** Why it was refused. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** The edits that are not in the backend. */
export interface Outbox {
  /**
   * Waiting or on their way, oldest first.
   *
   * @example
   * for (const { recordId, waiting } of sync.outbox.pending()) if (waiting) console.log(recordId, waiting.message);
   */
  pending(): Operation[];
  /** Refused for good. The row shows the backend's state again; the edit is kept here until you decide. */
  failed(): Operation[];
  /**
   * Edits of other users, and those that were made before anybody signed in. They are no part of what `collection()` shows, and
   * are sent once their author is signed in again.
   *
   * @example
   * for (const { author, opId } of sync.outbox.held()) if (author === null) await sync.outbox.retry(opId);
   */
  held(): Operation[];
  /**
   * Makes a refused edit again, on top of the row as it is now, or one that nobody was signed in for, as the user who is signed in
   * now. False if there is no such edit, or it is another user's.
   */
  retry(opId: string): Promise<boolean>;
  /** Gives up an edit that was refused, is held, or waits for another row. False if there is no such edit. */
  discard(opId: string): Promise<boolean>;
}

const toOperation = (entry: OutboxEntry): Operation => ({
  opId: entry.opId,
  collection: entry.collection,
  recordId: entry.recordId,
  type: operationType(entry),
  data: handOut(entry.local),
  base: handOut(entry.base),
  editedAt: entry.editedAt,
  attempts: entry.attempts,
  ...(entry.waiting && { waiting: entry.waiting }),
  ...(entry.author !== undefined && { author: entry.author }),
  ...(entry.failed && { error: entry.failed }),
});

export function createOutbox(collections: ReadonlyMap<string, CollectionCore>, commit: () => Promise<void>): Outbox {
  const replicas = [...collections.values()].map(({ replica }) => replica);

  async function take(opId: string, again: boolean): Promise<boolean> {
    const found = replicas.some((replica) => {
      const entry = replica.takeAside(opId, again);
      if (!entry) return !again && replica.dropWaiting(opId);
      if (again) replica.edit([[entry.recordId, replica.redo(entry)]]);
      return true;
    });
    if (found) await commit();
    return found;
  }

  const list = (entriesOf: (replica: Replica) => readonly OutboxEntry[]): Operation[] =>
    replicas
      .flatMap(entriesOf)
      .sort((a, b) => a.order - b.order)
      .map(toOperation);

  return {
    pending: () => list(({ pending }) => [...pending.values()].flatMap(({ entries }) => entries)),
    failed: () => list(({ failed }) => [...failed.values()]),
    held: () => list(({ held }) => [...held.values()]),
    retry: (opId) => take(opId, true),
    discard: (opId) => take(opId, false),
  };
}

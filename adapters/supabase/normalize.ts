import { type Change, isObject } from '../../src/adapter-kit/kit.js';
import { type Columns, keyOf, notesOf } from '../../src/adapter-kit/postgres-rows.js';
import { stampOf, timeOf, versionOf } from '../../src/adapter-kit/postgres-time.js';
import type { LossyType } from './options.js';
import type { Table } from './table.js';

/**
 * The version of a row of which so many events had this stamp before. With `updated_at = now()` all changes of one transaction
 * share a stamp, and each is newer than the one before.
 */
export const repeatedVersion = (stamp: string, repeat: number): string =>
  versionOf(stamp) + (repeat === 0 ? '' : `#${String(repeat).padStart(6, '0')}`);

/**
 * Newer than any version of the row that a delete ends: `commit_timestamp` has milliseconds only, so the rest of that one
 * counts too, and a version of its last microsecond must not be its equal.
 */
export const commitBound = (stamp: string): string => `${versionOf(`${stamp.slice(0, 23)}999`)}~~`;

/** A change in the database, by either road; `old` holds the key at least. */
export interface DatabaseEvent {
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly new: Columns;
  readonly old: Columns;
  readonly errors: boolean;
  /** When it was committed, or for a broadcast delete the last `updated_at`. */
  readonly committed: unknown;
}

/** What an event says. `gap`: only a read can tell. */
export type Taken = readonly Change[] | 'gap';

/** supabase-js' payload of `postgres_changes`; undefined if it is malformed. */
export function fromPostgresChange(payload: unknown): DatabaseEvent | undefined {
  if (!isObject(payload)) return undefined;
  const { eventType: type, errors, commit_timestamp: committed } = payload;
  if (type !== 'INSERT' && type !== 'UPDATE' && type !== 'DELETE') return undefined;
  const part = (value: unknown): Columns => (isObject(value) ? value : {});
  return { type, new: part(payload.new), old: part(payload.old), errors: errors !== null, committed };
}

/** What `realtime.broadcast_changes` sends; undefined for any other message on the topic. */
export function fromBroadcast(message: unknown, { updatedAt }: Table): DatabaseEvent | undefined {
  const payload = isObject(message) ? message.payload : undefined;
  if (!isObject(payload)) return undefined;
  const { record, old_record: old } = payload;
  const event = { eventType: payload.operation, new: record, old, errors: null };
  return fromPostgresChange({ ...event, commit_timestamp: isObject(old) ? old[updatedAt] : undefined });
}

/** The exact text of a number that came as one; undefined: it cannot be known. */
function exactText(type: LossyType, value: unknown): string | null | undefined {
  // NaN comes as null too, and a scale (1.50) is lost.
  if (type === 'numeric') return undefined;
  if (value === null) return null;
  if (type === 'bytea') return typeof value === 'string' ? `\\x${value.replace(/^\\x/, '')}` : undefined;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Takes the events of one subscription. */
export function createReader(table: Table) {
  const { collection, id: key, updatedAt, deletedAt, exact } = table;
  /** The stamps of the last rows, to tell apart what one transaction did to the same row. */
  const recent = new Map<string, { readonly stamp: string; readonly repeat: number }>();

  function versionFor(id: string, stamp: string): string {
    const last = recent.get(id);
    const repeat = last?.stamp === stamp ? last.repeat + 1 : 0;
    recent.delete(id);
    recent.set(id, { stamp, repeat });
    if (recent.size > 1000) recent.delete(recent.keys().next().value as string);
    return repeatedVersion(stamp, repeat);
  }

  /** Nobody says which version was deleted, only when. */
  function gone(recordId: string, committed: unknown): Change | undefined {
    const stamp = stampOf(committed);
    if (stamp === undefined) return undefined;
    recent.delete(recordId);
    return {
      type: 'delete',
      collection,
      recordId,
      version: commitBound(stamp),
      timestamp: timeOf(stamp),
      inferred: true,
    };
  }

  /** The columns that an event has in full; `whole`: those are all. */
  function complete({ type, new: record, errors }: DatabaseEvent): { known: Columns; whole: boolean } {
    const known: Record<string, unknown> = { ...record };
    if (type === 'INSERT' && !errors) table.learn(record);
    // An update lacks the large columns that it left alone, without a word.
    let whole = !errors && (type === 'INSERT' || table.hasAll(record));
    for (const { column, type: lossy } of exact) {
      const text = Object.hasOwn(known, column) ? exactText(lossy, known[column]) : undefined;
      if (text === undefined) {
        delete known[column];
        whole = false;
      } else known[column] = text;
    }
    return { known, whole };
  }

  return (event: DatabaseEvent): Taken => {
    const oldId = keyOf(event.old[key]);
    if (event.type === 'DELETE') {
      const change = oldId !== undefined && gone(oldId, event.committed);
      return change ? [change] : 'gap';
    }
    const recordId = keyOf(event.new[key]);
    const stamp = stampOf(event.new[updatedAt]);
    if (recordId === undefined || stamp === undefined) return 'gap';
    const before: Change[] = [];
    if (oldId !== undefined && oldId !== recordId) {
      // A changed key is one update: the record of the old one is gone.
      const change = gone(oldId, event.committed);
      if (!change) return 'gap';
      before.push(change);
    }
    const timestamp = timeOf(stamp);
    const notes = notesOf(table, event.new, timestamp);
    const base = { collection, recordId, version: versionFor(recordId, stamp), timestamp, ...notes };
    if (deletedAt !== undefined && (event.new[deletedAt] ?? null) !== null)
      return [...before, { type: 'delete', ...base }];
    const { known, whole } = complete(event);
    const data = { ...table.toRow(known), id: recordId };
    if (!whole) return [...before, { type: 'update', ...base, data, partial: true }];
    return [...before, { type: event.type === 'INSERT' ? 'insert' : 'update', ...base, data }];
  };
}

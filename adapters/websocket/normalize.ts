import {
  type AckMessage,
  type Change,
  type ConflictMessage,
  type Cursor,
  type ErrorMessage,
  type EventMessage,
  isObject,
  type OutgoingChange,
  type PullPage,
  type PushResult,
  type SyncLayerError,
  type WriteMessage,
} from '../../src/adapter-kit/kit.js';
import { problem, toError } from './errors.js';

const encoder = new TextEncoder();

/** How long a text is on the wire, as UTF-8. A short one is counted here: calling the platform takes longer than that. */
export function byteLength(text: string): number {
  let bytes = text.length;
  if (bytes > 2000) return encoder.encode(text).length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // Three bytes above 0x7ff, but the two halves of a pair have four together.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit & 0xf800) !== 0xd800 ? 2 : 1;
  }
  return bytes;
}

/**
 * JSON without fields named __proto__: assigning such a field sets a prototype instead. `poisoned`: there was one.
 * Throws SyntaxError.
 */
export function parseJson(text: string): { readonly value: unknown; readonly poisoned: boolean } {
  let poisoned = false;
  // A reviver makes parsing several times slower, so only a text that could hide one gets it.
  const suspect = text.includes('__proto__') || text.includes('\\u00');
  const value: unknown = suspect
    ? JSON.parse(text, (key, inner: unknown) => {
        if (key !== '__proto__') return inner;
        poisoned = true;
        return undefined;
      })
    : JSON.parse(text);
  return { value, poisoned };
}

/** Where a pull from a server that counts changes stands. */
export interface SeqCursor {
  readonly seq: number;
  readonly snapshot?: number | true;
}

/** Undefined: it is a cursor of the original protocol. */
export function seqCursor(cursor: Cursor | null): SeqCursor | undefined {
  if (cursor === null) return { seq: 0 };
  return isObject(cursor) && typeof cursor.seq === 'number' ? (cursor as unknown as SeqCursor) : undefined;
}

/** What answers a push. */
export type Answer = AckMessage | ConflictMessage | ErrorMessage;

const parsed = (iso: unknown): number | undefined => {
  const time = typeof iso === 'string' ? Date.parse(iso) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
};

/** When a row was committed, and when its newest edit was made, as far as the server says. */
function times(committed: unknown, edited?: unknown): { timestamp?: number; editedAt?: number } {
  const [timestamp, editedAt] = [parsed(committed), parsed(edited)];
  return { ...(timestamp !== undefined && { timestamp }), ...(editedAt !== undefined && { editedAt }) };
}

/** The record may be there, but not for this user: it can come back with the version that is known. */
const OUT_OF_SIGHT = { inferred: true, hidden: true } as const;

/** A live event of a server that counts changes; undefined if it is malformed. */
export function fromEvent({ type, collection, recordId, data, timestamp, metadata }: EventMessage): Change | undefined {
  const version = metadata?.version ?? metadata?.seq;
  if (typeof version !== 'number' || typeof recordId !== 'string') return undefined;
  const base = { collection, recordId, version, ...times(timestamp, metadata?.editedAt) };
  if (type === 'delete') return { type, ...base, ...(metadata?.hidden && OUT_OF_SIGHT) };
  return isObject(data) ? { type, ...base, data } : undefined;
}

/** A record of a page, from the socket (`id`) or by HTTP (`recordId`); undefined if it is malformed. */
export function fromRecord(collection: string, record: unknown): Change | undefined {
  if (!isObject(record)) return undefined;
  const { version, data, updatedAt, editedAt, recordId = record.id } = record;
  if (typeof recordId !== 'string' || typeof version !== 'number') return undefined;
  const base = { collection, recordId, version, ...times(updatedAt, editedAt) };
  if (data === null || record.deleted) return { type: 'delete', ...base, ...(record.hidden === true && OUT_OF_SIGHT) };
  // Pulls do not tell insert from update; core does, by what it has.
  return isObject(data) ? { type: 'update', ...base, data } : undefined;
}

/** What comes with a page's records, by the socket as by HTTP. */
export interface PageInfo {
  readonly seq?: number;
  readonly snapshot?: true;
  readonly snapshotSeq?: number;
  /** The server's clock. */
  readonly timestamp?: string | undefined;
}

/** A page, and whether it is the end: one without a change that can be read need not be. */
export type CountedPage = PullPage & { readonly ended: boolean };

/** A page of a server that counts changes. `skipped` is told of malformed records. */
export function toPage(
  collection: string,
  records: unknown,
  from: SeqCursor,
  { seq = from.seq, snapshot, snapshotSeq, timestamp }: PageInfo,
  skipped: (error: SyncLayerError) => void,
): CountedPage {
  if (!Array.isArray(records)) throw problem('PROTOCOL_VIOLATION', `A page of "${collection}" has no records.`);
  const changes = records.flatMap((record) => {
    const change = fromRecord(collection, record);
    if (!change) skipped(problem('PROTOCOL_VIOLATION', `A record of "${collection}" is malformed; it was skipped.`));
    return change ?? [];
  });
  const ended = records.length === 0;
  // Where nothing of a page can be read its cursor leads on; one that does not would be asked for again and again.
  if (changes.length === 0 && !ended && seq <= from.seq)
    throw problem('PROTOCOL_VIOLATION', `No record of a page of "${collection}" can be read, nor where it ends.`);
  const time = parsed(timestamp);
  return {
    changes,
    ended,
    cursor: snapshot && !ended ? { seq, snapshot: snapshotSeq ?? true } : { seq },
    ...(snapshot && { snapshot }),
    ...(changes.length < records.length && { incomplete: true as const }),
    ...(time !== undefined && { serverTime: time }),
  };
}

/** A push as a frame: only what changed, for an update. */
export function toWrite(change: OutgoingChange): WriteMessage {
  const { type, collection, recordId, opId, data, patch, unset, baseVersion, timestamp } = change;
  const body = type === 'update' ? (patch ?? data) : data;
  return {
    type,
    collection,
    recordId,
    ...(body && { data: body }),
    timestamp: new Date(timestamp).toISOString(),
    // Versions of another backend are strings; as a number that no record has they make a conflict, which is right.
    metadata: { opId, baseVersion: typeof baseVersion === 'string' ? 0 : baseVersion, ...(unset && { unset }) },
  };
}

/** The server's answer to one push; undefined: none came, though others did. */
export function toResult(answer: Answer | undefined): PushResult {
  if ((answer?.type === 'ack' || answer?.type === 'conflict') && typeof answer.metadata?.version === 'number') {
    const { type, data, timestamp, metadata } = answer;
    const { version, editedAt, hidden } = metadata as ConflictMessage['metadata'];
    const state = { version, ...times(timestamp, editedAt) };
    if (type === 'conflict')
      return { type, current: { data: isObject(data) ? data : null, ...state, ...(hidden && { hidden }) } };
    // Null: it was applied before, and is gone by now.
    return { type: 'applied', ...state, ...((isObject(data) || data === null) && { data }) };
  }
  if (answer?.type !== 'error') {
    const what = answer ? 'answered an edit with a malformed frame' : 'did not answer an edit';
    return { type: 'retry', error: problem('PROTOCOL_VIOLATION', `The server ${what}.`) };
  }
  const error = toError(answer, 'An edit was not accepted');
  return { type: error.code === 'PUSH_REJECTED' ? 'rejected' : 'retry', error };
}

/**
 * The server's answers to a whole push.
 *
 * @throws SyncLayerError AUTH_REQUIRED where it speaks of the token, and the first failure of its own where it took none: nobody
 * knows then whether the writes are to blame.
 */
export function toResults(answers: readonly (Answer | undefined)[]): PushResult[] {
  const results = answers.map(toResult);
  const failures = results.flatMap((result) => (result.type === 'retry' ? [result.error] : []));
  const ofAll = failures.find(({ code }) => code === 'AUTH_REQUIRED');
  const taken = results.some(({ type }) => type === 'applied' || type === 'conflict');
  const error = ofAll ?? (taken ? undefined : failures.find(({ details }) => details.unclear));
  if (error) throw error;
  return results;
}

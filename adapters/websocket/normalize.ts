import {
  type AckMessage,
  type Change,
  type ConflictMessage,
  type Cursor,
  type ErrorMessage,
  type EventMessage,
  type OutgoingChange,
  type PullPage,
  type PushResult,
  type RestRecord,
  SyncLayerError,
  type WireErrorCode,
  type WireRecord,
  type WriteMessage,
} from '../../src/adapter-kit.js';

const ms = (iso: string | undefined): { timestamp: number } | undefined => {
  const timestamp = iso === undefined ? Number.NaN : Date.parse(iso);
  return Number.isNaN(timestamp) ? undefined : { timestamp };
};

/** A live event of a server with sequence numbers; undefined if it has none (the original protocol) or is no event. */
export function fromEvent({ type, collection, recordId, data, timestamp, metadata }: EventMessage): Change | undefined {
  const version = metadata?.version ?? metadata?.seq;
  if (typeof version !== 'number' || typeof recordId !== 'string') return undefined;
  const base = { collection, recordId, version, ...ms(timestamp) };
  if (type === 'delete') return { type, ...base };
  return data ? { type, ...base, data } : undefined;
}

/** A record of a pull page. Pulls do not tell insert from update; core does, by what it has. */
export function fromRecord(collection: string, record: WireRecord | RestRecord): Change {
  const recordId = 'recordId' in record ? record.recordId : record.id;
  const base = { collection, recordId, version: record.version, ...ms(record.updatedAt) };
  return record.data === null || record.deleted
    ? { type: 'delete', ...base }
    : { type: 'update', ...base, data: record.data };
}

/**
 * A record of the original protocol. Its version numbers restart when a record is created again, and examples of that
 * protocol answer 1 for ever: the server's time orders its records, the number only breaks ties.
 */
export function fromOriginalRecord(collection: string, record: RestRecord): Change {
  const time = ms(record.updatedAt)?.timestamp ?? 0;
  const tie = String(record.version ?? 0).padStart(10, '0');
  const version = `${new Date(time).toISOString()}#${tie}`;
  return { type: 'update', collection, recordId: record.recordId, version, timestamp: time, data: record.data ?? {} };
}

/** The number in a version that `fromOriginalRecord` made, for `baseVersion`. */
export const originalVersion = (version: unknown): number => Number(String(version).split('#')[1] ?? 0);

/** Where a pull from a server with sequence numbers stands. */
export interface SeqCursor {
  readonly seq: number;
  readonly snapshot?: number | true;
}

export const seqCursor = (cursor: Cursor | null): SeqCursor => {
  const { seq, snapshot } = (cursor ?? {}) as Partial<SeqCursor>;
  return { seq: typeof seq === 'number' ? seq : 0, ...(snapshot !== undefined && { snapshot }) };
};

interface PageInfo {
  readonly seq?: number;
  readonly snapshot?: true;
  readonly snapshotSeq?: number;
}

export function toPage(
  changes: readonly Change[],
  from: SeqCursor,
  info: PageInfo,
  serverTime: string | undefined,
): PullPage {
  const time = ms(serverTime)?.timestamp;
  const seq = info.seq ?? from.seq;
  const ended = changes.length === 0;
  return {
    changes,
    cursor: info.snapshot && !ended ? { seq, snapshot: info.snapshotSeq ?? true } : { seq },
    ...(info.snapshot && { snapshot: true }),
    ...(time !== undefined && { serverTime: time }),
  };
}

/** A push as a frame: only what changed, for an update. */
export function toWrite({
  type,
  collection,
  recordId,
  opId,
  data,
  patch,
  unset,
  baseVersion,
  timestamp,
}: OutgoingChange): WriteMessage {
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

/** Codes that another attempt can cure. */
const passing: readonly (WireErrorCode | undefined)[] = ['RATE_LIMIT_EXCEEDED', 'SERVER_ERROR'];

export function toError({ error, code, metadata }: ErrorMessage, what: string): SyncLayerError {
  const details = { serverCode: code, ...metadata };
  const text = `${what}: the server answered ${code ?? 'an error'}: ${error}`;
  if (code === 'AUTH_FAILED') return new SyncLayerError('AUTH_REQUIRED', text, { adapter: 'websocket', details });
  if (passing.includes(code)) return new SyncLayerError('CONNECTION_LOST', text, { adapter: 'websocket', details });
  return new SyncLayerError('PUSH_REJECTED', text, { adapter: 'websocket', details });
}

/** The server's answer to one push. */
export function toResult(answer: AckMessage | ConflictMessage | ErrorMessage): PushResult {
  if (answer.type === 'ack') {
    const { data, timestamp, metadata } = answer;
    return { type: 'applied', version: metadata.version, ...(data && { data }), ...ms(timestamp) };
  }
  if (answer.type === 'conflict') {
    return {
      type: 'conflict',
      current: { data: answer.data, version: answer.metadata.version, ...ms(answer.timestamp) },
    };
  }
  const error = toError(answer, 'An edit was not accepted');
  return { type: error.code === 'PUSH_REJECTED' ? 'rejected' : 'retry', error };
}

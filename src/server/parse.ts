import type { Row } from '../base/change.js';
import { jsonFault } from '../base/json-fault.js';
import type { AuthMessage, ErrorMessage, PingMessage, UnsubscribeMessage, WireFilter } from '../base/protocol.js';
import type { Write } from './write-rules.js';

export interface Subscribe {
  readonly type: 'subscribe';
  readonly collection: string;
  readonly requestId?: string;
  readonly since?: number;
  readonly limit?: number;
  readonly filter?: WireFilter;
  /** Where the snapshot that is being paged began; 0 if the client does not say. */
  readonly snapshot?: number;
  /** Only which records there are. */
  readonly keys?: true;
}

export type Incoming = AuthMessage | Subscribe | UnsubscribeMessage | Write | PingMessage;

/** What is wrong with a message, in words for its sender, and where the answer belongs. */
export interface Invalid {
  readonly type: 'invalid';
  readonly reason: string;
  readonly metadata?: NonNullable<ErrorMessage['metadata']>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Longest id or collection name, in UTF-16 code units. */
const MAX_NAME = 1000;

/** Each is looked at for every row and change. */
const MAX_CONDITIONS = 100;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Why a parsed JSON value may not be stored or merged; undefined if it may. The rule that `save()` has for rows, one level up. */
export function unsafeReason(value: unknown): string | undefined {
  const fault = jsonFault(value, -1);
  return fault && `it${fault}`;
}

/** Why a string cannot name a record or a collection; undefined if it can. */
export function badName(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return 'must be a non-empty string';
  if (value.length > MAX_NAME) return `is longer than ${MAX_NAME} characters`;
  // Both would come back from a database as another name.
  if (value.includes('\0') || !value.isWellFormed()) return 'must be well-formed text';
  return undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const shortString = (value: unknown): string | undefined => (badName(value) ? undefined : (value as string));

type Origin = NonNullable<ErrorMessage['metadata']>;

/** What the sender needs to tell which of its messages was refused. */
function origin(message: Fields): Origin {
  const meta = isFields(message.metadata) ? message.metadata : {};
  const named = {
    opId: shortString(meta.opId),
    requestId: shortString(meta.requestId),
    collection: shortString(message.collection),
    recordId: shortString(message.recordId),
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/** The same of a message that was understood. */
export const originOf = (message: Incoming): Origin => origin({ ...message, metadata: message });

function parseFilter(value: unknown): WireFilter | string {
  if (!isFields(value)) return 'filter must be an object';
  const where = value.where;
  if (where === undefined) return {};
  if (!isFields(where)) return 'filter.where must be an object';
  return Object.keys(where).length > MAX_CONDITIONS ? `filter.where has more than ${MAX_CONDITIONS} fields` : { where };
}

function parseSubscribe(collection: string, meta: Fields): Subscribe | string {
  const { since, limit, requestId, snapshot } = meta;
  if (since !== undefined && !isCount(since)) return 'metadata.since must be a whole number, 0 or more';
  if (limit !== undefined && (!isCount(limit) || limit === 0)) return 'metadata.limit must be a whole number above 0';
  if (requestId !== undefined && badName(requestId)) return `metadata.requestId ${badName(requestId)}`;
  if (snapshot !== undefined && snapshot !== true && !isCount(snapshot))
    return 'metadata.snapshot must be a sequence number or true';
  const filter = meta.filter == null ? undefined : parseFilter(meta.filter);
  if (typeof filter === 'string') return `metadata.${filter}`;
  return {
    type: 'subscribe',
    collection,
    ...(since !== undefined && { since }),
    ...(limit !== undefined && { limit }),
    ...(requestId !== undefined && { requestId: requestId as string }),
    ...(filter && { filter }),
    ...(snapshot !== undefined && { snapshot: snapshot === true ? 0 : snapshot }),
    ...(meta.keys === true && { keys: true }),
  };
}

function parseWrite(type: Write['type'], collection: string, message: Fields, meta: Fields): Write | string {
  const { recordId } = message;
  const editedAt = Date.parse(String(message.timestamp));
  const { opId, baseVersion, unset = [] } = meta;
  const data = message.data ?? undefined;
  if (badName(recordId)) return `recordId ${badName(recordId)}`;
  if (opId !== undefined && badName(opId)) return `metadata.opId ${badName(opId)}`;
  if (baseVersion != null && !isCount(baseVersion)) return 'metadata.baseVersion must be a whole number or null';
  if (!isStrings(unset)) return 'metadata.unset must be a list of field names';
  if (data !== undefined && !isFields(data)) return 'data must be an object';
  if (data === undefined && (type === 'insert' || (type === 'update' && unset.length === 0)))
    return `${type} needs data, an object with the record's fields`;
  return {
    type,
    collection,
    recordId: recordId as string,
    data: (type === 'delete' ? undefined : (data as Row | undefined)) ?? {},
    unset: type === 'update' ? unset : [],
    // Original clients send a version that the protocol never compared: only a write with `opId` is compare-and-set.
    // And their clocks are not corrected to ours.
    ...(opId !== undefined && {
      opId: opId as string,
      ...(baseVersion !== undefined && { baseVersion }),
      ...(!Number.isNaN(editedAt) && { editedAt }),
    }),
  };
}

function parseFields(message: Fields): Incoming | string {
  const { type, collection } = message;
  const meta = message.metadata ?? {};
  if (!isFields(meta)) return 'metadata must be an object';
  switch (type) {
    case 'ping':
      return { type };
    case 'auth':
      return typeof message.token === 'string' ? { type, token: message.token } : 'token must be a string';
    case 'subscribe':
    case 'unsubscribe':
    case 'insert':
    case 'update':
    case 'delete': {
      if (badName(collection)) return `collection ${badName(collection)}`;
      const name = collection as string;
      if (type === 'unsubscribe') return { type, collection: name };
      return type === 'subscribe' ? parseSubscribe(name, meta) : parseWrite(type, name, message, meta);
    }
    default:
      return typeof type === 'string' ? `Unknown message type: ${type.slice(0, 50)}` : 'type must be a string';
  }
}

/** A message that is JSON already, checked. */
export function parseMessage(value: unknown): Incoming | Invalid {
  if (!isFields(value)) return { type: 'invalid', reason: 'A message must be a JSON object' };
  const unsafe = unsafeReason(value);
  const parsed = unsafe ? `Refused: ${unsafe}` : parseFields(value);
  return typeof parsed === 'string' ? { type: 'invalid', reason: parsed, metadata: origin(value) } : parsed;
}

/** The text of a frame, checked. */
export function parseFrame(text: string): Incoming | Invalid {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: 'invalid', reason: 'The message is not valid JSON' };
  }
  return parseMessage(value);
}

/** A write in a REST batch, checked. */
export function parseBatchItem(value: unknown): Write | Invalid {
  const parsed = parseMessage(value);
  if (parsed.type === 'insert' || parsed.type === 'update' || parsed.type === 'delete') {
    if (parsed.opId !== undefined) return parsed;
    return { type: 'invalid', reason: 'Each change of a batch needs metadata.opId', metadata: origin(value as Fields) };
  }
  if (parsed.type === 'invalid') return parsed;
  return {
    type: 'invalid',
    reason: 'A batch holds inserts, updates and deletes only',
    metadata: origin(value as Fields),
  };
}

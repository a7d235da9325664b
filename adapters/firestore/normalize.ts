import { type Change, deepEqual, type Row, type Version } from '../../src/adapter-kit/kit.js';
import { noted } from '../../src/adapter-kit/marks.js';
import { idOf, type Table } from './table.js';

/** What is used of Firestore's `Timestamp`. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/;

/** 0001-01-01, the first time that Firestore knows. */
export const FIRST: Time = { seconds: -62_135_596_800, nanoseconds: 0 };

/** A time as text that sorts: `2026-01-02T03:04:05.123456000Z`. Only whole seconds go through `Date`, which has no more than ms. */
export const stampOf = ({ seconds, nanoseconds }: Time): string =>
  `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, '0')}Z`;

/** The stamp of a time in ms since 1970. */
export const stampOfMs = (ms: number): string => {
  const seconds = Math.floor(ms / 1000);
  return stampOf({ seconds, nanoseconds: Math.floor(ms - seconds * 1000) * 1e6 });
};

/** The time of a stamp; undefined: it is none, such as a version that another backend made. */
export function timeOf(stamp: Version | null): Time | undefined {
  const [, second, nanoseconds] = (typeof stamp === 'string' && STAMP.exec(stamp)) || [];
  const ms = Date.parse(`${second}Z`);
  return Number.isNaN(ms) ? undefined : { seconds: ms / 1000, nanoseconds: Number(nanoseconds) };
}

/** Milliseconds since 1970. */
export const msOf = ({ seconds, nanoseconds }: Time): number => seconds * 1000 + Math.floor(nanoseconds / 1e6);

/** So many ms earlier, but never before the first time. */
export function earlier(time: Time, ms: number): Time {
  const at = time.seconds * 1000 - ms;
  const seconds = Math.floor(at / 1000);
  return seconds < FIRST.seconds ? FIRST : { seconds, nanoseconds: time.nanoseconds };
}

/**
 * Above every stamp. A listener does not say which version of a document was deleted, and the one it has seen may be older than
 * the one that a read has.
 */
export const DELETED = '~';

/** How a field looks in a row, instead of a tagged object. */
export type FieldType = 'timestamp' | 'geoPoint' | 'bytes' | 'reference' | 'vector';

/** A value that JSON does not have, as a row holds it: `{ type: 'firestore/timestamp/1.0', seconds, nanoseconds }`. */
interface Tagged {
  readonly type: `firestore/${string}/1.0`;
  readonly [part: string]: unknown;
}

/** Every `type` that a row can hold. */
export const TAGS: readonly string[] = [
  'timestamp',
  'geoPoint',
  'bytes',
  'documentReference',
  'vectorValue',
  'double',
  'literal',
].map((kind) => `firestore/${kind}/1.0`);

const tag = (kind: string, parts: Readonly<Record<string, unknown>>): Tagged => ({
  type: `firestore/${kind}/1.0`,
  ...parts,
});

export type Parts = { readonly [part: string]: unknown };
export const isObject = (value: unknown): value is Parts => typeof value === 'object' && value !== null;
export const isNumber = (value: unknown): value is number => typeof value === 'number';
export const isString = (value: unknown): value is string => typeof value === 'string';
const isFunction = (value: unknown): boolean => typeof value === 'function';

/** Without `__proto__` being what it is in an object literal. */
export const mapFields = (map: Parts, change: (value: unknown) => unknown): Row =>
  Object.fromEntries(Object.entries(map).map(([field, value]) => [field, change(value)]));

const LOST_NUMBERS: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** The number that a tag stands for. */
export const lostNumber = (json: unknown): number | undefined =>
  isObject(json) && json.type === 'firestore/double/1.0' ? LOST_NUMBERS.get(json.value as string) : undefined;

function fromNumber(value: number): unknown {
  const [name] = [...LOST_NUMBERS].find(([, lost]) => Object.is(lost, value)) ?? [];
  return name === undefined ? value : tag('double', { value: name });
}

/**
 * A value of the SDK's own classes, tagged. By what they can do: their names are minified, and two copies of the SDK on a page
 * would fail `instanceof`.
 */
function fromClass(value: Parts): Tagged | undefined {
  if (isFunction(value.toMillis)) return tag('timestamp', { seconds: value.seconds, nanoseconds: value.nanoseconds });
  if (isFunction(value.toBase64)) return tag('bytes', { bytes: (value.toBase64 as () => string)() });
  if (isNumber(value.latitude)) return tag('geoPoint', { latitude: value.latitude, longitude: value.longitude });
  if (isString(value.path)) return tag('documentReference', { referencePath: value.path });
  // A vector's numbers may be NaN or infinite.
  if (isFunction(value.toArray))
    return tag('vectorValue', { vectorValues: (value.toArray as () => number[])().map(fromNumber) });
  return undefined;
}

/** A map of the user's own that would be taken for something tagged. */
export const looksTagged = (map: Parts): boolean => isString(map.type) && /^firestore\/\w+\/1\.0$/.test(map.type);

const literal = (value: unknown): Tagged => tag('literal', { value });

/** A value from Firestore as JSON. */
export function toJson(value: unknown): unknown {
  if (isNumber(value)) return fromNumber(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (!isObject(value)) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    const tagged = fromClass(value);
    if (tagged) return tagged;
  }
  const fields = mapFields(value, toJson);
  return looksTagged(value) ? literal(fields) : fields;
}

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
/** A collection and a document, and so on. */
const PATH = /^[^/]+\/[^/]+(?:\/[^/]+\/[^/]+)*$/;
export const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;

/** How a field of a type looks in a row: plainly. Undefined: the value is of another type, and keeps its tag. */
const plain: Readonly<Record<FieldType, (tagged: Parts) => unknown>> = {
  timestamp: ({ type, seconds, nanoseconds }) => {
    if (type !== 'firestore/timestamp/1.0') return undefined;
    const fraction = String(nanoseconds).padStart(9, '0').replace(/0+$/, '');
    return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${fraction && `.${fraction}`}Z`;
  },
  geoPoint: ({ type, latitude, longitude }) =>
    type === 'firestore/geoPoint/1.0' ? { latitude, longitude } : undefined,
  bytes: ({ type, bytes }) => (type === 'firestore/bytes/1.0' ? bytes : undefined),
  reference: ({ type, referencePath }) => (type === 'firestore/documentReference/1.0' ? referencePath : undefined),
  vector: ({ type, vectorValues }) => (type === 'firestore/vectorValue/1.0' ? vectorValues : undefined),
};

/** Whether a value of a row is written like that, plainly. */
export const isPlain: Readonly<Record<FieldType, (json: unknown) => boolean>> = {
  timestamp: (json) => isString(json) && ISO.test(json) && !Number.isNaN(Date.parse(json)),
  geoPoint: (json) =>
    isObject(json) && Object.keys(json).length === 2 && isNumber(json.latitude) && isNumber(json.longitude),
  bytes: (json) => isString(json) && BASE64.test(json),
  reference: (json) => isString(json) && PATH.test(json),
  vector: (json) => Array.isArray(json) && json.every((each) => isNumber(each) || lostNumber(each) !== undefined),
};

/** A field as a row shows it. */
export function fieldToJson(value: unknown, type?: FieldType): unknown {
  const json = toJson(value);
  if (type === undefined) return json;
  const bare = isObject(json) && looksTagged(json) ? plain[type](json) : undefined;
  if (bare !== undefined) return bare;
  // What would come back as that type though it is not: a text in a field of timestamps.
  return isPlain[type](json) ? literal(json) : json;
}

/** A document as the SDK gives it. */
export interface Found {
  readonly id: string;
  readonly ref: { readonly path: string };
  data(): Readonly<Record<string, unknown>>;
}

const isTime = (value: unknown): value is Time =>
  typeof value === 'object' && value !== null && 'seconds' in value && 'nanoseconds' in value && 'toMillis' in value;

/** A document as a change; undefined if its `updatedAt` is no timestamp. */
export function fromDocument(table: Table, found: Found): Exclude<Change, { type: 'insert' }> | undefined {
  const { collection, updatedAt, deletedAt, opId, editedAt, own, typeOf } = table;
  const fields = found.data();
  const at = fields[updatedAt];
  if (!isTime(at)) return undefined;
  const recordId = idOf(table, found);
  const edited = editedAt === undefined ? undefined : fields[editedAt];
  const notes = noted(opId && fields[opId], isTime(edited) ? msOf(edited) : undefined, msOf(at));
  // The time is what its writer made of it. What a read or a listener shows is what is there, however old that says it is.
  const place = { collection, recordId, current: true } as const;
  const base = { ...place, version: stampOf(at), timestamp: msOf(at), ...notes };
  if (deletedAt !== undefined && (fields[deletedAt] ?? null) !== null) return { type: 'delete', ...base };
  const entries = Object.entries(fields)
    .filter(([field]) => !own.includes(field))
    .map(([field, value]): [string, unknown] => [field, fieldToJson(value, typeOf(field))]);
  // Firestore does not tell insert from update; core does, by what it has.
  return { type: 'update', ...base, data: { ...Object.fromEntries(entries), id: recordId } };
}

/** A document that is gone, or that left the collection's conditions. */
export const gone = (table: Table, found: Found): Change => ({
  type: 'delete',
  collection: table.collection,
  recordId: idOf(table, found),
  version: DELETED,
  inferred: true,
});

/** Whether a row has all that we sent: then the push came through and its answer was lost, or somebody else wrote the same. */
export const holds = (data: Row, sent: Row, unset: readonly string[]): boolean =>
  Object.entries(sent).every(([field, value]) => deepEqual(value, data[field])) &&
  unset.every((field) => !Object.hasOwn(data, field));

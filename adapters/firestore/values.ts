import type { Row } from '../../src/kit.js';

/** How a field looks in a row, instead of a tagged object. */
export type FieldType = 'timestamp' | 'geoPoint' | 'bytes' | 'reference' | 'vector';

/** Makes the values that JSON does not have. The SDK's own classes, or others in a test. */
export interface ValueMaker {
  timestamp(seconds: number, nanoseconds: number): unknown;
  geoPoint(latitude: number, longitude: number): unknown;
  /** From base64. */
  bytes(base64: string): unknown;
  reference(path: string): unknown;
  vector(values: readonly number[]): unknown;
}

/** A value that JSON does not have, as a row holds it: `{ type: 'firestore/timestamp/1.0', seconds, nanoseconds }`. */
interface Tagged {
  readonly type: `firestore/${string}/1.0`;
  readonly [part: string]: unknown;
}

const tag = (kind: string, parts: Readonly<Record<string, unknown>>): Tagged => ({
  type: `firestore/${kind}/1.0`,
  ...parts,
});

type Parts = { readonly [part: string]: unknown };
const isObject = (value: unknown): value is Parts => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isString = (value: unknown): value is string => typeof value === 'string';
const isFunction = (value: unknown): boolean => typeof value === 'function';
const areNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isNumber);

/** Without `__proto__` being what it is in an object literal. */
const mapFields = (map: Parts, change: (value: unknown) => unknown): Row =>
  Object.fromEntries(Object.entries(map).map(([field, value]) => [field, change(value)]));

const LOST_NUMBERS: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

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
const looksTagged = (map: Parts): boolean => isString(map.type) && /^firestore\/\w+\/1\.0$/.test(map.type);

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

/** What a tag means; undefined: it is not one of ours after all. */
function fromTag({ type, ...parts }: Parts, make: ValueMaker): { readonly value: unknown } | undefined {
  const { seconds, nanoseconds, latitude, longitude, bytes, referencePath, vectorValues, value } = parts;
  switch (type) {
    case 'firestore/timestamp/1.0':
      return isNumber(seconds) && isNumber(nanoseconds) ? { value: make.timestamp(seconds, nanoseconds) } : undefined;
    case 'firestore/geoPoint/1.0':
      return isNumber(latitude) && isNumber(longitude) ? { value: make.geoPoint(latitude, longitude) } : undefined;
    case 'firestore/bytes/1.0':
      return isString(bytes) ? { value: make.bytes(bytes) } : undefined;
    case 'firestore/documentReference/1.0':
      return isString(referencePath) ? { value: make.reference(referencePath) } : undefined;
    case 'firestore/vectorValue/1.0': {
      const numbers = Array.isArray(vectorValues) ? vectorValues.map((each) => fromJson(each, make)) : undefined;
      return areNumbers(numbers) ? { value: make.vector(numbers) } : undefined;
    }
    case 'firestore/double/1.0':
      return isString(value) && LOST_NUMBERS.has(value) ? { value: LOST_NUMBERS.get(value) } : undefined;
    case 'firestore/literal/1.0':
      return { value: unmarked(value, make) };
    default:
      return undefined;
  }
}

/** A value that is no tag itself, whatever it looks like. */
function unmarked(json: unknown, make: ValueMaker): unknown {
  if (Array.isArray(json)) return json.map((each) => fromJson(each, make));
  return isObject(json) ? mapFields(json, (each) => fromJson(each, make)) : json;
}

/** A JSON value as Firestore stores it. What the maker throws of parts out of range comes through. */
export function fromJson(json: unknown, make: ValueMaker): unknown {
  const known = isObject(json) && looksTagged(json) ? fromTag(json, make) : undefined;
  return known ? known.value : unmarked(json, make);
}

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
/** A collection and a document, and so on. */
const PATH = /^[^/]+\/[^/]+(?:\/[^/]+\/[^/]+)*$/;
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;

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

/** The way back. Undefined: it is not written like that. */
const typed: Readonly<Record<FieldType, (json: unknown, make: ValueMaker) => unknown>> = {
  timestamp: (json, make) => {
    const [, second, fraction = ''] = (isString(json) && ISO.exec(json)) || [];
    const ms = Date.parse(`${second}Z`);
    return Number.isNaN(ms) ? undefined : make.timestamp(ms / 1000, Number(fraction.padEnd(9, '0')));
  },
  geoPoint: (json, make) => {
    if (!isObject(json) || Object.keys(json).length !== 2) return undefined;
    const { latitude, longitude } = json;
    return isNumber(latitude) && isNumber(longitude) ? make.geoPoint(latitude, longitude) : undefined;
  },
  bytes: (json, make) => (isString(json) && BASE64.test(json) ? make.bytes(json) : undefined),
  reference: (json, make) => (isString(json) && PATH.test(json) ? make.reference(json) : undefined),
  vector: (json, make) => {
    const numbers = Array.isArray(json) ? json.map((each) => fromJson(each, make)) : undefined;
    return areNumbers(numbers) ? make.vector(numbers) : undefined;
  },
};

/** Makes nothing: only to see whether something would be made. */
const nothing: ValueMaker = {
  timestamp: () => true,
  geoPoint: () => true,
  bytes: () => true,
  reference: () => true,
  vector: () => true,
};

/** A field as a row shows it. */
export function fieldToJson(value: unknown, type?: FieldType): unknown {
  const json = toJson(value);
  if (type === undefined) return json;
  const bare = isObject(json) && looksTagged(json) ? plain[type](json) : undefined;
  if (bare !== undefined) return bare;
  // What would come back as that type though it is not: a text in a field of timestamps.
  return typed[type](json, nothing) === undefined ? json : literal(json);
}

/** A field of a row as Firestore stores it. */
export function fieldFromJson(json: unknown, type: FieldType | undefined, make: ValueMaker): unknown {
  return (type && typed[type](json, make)) ?? fromJson(json, make);
}

import type { Client } from './link.js';
import {
  type FieldType,
  ISO,
  isNumber,
  isObject,
  isPlain,
  isString,
  looksTagged,
  lostNumber,
  mapFields,
  type Parts,
} from './normalize.js';

/** Makes the values that JSON does not have. The SDK's own classes, or others in a test. */
export interface ValueMaker {
  timestamp(seconds: number, nanoseconds: number): unknown;
  geoPoint(latitude: number, longitude: number): unknown;
  /** From base64. */
  bytes(base64: string): unknown;
  reference(path: string): unknown;
  vector(values: readonly number[]): unknown;
}

/** The SDK's own. */
export const makerOf = ({ sdk, db }: Client): ValueMaker => ({
  timestamp: (seconds, nanoseconds) => new sdk.Timestamp(seconds, nanoseconds),
  geoPoint: (latitude, longitude) => new sdk.GeoPoint(latitude, longitude),
  bytes: (base64) => sdk.Bytes.fromBase64String(base64),
  reference: (path) => sdk.doc(db, path),
  vector: (values) => sdk.vector([...values]),
});

const areNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isNumber);

/** What a tag means; undefined: it is not one of ours after all. */
function fromTag(tagged: Parts, make: ValueMaker): { readonly value: unknown } | undefined {
  const { type, seconds, nanoseconds, latitude, longitude, bytes, referencePath, vectorValues, value } = tagged;
  const lost = lostNumber(tagged);
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
      return lost === undefined ? undefined : { value: lost };
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

const typed: Readonly<Record<FieldType, (json: never, make: ValueMaker) => unknown>> = {
  timestamp: (json: string, make) => {
    const [, second, fraction = ''] = ISO.exec(json) ?? [];
    return make.timestamp(Date.parse(`${second}Z`) / 1000, Number(fraction.padEnd(9, '0')));
  },
  geoPoint: ({ latitude, longitude }: { latitude: number; longitude: number }, make) =>
    make.geoPoint(latitude, longitude),
  bytes: (json: string, make) => make.bytes(json),
  reference: (json: string, make) => make.reference(json),
  vector: (json: readonly unknown[], make) => make.vector(json.map((each) => lostNumber(each) ?? Number(each))),
};

/** A field of a row as Firestore stores it. */
export const fieldFromJson = (json: unknown, type: FieldType | undefined, make: ValueMaker): unknown =>
  type && isPlain[type](json) ? typed[type](json as never, make) : fromJson(json, make);

import type { Row } from '../../base/change.js';
import { pathReader } from '../../base/json.js';
import type { Sees } from '../access.js';
import type { ServerStore, StoredRecord } from '../store.js';

/** The original `GET /sync/:collection`: live records by time, with an offset. */
export interface LegacyQuery {
  /** ms since 1970 */
  readonly changedFrom: number;
  readonly limit: number;
  readonly offset: number;
  readonly where: readonly (readonly [path: string, value: string])[];
  readonly fields?: readonly string[];
  readonly excludeFields?: readonly string[];
}

const HALF_A_DAY = 14 * 60 * 60 * 1000;

/**
 * The time that `since` names, ms since 1970; undefined if it is none. Dart writes a local time without its zone. The
 * zone may be up to 14 hours east of us, so we step back as far: what is sent twice does no harm, what is missed does.
 */
export function parseSince(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text);
  const time = Date.parse(zoned || !text.includes('T') ? text : `${text}Z`);
  if (Number.isNaN(time)) return undefined;
  return zoned ? time : time - HALF_A_DAY;
}

/** Whether a value is what the client's language printed as `text`: Dart prints 1.0 where JSON has 1. */
function printsAs(value: unknown, text: string): boolean {
  if (String(value ?? null) === text) return true;
  return typeof value === 'number' && text.trim() !== '' && Number(text) === value;
}

const list = (text: string | null): string[] | undefined =>
  text
    ?.split(',')
    .map((field) => field.trim())
    .filter(Boolean);

const count = (text: string | null, otherwise: number): number | undefined => {
  if (text === null) return otherwise;
  return /^\d+$/.test(text) ? Number(text) : undefined;
};

/** The query of an original client; a text says what is wrong with it. */
export function parseLegacyQuery(params: URLSearchParams, pageSize: number): LegacyQuery | string {
  const since = params.get('since');
  const changedFrom = since === null ? 0 : parseSince(since);
  const limit = count(params.get('limit'), pageSize);
  const offset = count(params.get('offset'), 0);
  if (changedFrom === undefined) return 'since must be an ISO 8601 time or ms since 1970';
  if (limit === undefined || offset === undefined) return 'limit and offset must be whole numbers';
  const where = [...params].flatMap(([key, value]) => {
    const path = /^where\[(.+)\]$/.exec(key)?.[1];
    return path === undefined ? [] : [[path, value] as const];
  });
  const fields = list(params.get('fields'));
  const excludeFields = list(params.get('excludeFields'));
  return {
    changedFrom,
    limit: Math.min(limit, pageSize),
    offset,
    where,
    ...(fields && { fields }),
    ...(excludeFields && { excludeFields }),
  };
}

export function legacyPull(
  store: ServerStore,
  collection: string,
  { changedFrom, limit, offset, where, fields, excludeFields }: LegacyQuery,
  sees: Sees | undefined,
): { record: StoredRecord; data: Row }[] {
  const tests = where.map(([path, text]) => ({ read: pathReader(path), text }));
  const wanted = (key: string) => (fields ? fields.includes(key) : !excludeFields?.includes(key));
  const found: { record: StoredRecord; data: Row }[] = [];
  if (limit === 0) return found;
  let skip = offset;
  for (const record of store.page(collection, { after: 0, limit: Number.MAX_SAFE_INTEGER, changedFrom })) {
    const { id, data } = record;
    if (!data || (sees && !sees(id, data))) continue;
    if (!tests.every(({ read, text }) => printsAs(read(data), text))) continue;
    if (skip-- > 0) continue;
    const whole = !fields && !excludeFields;
    found.push({
      record,
      data: whole ? data : Object.fromEntries(Object.entries(data).filter(([key]) => wanted(key))),
    });
    if (found.length >= limit) break;
  }
  return found;
}

import type { Change, OutgoingChange, Row } from './kit.js';
import { isSame } from './postgres-outcome.js';
import { fieldsOf } from './push-fields.js';

type Scalar = string | number;

const isScalar = (value: unknown): value is Scalar => typeof value === 'string' || typeof value === 'number';
const isList = (value: unknown): value is readonly Scalar[] => Array.isArray(value) && value.every(isScalar);

/** Longer texts are of no type that a database writes its own way, and make long conditions. */
const LONGEST = 200;

/**
 * What was sent and is shown otherwise by the row that is there, if a database may have written it so by itself: `10:00` as
 * `10:00:00`, `[1,5]` as `[1,6)`, 1.005 as 1.01. Undefined: something else was written, or nothing is in doubt.
 */
export function inDoubt(change: OutgoingChange, row: Change | undefined): Row | undefined {
  if (!row || row.type === 'delete' || change.type === 'delete') return undefined;
  const { data } = row;
  const unlike = Object.entries(fieldsOf(change)).filter(
    ([field, sent]) => field !== 'id' && !isSame(sent, data[field]),
  );
  const possible = ([field, sent]: [string, unknown]): boolean => {
    const stored = data[field];
    const alike =
      (isScalar(sent) && isScalar(stored)) || (isList(sent) && isList(stored) && sent.length === stored.length);
    return alike && String(sent).length <= LONGEST;
  };
  return unlike.length > 0 && unlike.every(possible) ? Object.fromEntries(unlike) : undefined;
}

/** A list as PostgreSQL writes an array. */
export const arrayLiteral = (list: readonly unknown[]): string =>
  `{${list
    .map((each) =>
      Array.isArray(each)
        ? arrayLiteral(each)
        : each === null || each === undefined
          ? 'NULL'
          : `"${String(each).replace(/["\\]/g, '\\$&')}"`,
    )
    .join(',')}}`;

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** A number by its digits, as so many of 10 ** -places. */
function scaled(text: string, places: number): bigint | undefined {
  const [, sign, whole, fraction = ''] = DECIMAL.exec(text) ?? [];
  return whole === undefined ? undefined : BigInt(`${sign}${whole}${fraction.padEnd(places, '0')}`);
}

/**
 * Whether a number was rounded to another one: `numeric(12,2)` and `real` do that. Only to two places or more: with fewer, another
 * number that somebody else wrote could be taken for it.
 */
export function isRounded(sent: unknown, stored: unknown): boolean {
  if (!isScalar(sent) || !isScalar(stored)) return false;
  const [from, to] = [String(sent), String(stored)];
  const places = (text: string): number => DECIMAL.exec(text)?.[3]?.length ?? 0;
  const [fine, coarse] = [places(from), places(to)];
  const [a, b] = [scaled(from, fine), scaled(to, fine)];
  if (coarse < 2 || coarse >= fine || a === undefined || b === undefined) return false;
  const apart = a > b ? a - b : b - a;
  return 2n * apart <= 10n ** BigInt(fine - coarse);
}

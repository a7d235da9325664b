import { type Change, deepEqual, type OutgoingChange, type PushResult, type Row, type Version } from './kit.js';
import { hasOp, timesOf } from './own-marks.js';
import { isSendable, isText } from './postgres-rows.js';
import { stampOf, versionOf } from './postgres-time.js';
import type { ProblemMaker } from './problem.js';
import { fieldsOf } from './push-fields.js';
import { roundedField } from './rounded-field.js';
import { unstorableField } from './storable.js';

/** The value of `updated_at` that a version stands for; undefined: another backend made it. */
export const updatedAtOf = (version: Version | null): string | undefined => {
  const stamp = typeof version === 'string' ? stampOf(version.slice(0, 26)) : undefined;
  return stamp && versionOf(stamp);
};

/** The key of a row that the database has written its own way. */
const keyOf = ({ recordId }: OutgoingChange, row: Change) => row.recordId !== recordId && { recordId: row.recordId };

/**
 * A change that is done, and the row that came of it: null, if that was marked as deleted since. A delete is answered with the row
 * as it was.
 */
export const applied = (change: OutgoingChange, row: Change): PushResult => ({
  type: 'applied',
  ...keyOf(change, row),
  version: row.version,
  ...(change.type !== 'delete' && { data: row.type === 'delete' ? null : row.data }),
  ...timesOf(row),
});

const conflict = (change: OutgoingChange, row: Change): PushResult => ({
  type: 'conflict',
  current: {
    ...keyOf(change, row),
    data: row.type === 'delete' ? null : row.data,
    version: row.version,
    ...timesOf(row),
  },
});

const isScalar = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';

/** Whether a value is what was sent, however JSON and the database write it. */
export function isSame(sent: unknown, stored: unknown): boolean {
  if (deepEqual(sent, stored)) return true;
  if (Array.isArray(sent) && Array.isArray(stored))
    return sent.length === stored.length && sent.every((each, index) => isSame(each, stored[index]));
  if (!isScalar(sent) || !isScalar(stored)) return false;
  // The database writes numbers and times its own way.
  const stamp = stampOf(sent);
  return String(sent) === String(stored) || (stamp !== undefined && stamp === stampOf(stored));
}

/** Whether a row has all that we sent: then the push came through and its answer was lost, or somebody else wrote the same. */
export const holds = (data: Row, sent: Row): boolean =>
  Object.entries(sent).every(([field, value]) => field === 'id' || isSame(value, data[field]));

/** The answer to a change that is not sent: the database would refuse its text, or the API in front of it would alter it. */
export function unsendable(
  change: OutgoingChange,
  problem: ProblemMaker,
  isMeant: (field: string) => boolean = () => false,
): PushResult | undefined {
  const { type, collection, recordId } = change;
  const rejected = (what: string): PushResult => {
    const message = `${what} holds half of a character (a lone surrogate) or a NUL, which PostgreSQL cannot store.`;
    return { type: 'rejected', error: problem('VALIDATION_FAILED', `${message} Choose another text.`) };
  };
  if (!isSendable(recordId)) return rejected(`The id ${JSON.stringify(recordId)}`);
  if (type === 'delete') return undefined;
  const rounded = roundedField(change, isMeant);
  if (rounded !== undefined) {
    const what = `The field ${JSON.stringify(rounded)} of ${collection}/${recordId} holds a number that JSON rounded when it was read, and would be stored so.`;
    const fix = 'Write that number by other means, or store numbers beyond 2 ** 53 as texts.';
    return { type: 'rejected', error: problem('VALIDATION_FAILED', `${what} ${fix}`) };
  }
  const field = unstorableField(fieldsOf(change), isText);
  return field === undefined ? undefined : rejected(`The field ${JSON.stringify(field)} of ${collection}/${recordId}`);
}

/**
 * What became of a compare-and-set that met another row than it thought, or none, from the row that is there now. Undefined:
 * that one was deleted softly, and can be brought back. `marksDeletes`: every delete leaves a row, so what is not there is hidden by
 * the rights.
 */
export function outcome(
  change: OutgoingChange,
  row: Change | undefined,
  problem: ProblemMaker,
  marksDeletes = false,
): PushResult | undefined {
  const { type, collection, recordId, baseVersion } = change;
  const name = `${collection}/${recordId}`;
  const gone = row?.type === 'delete';
  if (row && type !== 'delete' && hasOp(row, change)) return applied(change, row);
  if (type === 'insert') {
    // Hidden by the rights, or deleted a moment ago.
    if (!row) return { type: 'retry', error: problem('PUSH_REJECTED', `${name} exists, and cannot be read.`) };
    if (gone) return undefined;
  } else if (!row && marksDeletes) {
    return { type: 'conflict', current: { data: null, version: baseVersion ?? '', hidden: true } };
  } else if (!row) {
    if (type === 'delete') return { type: 'applied', version: baseVersion ?? '' };
    return { type: 'conflict', current: { data: null, version: baseVersion ?? '' } };
  } else if (type === 'delete' && gone) return applied(change, row);
  if (row.type !== 'delete' && type !== 'delete' && holds(row.data, fieldsOf(change))) return applied(change, row);
  // As it was, and still not written: the rights forbid it. As a conflict it would come again for ever.
  const at = updatedAtOf(baseVersion);
  if (at === undefined || at !== updatedAtOf(row.version)) return conflict(change, row);
  const message = `${name} may be read, but no policy or permission lets this user ${type} it.`;
  return { type: 'rejected', error: problem('PUSH_REJECTED', message) };
}

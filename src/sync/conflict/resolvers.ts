import type { Row } from '../../base/change.js';
import { SyncLayerError } from '../../base/errors.js';
import { deepEqual, own } from '../../base/json.js';
import { type Conflict, type ConflictResolver, withField } from './merge.js';

/** How a field that both sides changed is decided. `custom` needs `customConflictResolver`. */
export type ConflictStrategy = 'lastWriteWins' | 'serverWins' | 'clientWins' | 'custom';

/** Without a field: of the row as a whole. */
const localIsNewer = ({ localTimestamp, localFieldTimestamps, remoteTimestamp }: Conflict, field?: string): boolean =>
  remoteTimestamp === undefined ||
  ((field === undefined ? undefined : (own(localFieldTimestamps, field) as number | undefined)) ?? localTimestamp) >
    remoteTimestamp;

const serverWins: ConflictResolver = ({ merged, remote }) => merged ?? remote;

const clientWins: ConflictResolver = ({ merged, local, fields }) =>
  merged && local ? fields.reduce((row, field) => withField(row, field, local), merged) : local;

/** Field by field; a row that one side deleted, as a whole. */
const lastWriteWins: ConflictResolver = (conflict) => {
  const { merged, local, remote, fields } = conflict;
  if (!merged || !local) return localIsNewer(conflict) ? local : remote;
  return fields
    .filter((field) => localIsNewer(conflict, field))
    .reduce((row, field) => withField(row, field, local), merged);
};

/** The strategies that need no function of the app's. */
export const strategies: Record<Exclude<ConflictStrategy, 'custom'>, ConflictResolver> = {
  lastWriteWins,
  serverWins,
  clientWins,
};

/**
 * A resolver that decides some fields by `decide` and leaves the others, and every delete, to last-write-wins.
 * `decide` returns undefined to leave a field too.
 */
function byField(
  applies: (field: string) => boolean,
  decide: (local: unknown, remote: unknown, base: unknown) => unknown,
): ConflictResolver {
  return (conflict) => {
    const { local, remote, base, fields, merged } = conflict;
    if (!local || !remote || !merged) return lastWriteWins(conflict);
    let row = lastWriteWins(conflict) as Row;
    for (const field of fields) {
      const value = applies(field) ? decide(own(local, field), own(remote, field), own(base, field)) : undefined;
      if (value !== undefined) row = { ...row, [field]: value };
    }
    return row;
  };
}

function named(fields: readonly string[]): (field: string) => boolean {
  // A string has `includes` too: 'tags' would stand for its letters and parts.
  if (Array.isArray(fields)) return (field) => fields.includes(field);
  throw new SyncLayerError('INVALID_ARGUMENT', "A resolver takes the fields as an array, such as ['tags'].");
}
const bothNumbers = (a: unknown, b: unknown): boolean => typeof a === 'number' && typeof b === 'number';
const isPlainObject = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The remote list, with what was added here added and what was removed here removed. */
function mergeLists(local: readonly unknown[], remote: readonly unknown[], base: readonly unknown[]): unknown[] {
  const has = (list: readonly unknown[], item: unknown) => list.some((other) => deepEqual(other, item));
  const kept = remote.filter((item) => has(local, item) || !has(base, item));
  return [...kept, ...local.filter((item) => !has(base, item) && !has(kept, item))];
}

function mergeDeep(local: unknown, remote: unknown, base: unknown): unknown {
  if (deepEqual(local, base)) return remote;
  if (deepEqual(remote, base)) return local;
  if (Array.isArray(local) && Array.isArray(remote)) return mergeLists(local, remote, Array.isArray(base) ? base : []);
  if (!isPlainObject(local) || !isPlainObject(remote)) return remote;
  const from = isPlainObject(base) ? base : {};
  const entries = [...new Set([...Object.keys(remote), ...Object.keys(local)])].flatMap((key) => {
    const value = mergeDeep(own(local, key), own(remote, key), own(from, key));
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}

/**
 * Prebuilt resolvers, for `customConflictResolver`. Each decides the fields that both sides changed; a delete against
 * an edit, and fields that a resolver does not name, go to the later write.
 *
 * @example
 * createSyncLayer({ ..., conflictStrategy: 'custom', customConflictResolver: ConflictResolvers.sumNumbers(['likes']) });
 */
export const ConflictResolvers = {
  /** Lists as sets: additions of both sides are kept, removals of both sides are done. */
  mergeArrays: (fields: readonly string[]): ConflictResolver =>
    byField(named(fields), (local, remote, base) =>
      Array.isArray(local) && Array.isArray(remote)
        ? mergeLists(local, remote, Array.isArray(base) ? base : [])
        : undefined,
    ),
  /** Counters: both sides' increments since the common base are added. 10 to 12 here and 10 to 13 there gives 15. */
  sumNumbers: (fields: readonly string[]): ConflictResolver =>
    byField(named(fields), (local, remote, base) =>
      bothNumbers(local, remote)
        ? (local as number) + (remote as number) - (typeof base === 'number' ? base : 0)
        : undefined,
    ),
  /** These fields keep the local value, all others the remote one. */
  mergeFields: (fields: readonly string[]): ConflictResolver => {
    const isNamed = named(fields);
    return (conflict) => {
      const { local, merged } = conflict;
      if (!local || !merged) return lastWriteWins(conflict);
      return conflict.fields.filter(isNamed).reduce((row, field) => withField(row, field, local), merged);
    };
  },
  /** The larger number, of these fields. */
  maxValue: (fields: readonly string[]): ConflictResolver =>
    byField(named(fields), (local, remote) =>
      bothNumbers(local, remote) ? Math.max(local as number, remote as number) : undefined,
    ),
  /**
   * Each field by its own time, if the rows keep one beside it (`title` and `title_updatedAt`, an ISO string or ms),
   * else by the time of the write.
   */
  fieldLevelLastWriteWins: (): ConflictResolver => (conflict) => {
    const { local, remote, merged } = conflict;
    if (!local || !remote || !merged) return lastWriteWins(conflict);
    const time = (row: Row, field: string) => new Date(row[`${field}_updatedAt`] as string | number).getTime();
    return conflict.fields.reduce((row, field) => {
      const owner = field.endsWith('_updatedAt') ? field.slice(0, -'_updatedAt'.length) : field;
      const [here, there] = [time(local, owner), time(remote, owner)];
      const localWins = Number.isNaN(here) || Number.isNaN(there) ? localIsNewer(conflict, field) : here > there;
      return withField(row, field, localWins ? local : remote);
    }, merged);
  },
  /** Nested objects field by field, lists as sets; where both changed one value, the remote one. */
  deepMerge: (): ConflictResolver => byField(() => true, mergeDeep),
} as const;

import { MARKS_WHY, marksSql } from '../../../src/adapter-kit/doctor/marks-sql.js';
import { nameOf, sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import type { Place } from './place.js';

/** A call of the metadata API. */
interface Call {
  readonly type: string;
  readonly args: object;
}

export type Right = 'select' | 'insert' | 'update' | 'delete';

const call = (type: string, { table }: Place, more: object = {}): Call => ({
  type,
  args: { source: 'default', table: { schema: 'public', name: table }, ...more },
});

/** What one right takes; the time of a change is the trigger's alone. */
function permission(place: Place, right: Right): object {
  const { id: key, updatedAt, deletedAt, columns, counted } = place;
  const marked = [...columns, ...(deletedAt === undefined ? [] : [deletedAt])];
  switch (right) {
    case 'select':
      return {
        columns: [key, updatedAt, ...marked],
        filter: {},
        ...(counted && { allow_aggregations: true }),
      };
    case 'insert':
      return { columns: [key, ...columns], check: {} };
    case 'update':
      return { columns: marked, filter: {}, check: {} };
    case 'delete':
      return { filter: {} };
  }
}

export const trackCall = (place: Place): Call => call('pg_track_table', place);

export const grantCall = (place: Place, right: Right): Call =>
  call(`pg_create_${right}_permission`, place, { role: place.role, permission: permission(place, right) });

/** Rows that are only marked as deleted need no right to delete. */
export const rightsOf = ({ deletedAt }: Place): Right[] =>
  deletedAt === undefined ? ['select', 'insert', 'update', 'delete'] : ['select', 'insert', 'update'];

/** One call a line; what is there already is left as it is. */
export const metadataJson = (calls: readonly Call[]): string =>
  `{ "type": "bulk_keep_going", "args": [\n${calls.map((each) => `  ${JSON.stringify(each)}`).join(',\n')}\n] }`;

const marks = (place: Place): [string, string] | undefined => {
  const sql = marksSql(place);
  return sql === undefined ? undefined : [MARKS_WHY, sql];
};

function tableSql(place: Place): string {
  const parts: readonly (readonly [why: string, sql: string] | undefined)[] = [
    ['When a row was changed: a trigger sets it at each write, with microseconds.', sql.updatedAt(place)],
    [
      'By its name it fires last of all, so that no trigger of the app that sets the column to now() has the last word.',
      sql.trigger(place),
    ],
    place.deletedAt === undefined
      ? undefined
      : ['Deleted rows are marked, so that a catch-up sees them.', sql.deletedAt(place)],
    marks(place),
    ['Each catch-up reads in this order.', sql.index(place)],
  ];
  const text = parts.flatMap((part) => (part ? [part[0] === '' ? part[1] : `-- ${part[0]}\n${part[1]}`] : []));
  return `-- ${place.collection}: ${nameOf(place)}\n${text.join('\n\n')}`;
}

/** All in one text that may be run again: SQL, and the metadata in a comment of it. */
export function setupText(places: readonly Place[], naming: string): string {
  const [{ role } = { role: 'user' }] = places;
  const calls = places.flatMap((place) => [
    trackCall(place),
    ...rightsOf(place).map((right) => grantCall(place, right)),
  ]);
  const guessed =
    naming === 'graphql-default'
      ? '\n-- Names are taken to be snake_case in the database; change them where they are not.'
      : '';
  return `-- ---- 1. Run this SQL: with psql, or in Hasura's console under Data, SQL.${guessed}
begin;

${places.map(tableSql).join('\n\n\n')}

commit;

-- ---- 2. Then this metadata, which serves the tables and says what the role ${JSON.stringify(role)} may do:
--   curl <your Hasura>/v1/metadata -H 'X-Hasura-Admin-Secret: ...' -d @metadata.json
-- Whose rows they are is yours to say. {} is everybody's; for each user's own, in "filter" and "check":
--   { "owner": { "_eq": "X-Hasura-User-Id" } }
-- A filter must not hide rows that are marked as deleted: devices could not learn of it.
-- Where a role has a permission already, it stays as it is.
/* ---- metadata.json
${metadataJson(calls)}
*/`;
}

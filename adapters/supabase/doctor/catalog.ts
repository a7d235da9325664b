import type { Client } from 'pg';
import { ok, wrong } from '../../../src/adapter-kit/doctor/check.js';
import {
  readTable,
  type TableFacts,
  tableChecks,
  withCatalog,
} from '../../../src/adapter-kit/doctor/postgres-catalog.js';
import type { Check } from '../../../src/adapter-kit/kit.js';
import { type ParsedOptions, problem } from '../options.js';
import { type Command, commandsOf, EMPTY_PUBLICATION, type Place, statements } from './setup.js';

/** What the catalog says that only Supabase asks for. */
interface Found {
  readonly announced: boolean;
  readonly published: boolean;
  /** The publication has a table. */
  readonly publishes: boolean;
  /** It sends inserts, updates and deletes. */
  readonly complete: boolean | null;
  readonly identity: string | null;
  /** The columns that name a deleted row, where the identity is an index. */
  readonly identified: readonly string[] | null;
  readonly secured: boolean;
  readonly granted: readonly Command[];
  readonly allowed: readonly Command[];
  /** A column that seems to hold the user's id. */
  readonly owner: string | null;
}

/** `$3`: the roles that the app may have. */
const QUERY = `
with place as (select to_regclass(format('%I.%I', $1::text, $2::text)) as id),
roles as (select oid, rolname from pg_roles where rolname = any($3::text[])),
commands as (select * from (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) c (command, letter))
select
  exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = id and not tgisinternal and tgenabled <> 'D'
    and pg_get_functiondef(p.oid) ~ 'realtime\\.(broadcast_changes|send)') as announced,
  exists (select from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = $1 and tablename = $2) as published,
  exists (select from pg_publication_tables where pubname = 'supabase_realtime') as publishes,
  (select pubinsert and pubupdate and pubdelete from pg_publication where pubname = 'supabase_realtime') as complete,
  (select relreplident::text from pg_class where oid = id) as identity,
  (select array_agg(attname::text) from pg_index, pg_attribute where indrelid = id and indisreplident and attrelid = id and attnum = any(indkey))
    as identified,
  coalesce((select relrowsecurity from pg_class where oid = id), false) as secured,
  array(select command from commands where exists (
    select from roles where has_schema_privilege(oid, $1, 'usage') and (has_table_privilege(oid, id, command)
      or case when command = 'delete' then false else has_any_column_privilege(oid, id, command) end))) as granted,
  array(select command from commands where exists (
    select from pg_policy where polrelid = id and polpermissive and polcmd in ('*', letter)
      and (0 = any(polroles) or exists (select from roles, unnest(polroles) p where pg_has_role(roles.oid, p, 'member'))))) as allowed,
  (select attname::text from pg_attribute where attrelid = id and attnum > 0 and not attisdropped and atttypid = 'uuid'::regtype
    and attname in ('user_id', 'owner_id', 'author_id', 'created_by', 'owner') order by attnum limit 1) as owner
from place`;

/** Every statement that is missing, with what it opens. */
function policyFix(place: Place, { owner }: Found, missing: readonly Command[]): string[] {
  if (missing.length === 0) return [];
  const who =
    owner === null
      ? '-- Every user who is signed in: narrow it where rows belong to somebody.'
      : `-- Each user has the rows of their own, by ${owner}.`;
  return [who, statements.policies(place, missing, owner)];
}

function securityChecks(place: Place, found: Found, roles: readonly string[]): Check[] {
  const { collection } = place;
  const wanted = commandsOf(place);
  const ungranted = wanted.filter((command) => !found.granted.includes(command));
  const unallowed = wanted.filter((command) => !found.allowed.includes(command));
  const who = roles.join(' or ');
  const granted = `${collection}: ${who} may ${wanted.join(', ')}`;
  const on = `${collection}: row level security is on`;
  const policies = `${collection}: policies let ${who} ${wanted.join(', ')}`;
  return [
    ungranted.length === 0 ? ok(granted) : wrong(granted, statements.grants(place, ungranted, roles)),
    ...(found.secured
      ? [
          ok(on),
          unallowed.length === 0
            ? ok(policies)
            : wrong(
                policies,
                '-- Row level security is on, and without a policy nobody may: reads give no rows, without an error.',
                ...policyFix(place, found, unallowed),
              ),
        ]
      : [
          wrong(
            on,
            '-- Without it everybody who has the key may read and write all.',
            statements.secure(place),
            ...policyFix(place, found, unallowed),
          ),
        ]),
  ];
}

/** Deletes have to name their row by the key that the app uses. */
function identityFault(
  { id: key }: Place,
  { identity, identified }: Found,
  facts: TableFacts,
): 'default' | 'index' | undefined {
  // Without a primary key there is none to name; that is said by itself.
  if (identity === 'f' || (identity === 'd' && !facts.primaryKey)) return undefined;
  const byPrimary = facts.primaryKey?.includes(key) === true;
  if (identity === 'i' ? identified?.includes(key) : identity === 'd' && byPrimary) return undefined;
  return byPrimary || facts.unique === null ? 'default' : 'index';
}

function realtimeChecks(place: Place, mode: ParsedOptions['mode'], found: Found, facts: TableFacts): Check[] {
  const { collection } = place;
  if (mode === 'broadcast') {
    const what = `${collection}: a trigger tells of each change`;
    return [found.announced ? ok(what) : wrong(what, statements.broadcast(place))];
  }
  const published = `${collection}: it is in the publication supabase_realtime`;
  const complete = `${collection}: the publication sends inserts, updates and deletes`;
  const identity = `${collection}: deletes name their row`;
  const fault = identityFault(place, found, facts);
  return [
    found.published
      ? ok(published)
      : wrong(published, ...(found.publishes ? [] : [`-- ${EMPTY_PUBLICATION}`]), statements.publication(place)),
    ...(found.complete === false ? [wrong(complete, statements.publishAll)] : []),
    fault === undefined
      ? ok(identity)
      : wrong(
          identity,
          fault === 'index'
            ? statements.identityByIndex(place, facts.unique ?? '')
            : `alter table ${place.name} replica identity default;`,
        ),
  ];
}

/** What only the catalog knows, with the statements that put it right. `roles`: those that the app may have. */
export const catalogChecks = (
  places: readonly Place[],
  mode: ParsedOptions['mode'],
  databaseUrl: string,
  roles: readonly string[],
): AsyncGenerator<Check> =>
  withCatalog(databaseUrl, problem, async function* (client: Client) {
    for (const place of places) {
      const { collection, schema, table, id: key } = place;
      const facts = await readTable(client, place);
      const there = `${collection}: the table ${schema}.${table} is there`;
      if (!facts.exists) {
        yield wrong(there, `-- Create it, with a key named ${key}: npx synclayer setup supabase prints an example.`);
        continue;
      }
      yield ok(there);
      const { rows } = await client.query<Found>(QUERY, [schema, table, roles]);
      const found = rows[0] as Found;
      // Realtime and logical replication need it: without one, a published table takes no update.
      yield* tableChecks(place, facts, { primary: mode === 'postgres_changes' });
      yield* realtimeChecks(place, mode, found, facts);
      yield* securityChecks(place, found, roles);
    }
  });

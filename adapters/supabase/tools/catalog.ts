import { type Check, toSyncLayerError } from '../../../src/kit.js';
import type { ParsedOptions } from '../options.js';
import { problem } from '../problem.js';
import { type Place, statements } from './setup.js';

/** What the catalog says of one table. */
interface Found {
  readonly exists: boolean;
  readonly stamp: string | null;
  readonly mark: string | null;
  readonly trigger: boolean;
  readonly announced: boolean;
  readonly indexed: boolean;
  readonly published: boolean;
  readonly identity: string | null;
  readonly secured: boolean | null;
}

/** Triggers by what they do, not by their name: the app may have made its own. `tgtype`: 1 row, 2 before, 4 insert, 16 update. */
const QUERY = `
with place as (select to_regclass(format('%I.%I', $1::text, $2::text)) as id)
select
  place.id is not null as exists,
  (select format_type(atttypid, null) || case when attnotnull then '' else ' null' end from pg_attribute where attrelid = place.id and attname = $3 and not attisdropped) as stamp,
  (select format_type(atttypid, null) from pg_attribute where attrelid = place.id and attname = $5 and not attisdropped) as mark,
  exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = place.id and not tgisinternal and tgenabled <> 'D'
    and tgtype & 19 = 19 and position($3 in pg_get_functiondef(p.oid)) > 0) as trigger,
  exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = place.id and not tgisinternal and tgenabled <> 'D'
    and pg_get_functiondef(p.oid) ~ 'realtime\\.(broadcast_changes|send)') as announced,
  exists (select from pg_index i where i.indrelid = place.id and indisvalid and indpred is null
    and (select array_agg(attname::text order by ord) from unnest(i.indkey) with ordinality k(num, ord) join pg_attribute a on a.attrelid = place.id and a.attnum = k.num and ord <= 2) = array[$3::text, $4::text]) as indexed,
  exists (select from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = $1 and tablename = $2) as published,
  (select relreplident::text from pg_class where oid = place.id) as identity,
  (select relrowsecurity from pg_class where oid = place.id) as secured
from place`;

/** Throws PEER_MISSING. */
export async function loadPg(): Promise<typeof import('pg')> {
  try {
    return await import('pg');
  } catch (cause) {
    const message = 'Reading the catalog needs the package "pg". Run: npm install --save-dev pg';
    throw problem('PEER_MISSING', message, { cause });
  }
}

async function connect(databaseUrl: string) {
  const pg = await loadPg();
  const client = new pg.default.Client({ connectionString: databaseUrl });
  try {
    await client.connect();
  } catch (cause) {
    // Its message can hold the address, and with it the password.
    throw toSyncLayerError(
      undefined,
      'CONNECT_FAILED',
      `The database did not let us in (${(cause as { code?: string }).code ?? 'no code'}). Is the database URL right? Supabase shows it under Connect.`,
    );
  }
  return client;
}

/** What only the catalog knows, with the statement that puts it right. */
export async function* catalogChecks(
  places: readonly Place[],
  mode: ParsedOptions['mode'],
  databaseUrl: string,
): AsyncGenerator<Check> {
  const client = await connect(databaseUrl);
  try {
    for (const place of places) {
      const { collection, schema, table, updatedAt, primaryKey, deletedAt } = place;
      const values = [schema, table, updatedAt, primaryKey, deletedAt ?? null];
      const found = (await client.query<Found>(QUERY, values)).rows[0];
      const check = (what: string, good: boolean | undefined, fix: string): Check => ({
        what: `${collection}: ${what}`,
        ...(good ? { state: 'ok' } : { state: 'problem', fix }),
      });
      yield check(`the table ${schema}.${table} is there`, found?.exists, `Create it, with a key named ${primaryKey}.`);
      if (!found?.exists) continue;
      const wrong = `${updatedAt} is ${found.stamp}. It must be timestamptz, not null.`;
      const stamp = found.stamp === null ? statements.updatedAt(place) : wrong;
      yield check(`${updatedAt} is timestamptz, never null`, found.stamp === 'timestamp with time zone', stamp);
      yield check(`a trigger sets ${updatedAt} at each write`, found.trigger, statements.trigger(place));
      if (deletedAt !== undefined)
        yield check(
          `${deletedAt} is timestamptz`,
          found.mark === 'timestamp with time zone',
          found.mark === null ? statements.deletedAt(place) : `${deletedAt} is ${found.mark}. It must be timestamptz.`,
        );
      yield check(`an index serves the catch-up (${updatedAt}, ${primaryKey})`, found.indexed, statements.index(place));
      if (mode === 'broadcast')
        yield check('a trigger tells of each change', found.announced, statements.broadcast(place));
      else yield check('it is in the publication supabase_realtime', found.published, statements.publication(place));
      yield check('deletes name their row', found.identity !== 'n', statements.replicaIdentity(place));
      yield check(
        'row level security is on',
        found.secured === true,
        `Without it everybody who has the key may read and write all. alter table ${place.name} enable row level security; and add policies.`,
      );
    }
  } finally {
    await client.end();
  }
}

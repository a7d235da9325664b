import { type Check, toSyncLayerError } from '../../../src/kit.js';
import { problem } from '../problem.js';
import { ok, wrong } from './check.js';
import type { Place } from './place.js';
import { statements } from './setup.js';

/** What the catalog says of one table. */
interface Found {
  readonly exists: boolean;
  readonly touched: boolean;
  readonly indexed: boolean;
  readonly unique: boolean;
}

/** A trigger by what it does, not by its name: the app may have made its own. `tgtype`: 1 row, 2 before, 4 insert, 16 update. */
const QUERY = `
with place as (select to_regclass(format('public.%I', $1::text)) as id)
select
  id is not null as exists,
  exists (
    select from pg_trigger t where tgrelid = id and not tgisinternal and tgenabled <> 'D' and tgtype & 19 = 19
      and pg_get_functiondef(tgfoid) ilike '%' || $2 || '%'
  ) as touched,
  exists (
    select from pg_index where indrelid = id and indisvalid and indpred is null
      and pg_get_indexdef(indexrelid, 1, true) = quote_ident($2) and pg_get_indexdef(indexrelid, 2, true) = quote_ident($3)
  ) as indexed,
  exists (
    select from pg_index where indrelid = id and indisunique and indisvalid and indpred is null and indnkeyatts = 1
      and pg_get_indexdef(indexrelid, 1, true) = quote_ident($3)
  ) as "unique"
from place`;

/** Throws PEER_MISSING. */
export async function loadPg(): Promise<typeof import('pg')> {
  try {
    return await import('pg');
  } catch (cause) {
    const message = 'To look into the catalog, install the package "pg": npm install --save-dev pg';
    throw problem('PEER_MISSING', message, { cause });
  }
}

async function connect(databaseUrl: string) {
  const pg = await loadPg();
  const client = new pg.default.Client({ connectionString: databaseUrl });
  try {
    await client.connect();
    return client;
  } catch (cause) {
    // Its own message can quote the address, and with it the password.
    const code = (cause as { readonly code?: string }).code ?? 'no code';
    throw toSyncLayerError(
      undefined,
      'CONNECT_FAILED',
      `The database could not be reached (${code}). Is its URL right?`,
    );
  }
}

/** What only the catalog knows. */
export async function* catalogChecks(places: readonly Place[], databaseUrl: string): AsyncGenerator<Check> {
  const client = await connect(databaseUrl);
  try {
    for (const place of places) {
      const { collection, table, updatedAt, primaryKey } = place;
      const { rows } = await client.query<Found>(QUERY, [table, updatedAt, primaryKey]);
      const [found] = rows;
      const check = (what: string, good: boolean | undefined, ...fix: readonly string[]): Check =>
        good ? ok(`${collection}: ${what}`) : wrong(`${collection}: ${what}`, ...fix);
      const there = check(
        `the table public.${table} is there`,
        found?.exists,
        'Create it. Other schemas are not looked at.',
      );
      yield there;
      if (there.state !== 'ok') continue;
      yield check(
        `${primaryKey} is unique`,
        found?.unique,
        `alter table "public"."${table}" add primary key ("${primaryKey}");`,
      );
      yield check(`a trigger sets ${updatedAt} at each write`, found?.touched, statements.trigger(place));
      yield check(
        `an index serves the catch-up (${updatedAt}, ${primaryKey})`,
        found?.indexed,
        statements.index(place),
      );
    }
  } finally {
    await client.end();
  }
}

import type { Client } from 'pg';
import { ok, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { readTable, tableChecks, withCatalog } from '../../../src/adapter-kit/doctor/postgres-catalog.js';
import type { Check } from '../../../src/adapter-kit/kit.js';
import { problem } from '../options.js';
import type { Place } from './place.js';

/** What only the catalog knows. */
export const catalogChecks = (places: readonly Place[], databaseUrl: string): AsyncGenerator<Check> =>
  withCatalog(databaseUrl, problem, async function* (client: Client) {
    for (const place of places) {
      const { collection, table } = place;
      const facts = await readTable(client, place);
      const there = `${collection}: the table public.${table} is there`;
      if (!facts.exists) {
        yield wrong(there, '-- Create it. Other schemas are not looked at.');
        continue;
      }
      yield ok(there);
      yield* tableChecks(place, facts, { primary: false });
    }
  });

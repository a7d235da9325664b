import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type SupabasePeer, startSupabasePeer } from './index.js';
import { createReplay, readExchanges } from './replay-requests.js';

let peer: SupabasePeer;

beforeAll(async () => {
  const schema = readFileSync(new URL('fixtures/postgrest.sql', import.meta.url), 'utf8');
  peer = await startSupabasePeer({ schema });
});
afterAll(async () => {
  await peer?.close();
});
beforeEach(async () => {
  await peer.sql('truncate docs, touched, deflt, children, "weird tbl", private_docs');
});

const MANY = "insert into docs (id, n) select 'd' || lpad(i::text, 4, '0'), i from generate_series(1, 1500) i";
/** A role that may write rows and not read them. */
const BLIND = `drop policy own on private_docs;
  create policy blind on private_docs for insert to authenticated with check (owner = auth.uid())`;

describe('PostgREST: recorded requests get the recorded answers', () => {
  test.each([
    ['or-paging', 'or, in, and keyset pages, with 81 nasty ids', ''],
    ['types', 'what the types of Postgres look like', ''],
    ['writes', 'inserts, upserts, updates, deletes, compare-and-set', ''],
    ['errors', 'errors', MANY],
    ['tokens', 'tokens', MANY],
    ['rls', 'row level security', ''],
    ['rls-blind', 'rows that may be written and not read', BLIND],
    ['ranges', 'ranges, counts, and the cap on rows', MANY],
    ['columns', 'columns with nasty names', ''],
  ])('%s: %s', async (name, _, before) => {
    if (before !== '') await peer.sql(before);
    const replay = createReplay(peer);
    const exchanges = readExchanges(name);
    expect(exchanges.length).toBeGreaterThan(3);
    for (const exchange of exchanges) {
      const answers = await replay.run(exchange);
      expect(answers.peer, `${exchange.label}: ${exchange.method} ${exchange.path}`).toEqual(answers.real);
    }
  });
});

import { readFileSync } from 'node:fs';
import { createClient } from '@supabase/supabase-js';
import { expect, test } from 'vitest';
import { supabaseTransport } from '../../../adapters/supabase/index.js';
import { collectionRules, rules, type SupabaseTransportOptions } from '../../../adapters/supabase/options.js';

const message = (options: unknown): string => {
  try {
    supabaseTransport(options as SupabaseTransportOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

const url = 'https://abc.supabase.co';
const key = 'hush';
const client = createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

test.each<[unknown, string]>([
  [{}, 'url must be'],
  [undefined, 'key must be'],
  [{ url }, 'key must be'],
  [{ url: 'wss://abc.supabase.co', key }, 'begins with http:// or https://'],
  [{ url: 'https://user:hush@abc.supabase.co', key }, 'without user name'],
  [{ url: 'https://abc.supabase.co?apikey=hush', key }, 'without user name or query'],
  [{ client: {} }, 'made by createClient'],
  [{ client, key }, 'key must be left out: client has its own'],
  [{ client, authToken: 'hush' }, 'authToken must be left out'],
  [{ url, key, mode: 'live' }, '"postgres_changes" or "broadcast"'],
  [{ url, key, overlap: -1 }, 'a number above 0'],
  [{ url, key, collections: [] }, 'an object, by collection'],
  [{ url, key, colections: {} }, 'colections is not an option; did you mean "collections"?'],
  [{ url, key, collections: { todos: { primaryKey: 'uid' } } }, 'primaryKey is called id now'],
  [{ url, key, collections: { todos: { columns: {} } } }, 'columns is called fields now'],
  [{ url, key, collections: { todos: { filter: 'user_id=eq.42' } } }, 'filter is called where now'],
  [{ url, key, collections: { todos: { updatedat: 'at' } } }, 'updatedat is not an option; did you mean "updatedAt"?'],
  [{ url, key, collections: { todos: { table: '' } } }, 'collections.todos, cannot use its options'],
  [{ url, key, collections: { todos: { id: 'a"b' } } }, 'without "'],
  [{ url, key, collections: { todos: { fields: { n: { type: 'int8' } } } } }, '"bigint" | "numeric" | "bytea"'],
  [{ url, key, collections: { todos: { where: 'user_id' } } }, 'user_id=eq.42'],
])('%# is refused with what to write instead', (options, words) => {
  const said = message(options);
  expect(said).toContain(words);
  expect(said).not.toContain('hush');
});

test('its source is the host and the path; what it can do follows from how rows are deleted', () => {
  const transport = supabaseTransport({ url, key });
  expect(transport.source).toBe('abc.supabase.co');
  const sources = ['', '/', '/a', '/b/'].map((path) => {
    return supabaseTransport({ url: `https://api.example.com${path}`, key }).source;
  });
  expect(sources).toEqual(['api.example.com', 'api.example.com', 'api.example.com/a', 'api.example.com/b']);
  expect(transport.capabilities).toEqual({
    push: true,
    deletes: 'none',
    cursor: 'timestamp',
    reconnect: 'core',
    filters: false,
  });
  const soft = { deletedAt: 'deleted_at' };
  expect(supabaseTransport({ url, key, collections: { todos: soft } }).capabilities.deletes).toBe('tombstones');
  expect(supabaseTransport({ url, key, collections: { todos: soft, notes: {} } }).capabilities.deletes).toBe('none');
  expect(supabaseTransport({ client }).source).toBe('abc.supabase.co');
});

test('a collection that lies elsewhere, or is read in another way, has another mapping', () => {
  const mapping = (todos?: object) =>
    JSON.stringify(supabaseTransport({ url, key, collections: { ...(todos && { todos }) } }).mapping?.('todos'));
  const ways = [
    undefined,
    {},
    { table: 'tasks' },
    { schema: 'private' },
    { where: 'owner=eq.1' },
    { fields: { a: 'b' } },
  ];
  expect(new Set(ways.map(mapping)).size).toBe(ways.length);
  expect(mapping({ table: 'tasks' })).toBe(mapping({ table: 'tasks' }));
});

test('closed is closed', async () => {
  const transport = supabaseTransport({ url, key });
  await transport.close();
  await expect(transport.connect({ signal: new AbortController().signal })).rejects.toMatchObject({ code: 'CLOSED' });
});

test("the page's tables have every option, and no other", () => {
  const page = readFileSync(new URL('../../../adapters/supabase/README.md', import.meta.url), 'utf8');
  const table = (heading: string): string[] => {
    const [, part = ''] = page.split(`${heading}\n`);
    const [text = ''] = part.split(/\n##/);
    return [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
  };
  expect(table('## Options').sort()).toEqual(Object.keys(rules).sort());
  expect(table('### Of a collection').sort()).toEqual(Object.keys(collectionRules).sort());
});

import { readFileSync } from 'node:fs';
import { createClient } from 'graphql-ws/client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { hasuraTransport } from '../../../adapters/hasura/index.js';
import { collectionRules, type HasuraTransportOptions, rules } from '../../../adapters/hasura/options.js';

const message = (options: unknown): string => {
  try {
    hasuraTransport(options as HasuraTransportOptions);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('was accepted');
};

const url = 'https://abc.hasura.app/v1/graphql';
const todos = { fields: ['text'] };
const collections = { todos };

test.each<[unknown, string]>([
  [{}, 'url must be'],
  [undefined, 'collections must be'],
  [{ url }, 'collections must be an object'],
  [{ url: 'wss://abc.hasura.app/v1/graphql', collections }, 'a URL such as "https://'],
  [{ url: 'https://user:hush@abc.hasura.app', collections }, 'no user name'],
  [{ url: `${url}?secret=hush`, collections }, 'no user name, no query'],
  [{ url, collections: { todos: {} } }, 'collections.todos, cannot use its options'],
  [{ url, collections: { todos: {} } }, 'fields must be a list of GraphQL names'],
  [{ url, collections: { todos: { fields: ['due at'] } } }, 'a list of GraphQL names'],
  [{ url, collections: { todos: { fields: { due: 'due) { x' } } } }, 'a list of GraphQL names'],
  [{ url, collections: { todos: { fields: { n: { type: 'int8' } } } } }, '"bigint" | "numeric"'],
  [{ url, collections: { todos: { schema: z.string() } } }, 'an object schema of zod or valibot'],
  [{ url, collections: { todos: { ...todos, mode: 'poll' } } }, '"stream" or "live"'],
  [{ url, collections: { todos: { ...todos, table: 'a-b' } } }, 'a GraphQL name'],
  [{ url, collections: { todos: { ...todos, where: 'owner' } } }, 'a condition such as'],
  [{ url, collections: { todos: { ...todos, primaryKey: 'uid' } } }, 'primaryKey is called id now'],
  [{ url, collections: { todos: { ...todos, updatedat: 'at' } } }, 'did you mean "updatedAt"?'],
  [{ url, collections, overlap: -1 }, 'a number above 0'],
  [{ url, collections, naming: 'camelCase' }, '"hasura-default" or "graphql-default"'],
  [{ url, collections, headers: { 'x-hasura-admin-secret': 7 } }, 'an object of strings'],
  // A client of subscriptions-transport-ws.
  [{ url, collections, client: { request() {}, unsubscribeAll() {} } }, 'not of subscriptions-transport-ws'],
  [{ url, collections, client: createClient({ url }), WebSocket }, 'left out: client has its own'],
])('%# is refused with what to write instead', (options, words) => {
  const said = message(options);
  expect(said).toContain(words);
  expect(said).not.toContain('hush');
});

test('its source is the host and the path; what it can do follows from how rows are deleted', () => {
  const transport = hasuraTransport({ url, collections });
  expect(transport.source).toBe('abc.hasura.app/v1/graphql');
  const sources = ['a', 'b'].map((name) => {
    return hasuraTransport({ url: `https://api.example.com/${name}/v1/graphql`, collections }).source;
  });
  expect(sources).toEqual(['api.example.com/a/v1/graphql', 'api.example.com/b/v1/graphql']);
  expect(transport.capabilities).toEqual({
    push: true,
    deletes: 'none',
    cursor: 'timestamp',
    reconnect: 'core',
    filters: false,
  });
  const soft = { ...todos, deletedAt: 'deleted_at' };
  expect(hasuraTransport({ url, collections: { todos: soft } }).capabilities.deletes).toBe('tombstones');
  expect(hasuraTransport({ url, collections: { todos: soft, notes: todos } }).capabilities.deletes).toBe('none');
});

test('a collection that lies elsewhere, or is read in another way, has another mapping', () => {
  const mapping = (options: object) =>
    JSON.stringify(hasuraTransport({ url, collections: { todos: { ...todos, ...options } } }).mapping?.('todos'));
  const ways = [
    {},
    { table: 'tasks' },
    { roots: { select: 'allTodos' } },
    { fields: ['text', 'more'] },
    { fields: { text: 'words' } },
    { fields: { text: { type: 'float8' } } },
    { where: { owner: { _eq: 1 } } },
    { fields: undefined, schema: z.object({ text: z.string(), more: z.string() }) },
  ];
  // The schema has the same fields as the list has.
  expect(new Set(ways.map(mapping)).size).toBe(ways.length - 1);
  expect(hasuraTransport({ url, collections }).mapping?.('unknown')).toBeUndefined();
});

test('a collection that it was not told of is an error that says what to add', async () => {
  const transport = hasuraTransport({ url, collections });
  const { signal } = new AbortController();
  const pull = transport.pull({ collection: 'notes', cursor: null, start: true, limit: 1, signal });
  await expect(pull).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('notes') });
});

test('the page lists every option', () => {
  const page = readFileSync('adapters/hasura/README.md', 'utf8');
  for (const option of [...Object.keys(rules), ...Object.keys(collectionRules)])
    expect(page).toContain(`| \`${option}\` |`);
});

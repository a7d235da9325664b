import { expect, test } from 'vitest';
import { readOptions } from '../../../adapters/hasura/options.js';
import { createRest } from '../../../adapters/hasura/rest.js';
import { createTables } from '../../../adapters/hasura/table.js';

const row = (id: string) => ({ id, updated_at: '2026-01-02T00:00:00Z' });

/** Reads these ids of a server that gives one page after the other, and the last one again and again. */
async function read(ids: readonly string[], pages: readonly (readonly string[])[]) {
  let asked = 0;
  const options = readOptions({
    url: 'https://x.example/v1/graphql',
    collections: { todos: { fields: [] } },
    fetch: async () => {
      asked += 1;
      if (asked > 10) throw new Error('It asks for ever.');
      return Response.json({ data: { rows: (pages[asked - 1] ?? pages.at(-1) ?? []).map(row) } });
    },
  });
  const host = { authToken: async () => undefined, log() {}, traffic() {}, report() {} };
  const { present } = await createRest(options, () => host).byIds(
    createTables(options).get('todos'),
    ids,
    new AbortController().signal,
  );
  return { present: [...present], asked };
}

test('an id that the database writes in another way is asked for once', async () => {
  expect(await read(['AB'], [['ab']])).toEqual({ present: ['ab'], asked: 1 });
  expect(await read(['AB', 'c'], [['ab', 'c'], ['ab']])).toEqual({ present: ['ab', 'c'], asked: 2 });
});

test("a page that a role's limit has cut is asked for again, until it is empty", async () => {
  expect(await read(['a', 'b', 'c'], [['a'], ['b'], []])).toEqual({ present: ['a', 'b'], asked: 3 });
});

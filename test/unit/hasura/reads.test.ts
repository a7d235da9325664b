import { expect, test } from 'vitest';
import { readOptions } from '../../../adapters/hasura/options.js';
import { createReads } from '../../../adapters/hasura/reads.js';
import { createTables } from '../../../adapters/hasura/table.js';
import { createTokenSource } from '../../../src/transport/token.js';

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
  const { present } = await createReads(options, () => host).byIds(
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

/** Requests whose answers wait until all are asked. Each is refused for its token, in one of Hasura's two ways. */
function refusing(tokens: readonly string[], answer: () => Response) {
  let answerAll = (): void => undefined;
  const asked = new Promise<void>((resolve) => {
    answerAll = resolve;
  });
  const left = [...tokens];
  const source = createTokenSource(() => left.shift());
  const options = readOptions({
    url: 'https://x.example/v1/graphql',
    collections: {},
    fetch: async () => {
      if (left.length === 0) answerAll();
      await asked;
      return answer();
    },
  });
  const reads = createReads(options, () => ({
    authToken: source.get,
    refused: source.refused,
    log() {},
    traffic() {},
    report() {},
  }));
  const { signal } = new AbortController();
  const codes = tokens.map(() =>
    reads.request('Writing', 'write', 'mutation { a }', {}, signal).then(
      () => 'answered',
      ({ code }: { code: string }) => code,
    ),
  );
  return Promise.all(codes);
}

const expired = { errors: [{ message: 'JWTExpired', extensions: { code: 'invalid-jwt' } }] };

test.each([
  ['in GraphQL', () => Response.json(expired)],
  ['by its status', () => new Response('', { status: 401 })],
])('a token refused %s after the next one was handed out does not speak for that one', async (_, answer) => {
  expect(await refusing(['old', 'new', 'new'], answer)).toEqual(['CONNECTION_LOST', 'AUTH_REQUIRED', 'AUTH_REQUIRED']);
  expect(await refusing(['one', 'one'], answer)).toEqual(['AUTH_REQUIRED', 'AUTH_REQUIRED']);
});

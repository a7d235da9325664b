import { expect, test } from 'vitest';
import { readOptions } from '../../../adapters/hasura/options.js';
import { createRest } from '../../../adapters/hasura/rest.js';
import { createTokenSource } from '../../../src/transport/token.js';

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
  const rest = createRest(options, () => ({
    authToken: source.get,
    refused: source.refused,
    log() {},
    traffic() {},
    report() {},
  }));
  const { signal } = new AbortController();
  const codes = tokens.map(() =>
    rest.request('Writing', 'write', 'mutation { a }', {}, signal).then(
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

import { expect, test } from 'vitest';
import { askGraphql, type GraphqlHttp } from '../../../src/adapter-kit/graphql.js';
import { problemsOf } from '../../../src/adapter-kit/problem.js';
import { unattached } from '../../../src/adapter-kit/unattached.js';

const ask = (fetch: GraphqlHttp['fetch'], signal = new AbortController().signal) =>
  askGraphql(
    { url: 'https://x.example', fetch, requestTimeout: 20, problem: problemsOf('acme'), host: unattached },
    'Reading',
    { body: '{}', headers: { authorization: 'secret' } },
    signal,
  );

test('whatever was answered is handed on; what is no JSON says nothing', async () => {
  const answer = { data: null, errors: [{ message: 'no' }] };
  expect((await ask(async () => Response.json(answer, { status: 400 }))).said).toEqual(answer);
  const page = await ask(async () => new Response('<html>', { status: 502 }));
  expect(page).toMatchObject({ said: undefined, text: '<html>', response: { status: 502 } });
});

test.each([
  ['no server', () => Promise.reject(new TypeError('cannot send authorization: secret')), /^Reading got no answer\. /],
  ['a silent server', () => new Promise<Response>(() => undefined), /^Reading got no answer within 20 ms\. /],
])('%s is CONNECTION_LOST, and no header is quoted', async (_, fetch, message) => {
  const error = await ask(fetch).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'CONNECTION_LOST', adapter: 'acme', message: expect.stringMatching(message) });
  expect((error as Error).cause).toBeUndefined();
});

test('a request that was given up is CLOSED', async () => {
  await expect(ask(() => new Promise(() => undefined), AbortSignal.abort())).rejects.toMatchObject({ code: 'CLOSED' });
});

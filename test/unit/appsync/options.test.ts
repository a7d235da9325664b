import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { fromAmplify } from '../../../adapters/appsync/amplify.js';
import { type AppsyncTransportOptions, appsyncTransport } from '../../../adapters/appsync/index.js';
import { fieldsOf, readOptions } from '../../../adapters/appsync/options.js';

const good: AppsyncTransportOptions = {
  url: 'https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql',
  auth: { type: 'apiKey', apiKey: 'da2-abc' },
  collections: { todos: { table: 'Todo', fields: ['text', 'address { street city }'] } },
};

const problems = (options: unknown): readonly string[] => {
  try {
    readOptions(options as AppsyncTransportOptions);
    return [];
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: { problems: string[] } };
    expect(code).toBe('CONFIG_INVALID');
    expect(message).not.toContain('da2-');
    return details.problems.map((problem) => problem.split(' ')[0] ?? '');
  }
};

test('good options pass, with their defaults', () => {
  expect(readOptions(good)).toMatchObject({ overlap: 10_000, deltaTtl: 1_800_000, requestTimeout: 15_000 });
  for (const auth of [
    { type: 'oidc' },
    { type: 'userPool' },
    { type: 'lambda' },
    { type: 'iam', credentials: async () => undefined },
  ])
    expect(problems({ ...good, auth })).toEqual([]);
  for (const authToken of ['a', async () => 'a'])
    expect(problems({ ...good, auth: { type: 'oidc' }, authToken })).toEqual([]);
  for (const url of ['http://localhost:1/graphql', 'http://127.0.0.1/graphql', 'http://[::1]:20002/graphql'])
    expect(problems({ ...good, url })).toEqual([]);
  expect(appsyncTransport(good).source).toBe(`${new URL(good.url).host}/graphql`);
});

test('a collection that lies elsewhere, or is read in another way, has another mapping', () => {
  const mapping = (options: object) => {
    const collections = { todos: { table: 'Todo', fields: ['text'], ...options } };
    return JSON.stringify(appsyncTransport({ ...good, collections }).mapping?.('todos'));
  };
  const ways = [
    {},
    { table: 'Task' },
    { versioned: true },
    { where: { owner: { eq: 'me' } } },
    { names: { list: 'allTodos' } },
    { fields: ['text', 'more'] },
    { fields: z.object({ text: z.string(), more: z.string() }) },
  ];
  // The schema has the same fields as the list has.
  expect(new Set(ways.map(mapping)).size).toBe(ways.length - 1);
});

test('each wrong option is named', () => {
  expect(problems({})).toEqual(['url', 'auth', 'collections']);
  expect(problems({ ...good, overlap: 0, fetch: 1, endpiont: 'x' })).toEqual(['overlap', 'fetch', 'endpiont']);
  const wrong = [
    { type: 'apiKey' },
    { type: 'apiKey', apiKey: 'with a space' },
    { type: 'iam' },
    { type: 'oauth' },
    { type: 'oidc', token: 'a' },
    'apiKey',
  ];
  for (const auth of wrong) expect(problems({ ...good, auth })).toEqual(['auth']);
  expect(problems({ ...good, authToken: 3 })).toEqual(['authToken']);
});

test('a token never goes over a line that others can read', () => {
  for (const url of [
    'http://example.com/graphql',
    'http://127.0.0.1.example.com/graphql',
    'ws://localhost/graphql',
    'https://user:word@example.com/graphql',
    'https://example.com/graphql?key=1',
    'not a url',
  ])
    expect(problems({ ...good, url })).toEqual(['url']);
});

test('the address of another service of AppSync is named as such', () => {
  for (const url of [
    'https://abc.appsync-realtime-api.eu-central-1.amazonaws.com/graphql',
    'https://abc.appsync-api.eu-central-1.amazonaws.com/event',
    'https://api.example.com/graphql/realtime',
    'https://api.example.com/event/realtime',
  ])
    expect(() => appsyncTransport({ ...good, url })).toThrow(
      /not its realtime host, not ...\/event \(AppSync Events\)/,
    );
});

test('an option that has another name now is refused, and the message says which', () => {
  const { url, auth, collections } = good;
  const { table, ...rest } = { table: 'Todo', fields: ['text'] };
  const message = (options: unknown): string => {
    try {
      readOptions(options as AppsyncTransportOptions);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const old = message({ endpoint: url, auth, models: collections, keepAliveTimeout: 1000 });
  for (const said of ['endpoint is called url', 'models is called collections', 'keepAliveTimeout is called heartbeat'])
    expect(old).toContain(said);
  const inside = message({ ...good, collections: { todos: { ...rest, name: table, filter: {} } } });
  for (const said of ['name is called table now', 'filter is called where now']) expect(inside).toContain(said);
  expect(message({ ...good, auth: { type: 'oidc', token: 'a' } })).toContain('token is called authToken now');
});

test('each wrong option of a collection is named', () => {
  const collection = (more: object) =>
    problems({ ...good, collections: { todos: { table: 'Todo', fields: ['text'], ...more } } });
  expect(collection({})).toEqual([]);
  expect(problems({ ...good, collections: { todos: {} } })).toEqual(['table', 'fields']);
  expect(collection({ table: 'To do' })).toEqual(['table']);
  for (const fields of [[], ['a b'], [1], 'text', {}, ['text }']]) expect(collection({ fields })).toEqual(['fields']);
  expect(collection({ events: 'some', versioned: 1, names: { list: 'a-b' } })).toEqual([
    'versioned',
    'events',
    'names',
  ]);
  expect(collection({ arguments: { owner: {} }, where: 'owner' })).toEqual(['where', 'arguments']);
  expect(collection({ arguments: { owner: null, done: true, count: 1, who: 'me' } })).toEqual([]);
});

test('fields come from a list, zod, valibot or JSON Schema', () => {
  expect(fieldsOf(['a'])).toEqual(['a']);
  expect(fieldsOf(z.object({ text: z.string(), done: z.boolean() }))).toEqual(['text', 'done']);
  expect(fieldsOf({ entries: { text: {} } })).toEqual(['text']);
  expect(fieldsOf({ type: 'object', properties: { text: { type: 'string' } } })).toEqual(['text']);
});

test("Amplify's three ways to write its configuration are read", () => {
  const { url } = good;
  const region = 'eu-central-1';
  const key = { url, region, auth: { type: 'apiKey', apiKey: 'da2-abc' } };
  expect(
    fromAmplify({ API: { GraphQL: { endpoint: url, region, apiKey: 'da2-abc', defaultAuthMode: 'apiKey' } } }),
  ).toEqual(key);
  expect(
    fromAmplify({
      version: '1',
      data: { url, aws_region: region, api_key: 'da2-abc', default_authorization_type: 'API_KEY' },
    }),
  ).toEqual(key);
  expect(
    fromAmplify({
      aws_appsync_graphqlEndpoint: url,
      aws_appsync_region: region,
      aws_appsync_authenticationType: 'API_KEY',
      aws_appsync_apiKey: 'da2-abc',
    }),
  ).toEqual(key);
  const resources = { API: { GraphQL: { endpoint: url, region, apiKey: 'da2-abc', defaultAuthMode: 'userPool' } } };
  expect(fromAmplify(resources)).toMatchObject({ auth: { type: 'userPool' }, authToken: expect.any(Function) });
  expect(fromAmplify(resources, 'iam').auth).toMatchObject({ type: 'iam', credentials: expect.any(Function) });
  expect(fromAmplify(resources, 'apiKey')).toEqual(key);
  expect(problems({ ...good, ...fromAmplify(resources) })).toEqual([]);
  const customEndpoint = 'https://api.example.com/graphql';
  const shared = { region, apiKey: 'da2-abc', defaultAuthMode: 'apiKey' };
  // Amplify sends its subscriptions to the endpoint all the same.
  expect(fromAmplify({ API: { GraphQL: { ...shared, endpoint: url, customEndpoint } } })).toEqual(key);
  const custom = { customEndpoint, customEndpointRegion: 'us-east-1' };
  expect(fromAmplify({ API: { GraphQL: { ...shared, ...custom } } })).toEqual({
    ...key,
    url: customEndpoint,
    region: 'us-east-1',
  });
  for (const events of [{ API: { Events: { endpoint: url } } }, { version: '1', custom: { events: { url } } }])
    expect(() => fromAmplify(events)).toThrow('AppSync Events only');
  for (const empty of [
    {},
    { API: {} },
    { API: { GraphQL: { endpoint: url } } },
    { data: { url, default_authorization_type: 'API_KEY' } },
  ])
    expect(() => fromAmplify(empty)).toThrow('fromAmplify found no GraphQL API');
});

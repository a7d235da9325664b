import { request as httpRequest } from 'node:http';
import { describe, expect, test } from 'vitest';
import { memoryServerStore } from '../../../src/server/index.js';
import { legacyPull, parseLegacyQuery, parseSince } from '../../../src/server/legacy/pull.js';
import { start, stores } from './fixtures/harness.js';

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const change = (recordId: string, data: object, metadata: object) => ({
  type: 'insert',
  collection: 'todos',
  recordId,
  data,
  metadata,
});
const ids = (body: unknown) => (body as { records: { recordId: string }[] }).records.map(({ recordId }) => recordId);

describe.each(stores)('GET with seq, %s store', (_name, make) => {
  test('pages as the socket does', async () => {
    const { server, rest, clock } = await start({ store: make() });
    const todos = server.collection('todos');
    clock.time = 1000;
    for (const id of ['a', 'b', 'c']) todos.save(id, { id });
    todos.delete('b');
    const updatedAt = '1970-01-01T00:00:01.000Z';
    expect(await (await rest('/sync/todos?seq=0&limit=1')).json()).toEqual({
      records: [{ recordId: 'a', data: { id: 'a' }, version: 1, updatedAt }],
      seq: 1,
      snapshot: true,
      snapshotSeq: 4,
      timestamp: updatedAt,
    });
    todos.delete('a');
    expect(await (await rest('/sync/todos?seq=1&snapshot=4')).json()).toMatchObject({
      records: [{ recordId: 'c' }, { recordId: 'a', data: null, deleted: true }],
      seq: 5,
      snapshotSeq: 4,
    });
    expect(await (await rest('/sync/todos?seq=5&snapshot=4')).json()).toMatchObject({ records: [], snapshot: true });
    const later = await (await rest('/sync/todos?seq=3')).json();
    expect(ids(later)).toEqual(['b', 'a']);
    expect(later).not.toHaveProperty('snapshot');
  });

  test('applies a typed filter', async () => {
    const { server, rest } = await start({ store: make() });
    server.collection('todos').save('a', { n: 1 });
    server.collection('todos').save('b', { n: '1' });
    const filter = encodeURIComponent(JSON.stringify({ where: { n: 1 } }));
    expect(ids(await (await rest(`/sync/todos?seq=0&filter=${filter}`)).json())).toEqual(['a']);
  });
});

describe('POST /sync', () => {
  test('answers each change in order, and tells subscribers', async () => {
    const { server, post, subscriber } = await start();
    const reader = await subscriber();
    server.collection('todos').save('old', { a: 1 });
    await reader.expect('insert');
    const changes = [
      change('1', { a: 1 }, { opId: 'o1', baseVersion: null }),
      change('old', { a: 2 }, { opId: 'o2', baseVersion: null }),
      { type: 'shout' },
      change('2', {}, {}),
      { ...change('1', { b: 2 }, { opId: 'o3', baseVersion: 2 }), type: 'update' },
      change('1', { a: 1 }, { opId: 'o1', baseVersion: null }),
    ];
    const response = await post('/sync', { changes });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      results: [
        { type: 'ack', recordId: '1', metadata: { opId: 'o1', version: 2, seq: 2 } },
        { type: 'conflict', recordId: 'old', data: { a: 1 }, metadata: { opId: 'o2', version: 1 } },
        { type: 'error', code: 'INVALID_MESSAGE' },
        { type: 'error', code: 'INVALID_MESSAGE', metadata: { recordId: '2' } },
        { type: 'ack', metadata: { opId: 'o3', version: 3 } },
        { type: 'ack', data: { a: 1, b: 2 }, metadata: { opId: 'o1', version: 3 } },
      ],
    });
    expect((await reader.settled()).map((message) => message.type)).toEqual(['insert', 'update']);
  });

  test('counts each change against the rate limit', async () => {
    const { post } = await start({ rateLimit: { messages: 2, perMs: 1000 } });
    const changes = ['1', '2', '3'].map((id) => change(id, {}, { opId: id, baseVersion: null }));
    expect(await (await post('/sync', { changes })).json()).toMatchObject({
      results: [
        { type: 'ack' },
        { type: 'ack' },
        { type: 'error', code: 'RATE_LIMIT_EXCEEDED', metadata: { opId: '3', retryAfter: 500 } },
      ],
    });
  });

  test.each([[[]], [{ changes: {} }], [{}], [null]])('of %j is refused', async (body) => {
    const { post } = await start();
    const response = await post('/sync', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: 'INVALID_MESSAGE', error: expect.any(String) });
  });
});

describe('single writes', () => {
  test('POST, PATCH and DELETE are unconditional and tell subscribers', async () => {
    const { server, rest, post, subscriber, clock } = await start();
    const reader = await subscriber();
    const todos = server.collection('todos');
    clock.time = 1000;
    const json = { 'content-type': 'application/json' };
    const posted = await post('/sync/todos', { recordId: 'a/b ø', data: { a: 1 }, timestamp: '2099-01-01' });
    expect(posted.status).toBe(200);
    expect(await posted.json()).toEqual({ recordId: 'a/b ø', version: 1, updatedAt: '1970-01-01T00:00:01.000Z' });
    const path = `/sync/todos/${encodeURIComponent('a/b ø')}`;
    const body = JSON.stringify({ delta: { b: 2 }, baseVersion: 77, timestamp: '2099-01-01' });
    expect((await rest(path, { method: 'PATCH', headers: json, body })).status).toBe(200);
    expect(todos.get('a/b ø')).toEqual({ a: 1, b: 2 });
    for (let i = 0; i < 2; i++) expect((await rest(path, { method: 'DELETE' })).status).toBe(200);
    expect(todos.get('a/b ø')).toBeUndefined();
    expect((await reader.settled()).map(({ type }) => type)).toEqual(['insert', 'update', 'delete']);
  });

  test('with an opId are compare-and-set, and a conflict is 409', async () => {
    const { server, post } = await start();
    server.collection('todos').save('1', { a: 1 });
    const body = { recordId: '1', data: { a: 2 }, metadata: { opId: 'o', baseVersion: null } };
    const response = await post('/sync/todos', body);
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({
      error: expect.any(String),
      type: 'conflict',
      data: { a: 1 },
      metadata: { opId: 'o', version: 1 },
    });
  });
});

describe('statuses', () => {
  const options = {
    collections: ['todos', 'secret'],
    authenticate: (token: string | undefined) => (token === 'good' ? { id: 'ann' } : null),
    authorize: ({ collection }: { collection: string }) => collection !== 'secret',
  };
  const valid = '{"recordId":"1","data":{}}';
  const cases: readonly (readonly [number, string, string, string, RequestInit?])[] = [
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?seq=-1'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?seq=x'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?seq=0&limit=0'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?seq=0&filter=x'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?seq=0&filter=[]'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?since=yesterday'],
    [400, 'INVALID_MESSAGE', 'GET', '/sync/todos?limit=-1'],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: '{' }],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: '[]' }],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: '{"recordId":"1"}' }],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: '{"recordId":"","data":{}}' }],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: '{"recordId":"1","data":{"__proto__":{"polluted":1}}}' }],
    [400, 'INVALID_MESSAGE', 'POST', '/sync/todos', { body: valid, headers: { 'content-type': 'text/plain' } }],
    [400, 'INVALID_MESSAGE', 'PATCH', '/sync/todos/1', { body: '{}' }],
    [401, 'AUTH_FAILED', 'GET', '/sync/todos', bearer('bad')],
    [401, 'AUTH_FAILED', 'POST', '/sync', { ...bearer(''), body: '{}' }],
    [403, 'UNAUTHORIZED', 'GET', '/sync/secret'],
    [403, 'UNAUTHORIZED', 'POST', '/sync/secret', { body: '{"recordId":"1","data":{}}' }],
    [403, 'UNAUTHORIZED', 'DELETE', '/sync/secret/1'],
    [404, 'COLLECTION_NOT_FOUND', 'GET', '/sync/nothing'],
    [404, 'COLLECTION_NOT_FOUND', 'DELETE', '/sync/nothing/1'],
    [404, 'RECORD_NOT_FOUND', 'GET', '/elsewhere'],
    [404, 'RECORD_NOT_FOUND', 'GET', '/sync/a/b/c'],
    [404, 'RECORD_NOT_FOUND', 'GET', '/sync/%zz'],
    [405, 'INVALID_MESSAGE', 'PUT', '/sync/todos'],
    [405, 'INVALID_MESSAGE', 'GET', '/sync'],
    [405, 'INVALID_MESSAGE', 'GET', '/sync/todos/1'],
    [405, 'INVALID_MESSAGE', 'POST', '/health'],
    [413, 'INVALID_MESSAGE', 'POST', '/sync', { body: JSON.stringify({ text: 'x'.repeat(3000) }) }],
    [413, 'INVALID_MESSAGE', 'POST', '/sync', { body: JSON.stringify({ text: 'x'.repeat(300_000) }) }],
  ];
  for (const [status, code, method, path, init = {}] of cases) {
    test(`${status} ${code}: ${method} ${path} ${String(init.body ?? '').slice(0, 60)}`, async () => {
      const { rest } = await start({ ...options, maxPayload: 2000 });
      const headers = { 'content-type': 'application/json', authorization: 'Bearer good', ...init.headers };
      const response = await rest(path, { method, ...init, headers });
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ code, error: expect.any(String) });
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    });
  }

  test('429 with the time to wait, per user', async () => {
    const { rest, clock } = await start({
      authenticate: (token) => (token ? { id: token } : null),
      rateLimit: { messages: 1, perMs: 3000 },
    });
    expect((await rest('/sync/todos', bearer('ann'))).status).toBe(200);
    const refused = await rest('/sync/todos', bearer('ann'));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('3');
    expect(await refused.json()).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect((await rest('/sync/todos', bearer('bob'))).status).toBe(200);
    clock.time = 3000;
    expect((await rest('/sync/todos', bearer('ann'))).status).toBe(200);
  });

  test('500 when the store fails, which is logged and not told', async () => {
    const broken = memoryServerStore();
    const store = {
      ...broken,
      seq() {
        throw new Error('secret path');
      },
    };
    const { rest, post, logged } = await start({ store });
    for (const response of [await rest('/sync/todos?seq=0'), await post('/sync/todos', { recordId: '1', data: {} })]) {
      expect(response.status).toBe(500);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: 'SERVER_ERROR' });
      expect(text).not.toContain('secret path');
    }
    expect(logged.filter(({ level }) => level === 'error').length).toBeGreaterThanOrEqual(2);
  });

  test('a path that is no URL is not found', async () => {
    const { server } = await start();
    const { port } = new URL(server.httpUrl);
    const status = await new Promise((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1', path: '//' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });

  test('health', async () => {
    const { rest, client } = await start({ authenticate: () => null });
    await client();
    const response = await rest('/health');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok', connections: 1 });
  });

  test('httpPath goes before everything', async () => {
    const { rest, server } = await start({ httpPath: '/api' });
    expect(server.httpUrl).toMatch(/\/api$/);
    expect((await rest('/sync/todos?seq=0')).status).toBe(200);
    expect((await fetch(`${server.httpUrl.replace('/api', '')}/sync/todos?seq=0`)).status).toBe(404);
  });
});

describe('CORS', () => {
  const origin = { headers: { origin: 'https://app.example' } };

  test('lets any page in, errors too, and answers a preflight without a token', async () => {
    const { rest } = await start({ authenticate: () => null });
    const preflight = await rest('/sync/todos', { method: 'OPTIONS', ...origin });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/authorization/i);
    expect(preflight.headers.get('access-control-allow-methods')).toMatch(/PATCH.*DELETE/);
    const refused = await rest('/sync/todos', origin);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
  });

  test('can be limited to some origins, or turned off', async () => {
    const some = await start({ cors: ['https://app.example'] });
    expect((await some.rest('/sync/a', origin)).headers.get('access-control-allow-origin')).toBe('https://app.example');
    const other = await some.rest('/sync/a', { headers: { origin: 'https://evil.example' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    expect(other.headers.get('vary')).toBe('Origin');
    const none = await start({ cors: false });
    expect((await none.rest('/sync/a', origin)).headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe.each(stores)('the original GET, %s store', (_name, make) => {
  test('gives live records changed since, by page, without sequence numbers', async () => {
    const { server, rest, clock } = await start({ store: make() });
    const todos = server.collection('todos');
    for (const id of ['a', 'b', 'c', 'd']) {
      clock.time += 1000;
      todos.save(id, { id });
    }
    todos.delete('c');
    const get = async (query: string) => ids(await (await rest(`/sync/todos${query}`)).json());
    expect(await (await rest('/sync/todos?limit=1')).json()).toEqual({
      records: [{ recordId: 'a', data: { id: 'a' }, version: 1, updatedAt: '1970-01-01T00:00:01.000Z' }],
      timestamp: '1970-01-01T00:00:04.000Z',
    });
    expect(await get('')).toEqual(['a', 'b', 'd']);
    expect(await get('?since=1970-01-01T00:00:02.000Z')).toEqual(['b', 'd']);
    expect(await get('?since=2001')).toEqual(['d']);
    expect(await get('?limit=2&offset=1')).toEqual(['b', 'd']);
    expect(await get('?limit=2&offset=3')).toEqual([]);
  });

  test('compares where as text, and picks fields', async () => {
    const { server, rest } = await start({ store: make() });
    const todos = server.collection('todos');
    todos.save('a', { n: 1, done: true, by: { name: 'ann' }, text: 'x' });
    todos.save('b', { n: 1.5, done: false, by: { name: 'ann' }, text: 'y' });
    todos.save('c', { done: true });
    const get = async (query: Record<string, string>) =>
      (await rest(`/sync/todos?${new URLSearchParams(query)}`)).json() as Promise<{ records: { data: unknown }[] }>;
    expect(ids(await get({ 'where[done]': 'true' }))).toEqual(['a', 'c']);
    expect(ids(await get({ 'where[done]': 'true', 'where[n]': '1' }))).toEqual(['a']);
    expect(ids(await get({ 'where[n]': '1.0' }))).toEqual(['a']);
    expect(ids(await get({ 'where[n]': 'null' }))).toEqual(['c']);
    expect(ids(await get({ 'where[by.name]': 'ann' }))).toEqual(['a', 'b']);
    expect(ids(await get({ 'where[constructor]': 'null' }))).toEqual(['a', 'b', 'c']);
    expect((await get({ fields: 'n, text' })).records[0]?.data).toEqual({ n: 1, text: 'x' });
    expect((await get({ excludeFields: 'n,by' })).records[0]?.data).toEqual({ done: true, text: 'x' });
  });

  test('leaves out what the user may not read', async () => {
    const { server, rest } = await start({
      store: make(),
      authorize: ({ action, row }) => action !== 'read' || row.open === true,
    });
    server.collection('todos').save('a', { open: false });
    server.collection('todos').save('b', { open: true });
    expect(ids(await (await rest('/sync/todos')).json())).toEqual(['b']);
  });
});

describe('what since means', () => {
  test('a time without a zone is some local time: up to 14 hours earlier for us', () => {
    const noon = Date.UTC(2026, 1, 24, 12);
    expect(parseSince('2026-02-24T12:00:00.000Z')).toBe(noon);
    expect(parseSince('2026-02-24T12:00:00.000123Z')).toBe(noon);
    expect(parseSince('2026-02-24T14:00:00+02:00')).toBe(noon);
    expect(parseSince('2026-02-24T12:00:00.000123')).toBe(noon - 14 * 3_600_000);
    expect(parseSince(String(noon))).toBe(noon);
    expect(parseSince('soon')).toBeUndefined();
  });

  test('a page of no records is none', () => {
    const query = parseLegacyQuery(new URLSearchParams('limit=0'), 10);
    const store = memoryServerStore();
    store.put('c', { id: '1', data: {}, version: 1, updatedAt: 0 });
    expect(typeof query !== 'string' && legacyPull(store, 'c', query, undefined)).toEqual([]);
  });
});

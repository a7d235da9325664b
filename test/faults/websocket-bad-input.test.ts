import { describe, expect, test } from 'vitest';
import { type AuthorizeRequest, memoryServerStore } from '../../src/server/index.js';
import {
  device,
  errorsOf,
  live,
  mirror,
  pushed,
  startScripted,
  startServer,
  until,
} from '../peers/websocket/harness.js';

const event = (recordId: string, seq: number, more: object = {}) => ({
  type: 'insert',
  collection: 'todos',
  recordId,
  data: { n: seq },
  timestamp: new Date().toISOString(),
  metadata: { version: seq, seq },
  ...more,
});

test.each<[string, unknown, string]>([
  ['text that is not JSON', '{"type":', 'not JSON'],
  ['nothing', '', 'not JSON'],
  ['JSON that is no message', '[1,2]', 'no message'],
  ['null', 'null', 'no message'],
  ['a message without a type', '{"collection":"todos"}', 'no message'],
  ['an unknown type', '{"type":"dance"}', 'unknown type "dance"'],
  ['an unknown type of 1 MB', JSON.stringify({ type: 'x'.repeat(1_000_000) }), 'unknown type'],
  ['an event without data', event('bad', 101, { data: undefined }), 'malformed "insert"'],
  ['an event whose data is a list', event('bad', 101, { data: [1] }), 'malformed "insert"'],
  ['an event without a version', event('bad', 101, { metadata: {} }), 'malformed "insert"'],
  ['an event whose id is a number', event('bad', 101, { recordId: 7 }), 'malformed "insert"'],
  ['an event with metadata null', event('bad', 101, { metadata: null }), 'malformed "insert"'],
  ['a field named __proto__', `{"type":"pong","__proto__":{"polluted":true}}`, '__proto__'],
  [
    'a field named __proto__, written otherwise',
    `{"type":"pong","a":{"\\u005f_proto__":{"polluted":true}}}`,
    '__proto__',
  ],
])('%s: reported and counted; the rest goes on', async (_, frame, words) => {
  const server = await startScripted();
  const sync = await device({ websocketUrl: server.url });
  await live(sync);
  const errors = errorsOf(sync);
  const seen = mirror(sync);
  server.say(frame);
  server.say(event('good', 102));
  await seen.when((rows) => rows.has('good'));
  await until(sync, () => errors.length > 0 && sync.status.phase === 'live');
  expect(errors.map(({ error }) => error.code)).toEqual(['PROTOCOL_VIOLATION']);
  expect(errors[0]?.error.message).toContain(words);
  expect(errors[0]?.error.message.length).toBeLessThan(200);
  expect(sync.metrics().errors.PROTOCOL_VIOLATION).toBe(1);
  expect([...seen.rows.keys()]).toEqual(['good']);
  expect(sync.metrics().connection.reconnects).toBe(0);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('a binary frame, an ack of nothing, an answer to nobody: no harm', async () => {
  const server = await startScripted();
  const sync = await device({ websocketUrl: server.url });
  await live(sync);
  const errors = errorsOf(sync);
  server.sendBinary(new Uint8Array([1, 2, 3]));
  for (const frame of [
    { type: 'ack' },
    { type: 'ack', metadata: null },
    { type: 'conflict', metadata: { opId: 'nobody' } },
    { type: 'sync', collection: 'nowhere' },
    { type: 'error' },
    { type: 'error', metadata: 'text', error: {} },
    { type: 'subscribed', collection: 'nowhere', metadata: { seq: 3 } },
    { type: 'unsubscribed' },
    { type: 'insert', collection: 'nowhere', recordId: '1', data: {}, metadata: { version: 1 } },
  ])
    server.say(frame);
  server.say(event('good', 103));
  await mirror(sync).when((rows) => rows.has('good'));
  expect(errors[0]?.error.message).toContain('binary');
  await live(sync);
  expect(sync.metrics().connection.reconnects).toBe(0);
});

test('a row with __proto__ inside leaves the field out and keeps the rest; the words alone are fine', async () => {
  const server = await startScripted();
  const sync = await device({ websocketUrl: server.url });
  await live(sync);
  const errors = errorsOf(sync);
  const seen = mirror(sync);
  server.say(JSON.stringify(event('words', 101, { data: { text: 'say "__proto__"' } })));
  await seen.when((rows) => rows.has('words'));
  expect(errors).toEqual([]);
  server.say(
    JSON.stringify(event('key', 102, { data: { kept: 1, nested: {} } })).replace('{}', '{"__proto__":{"x":1}}'),
  );
  await seen.when((rows) => rows.has('key'));
  expect(seen.rows.get('key')).toEqual({ id: 'key', kept: 1, nested: {} });
  expect(errors.length).toBe(1);
});

test('a malformed record of a page is skipped and reported, and so is a page of nothing else', async () => {
  const good = { id: 'good', data: { n: 1 }, version: 50, updatedAt: new Date().toISOString() };
  let pages: unknown[][] = [[null, { id: 7 }, { id: 'bad' }], [null, good, { id: 'bad', version: 'x', data: {} }], []];
  const server = await startScripted(({ type, metadata, collection }, { say }) => {
    if (type !== 'subscribe' || metadata?.since === undefined) return false;
    const records = pages[0] ?? [];
    pages = pages.slice(1);
    say({ type: 'sync', collection, data: { records }, metadata: { requestId: metadata.requestId, seq: 100 } });
    return true;
  });
  const sync = await device({ websocketUrl: server.url });
  const errors = errorsOf(sync);
  await live(sync);
  expect(errors.map(({ error }) => error.message)).toEqual([
    expect.stringContaining('malformed'),
    expect.stringContaining('malformed'),
    expect.stringContaining('malformed'),
    expect.stringContaining('malformed'),
    expect.stringContaining('malformed'),
  ]);
  expect([...mirror(sync).rows.keys()]).toEqual([]);
  expect((await sync.collection('todos').getAll()).map(({ id }) => id)).toEqual(['good']);
});

test('malformed answers to a push count as none', async () => {
  const server = await startScripted(({ type, metadata }, { say }) => {
    if (type !== 'insert') return false;
    say({ type: 'ack', metadata: { opId: metadata?.opId } });
    return true;
  });
  const sync = await device({ websocketUrl: server.url, maxRetries: 1 });
  await live(sync);
  const failed = sync.events.once('operationFailed');
  await sync.collection('todos').save({}, '1');
  expect((await failed).error.message).toContain('malformed');
});

describe('frames of 10 MB', () => {
  const big = 'ä'.repeat(5 * 1_048_576);

  test('go both ways where both sides allow them', { timeout: 300_000 }, async () => {
    const server = await startServer({ maxPayload: 32 * 1_048_576 });
    const url = { type: 'websocket' as const, url: server.url, maxPayload: 32 * 1_048_576 };
    const a = await device({ transport: url });
    const b = await device({ transport: url });
    await Promise.all([live(a), live(b)]);
    const seen = mirror(b);
    await a.collection('todos').save({ big }, 'big');
    await seen.when((rows) => rows.has('big'));
    expect(seen.rows.get('big')?.big === big).toBe(true);
    // And in a page.
    const c = await device({ transport: url });
    await mirror(c).when((rows) => rows.get('big')?.big === big, 'the big row is here');
    expect(a.metrics().messages.bytesOut).toBeGreaterThan(10 * 1_048_576);
    expect(b.metrics().messages.bytesIn).toBeGreaterThan(10 * 1_048_576);
  });

  test('that nobody asked for do no harm', async () => {
    const server = await startScripted();
    const sync = await device({ websocketUrl: server.url });
    await live(sync);
    server.say(`"${'x'.repeat(10 * 1_048_576)}"`);
    server.say(event('good', 102));
    await mirror(sync).when((rows) => rows.has('good'));
    expect(sync.metrics().errors).toEqual({ PROTOCOL_VIOLATION: 1 });
  });
});

describe('an edit larger than the server takes is kept aside, with what to do; all others get through', () => {
  const edits = [
    ...Array.from({ length: 20 }, (_, n) => ({ id: `small${n}`, text: 'x'.repeat(n * 100) })),
    { id: 'big', text: 'x'.repeat(5000) },
    ...Array.from({ length: 20 }, (_, n) => ({ id: `more${n}`, text: 'ä'.repeat(n * 50) })),
  ];

  test.each<[string, number | undefined]>([
    ['known from the option', 4000],
    ['learnt from a close with 1009', undefined],
  ])('by the socket, %s', async (_, maxPayload) => {
    const server = await startServer({ maxPayload: 4000 });
    const transport = { type: 'websocket' as const, url: server.url, ...(maxPayload && { maxPayload }) };
    const sync = await device({ transport });
    await live(sync);
    await sync.collection('todos').saveMany(edits);
    await pushed(sync);
    await live(sync);
    expect(sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['big']);
    expect(sync.outbox.failed()[0]?.error).toMatchObject({
      code: 'PUSH_REJECTED',
      message: expect.stringMatching(/todos\/big .* bytes; .* raise maxPayload on both sides/),
    });
    expect(server.collection('todos').count()).toBe(40);
    expect(sync.metrics().connection.reconnects).toBe(maxPayload ? 0 : 1);
  });

  test('by HTTP, where many small ones are more than the server takes, too', async () => {
    const server = await startServer({ maxPayload: 4000 });
    const sync = await device({ baseUrl: server.httpUrl, syncInterval: 100 });
    await sync.collection('todos').saveMany(edits);
    await pushed(sync);
    expect(sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['big']);
    expect(sync.outbox.failed()[0]?.error?.message).toMatch(/todos\/big .* bytes, .* raise the limit \(maxPayload/);
    expect(server.collection('todos').count()).toBe(40);
  });
});

test.each([1000, 1001, 1009, 1011, 1012, 1013, 4000, 4408])('closed with %i: it comes back', async (code) => {
  const server = await startServer();
  const sync = await device({ websocketUrl: server.url });
  await live(sync);
  const errors = errorsOf(sync);
  const lost = sync.events.once('realtimeDisconnected');
  server.dropConnections({ code });
  await lost;
  await live(sync);
  expect(errors.map(({ error }) => error.code)).toEqual(['CONNECTION_LOST']);
  expect(errors[0]?.error.message).toContain(`(${code}`);
  await sync.collection('todos').save({ text: 'x'.repeat(10_000) });
  await pushed(sync);
  expect(sync.outbox.failed()).toEqual([]);
});

test.each([1008, 4401])('closed with %i: the token is in question', async (code) => {
  const server = await startServer({ authenticate: () => ({ id: 'ann' }) });
  const sync = await device({ websocketUrl: server.url, authToken: 'a token' });
  await live(sync);
  server.dropConnections({ code });
  await until(sync, () => sync.status.phase === 'needs-auth');
});

describe('a rate limit', () => {
  test('slows pushes down, and loses and refuses none', { timeout: 300_000 }, async () => {
    const store = memoryServerStore();
    const server = await startServer({ store, rateLimit: { messages: 30, perMs: 200 } });
    const sync = await device({ websocketUrl: server.url });
    await live(sync);
    const before = store.seq('todos');
    await sync.collection('todos').saveMany(Array.from({ length: 300 }, (_, n) => ({ id: `t${n}`, n })));
    await pushed(sync);
    expect(server.collection('todos').count()).toBe(300);
    expect(store.seq('todos') - before).toBe(300);
    expect(sync.outbox.failed()).toEqual([]);
  });

  test('slows them down by HTTP as well', { timeout: 300_000 }, async () => {
    const server = await startServer({ rateLimit: { messages: 30, perMs: 200 } });
    const sync = await device({ baseUrl: server.httpUrl, syncInterval: 100 });
    await sync.collection('todos').saveMany(Array.from({ length: 300 }, (_, n) => ({ id: `t${n}`, n })));
    await pushed(sync);
    expect(server.collection('todos').count()).toBe(300);
    expect(sync.outbox.failed()).toEqual([]);
  });

  test('holds up a subscription, not for good', async () => {
    const server = await startServer({ rateLimit: { messages: 2, perMs: 100 } });
    const collections = Array.from({ length: 8 }, (_, n) => `c${n}`);
    const sync = await device({ websocketUrl: server.url, collections });
    await live(sync);
    server.collection('c7').save('1', { n: 1 });
    await mirror(sync, 'c7').when((rows) => rows.has('1'));
  });
});

describe('a permission that is taken away', () => {
  test('ends that collection with a clear error; the others go on', async () => {
    let denied = false;
    const server = await startServer({
      authorize: ({ action, collection }: AuthorizeRequest) =>
        !(denied && action === 'subscribe' && collection === 'secrets'),
    });
    const sync = await device({ websocketUrl: server.url, collections: ['todos', 'secrets'] });
    await live(sync);
    const errors = errorsOf(sync);
    denied = true;
    const lost = sync.events.once('realtimeDisconnected');
    server.dropConnections();
    await lost;
    await until(sync, () => sync.inspect().collections.secrets?.phase === 'failed');
    expect(errors.find(({ collection }) => collection === 'secrets')?.error).toMatchObject({
      code: 'SUBSCRIBE_REJECTED',
      message: expect.stringContaining('UNAUTHORIZED'),
    });
    server.collection('todos').save('1', { n: 1 });
    await mirror(sync).when((rows) => rows.has('1'));
    denied = false;
    const again = sync.events.once('realtimeDisconnected');
    server.dropConnections();
    await again;
    await live(sync);
  });

  test('in the middle of a subscription, told by the server', async () => {
    const server = await startScripted();
    const sync = await device({ websocketUrl: server.url, collections: ['todos', 'secrets'] });
    await live(sync);
    const errors = errorsOf(sync);
    server.say({ type: 'error', code: 'UNAUTHORIZED', error: 'no more', metadata: { collection: 'secrets' } });
    await until(sync, () => sync.inspect().collections.secrets?.phase === 'failed');
    expect(errors[0]).toMatchObject({ collection: 'secrets', error: { code: 'SUBSCRIBE_REJECTED' } });
    expect(sync.inspect().collections.todos?.phase).toBe('live');
  });

  test('a write that is not allowed is kept aside, and shows the server row again', async () => {
    const server = await startServer({
      authorize: (request: AuthorizeRequest) => request.action !== 'write' || request.row?.text !== 'forbidden',
    });
    server.collection('todos').save('1', { text: 'fine' });
    const sync = await device({ websocketUrl: server.url });
    await live(sync);
    const failed = sync.events.once('operationFailed');
    await sync.collection('todos').saveMany([
      { id: '1', text: 'forbidden' },
      { id: '2', text: 'allowed' },
    ]);
    expect((await failed).error).toMatchObject({
      code: 'PUSH_REJECTED',
      message: expect.stringContaining('UNAUTHORIZED'),
    });
    await pushed(sync);
    expect((await sync.collection('todos').get('1'))?.text).toBe('fine');
    expect(server.collection('todos').get('2')).toMatchObject({ text: 'allowed' });
  });
});

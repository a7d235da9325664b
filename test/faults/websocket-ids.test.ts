import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sqliteServerStore } from '../../src/server/index.js';
import { device, live, mirror, pushed, startServer } from '../peers/websocket/harness.js';

/** Ids that somebody somewhere takes for something else. */
const nasty: readonly string[] = [
  ...["'", '"', '`', "''", '"x"', "O'Brien", `'; DROP TABLE records; --`, '" OR ""="', '\\', '\\\\', "\\'"],
  ...[',', 'a,b', '(', ')', '(a,b)', 'in.(1,2)', 'eq.1', '{', '}', '{"id":1}', '[', ']', '[]', '<', '>', '<b>'],
  ...[
    '%',
    '%2F',
    '%00',
    '%zz',
    '100%',
    '_',
    '%25',
    '+',
    'a+b',
    '&',
    '=',
    'a=b&c=d',
    '?',
    '#',
    ';',
    ':',
    '::',
    '@',
    '!',
    '$',
    '*',
    '|',
    '~',
    '^',
  ],
  ...['/', '//', 'a/b', '/a', 'a/', '../up', './here', '...', '.hidden', 'a..b', '\\..\\x', 'C:\\'],
  ...[
    ' ',
    '  ',
    ' a',
    'a ',
    'a b',
    '\t',
    '\n',
    '\r\n',
    'a\nb',
    '\u00a0',
    '\u2028',
    '\u200b',
    '\ufeff',
    '\u0001',
    '\u007f',
  ],
  ...['ä', 'a\u0308', 'ß', 'İ', 'ﬁ', '中文', 'עברית', '\u202eabc', '🦄', '👨‍👩‍👧‍👦', '𝒳', '\uffff'],
  ...[
    'null',
    'undefined',
    'true',
    '0',
    '-1',
    '1e3',
    'NaN',
    'constructor',
    '__proto__',
    'prototype',
    'toString',
    'hasOwnProperty',
    'id',
  ],
  ...['x'.repeat(500), 'ä'.repeat(500), '🦄'.repeat(250), 'x'.repeat(1000)],
];

test.each(['socket', 'http'] as const)('%s: nasty ids are carried faithfully', async (way) => {
  expect(new Set(nasty).size).toBe(nasty.length);
  expect(nasty.length).toBeGreaterThanOrEqual(81);
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-ids-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const server = await startServer({ store: sqliteServerStore({ path: join(folder, 'server.db') }) });
  const address = way === 'socket' ? { websocketUrl: server.url } : { baseUrl: server.httpUrl, syncInterval: 100 };
  const a = await device({ ...address, store: { type: 'sqlite', path: join(folder, 'a.db') } });
  const b = await device(address);
  if (way === 'socket') await Promise.all([live(a), live(b)]);
  const seen = mirror(b);
  const todos = a.collection('todos');
  await todos.saveMany(nasty.map((id, n) => ({ id, n })));
  await seen.when((rows) => rows.size === nasty.length);
  for (const [n, id] of nasty.entries()) expect(seen.rows.get(id), JSON.stringify(id)).toEqual({ id, n });
  for (const id of nasty) await todos.update(id, { changed: true });
  await seen.when((rows) => [...rows.values()].every(({ changed }) => changed === true));
  await pushed(a);
  expect([...server.collection('todos').all().keys()].sort()).toEqual([...nasty].sort());
  // They come back from disk as they were.
  await a.close();
  const again = await device({ ...address, store: { type: 'sqlite', path: join(folder, 'a.db') } });
  expect((await again.collection('todos').getAll()).map(({ id }) => id as string).sort()).toEqual([...nasty].sort());
  await again.collection('todos').deleteMany(nasty);
  await seen.when((rows) => rows.size === 0);
  await pushed(again);
  expect(a.outbox.failed()).toEqual([]);
  expect(server.collection('todos').count()).toBe(0);
});

test.each(['', '.', '..', 'half \ud800', '\udc00', 'x'.repeat(1001)])('%j is refused when it is saved', async (id) => {
  const server = await startServer();
  const sync = await device({ websocketUrl: server.url });
  await expect(sync.collection('todos').save({ n: 1 }, id)).rejects.toMatchObject({
    code: 'VALIDATION_FAILED',
    message: expect.stringContaining('an id that is not'),
  });
});

test('an id with a NUL, which databases cut off, is refused by the server with the reason', async () => {
  const server = await startServer();
  const sync = await device({ websocketUrl: server.url });
  await live(sync);
  const failed = sync.events.once('operationFailed');
  await sync.collection('todos').saveMany([{ id: 'a\0b' }, { id: 'good' }]);
  expect((await failed).error).toMatchObject({
    code: 'PUSH_REJECTED',
    message: expect.stringContaining('recordId must be well-formed text'),
  });
  await pushed(sync);
  expect(server.collection('todos').count()).toBe(1);
});

test('collections with nasty names work as well', async () => {
  const server = await startServer();
  const collections = ['a/b', 'ä b', "it's", '%2F', 'x,y', '🦄', '__proto__', 'constructor'];
  for (const address of [{ websocketUrl: server.url }, { baseUrl: server.httpUrl, syncInterval: 100 }]) {
    const sync = await device({ ...address, collections });
    for (const name of collections) {
      await sync.collection(name).save({ name }, '1');
      await pushed(sync);
      expect(server.collection(name).get('1'), name).toMatchObject({ name });
      server.collection(name).save('2', { name });
      await mirror(sync, name).when((rows) => rows.has('2'));
    }
    await sync.close();
    for (const name of collections) for (const id of ['1', '2']) server.collection(name).delete(id);
  }
});

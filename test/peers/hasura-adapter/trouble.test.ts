import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HasuraCollection } from '../../../adapters/hasura/options.js';
import { createTcpProxy } from '../../../src/testing/index.js';
import { table, touch } from '../hasura/hand.js';
import { type HasuraPeer, startHasuraPeer } from '../hasura/index.js';
import { until } from '../until.js';
import { openClient } from './harness.js';

const everything = { select: { columns: '*', filter: {} }, insert: { columns: '*', check: {} } } as const;

let peer: HasuraPeer;
beforeAll(async () => {
  peer = await startHasuraPeer({
    schema: [
      touch,
      table('todos', true),
      table('tasks', false),
      `create function moody() returns trigger language plpgsql as $$
         begin
           if new.text = 'forbidden' then raise exception 'not this text'; end if;
           return new;
         end $$`,
      'create trigger moody before insert or update on tasks for each row execute function moody()',
    ].join(';\n'),
    permissions: { user: { todos: everything, tasks: everything } },
    pollInterval: 30,
  });
});
afterAll(() => peer?.close());
beforeEach(async () => {
  peer.trouble(undefined);
  await peer.sql('truncate todos, tasks');
});

const fields = ['text', 'done', 'count'];
const collections = { todos: { fields, deletedAt: 'deleted_at' }, tasks: { fields } } as const satisfies Record<
  string,
  HasuraCollection
>;
const idsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `row ${index}`);

// As a user: an admin is told PostgreSQL's own code.
const asUser = async () => ({ authToken: await peer.token({ userId: 'ann' }), maxRetries: 0 });

describe('a Hasura that is overloaded', () => {
  test.each(['postgres-max-connections-error', 'rate-limit-exceeded', 'unexpected'])(
    '%s to everything: no edit is given up, and a whole outbox is a few requests',
    async (code) => {
      const { sync, live } = await openClient(peer, { tasks: collections.tasks }, {}, await asUser());
      await live();
      peer.trouble(code);
      const before = peer.requests;
      let failures = 0;
      sync.events.on('error', () => {
        failures += 1;
      });
      await sync.collection('tasks').saveMany(idsOf(100).map((id) => ({ id, text: 'x'.repeat(100) })));
      await until('many attempts', () => failures >= 12);
      // Each attempt is one request: it writes, or it asks what has arrived.
      expect(peer.requests - before).toBeLessThan(2 * failures + 10);
      expect(sync.outbox.failed()).toEqual([]);
      expect(sync.outbox.pending()).toHaveLength(100);
      peer.trouble(undefined);
      await live();
      expect(await peer.sql('select count(*)::int from tasks')).toEqual([{ count: 100 }]);
    },
  );
});

test('a trigger that raises an exception over one row: the others arrive, and that one is given up while they do', async () => {
  const { sync, live } = await openClient(peer, { tasks: collections.tasks }, {}, await asUser());
  await live();
  const tasks = sync.collection('tasks');
  await sync.pause();
  await tasks.saveMany(idsOf(40).map((id) => ({ id, text: id === 'row 7' ? 'forbidden' : 'good' })));
  sync.resume();
  await until('the others are in', async () => (await peer.sql('select id from tasks')).length === 39);
  await until('that one is given up', async () => {
    await tasks.save({ text: 'good' }, crypto.randomUUID());
    return sync.outbox.failed().length > 0;
  });
  expect(sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['row 7']);
  await live();
});

test('one edit that is longer on its way than a request may take passes a slow line', async () => {
  const proxy = await createTcpProxy({ port: Number(new URL(peer.url).port) });
  try {
    const at = new URL(peer.url);
    at.port = String(proxy.port);
    const { sync, live } = await openClient(
      { url: at.href, adminSecret: peer.adminSecret },
      { tasks: collections.tasks },
      { requestTimeout: 500, heartbeatInterval: 5000 },
      { maxRetries: 0 },
    );
    await live();
    proxy.set({ bytesPerSecond: 100_000 });
    const text = 'x'.repeat(200_000);
    const before = proxy.bytes.up;
    await sync.collection('tasks').save({ text }, crypto.randomUUID());
    await until('it is sent', () => sync.status.pending === 0);
    expect(proxy.bytes.up - before).toBeLessThan(3 * text.length);
    expect(sync.outbox.failed()).toEqual([]);
    expect(await peer.sql('select length(text)::int from tasks')).toEqual([{ length: text.length }]);
  } finally {
    await proxy.close();
  }
});

test('250 rows over a slow line: less than three times their size is sent, though requests outlast their limit', async () => {
  const proxy = await createTcpProxy({ port: Number(new URL(peer.url).port) });
  try {
    const at = new URL(peer.url);
    at.port = String(proxy.port);
    const { sync, live } = await openClient(
      { url: at.href, adminSecret: peer.adminSecret },
      { tasks: collections.tasks },
      { requestTimeout: 500, heartbeatInterval: 5000 },
      { maxRetries: 0 },
    );
    await live();
    proxy.set({ bytesPerSecond: 100_000 });
    const rows = idsOf(250).map((id) => ({ id, text: 'x'.repeat(1000) }));
    const size = JSON.stringify(rows).length;
    const before = proxy.bytes.up;
    await sync.collection('tasks').saveMany(rows);
    await until('all is sent', () => sync.status.pending === 0);
    const sent = proxy.bytes.up - before;
    expect(sent).toBeLessThan(3 * size);
    expect(sync.outbox.failed()).toEqual([]);
    expect(await peer.sql('select count(*)::int from tasks')).toEqual([{ count: 250 }]);
    console.log(`slow line: ${Math.round((100 * sent) / size)} % of the data's size was sent`);
  } finally {
    await proxy.close();
  }
});

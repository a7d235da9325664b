import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { EventMessage, ServerMessage } from '../../../src/base/protocol.js';
import type { Message } from './fixtures/client.js';
import { start } from './fixtures/harness.js';

const brief = (messages: readonly ServerMessage[]) =>
  messages.map((message) => ('recordId' in message ? `${message.type} ${message.recordId}` : message.type));

const isEvent = (message: ServerMessage): message is EventMessage =>
  message.type === 'insert' || message.type === 'update' || message.type === 'delete';

describe('events', () => {
  test('tell the whole row, its version and who did it, to all but the sender', async () => {
    const { client, clock } = await start({ authenticate: (token) => (token ? { id: token } : null) });
    const [ann, bob, eve] = [await client('?token=ann'), await client('?token=bob'), await client('?token=eve')];
    for (const each of [ann, bob]) {
      each.send({ type: 'subscribe', collection: 'todos' });
      await each.expect('subscribed');
    }
    clock.time = 1000;
    ann.send({ type: 'insert', collection: 'todos', recordId: '1', data: { a: 1 } });
    ann.send({ type: 'update', collection: 'todos', recordId: '1', data: { b: 2 } });
    ann.send({ type: 'delete', collection: 'todos', recordId: '1' });
    const about = { collection: 'todos', recordId: '1', timestamp: '1970-01-01T00:00:01.000Z' };
    const meta = (seq: number) => ({ version: seq, seq, userId: 'ann' });
    expect(await bob.next()).toEqual({ type: 'insert', ...about, data: { a: 1 }, metadata: meta(1) });
    expect(await bob.next()).toEqual({ type: 'update', ...about, data: { a: 1, b: 2 }, metadata: meta(2) });
    expect(await bob.next()).toEqual({ type: 'delete', ...about, metadata: meta(3) });
    expect(await ann.settled()).toEqual([]);
    expect(await eve.settled()).toEqual([]);
  });

  test('say what happened to the record, not what was asked for', async () => {
    const { client, subscriber } = await start();
    const [writer, reader] = [await client(), await subscriber()];
    for (const [type, data] of [
      ['update', { a: 1 }],
      ['insert', { a: 2 }],
      ['delete'],
      ['update', { a: 3 }],
    ] as const) {
      writer.send({ type, collection: 'todos', recordId: '1', ...(data && { data }) });
    }
    await writer.settled();
    expect(brief(await reader.settled())).toEqual(['insert 1', 'update 1', 'delete 1', 'insert 1']);
  });

  test('stop at unsubscribe, which is always answered', async () => {
    const { server, subscriber } = await start();
    const reader = await subscriber();
    reader.send({ type: 'unsubscribe', collection: 'todos' });
    expect(await reader.expect('unsubscribed')).toEqual({ type: 'unsubscribed', collection: 'todos' });
    server.collection('todos').save('1', {});
    reader.send({ type: 'unsubscribe', collection: 'never' });
    expect(brief(await reader.settled())).toEqual(['unsubscribed']);
  });

  test('of any size arrive whole', async () => {
    const { server, subscriber } = await start({ maxBufferedBytes: 1_000_000 });
    const reader = await subscriber();
    for (const size of [0, 1, 40, 60, 124, 125, 126, 127, 65_000, 65_535, 65_536, 200_000]) {
      const text = 'ø'.repeat(size);
      server.collection('todos').save('1', { text, size });
      const event = (await reader.next()) as EventMessage;
      expect(event.data).toEqual({ text, size });
    }
  });

  test('go through compression as well', async () => {
    const { server, subscriber } = await start({ perMessageDeflate: true });
    const reader = await subscriber();
    expect(reader.ws.extensions).toContain('permessage-deflate');
    const text = 'again and '.repeat(1000);
    for (let i = 0; i < 20; i++) server.collection('todos').save(`${i}`, { text });
    const events = await reader.settled();
    expect(brief(events)).toEqual(Array.from({ length: 20 }, (_, i) => `insert ${i}`));
    expect((events[19] as EventMessage).data).toEqual({ text });
  });

  test('follow the answer to subscribe without a gap, in order, while others write', async () => {
    const { client } = await start();
    const [one, two] = [await client(), await client()];
    const ROUNDS = 300;
    const send = async (writer: typeof one, name: string) => {
      for (let i = 0; i < ROUNDS; i++) {
        writer.send({ type: 'insert', collection: 'todos', recordId: `${name}${i}`, data: {} });
        if (i % 10 === 0) await writer.settled();
      }
    };
    const writing = Promise.all([send(one, 'a'), send(two, 'b')]);
    const readers = [];
    for (let i = 0; i < 10; i++) {
      const reader = await client();
      reader.send({ type: 'subscribe', collection: 'todos' });
      readers.push({ reader, seq: (await reader.expect('subscribed')).metadata?.seq as number });
    }
    await writing;
    await Promise.all([one.settled(), two.settled()]);
    for (const { reader, seq } of readers) {
      const got = (await reader.settled()).filter(isEvent).map(({ metadata }) => metadata?.seq);
      expect(got).toEqual(Array.from({ length: 2 * ROUNDS - seq }, (_, i) => seq + 1 + i));
    }
  });
});

describe('a filter', () => {
  const filter = { where: { team: 'x', 'state.open': true } };
  const row = (team: string, open: boolean, n = 0) => ({ team, state: { open }, n });

  test('shows rows that enter, change inside and leave, and nothing else', async () => {
    const { server, subscriber } = await start();
    const todos = server.collection('todos');
    const reader = await subscriber('todos', { filter });
    todos.save('1', row('y', true));
    todos.save('1', row('x', true));
    todos.save('1', row('x', true, 1));
    todos.save('1', row('x', false));
    todos.save('1', row('y', false));
    todos.delete('1');
    todos.save('2', row('x', true));
    todos.delete('2');
    const events = await reader.settled();
    expect(brief(events)).toEqual(['update 1', 'update 1', 'delete 1', 'insert 2', 'delete 2']);
    expect(events[0]).toMatchObject({ data: row('x', true), metadata: { version: 2, seq: 2 } });
    expect(events[2]).toEqual(expect.not.objectContaining({ data: expect.anything() }));
    expect(events[2]).toMatchObject({ metadata: { version: 4, seq: 4 } });
  });

  test('stays when subscribing again without one, and is replaced by another', async () => {
    const { server, subscriber } = await start();
    const todos = server.collection('todos');
    const reader = await subscriber('todos', { filter });
    reader.send({ type: 'subscribe', collection: 'todos' });
    await reader.expect('subscribed');
    todos.save('1', row('y', true));
    expect(await reader.settled()).toEqual([]);
    reader.send({ type: 'subscribe', collection: 'todos', metadata: { filter: {} } });
    await reader.expect('subscribed');
    todos.save('2', row('y', true));
    expect(brief(await reader.settled())).toEqual(['insert 2']);
  });
});

describe('permissions', () => {
  test('a row goes to who may read it, and is a delete for who may no longer', async () => {
    const { server, client } = await start({
      authenticate: (token) => (token ? { id: token } : null),
      authorize: ({ action, user, row }) => action !== 'read' || row.owner === user?.id,
    });
    const todos = server.collection('todos');
    const [ann, bob] = [await client('?token=ann'), await client('?token=bob')];
    for (const reader of [ann, bob]) {
      reader.send({ type: 'subscribe', collection: 'todos' });
      await reader.expect('subscribed');
    }
    todos.save('1', { owner: 'ann' });
    todos.save('1', { owner: 'bob' });
    todos.delete('1');
    todos.save('2', { owner: 'nobody' });
    todos.delete('2');
    const seen = await ann.settled();
    expect(brief(seen)).toEqual(['insert 1', 'delete 1']);
    expect(seen.at(-1), 'out of sight is not deleted').toMatchObject({ metadata: { hidden: true } });
    expect(brief(await bob.settled())).toEqual(['update 1', 'delete 1']);
  });

  test('a hook that reads while events go out does not mix up their order, and cannot write', async () => {
    const refusals: unknown[] = [];
    const { server, client } = await start({
      authorize({ action, collection }) {
        if (action !== 'read' || collection !== 'todos') return true;
        server.collection('log').count();
        try {
          server.collection('log').save('1', {});
        } catch (error) {
          refusals.push(error);
        }
        return true;
      },
    });
    const reader = await client();
    reader.send({ type: 'subscribe', collection: 'todos' });
    await reader.expect('subscribed');
    const writer = await client();
    for (let i = 0; i < 50; i++) writer.send({ type: 'insert', collection: 'todos', recordId: `${i}`, data: {} });
    await writer.settled();
    const seqs = (await reader.settled()).filter(isEvent).map(({ metadata }) => metadata?.seq);
    expect(seqs).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(refusals[0]).toMatchObject({ message: expect.stringMatching(/must not write/) });
    expect(server.collection('log').count()).toBe(0);
  });
});

describe.each([false, true])('a client that does not keep up, perMessageDeflate %s', (perMessageDeflate) => {
  test('loses events, is told so for each collection once it reads again, and catches up by pulling', async () => {
    const { server, subscriber } = await start({ maxBufferedBytes: 50_000, perMessageDeflate });
    const slow = await subscriber();
    const other = await subscriber('other');
    slow.send({ type: 'subscribe', collection: 'quiet' });
    await slow.expect('subscribed');
    const todos = server.collection('todos');
    slow.ws.pause();
    let n = 0;
    while (server.stats().dropped < 5) {
      // Random, so that it does not compress away.
      todos.save(`${n++}`, { text: Array.from({ length: 5000 }, () => Math.random().toString(36)).join('') });
      await nextTurn();
    }
    server.collection('other').save('1', {});
    await other.expect('insert');
    slow.ws.resume();

    const events: EventMessage[] = [];
    const gaps: Message<'subscribed'>[] = [];
    let before: number | undefined;
    while (!before || events.length + server.stats().dropped < n) {
      const message = await slow.next();
      if (isEvent(message)) events.push(message);
      if (message.type !== 'subscribed') continue;
      before ??= events.length;
      gaps.push(message);
    }
    // What came before the gap is a beginning without holes.
    const seen = events.slice(0, before).map(({ metadata }) => metadata?.seq);
    expect(seen).toEqual(seen.map((_, i) => i + 1));
    for (const gap of gaps) expect(gap).toMatchObject({ collection: 'todos', metadata: { gap: true } });
    expect(gaps[0]?.metadata).not.toHaveProperty('requestId');

    let since = before;
    const pulled: number[] = [];
    for (;;) {
      slow.send({ type: 'subscribe', collection: 'todos', metadata: { since, limit: 3 } });
      let page = await slow.next();
      while (page.type !== 'sync') page = await slow.next();
      if (page.data.records.length === 0) break;
      pulled.push(...page.data.records.map(({ version }) => version));
      since = page.metadata?.seq as number;
    }
    expect([...seen, ...pulled]).toEqual(Array.from({ length: n }, (_, i) => i + 1));
    todos.save('last', {});
    expect(await slow.expect('insert')).toMatchObject({ recordId: 'last' });
    expect(await slow.settled()).toEqual([]);
  });
});

test('a client that asks for pages and does not read them is not read either', async () => {
  const { server, client } = await start({ maxBufferedBytes: 100_000 });
  for (let i = 0; i < 10; i++) server.collection('todos').save(`${i}`, { text: 'x'.repeat(100_000) });
  const greedy = await client();
  greedy.ws.pause();
  const ASKED = 100;
  for (let i = 0; i < ASKED; i++) greedy.send({ type: 'subscribe', collection: 'todos', metadata: { since: 0 } });
  const other = await client();
  // Long enough for the server to have answered all, were it to do so: it would be 100 MB.
  for (let i = 0; i < 300; i++) await other.settled();
  expect(server.stats().messagesOut - 300).toBeLessThan(60);
  greedy.ws.resume();
  for (let i = 0; i < ASKED; i++) {
    await greedy.expect('subscribed');
    await greedy.expect('sync');
  }
});

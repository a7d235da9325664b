import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Postgres, startPostgres } from '../postgres/start-postgres.js';
import { type SupabasePeer, type SupabasePeerOptions, startSupabasePeer } from './index.js';
import { listen } from './listen.js';

const SCHEMA = `create table todos (id text primary key, text text);
  create table later (id text primary key);
  create table numbers (n bigint, at timestamptz, id int primary key generated always as identity);
  alter publication supabase_realtime add table todos, numbers`;

let postgres: Postgres;
let peer: SupabasePeer;
let clients: SupabaseClient[] = [];

const connect = (to: SupabasePeer = peer, options: Parameters<typeof createClient>[2] = {}): SupabaseClient => {
  const client = createClient(to.url, to.anonKey, options) as SupabaseClient;
  clients.push(client);
  return client;
};
const ids = (events: readonly { readonly new: object }[]): unknown[] =>
  events.map((event) => Reflect.get(event.new, 'id'));
const save = (id: string, to = peer): Promise<unknown> => to.sql('insert into todos (id) values ($1)', [id]);

/** A frame reader on a socket of its own. */
async function raw(to: SupabasePeer, token = to.anonKey) {
  const socket = new WebSocket(`${to.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${token}&vsn=2.0.0`);
  const frames: [string | null, string | null, string, string, Record<string, unknown>][] = [];
  /** All that came, in order. */
  const log: string[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    const came = JSON.parse(String(data));
    frames.push(came);
    log.push(`${came[3]} ${came[2]}`);
    for (const look of [...waiting]) look();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  const frame = (event: string, topic: string): Promise<(typeof frames)[number]> =>
    new Promise((resolve) => {
      const look = (): void => {
        const at = frames.findIndex((each) => each[3] === event && each[2] === topic);
        const [found] = at < 0 ? [] : frames.splice(at, 1);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const join = (topic: string, config: object, token?: string): void =>
    socket.send(
      JSON.stringify([
        '1',
        '1',
        topic,
        'phx_join',
        { config, ...(token === undefined ? {} : { access_token: token }) },
      ]),
    );
  return { socket, frames, log, closed, frame, join };
}

const TODOS = { postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }] };

async function withPeer(options: SupabasePeerOptions, use: (own: SupabasePeer) => Promise<void>): Promise<void> {
  const own = await startSupabasePeer({ postgres, schema: SCHEMA, ...options });
  try {
    await use(own);
  } finally {
    for (const client of clients.splice(0)) await client.realtime.disconnect();
    await own.close();
  }
}

beforeAll(async () => {
  postgres = await startPostgres();
  peer = await startSupabasePeer({ postgres, schema: SCHEMA, delays: { publication: 50 } });
});
afterAll(async () => {
  await peer?.close();
  await postgres?.close();
});
beforeEach(async () => {
  for (const client of clients) await client.realtime.disconnect();
  clients = [];
  await peer.sql('truncate todos, later');
});

describe('what Realtime loses', () => {
  test('what is written between SUBSCRIBED and `system` ok, while it is cold', async () => {
    await withPeer({ delays: { coldStart: 1_000 } }, async (own) => {
      const { join, frame, frames, socket } = await raw(own);
      join('realtime:cold', TODOS);
      await frame('phx_reply', 'realtime:cold');
      const joined = performance.now();
      await save('early', own);
      await frame('system', 'realtime:cold');
      expect(performance.now() - joined).toBeGreaterThan(900);
      await save('live', own);
      const [, , , , payload] = await frame('postgres_changes', 'realtime:cold');
      expect(payload).toMatchObject({ data: { record: { id: 'live' } } });
      expect(frames).toEqual([]);
      socket.close();
    });
  });

  test('what comes after a burst past the rate limit, until the burst is forgotten', async () => {
    await withPeer({ rateLimit: { eventsPerSecond: 100, windowMs: 2_000 } }, async (own) => {
      const todos = await listen(connect(own), { table: 'todos' });
      await own.sql("insert into todos select 'burst' || i from generate_series(1, 3000) i");
      await todos.received(3_000);
      await own.sql("insert into todos select 'dropped' || i from generate_series(1, 40) i");
      // Twenty rows a second, until one comes through.
      for (let i = 0; todos.events.length === 3_000; i += 1) {
        await save(`slow${i}`, own);
        await setTimeout(50);
      }
      expect(ids(todos.events).at(3_000)).toMatch(/^slow/);
      expect(ids(todos.events)).not.toContain('slow0');
      expect(todos.system).toHaveLength(1);
    });
  });

  test.each([false, true])(
    'what is written while Postgres restarts (crash: %s), and says nothing of it',
    async (crash) => {
      await withPeer({ delays: { reconnect: 1_000 } }, async (own) => {
        const { join, frame, frames, socket } = await raw(own);
        join('realtime:restart', TODOS);
        await frame('system', 'realtime:restart');
        await save('before', own);
        await frame('postgres_changes', 'realtime:restart');
        frames.length = 0;
        await own.restartPostgres({ crash });
        await save('lost', own);
        const seen = frame('postgres_changes', 'realtime:restart');
        let found: Awaited<typeof seen> | undefined;
        void seen.then((each) => {
          found = each;
        });
        for (let i = 0; found === undefined; i += 1) await save(`back${i}`, own);
        expect(found[4]).toMatchObject({ data: { record: { id: expect.stringMatching(/^back/) } } });
        expect(frames.filter((each) => each[3] !== 'postgres_changes')).toEqual([]);
        expect(socket.readyState).toBe(WebSocket.OPEN);
        socket.close();
      });
    },
  );

  test('a join while Postgres is away is answered, and goes live once Postgres is back', async () => {
    const { join, frame, socket } = await raw(peer);
    await peer.stopPostgres();
    join('realtime:todos', TODOS);
    const [, , , , reply] = await frame('phx_reply', 'realtime:todos');
    expect(reply).toMatchObject({ status: 'ok' });
    await peer.startPostgres();
    const [, , , , live] = await frame('system', 'realtime:todos');
    expect(live).toMatchObject({ status: 'ok' });
    socket.close();
  });

  test('what is written while it is away; then it starts cold', async () => {
    const own = await raw(peer);
    own.join('realtime:todos', TODOS);
    await own.frame('system', 'realtime:todos');
    await peer.killRealtime();
    expect(await own.closed).toBe(1006);
    await expect(raw(peer)).rejects.toThrow('502');
    await save('away');
    peer.startRealtime();
    const again = await raw(peer);
    again.join('realtime:todos', TODOS);
    await again.frame('system', 'realtime:todos');
    await save('back');
    const [, , , , payload] = await again.frame('postgres_changes', 'realtime:todos');
    expect(payload).toMatchObject({ data: { record: { id: 'back' } } });
    await peer.killRealtime('restart');
    expect(await again.closed).toBe(1012);
    peer.startRealtime();
  });
});

describe('what Realtime does to its sockets', () => {
  test('cuts them on command, and takes them back at once', async () => {
    const first = await raw(peer);
    peer.cutRealtime();
    expect(await first.closed).toBe(1006);
    const second = await raw(peer);
    peer.cutRealtime(1001);
    expect(await second.closed).toBe(1001);
    const third = await raw(peer);
    expect(peer.sockets).toBe(1);
    third.socket.close();
  });

  test('a refused join holds up all that its socket sends and gets', async () => {
    await withPeer({ delays: { refusedJoin: 1_000 } }, async (own) => {
      const { join, frame, socket, log } = await raw(own);
      join('realtime:todos', TODOS);
      await frame('system', 'realtime:todos');
      log.length = 0;
      join('realtime:secret', { private: true });
      socket.send(JSON.stringify([null, '2', 'phoenix', 'heartbeat', {}]));
      await save('meanwhile', own);
      const [, , , , payload] = await frame('phx_reply', 'realtime:secret');
      const reason = 'Unauthorized: You do not have permissions to read from this Channel topic: secret';
      expect(payload).toEqual({ status: 'error', response: { reason } });
      await frame('phx_reply', 'phoenix');
      expect(log).toEqual(['phx_reply realtime:secret', 'postgres_changes realtime:todos', 'phx_reply phoenix']);
      socket.close();
    });
  });

  test('a silent client is closed with 1000', async () => {
    await withPeer({ delays: { silence: 100 } }, async (own) => {
      const { closed } = await raw(own);
      expect(await closed).toBe(1000);
    });
  });
});

describe('filters', () => {
  test.each([
    ['n=eq.5', [5]],
    ['n=neq.5', [-1, 40]],
    ['n=lt.5', [-1]],
    ['n=lte.5', [-1, 5]],
    ['n=gt.5', [40]],
    ['n=gte.5', [5, 40]],
    ['n=in.(40,-1)', [-1, 40]],
    ['n=not.in.(40,-1)', [5]],
    ['at=gte.2026-01-02T03:04:05.000006Z', [40]],
  ])('%s compares as the type of the column does', async (filter, expected) => {
    const { join, frame, frames, socket } = await raw(peer);
    join('realtime:numbers', { postgres_changes: [{ event: '*', schema: 'public', table: 'numbers', filter }] });
    const [, , , , live] = await frame('system', 'realtime:numbers');
    expect(live).toMatchObject({ status: 'ok' });
    join('realtime:end', TODOS);
    await frame('system', 'realtime:end');
    await peer.sql(`insert into numbers values (-1, null), (5, '2026-01-02T03:04:05.000005Z'),
      (40, '2026-01-02T03:04:05.000006Z'), (null, null)`);
    await save('end');
    await frame('postgres_changes', 'realtime:end');
    const changes = frames.filter((each) => each[3] === 'postgres_changes').map((each) => each[4]);
    expect(changes).toMatchObject(expected.map((n) => ({ data: { record: { n } } })));
    expect(changes).toHaveLength(expected.length);
    socket.close();
  });
});

describe('tokens', () => {
  test('the end of a token is an error and the end of its channel', async () => {
    const token = await peer.token({}, { expiresIn: 3 });
    const { join, frame, socket } = await raw(peer);
    join('realtime:todos', TODOS, token);
    await frame('phx_reply', 'realtime:todos');
    const [, , , , ok] = await frame('system', 'realtime:todos');
    expect(ok).toMatchObject({ status: 'ok' });
    const [, , , , ended] = await frame('system', 'realtime:todos');
    expect(ended).toMatchObject({
      status: 'error',
      message: expect.stringMatching(/^Token has expired \d seconds ago$/),
    });
    await frame('phx_close', 'realtime:todos');
    socket.close();
  });
});

describe('the publication', () => {
  test('a change of it is a `system` message on every live channel: ok again, or an error', async () => {
    const client = connect();
    const todos = await listen(client, { table: 'todos' });
    const later = await listen(client, { table: 'later' });
    expect(later.system).toMatchObject([{ status: 'error' }]);
    await peer.sql('alter publication supabase_realtime add table later');
    expect(await todos.announced(2)).toMatchObject({ status: 'ok' });
    await peer.sql('alter publication supabase_realtime drop table todos');
    expect(await todos.announced(3)).toMatchObject({ status: 'error' });
    // The channel that came too early stays dead, though its table is published by now.
    expect(later.system).toHaveLength(1);
    await peer.sql('alter publication supabase_realtime add table todos');
    await peer.sql('alter publication supabase_realtime drop table later');
  });

  test('`system` ok comes once more on command', async () => {
    const todos = await listen(connect(), { table: 'todos' });
    await peer.repeatSystemOk();
    expect(await todos.announced(2)).toMatchObject({ status: 'ok' });
    await save('after');
    expect(ids(await todos.received(1))).toEqual(['after']);
  });

  describe('while it has no table', () => {
    const schema = SCHEMA.replace(/alter publication.*/, '');
    const publish = 'alter publication supabase_realtime add table todos';

    test('nothing is read, and whoever subscribes to a table that is new to it is told `ok`', async () => {
      await withPeer({ schema }, async (own) => {
        const before = await listen(connect(own), { table: 'todos' }, 'before');
        expect(before.system).toMatchObject([{ status: 'error' }]);
        await own.sql(publish);
        const todos = await listen(connect(own), { table: 'todos' });
        expect(todos.system).toMatchObject([{ status: 'ok' }]);
        await save('unread', own);
        await own.delivered();
        await own.repeatSystemOk();
        await todos.announced(2);
        expect(todos.events).toEqual([]);
      });
    });

    test('what it is given is found by the next look, and what is committed from then on is sent', async () => {
      await withPeer({ schema, delays: { publication: 50 } }, async (own) => {
        const client = connect(own);
        await listen(client, { table: 'todos' }, 'before');
        await own.sql(`${publish}; insert into todos (id) values ('unread')`);
        const todos = await listen(client, { table: 'todos' });
        for (let number = 0; todos.events.length === 0; number++) {
          await save(`read ${number}`, own);
          await own.delivered();
        }
        expect(ids(todos.events)).not.toContain('unread');
      });
    });
  });
});

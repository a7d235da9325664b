import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SupabasePeer, startSupabasePeer } from './index.js';
import { listen } from './listen.js';

let peer: SupabasePeer;
let client: SupabaseClient;

beforeAll(async () => {
  peer = await startSupabasePeer({
    schema: `create table todos (id text primary key, text text, done bool default false, big bigint,
        updated_at timestamptz not null default now());
      alter publication supabase_realtime add table todos`,
  });
  client = createClient(peer.url, peer.anonKey);
});
afterAll(async () => {
  await client?.removeAllChannels();
  await peer?.close();
});

describe('supabase-js', () => {
  test('writes and reads rows', async () => {
    const inserted = await client.from('todos').insert([
      { id: 'a', text: 'Milk' },
      { id: 'b', text: 'Bread' },
    ]);
    expect(inserted).toMatchObject({ status: 201, error: null });
    const updated = await client.from('todos').update({ done: true }).eq('id', 'a').select('id, done').single();
    expect(updated.data).toEqual({ id: 'a', done: true });
    const upserted = await client.from('todos').upsert({ id: 'c', text: 'Eggs', big: 1 }).select();
    expect(upserted.data).toMatchObject([{ id: 'c', text: 'Eggs' }]);
    await client.from('todos').delete().eq('id', 'b');
    await peer.sql("update todos set big = 9007199254740993 where id = 'c'");
    const { data } = await client.from('todos').select('id, big::text').order('id');
    expect(data).toEqual([
      { id: 'a', big: null },
      { id: 'c', big: '9007199254740993' },
    ]);
  });

  test('hears of every change of a table', async () => {
    const todos = await listen(client, { table: 'todos' });
    expect(todos.system).toMatchObject([{ status: 'ok', message: 'Subscribed to PostgreSQL' }]);
    await peer.sql("insert into todos (id, updated_at) values ('x', '2026-01-02T03:04:05.123456Z')");
    await client.from('todos').update({ text: 'new' }).eq('id', 'x');
    await peer.sql("delete from todos where id = 'x'");
    const events = await todos.received(3);
    const row = { id: 'x', big: null, done: false, updated_at: '2026-01-02T03:04:05.123456+00:00' };
    expect(events.map((event) => [event.eventType, event.new, event.old])).toEqual([
      ['INSERT', { ...row, text: null }, {}],
      ['UPDATE', { ...row, text: 'new' }, { id: 'x' }],
      ['DELETE', {}, { id: 'x' }],
    ]);
  });

  test('is told that Postgres is away, and goes on when it is back', async () => {
    const save = () => client.from('todos').upsert({ id: 'away' });
    await peer.stopPostgres();
    expect(await save()).toMatchObject({ status: 503, error: { code: 'PGRST002' } });
    await peer.startPostgres();
    expect(await save()).toMatchObject({ status: 201, error: null });
  });
});

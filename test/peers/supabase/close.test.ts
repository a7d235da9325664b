import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type SupabasePeer, startSupabasePeer } from './index.js';

const SCHEMA = 'create table todos (id text primary key); alter publication supabase_realtime add table todos';

const resources = (): string[] => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate');

/** What there is now that was not there before: the test runner's own timers come and go. */
async function grown(before: readonly string[]): Promise<string[]> {
  // Handles that were closed are gone once the loop has come round.
  await setImmediate();
  await setImmediate();
  const left = [...before];
  return resources().filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

async function subscribed(peer: SupabasePeer): Promise<WebSocket> {
  const url = `${peer.url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${peer.anonKey}&vsn=2.0.0`;
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const config = { postgres_changes: [{ event: '*', schema: 'public', table: 'todos' }] };
  socket.send(JSON.stringify(['1', '1', 'realtime:todos', 'phx_join', { config }]));
  await new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      if (String(data).includes('Subscribed to PostgreSQL')) resolve();
    });
  });
  return socket;
}

test.each(['with Postgres up', 'with Postgres gone'])(
  'after close no process, timer or socket is left: %s',
  async (how) => {
    const before = resources();
    const peer = await startSupabasePeer({ schema: SCHEMA });
    const socket = await subscribed(peer);
    await peer.sql("insert into todos values ('a')");
    const closed = once(socket, 'close');
    if (how === 'with Postgres gone') await peer.stopPostgres({ crash: true });
    await peer.close();
    const [code] = await closed;
    expect(code).toBe(1006);
    expect(await grown(before)).toEqual([]);
    await expect(fetch(peer.url)).rejects.toThrow();
  },
);

test('a schema that fails leaves nothing either', async () => {
  const before = resources();
  await expect(startSupabasePeer({ schema: 'create tabel todos' })).rejects.toThrow('syntax error');
  expect(await grown(before)).toEqual([]);
});

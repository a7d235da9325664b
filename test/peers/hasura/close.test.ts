import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type HasuraPeer, startHasuraPeer } from './index.js';

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

async function subscribed(peer: HasuraPeer): Promise<WebSocket> {
  const socket = new WebSocket(peer.wsUrl, 'graphql-transport-ws');
  await once(socket, 'open');
  const headers = { authorization: `Bearer ${await peer.token({ role: 'user', expiresIn: 3600 })}` };
  socket.send(JSON.stringify({ type: 'connection_init', payload: { headers } }));
  socket.send(JSON.stringify({ type: 'subscribe', id: 'a', payload: { query: 'subscription { todos { id } }' } }));
  await new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      if (String(data).includes('"next"')) resolve();
    });
  });
  return socket;
}

test.each(['with Postgres up', 'with Postgres gone'])(
  'after close no process, timer or socket is left: %s',
  { timeout: 300_000 },
  async (how) => {
    const before = resources();
    const peer = await startHasuraPeer({
      schema: 'create table todos (id text primary key)',
      permissions: { user: { todos: { select: { columns: '*', filter: {} } } } },
      pollInterval: 5,
    });
    const socket = await subscribed(peer);
    const closed = once(socket, 'close');
    if (how === 'with Postgres gone') await peer.stopPostgres({ crash: true });
    await peer.close();
    const [code] = await closed;
    expect(code).toBe(1006);
    expect(await grown(before)).toEqual([]);
    await expect(fetch(peer.url)).rejects.toThrow();
  },
);

test('a schema that fails leaves nothing either', { timeout: 300_000 }, async () => {
  const before = resources();
  await expect(startHasuraPeer({ schema: 'create tabel todos' })).rejects.toThrow('syntax error');
  expect(await grown(before)).toEqual([]);
});

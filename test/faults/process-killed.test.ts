import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memoryServerStore } from '../../src/server/index.js';
import { device, live, portOf, pushed, startProxy, startServer } from '../peers/websocket/harness.js';
import { seededRandom, start, temporaryFolder } from '../peers/websocket/processes.js';

const ROUNDS = 8;

test('an app killed while it saves has every record whose save() resolved, and all reach the server', {
  timeout: 300_000,
}, async () => {
  const random = seededRandom('process killed');
  const path = join(await temporaryFolder(), 'app.db');
  const store = memoryServerStore();
  const server = await startServer({ store });
  const proxy = await startProxy({ port: portOf(server.url) });
  const websocketUrl = `ws://127.0.0.1:${proxy.port}/ws`;
  const before = store.seq('todos');
  const promised = new Set<string>();
  let first = 0;
  let atKill = 0;

  for (let round = 0; round < ROUNDS; round++) {
    // Every other time there is no server, so that all of it is in the outbox.
    if (round % 2 === 1) await proxy.refuse();
    else await proxy.accept();
    const app = start('saving-process.ts', path, websocketUrl, first);
    const moment = 1 + Math.floor(random() * 300);
    const spin = random() * 3;
    let lines = 0;
    for await (const line of app.lines) {
      if (line !== 'open') {
        promised.add(line);
        first = Number.parseInt(line.slice(1), 10) + 1;
      }
      if (++lines !== moment) continue;
      // Somewhere inside the next save, not always just after one.
      for (const end = performance.now() + spin; performance.now() < end; );
      app.child.kill('SIGKILL');
    }
    await app.kill();
    // The record that was being saved may be there or not; no other record has its number.
    first += 1;

    const sync = await device({ websocketUrl, store: { type: 'sqlite', path } });
    const here = new Set((await sync.collection('todos').getAll()).map(({ id }) => id as string));
    for (const id of promised) expect(here.has(id), `${id} after round ${round}`).toBe(true);
    atKill += sync.status.pending;
    await sync.close();
  }

  await proxy.accept();
  const sync = await device({ websocketUrl, store: { type: 'sqlite', path } });
  await live(sync);
  await pushed(sync);
  const there = server.collection('todos').all();
  const here = await sync.collection('todos').getAll();
  for (const id of promised) expect(there.has(id), `${id} on the server`).toBe(true);
  expect([...there.keys()].sort()).toEqual(here.map(({ id }) => id as string).sort());
  expect(store.seq('todos') - before, 'each was applied once').toBe(there.size);
  expect(sync.outbox.failed()).toEqual([]);
  expect(promised.size).toBeGreaterThan(ROUNDS);
  expect(atKill).toBeGreaterThan(0);
  console.log(
    `process killed ${ROUNDS} times: ${promised.size} saves promised, ${there.size} there, ${atKill} unsent when reopened`,
  );
});

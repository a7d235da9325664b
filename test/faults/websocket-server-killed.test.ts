import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { SyncLayerInstance } from '../../src/instance.js';
import { device, live, mirror, pushed, until } from '../peers/websocket/harness.js';
import { seededRandom, startServerProcess, temporaryFolder } from '../peers/websocket/processes.js';

const ROUNDS = 6;

/** How often each record came as an insert. */
function countInserts(sync: SyncLayerInstance): Map<string, number> {
  const counts = new Map<string, number>();
  sync.events.on('remoteInsert', ({ recordId }) => counts.set(recordId, (counts.get(recordId) ?? 0) + 1));
  return counts;
}

test('a server killed in the middle of writes and started again: nothing is lost, nothing is doubled', {
  timeout: 300_000,
}, async () => {
  const random = seededRandom('server killed');
  const path = join(await temporaryFolder(), 'server.db');
  const server = await startServerProcess(path);
  const a = await device({ websocketUrl: server.url });
  const b = await device({ websocketUrl: server.url });
  await Promise.all([live(a), live(b)]);
  const [fromB, fromA] = [countInserts(a), countInserts(b)];
  let saved = 0;
  const saveBoth = async (): Promise<void> => {
    const n = saved++;
    await Promise.all([a.collection('todos').save({ n }, `a${n}`), b.collection('todos').save({ n }, `b${n}`)]);
    // In memory a save takes no turn of the event loop; the network needs one.
    await nextTurn();
  };

  for (let round = 0; round < ROUNDS; round++) {
    let killed = false;
    const lost = a.events.once('realtimeDisconnected');
    const killing = (async () => {
      const moment = Math.floor(random() * 300);
      const start = saved;
      await until(a, () => saved - start > moment);
      await server.kill();
      killed = true;
    })();
    while (!killed) await saveBoth();
    await killing;
    await lost;
    for (let n = 0; n < 20; n++) await saveBoth();
    await server.restart();
    await Promise.all([live(a), live(b)]);
  }
  await Promise.all([pushed(a), pushed(b)]);
  await Promise.all([a, b].map((sync) => mirror(sync).when((rows) => rows.size === 2 * saved)));
  expect([...fromA.keys()].every((id) => id.startsWith('a'))).toBe(true);
  for (const counts of [fromA, fromB]) {
    expect(counts.size).toBe(saved);
    expect(new Set(counts.values())).toEqual(new Set([1]));
  }
  expect([...a.outbox.failed(), ...b.outbox.failed()]).toEqual([]);
  await server.kill();
  // Each write took one number: a repeated one would have taken another.
  const db = new DatabaseSync(path);
  const found = db.prepare('SELECT count(*) AS rows, max(version) - min(version) + 1 AS numbers FROM records').get();
  db.close();
  expect(found).toEqual({ rows: 2 * saved, numbers: 2 * saved });
  console.log(`server killed ${ROUNDS} times in ${2 * saved} writes`);
});

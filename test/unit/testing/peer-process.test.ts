import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createPeerProcess } from '../../../src/testing/index.js';
import { device, live, pushed } from '../../peers/websocket/harness.js';
import { startServerProcess, temporaryFolder } from '../../peers/websocket/processes.js';

const runs = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const answers = async (port: number): Promise<boolean> => {
  const socket = connect({ port, host: '127.0.0.1' });
  const took = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return took;
};

/** A Node process that runs this text. */
const script = (text: string, ready: RegExp, timeout?: number) =>
  createPeerProcess({ command: process.execPath, args: ['-e', text], ready, ...(timeout && { timeout }) });

test('a server that is killed and restarted has its port and its data again', { timeout: 300_000 }, async () => {
  const path = join(await temporaryFolder(), 'server.db');
  const server = await startServerProcess(path);
  const { port, url } = server;
  const first = server.pid as number;
  expect([runs(first), await answers(port)]).toEqual([true, true]);
  const sync = await device({ websocketUrl: url });
  await live(sync);
  await sync.collection('todos').save({ n: 1 }, 'before');
  await pushed(sync);
  const lost = sync.events.once('realtimeDisconnected');
  await server.kill();
  await lost;
  expect([server.pid, runs(first), await answers(port)]).toEqual([undefined, false, false]);
  await sync.collection('todos').save({ n: 2 }, 'meanwhile');
  await server.restart();
  expect(server.port).toBe(port);
  expect(server.pid).not.toBe(first);
  await live(sync);
  await pushed(sync);
  await sync.close();
  const second = server.pid as number;
  await server.close();
  expect([runs(second), await answers(port)]).toEqual([false, false]);
  const db = new DatabaseSync(path);
  const ids = db.prepare('SELECT id FROM records ORDER BY id').all();
  db.close();
  expect(ids.map(({ id }) => id)).toEqual(['before', 'meanwhile']);
});

test('SIGTERM lets it clean up, SIGKILL does not', async () => {
  const polite = await script(
    `process.on('SIGTERM', () => process.stdout.write('cleaned up', () => process.exit())); setInterval(() => {}, 1000); console.log('ready')`,
    /ready/,
  );
  await polite.kill('SIGTERM');
  expect(polite.output).toContain('cleaned up');
  await polite.restart();
  await polite.kill();
  expect(polite.output).not.toContain('cleaned up');
  await polite.close();
});

test('a port that comes in two pieces is read whole', async () => {
  const peer = await script(
    `process.stdout.write('port 12'); setTimeout(() => process.stdout.write('34\\n'), 50); setInterval(() => {}, 1000)`,
    /port (\d+)/,
  );
  expect(peer.port).toBe(1234);
  await peer.close();
});

test('a grandchild that lives on does not hold it up', async () => {
  const peer = await script(
    `const { spawn } = require('node:child_process');
     const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: ['ignore', 1, 2] });
     console.log('pid ' + child.pid); setInterval(() => {}, 1000)`,
    /pid (\d+)/,
  );
  const grandchild = peer.port;
  await peer.close();
  expect(runs(grandchild)).toBe(true);
  process.kill(grandchild, 'SIGKILL');
});

test('one that fails says why, and leaves nothing', async () => {
  const held = (): readonly string[] =>
    process.getActiveResourcesInfo().filter((kind) => ['ProcessWrap', 'PipeWrap', 'Timeout'].includes(kind));
  // What an earlier test has left may end meanwhile.
  const before = [held().length, process.listenerCount('exit')] as const;
  await expect(script(`console.log('starting'); throw new Error('no such table')`, /ready/)).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    message: expect.stringMatching(/ended with code 1 too early.*starting.*no such table/s),
  });
  await expect(script(`console.log('still busy'); setInterval(() => {}, 1000)`, /ready/, 1000)).rejects.toMatchObject({
    code: 'CONNECT_TIMEOUT',
    message: expect.stringMatching(/did not print \/ready\/ within 1000 ms.*still busy/s),
  });
  await expect(createPeerProcess({ command: '/no/such/program', ready: /ready/ })).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    message: expect.stringContaining('ENOENT'),
  });
  const peer = await script(`console.log('ready'); setInterval(() => {}, 1000)`, /ready/);
  await peer.close();
  await peer.close();
  expect(held().length).toBeLessThanOrEqual(before[0]);
  expect(process.listenerCount('exit')).toBe(before[1]);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startPostgres } from './start-postgres.js';

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Resolves when a folder is no more. */
function removed(folder: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(dirname(folder), (_, name) => {
      if (name === basename(folder)) look();
    });
    const look = (): void => {
      if (existsSync(folder)) return;
      watcher.close();
      resolve();
    };
    look();
  });
}

test('keeps its data and its port over a stop and over a crash, and leaves nothing behind', async () => {
  const postgres = await startPostgres();
  const url = postgres.connectionString();
  await query(url, 'create table t (n int)');
  for (const crash of [false, true]) {
    await query(url, 'insert into t values (1)');
    await postgres.stop({ crash });
    await expect(query(url, 'select 1')).rejects.toThrow('ECONNREFUSED');
    await postgres.start();
  }
  expect(await query(url, 'select count(*)::int from t')).toEqual([{ count: 2 }]);
  expect(await query(url, 'show wal_level')).toEqual([{ wal_level: 'logical' }]);
  const { pid, folder, port } = postgres;
  await postgres.close();
  expect([lives(pid), existsSync(folder)]).toEqual([false, false]);
  const [refused] = await once(connect(port, '127.0.0.1'), 'error');
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
});

test('ends with the process that started it, even one that was killed', async () => {
  const script = fileURLToPath(new URL('killed-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const { pid, folder } = JSON.parse(String(line));
  expect([lives(pid), existsSync(folder)]).toEqual([true, true]);
  child.kill('SIGKILL');
  await removed(folder);
  expect(lives(pid)).toBe(false);
});

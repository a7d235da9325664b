import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startEmulator } from './start-emulator.js';

function lives(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('keeps a project and its port over a restart, and leaves nothing behind', async () => {
  const emulator = await startEmulator();
  const one = emulator.project('one');
  await one.write('todos/a', { text: 'Milk', list: [1, 0.5, null], deep: { yes: true } });
  await one.write('todos/a/parts/b', { text: 'Cream' }, { field: null });
  await emulator.project('other').write('todos/c', {});
  const before = await one.all();
  expect(before.map(({ name }) => name.split('/documents/')[1])).toEqual(['todos/a', 'todos/a/parts/b']);
  const { pid, port } = emulator;
  await emulator.restart('one');
  expect([lives(pid), lives(emulator.pid), emulator.port]).toEqual([false, true, port]);
  expect((await one.all()).map(({ name, fields }) => ({ name, fields }))).toEqual(
    before.map(({ name, fields }) => ({ name, fields })),
  );
  await one.delete('todos/a');
  expect(await one.list('todos')).toEqual([]);
  const last = emulator.pid;
  await emulator.close();
  expect(lives(last)).toBe(false);
  const [refused] = await once(connect(port, '127.0.0.1'), 'error');
  expect(refused).toMatchObject({ code: 'ECONNREFUSED' });
});

test('ends with the process that started it, even one that was killed', async () => {
  const script = fileURLToPath(new URL('killed-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const pid = Number(line);
  expect(lives(pid)).toBe(true);
  child.kill('SIGKILL');
  while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
});

/**
 * Outlives the process that started Postgres, however that one ends: its standard input closes then. Ends Postgres, if it
 * still runs, and removes its folder. Arguments: the data folder, and the folder to remove.
 */
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const [, , dataDir = '', folder = ''] = process.argv;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

function postmaster(): number | undefined {
  try {
    return Number.parseInt(readFileSync(`${dataDir}/postmaster.pid`, 'utf8'), 10);
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

async function clean(): Promise<void> {
  const pid = postmaster();
  if (pid !== undefined) {
    // SIGQUIT is Postgres's immediate shutdown: it ends its own children too.
    signal(pid, 'SIGQUIT');
    for (let waits = 0; signal(pid, 0) && waits < 100; waits += 1) await setTimeout(50);
    signal(pid, 'SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

process.stdin.resume();
process.stdin.on('close', () => void clean());

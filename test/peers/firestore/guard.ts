/**
 * Outlives the process that started the emulator, however that one ends: its standard input closes then. Kills the emulator
 * that was named last there, a process id on each line; 0: it is gone.
 */
import { createInterface } from 'node:readline';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

let pid = 0;
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  pid = Number(line);
});
lines.on('close', () => {
  if (pid === 0) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
});

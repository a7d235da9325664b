import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { MoveReport } from '../../../src/migrate/report-page.js';

/** `npx synclayer migrate` as a process of its own. */
export interface Command {
  /** All that it has said on stderr. */
  readonly said: string;
  /** Resolves once it has said something like this; rejects if it ends before. */
  says(what: RegExp): Promise<void>;
  /** SIGKILL: it has no time to put anything in order. */
  kill(): Promise<void>;
  /** As Ctrl-C. */
  stop(): void;
  ended(): Promise<{ readonly code: number; readonly report: MoveReport }>;
}

/** The command as one file: it starts in a tenth of the time that its sources take. `remove` when it is no longer needed. */
export async function buildCommand(): Promise<{ readonly file: string; remove(): void }> {
  // Inside the project, so that it finds the SDKs.
  mkdirSync('node_modules/.cache', { recursive: true });
  const folder = mkdtempSync('node_modules/.cache/synclayer-command-');
  const file = join(folder, 'cli.mjs');
  await build({
    entryPoints: ['src/cli/index.ts'],
    bundle: true,
    outfile: file,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  });
  return { file, remove: () => rmSync(folder, { recursive: true }) };
}

/** `file`: of `buildCommand`. `hear` is told what it says on stderr, as it says it. */
export function startCommand(
  file: string,
  args: readonly string[],
  hear: (text: string) => void = () => undefined,
): Command {
  const child = spawn(process.execPath, [file, 'migrate', '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = once(child, 'close');
  let said = '';
  let printed = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
    hear(String(chunk));
  });
  child.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  return {
    get said() {
      return said;
    },
    async says(what) {
      while (!what.test(said)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`The command ended (${child.exitCode}) and never said ${what}:\n${said}\n${printed}`);
        await Promise.race([once(child.stderr, 'data'), end]);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await end;
    },
    stop: () => void child.kill('SIGINT'),
    async ended() {
      const [code] = await end;
      if (printed === '') throw new Error(`The command ended (${code}) without a report:\n${said}`);
      return { code: Number(code), report: JSON.parse(printed) as MoveReport };
    },
  };
}

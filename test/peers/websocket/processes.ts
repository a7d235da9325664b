import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { createPeerProcess, type PeerProcess } from '../../../src/testing/index.js';
import { seeded } from '../../seeded.js';

export interface Started {
  readonly child: ChildProcess;
  readonly lines: Interface;
  /** Ends it as a crash would. Resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a TypeScript file of this folder as a process of its own. */
export function start(file: string, ...args: readonly (string | number)[]): Started {
  const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, file), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(kill);
  return { child, lines: createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }), kill };
}

/** Our server in a process of its own, over this SQLite file. */
export async function startServerProcess(path: string): Promise<PeerProcess & { readonly url: string }> {
  const file = join(import.meta.dirname, 'server-process.ts');
  const server = await createPeerProcess({
    command: process.execPath,
    args: (port) => ['--import', 'tsx', file, path, String(port)],
    ready: /^ws:.*:(\d+)\/ws$/m,
  });
  onTestFinished(() => server.close());
  return Object.assign(server, { url: `ws://127.0.0.1:${server.port}/ws` });
}

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The seed of `SEED`, or a new one; said, so that a failure can be repeated. */
export function seededRandom(what: string): () => number {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${what}: SEED=${seed}`);
  return seeded(seed);
}

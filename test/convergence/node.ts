import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { memoryStore } from '../../src/index.js';
import { sqliteStore } from '../../src/store/sqlite.js';
import { openHandles } from '../../src/testing/conformance/handles.js';
import type { Surroundings } from './run.js';

/** A folder that is removed after the tests of a file. */
export function folderOfTests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-convergence-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Every third client has a SQLite file, the others a memory that outlives them. */
export function nodeStores(): Surroundings['store'] {
  const folder = folderOfTests();
  let files = 0;
  return (client) => {
    if (client % 3 === 2) {
      const path = join(folder, `${++files}.db`);
      return () => sqliteStore({ path, synchronous: 'normal' });
    }
    const store = memoryStore();
    return () => store;
  };
}

/** Node, with real time. */
export const realTime = (): Surroundings => ({
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  patience: 10_000,
  // A socket ends with the server's answer, which takes its time where both share a busy machine.
  farewell: 15_000,
  store: nodeStores(),
  handles: openHandles,
});

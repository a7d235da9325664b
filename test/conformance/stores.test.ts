import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { memoryStore } from '../../src/store/memory.js';
import { sqliteStore } from '../../src/store/sqlite.js';
import { describeStore } from './describe-store.js';

describeStore('memory', {
  create: async () => {
    const store = memoryStore();
    return { store: () => store };
  },
});

for (const synchronous of ['full', 'normal'] as const) {
  describeStore(`sqlite, synchronous ${synchronous}`, {
    create: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'synclayer-store-'));
      return {
        store: () => sqliteStore({ path: join(folder, 'app.db'), synchronous }),
        dispose: async () => {
          const left = await readdir(folder);
          await rm(folder, { recursive: true });
          // A journal beside the file would mean a connection that nobody closed.
          expect(left).toEqual(['app.db']);
        },
      };
    },
  });
}

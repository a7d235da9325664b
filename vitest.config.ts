import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { entries } from './scripts/entries.js';

/** Every folder of test/ that holds a `*.test.ts` is a project of its own, run with `--project <folder>`. */
const suites = readdirSync('test', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .filter((name) => readdirSync(`test/${name}`, { recursive: true }).some((file) => String(file).endsWith('.test.ts')));

/** As in tsconfig.json: the example of a transport imports the package, as an app does, and is given its source. */
const ourselves = ['index', 'adapter-kit', 'testing'].map((name) => ({
  find: new RegExp(`^synclayer${name === 'index' ? '' : `/${name}`}$`),
  replacement: resolve(entries[name] ?? ''),
}));

export default defineConfig({
  resolve: { alias: ourselves },
  test: {
    maxWorkers: 2,
    projects: suites.map((name) => ({
      extends: true as const,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        setupFiles: ['test/preload.ts'],
        // A limit ends what hangs, and says nothing about speed: on a busy machine everything takes many times as long.
        testTimeout: 120_000,
        hookTimeout: 120_000,
        retry: 0,
      },
    })),
  },
});

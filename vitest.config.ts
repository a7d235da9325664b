import { readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Every folder of test/ that holds a `*.test.ts` is a project of its own, run with `--project <folder>`. */
const suites = readdirSync('test', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .filter((name) => readdirSync(`test/${name}`, { recursive: true }).some((file) => String(file).endsWith('.test.ts')));

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: suites.map((name) => ({
      extends: true as const,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        environment: 'node',
        testTimeout: 20_000,
        hookTimeout: 20_000,
        retry: 0,
      },
    })),
  },
});

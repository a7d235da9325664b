import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EngineMutant, engineMutants } from './engine-edits.js';
import { type Failure, table } from './first-failure.js';
import { SEQUENCE } from './transports.js';

const caught: (Failure & { readonly mutant: string })[] = [];
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'synclayer-mutants-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  console.log(`Engines that are broken on purpose\n${table(caught)}`);
});

const run = promisify(execFile);

/** Bundles the suite with an engine in which one line is another, and runs it. */
async function suiteOf({ file, line, becomes, kind = SEQUENCE }: Omit<EngineMutant, 'name'>, name: string) {
  const source = await readFile(file, 'utf8');
  expect(source.split(line).length - 1, `How often the line of "${name}" stands in ${file}`).toBe(1);
  const outfile = join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`);
  await build({
    entryPoints: ['test/mutants/engine-run.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === resolve(file) ? { contents: source.replace(line, () => becomes), loader: 'ts' } : undefined,
          ),
      },
    ],
  });
  const { stdout } = await run(process.execPath, [outfile, JSON.stringify(kind)], { timeout: 110_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as Failure | null;
}

test('the engine as it is passes, bundled in the same way', { timeout: 300_000 }, async () => {
  const same = engineMutants[0] as EngineMutant;
  expect(await suiteOf({ ...same, becomes: same.line }, 'unbroken')).toBeNull();
});

for (const mutant of engineMutants)
  test.concurrent(mutant.name, { timeout: 300_000 }, async () => {
    const found = await suiteOf(mutant, mutant.name);
    expect(found, `No scenario caught "${mutant.name}".`).not.toBeNull();
    if (found) caught.push({ mutant: mutant.name, ...found });
  });

import { globSync } from 'node:fs';
import { expect, test } from 'vitest';

const shape = ['index', 'options', 'live', 'reads', 'writes', 'normalize', 'errors'].map((name) => `${name}.ts`);

/** The files of every adapter have these names, and each adapter at most two more. */
const common = [...shape, 'table.ts', 'link.ts'];
const MOST = 11;

const adapters = globSync('adapters/*/index.ts').map((path) => path.replaceAll('\\', '/').split('/')[1] as string);

test('there are adapters', () => {
  expect(adapters.length).toBeGreaterThan(4);
});

test.each(adapters)('%s has the files that each adapter has, and few more', (adapter) => {
  const files = globSync(`adapters/${adapter}/**/*.ts`)
    .map((path) => path.replaceAll('\\', '/').slice(`adapters/${adapter}/`.length))
    .filter((path) => !path.startsWith('doctor/'));
  expect(files).toEqual(expect.arrayContaining(shape));
  expect(files.length).toBeLessThanOrEqual(MOST);
  // A folder counts as one.
  const own = new Set(files.filter((path) => !common.includes(path)).map((path) => path.split('/')[0]));
  expect([...own].length, [...own].join(', ')).toBeLessThanOrEqual(2);
});

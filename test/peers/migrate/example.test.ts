import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

test('examples/migrate moves an app there and back, and no todo is lost', { timeout: 300_000 }, async () => {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', 'examples/migrate/main.ts']);
  expect(stdout.trim().split('\n')).toEqual([
    'plan: 20 rows, 0 findings',
    'equal: true',
    'flag: hold',
    'flag: to',
    'moved: true',
    'flag: hold',
    'flag: from',
    'moved back: true',
    'the app has 25 todos',
  ]);
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The command, its output into pipes. */
function cli(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, CI: '', TEST: '', NO_COLOR: '', TERM: 'xterm' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/index.ts', ...args], {
    encoding: 'utf8',
    env,
  });
  return { code: status, stdout, stderr };
}
const escapeSign = String.fromCharCode(27);

test('what cannot be understood ends with 2, says why, and does nothing', { timeout: 300_000 }, () => {
  const wrong = (words: string) => ({ code: 2, stdout: '', stderr: expect.stringContaining(words) });
  expect(cli()).toMatchObject(wrong('Name a command.'));
  expect(cli('migrat')).toMatchObject(wrong('"migrat" is not a command; did you mean "migrate"?'));
  expect(cli('migrate')).toMatchObject(wrong('Missing required argument: --from'));
  expect(cli('setup', '--config', 'x.json')).toMatchObject(wrong('Missing required positional argument: BACKEND'));
  const dryrun = wrong('--dryrun is not an option; did you mean "--dry-run"?');
  expect(cli('migrate', '--from', 'a.json', '--to', 'b.json', '--dryrun')).toMatchObject(dryrun);
  expect(cli('doctor', '--confg', 'a.json')).toMatchObject(wrong('did you mean "--config"?'));
  expect(cli('setup', 'supabase', '--conf', 'a.json')).toMatchObject(wrong('did you mean "--config"?'));
});

test('help and the version end with 0; into a pipe they are plain text', { timeout: 300_000 }, () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(cli('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  for (const words of [['help'], ['--help']]) {
    const { code, stdout } = cli(...words);
    expect([code, stdout]).toEqual([0, expect.stringContaining('setup|doctor|migrate')]);
    expect(stdout).not.toContain(escapeSign);
  }
  for (const words of [
    ['help', 'migrate'],
    ['migrate', '--help'],
  ]) {
    const { code, stdout } = cli(...words);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/--dry-run .*[\s\S]*--cut-over /)]);
    expect(stdout).not.toMatch(/--[a-z]+[A-Z]/);
    expect(stdout).not.toContain(escapeSign);
  }
});

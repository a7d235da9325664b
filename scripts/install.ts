/** `tsx scripts/install.ts bench`: installs the packages of a folder that has its own, unless they are there as its lockfile has them. */
import { spawnSync } from 'node:child_process';
import { type Folder, folders, isInstalled } from './installed.js';

const name = process.argv[2] as Folder;
if (!Object.hasOwn(folders, name)) {
  console.error(`Choose from ${Object.keys(folders).join(', ')}.`);
  process.exit(2);
}
if (!isInstalled(name)) {
  const started = Date.now();
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error'];
  const { status, error } = spawnSync('npm', args, {
    cwd: folders[name],
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 5 * 60_000,
  });
  if (status !== 0) {
    console.error(
      `The packages of ${folders[name]} could not be installed. ${error?.message ?? 'See what npm says above.'}`,
    );
    process.exit(1);
  }
  console.log(`The packages of ${folders[name]}: installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

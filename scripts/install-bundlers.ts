/** Installs the bundlers where the tests of the package look for them, unless they are there as their lockfile has them. */
import { spawnSync } from 'node:child_process';
import { areBundlersInstalled, bundlersFolder } from '../test/package/bundlers/installed.js';

if (!areBundlersInstalled()) {
  const started = Date.now();
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--loglevel=error'];
  const { status, error } = spawnSync('npm', args, {
    cwd: bundlersFolder,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 5 * 60_000,
  });
  if (status !== 0) {
    console.error(`The bundlers could not be installed. ${error?.message ?? 'See what npm says above.'}`);
    process.exit(1);
  }
  console.log(`The bundlers: installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

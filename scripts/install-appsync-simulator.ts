/** Installs AWS's simulator of AppSync where its tests look for it, unless it is there as its lockfile has it. */
import { spawnSync } from 'node:child_process';
import { isAppsyncSimulatorInstalled, simulatorFolder } from '../test/peers/appsync/simulator/installed.js';

if (!isAppsyncSimulatorInstalled()) {
  const started = Date.now();
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
  const { status, error } = spawnSync('npm', args, {
    cwd: simulatorFolder,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 5 * 60_000,
  });
  if (status !== 0) {
    console.error(`AppSync's simulator could not be installed. ${error?.message ?? 'See what npm says above.'}`);
    process.exit(1);
  }
  console.log(`AppSync's simulator: installed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

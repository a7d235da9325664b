import { spawnSync } from 'node:child_process';
import { existsSync, globSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** By number, so that 1.19.10 is newer than 1.19.9. */
const byVersion = new Intl.Collator('en', { numeric: true }).compare;

/** Where gcloud is installed: `.../google-cloud-sdk`. Not asked of gcloud itself, which takes a second to answer. */
function gcloudRoots(): string[] {
  const found = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'gcloud'));
  return found.filter((file) => existsSync(file)).map((file) => dirname(dirname(realpathSync(file))));
}

/** The emulator's jar on this machine: named by the environment, brought by firebase-tools, or part of the gcloud SDK. */
export function findEmulator(): string | undefined {
  const { FIRESTORE_EMULATOR_BINARY_PATH: named, FIREBASE_EMULATORS_PATH: folder } = process.env;
  if (named) return named;
  const cache = folder || join(homedir(), '.cache', 'firebase', 'emulators');
  const [newest] = globSync('cloud-firestore-emulator-v*.jar', { cwd: cache }).sort(byVersion).reverse();
  if (newest !== undefined) return join(cache, newest);
  const inSdk = join('platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar');
  return gcloudRoots()
    .map((root) => join(root, inSdk))
    .find((jar) => existsSync(jar));
}

/** Why no Firestore emulator can run on this machine, or undefined where one can. */
export function whyNoEmulator(): string | undefined {
  const jar = findEmulator();
  if (jar === undefined)
    return 'no Firestore emulator was found. Get it with: npx firebase-tools setup:emulators:firestore';
  if (!existsSync(jar)) return `${jar}, which FIRESTORE_EMULATOR_BINARY_PATH names, does not exist`;
  if (spawnSync('java', ['-version']).status !== 0)
    return 'the Firestore emulator needs Java 17 or newer, as java in the PATH';
  return undefined;
}

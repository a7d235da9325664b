/**
 * A process that opens a SQLite store when its stdin says so, and says how that went. Lines: `open <at> <path>`, with a
 * moment in ms since 1970 before which it does not start; and `close`.
 */
import { createInterface } from 'node:readline';
import { isSyncLayerError } from '../../src/base/errors.js';
import { sqliteStore } from '../../src/store/sqlite.js';
import type { LocalStore } from '../../src/store/store.js';

let store: LocalStore | undefined;

async function obey(line: string): Promise<string> {
  const [command, at, path] = line.split(' ', 3);
  if (command !== 'open' || path === undefined) {
    await store?.close();
    return 'closed';
  }
  store = sqliteStore({ path });
  // A timer would be late by a ms or more: two openers that shall race have to spin.
  while (Date.now() < Number(at));
  await store.open();
  return 'opened';
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await obey(line).catch((error: unknown) =>
    isSyncLayerError(error) ? `${error.code} ${error.message}` : String(error),
  );
  process.stdout.write(`${answer}\n`);
}

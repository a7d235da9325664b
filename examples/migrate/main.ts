/**
 * An app moves from one backend to another and back while it is used:
 *
 *   npx tsx examples/migrate/main.ts                        two WebSocket servers
 *   npx tsx examples/migrate/main.ts supabase firestore     a PostgreSQL and Google's emulator on this machine
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMigration, type MigrationEnd } from '../../src/migrate/index.js';
import { createSwitchover, type SwitchPhase } from '../../src/migrate/switchover.js';
import { resolveTransport } from '../../src/transport/registry.js';
import { backends, type LocalBackend } from './backends.js';

const [fromName = 'websocket', toName = 'websocket'] = process.argv.slice(2);
const open = (name: string): Promise<LocalBackend> => {
  const start = backends[name];
  if (!start) throw new Error(`There is no backend "${name}". There are: ${Object.keys(backends).join(', ')}.`);
  return start();
};
const [from, to] = [await open(fromName), await open(toName)];
const folder = mkdtempSync(join(tmpdir(), 'synclayer-example-'));

// The flag that clients obey. In an app it is a small file on a CDN, a row, or a remote configuration.
let phase: SwitchPhase = 'from';
const flag = {
  write(next: SwitchPhase): void {
    phase = next;
    console.log(`flag: ${next}`);
  },
};

const store = { type: 'sqlite', path: join(folder, 'app.db') } as const;
const app = await createSwitchover({
  read: () => phase,
  from: { ...from.config, store },
  to: { ...to.config, store },
  every: 50,
});

/** The app's user: saves, and sees each edit acknowledged by whichever backend is used. */
async function edit(text: string): Promise<void> {
  const id = await app.sync.collection('todos').save({ text, done: false });
  while (app.sync.outbox.pending().some(({ recordId }) => recordId === id))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

const end = async ({ config }: LocalBackend): Promise<MigrationEnd> => ({
  transport: await resolveTransport(config.transport as { type: string }),
});
const migration = createMigration({
  from: await end(from),
  to: await end(to),
  collections: ['todos'],
  stateFile: join(folder, 'migrate.db'),
  onEvent: (event) => event.type === 'retry' && console.log(`asked again: ${event.error.message}`),
});

// How long no client may be holding back a write that it began before: here clients read the flag each 50 ms.
const times = { grace: 500, quiet: 500 };
try {
  for (let index = 1; index <= 20; index += 1) await edit(`Todo ${index}`);
  const { collections, findings } = await migration.plan();
  console.log(`plan: ${collections[0]?.rows.from} rows, ${findings.length} findings`);
  await migration.backfill();
  const following = migration.follow();
  await edit('while it follows');
  console.log(`equal: ${(await migration.verify()).equal}`);

  const held = edit('while clients are held, or just before');
  const there = await migration.cutOver({ flag, ...times });
  await following.stop();
  await held;
  console.log(`moved: ${there.done}`);
  await edit(`on ${toName}`);

  const back = migration.follow('backward');
  await edit('carried back');
  const again = await migration.goBack({ flag, ...times });
  await back.stop();
  console.log(`moved back: ${again.done}`);
  await edit('on the old one again');
  await app.sync.syncNow();
  console.log(`the app has ${await app.sync.collection('todos').count()} todos`);
} finally {
  await app.close();
  await migration.close();
  await from.close();
  await to.close();
  rmSync(folder, { recursive: true });
}

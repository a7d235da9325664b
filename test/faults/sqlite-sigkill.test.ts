import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { sqliteStore } from '../../src/store/sqlite.js';
import type { StoreTable } from '../../src/store/store.js';
import { seeded } from '../seeded.js';

const ROUNDS = 12;
const writer = join(import.meta.dirname, 'sqlite-writer.ts');

async function contents(path: string) {
  const store = sqliteStore({ path });
  await store.open();
  const read = async (table: StoreTable) => {
    const entries = new Map<string, unknown>();
    for await (const page of store.read(table, 'todos')) for (const { id, value } of page) entries.set(id, value);
    return entries;
  };
  const [rows, outbox, meta] = [await read('rows'), await read('outbox'), await read('meta')];
  await store.close();
  return { rows, outbox, meta };
}

/** Runs the writer from `first` on, and kills it at a moment that `random` chooses. Returns the last id it reported. */
async function runAndKill(path: string, synchronous: string, first: number, random: () => number) {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, path, synchronous, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const killAfter = Math.floor(random() * 400);
  const spin = random() * 3;
  let reported = first - 1;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('failed')) throw new Error(line);
    if (line !== 'open') reported = Number(line);
    if (count++ !== killAfter) continue;
    // Somewhere inside the next commits, not always just after a report.
    for (const until = performance.now() + spin; performance.now() < until; );
    child.kill('SIGKILL');
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return reported;
}

test.each(['full', 'normal'])(
  'killed in the middle of its commits, a store (synchronous %s) keeps every one that resolved, and each whole',
  { timeout: 300_000 },
  async (synchronous) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`sqlite-sigkill: SEED=${seed}`);
    const random = seeded(seed);
    const folder = await mkdtemp(join(tmpdir(), 'synclayer-sigkill-'));
    const path = join(folder, 'app.db');
    let next = 1;
    let unreported = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const reported = await runAndKill(path, synchronous, next, random);
      const { rows, outbox, meta } = await contents(path);
      const cursor = (meta.get('cursor') as number | undefined) ?? 0;
      expect(cursor, 'every commit that resolved is there').toBeGreaterThanOrEqual(reported);
      expect(rows.get('latest'), 'the cursor and the row of one append').toEqual(cursor ? { n: cursor } : undefined);
      expect([...outbox.keys()], 'one outbox entry came, one went').toEqual(cursor ? [`op-${cursor}`] : []);
      for (let n = 1; n <= cursor; n++) expect(rows.get(`row-${n}`)).toEqual({ n, text: 'x'.repeat(n % 300) });
      expect(rows.size, 'nothing of an append that was not committed').toBe(cursor ? cursor + 1 : 0);
      unreported += cursor > reported ? 1 : 0;
      next = cursor + 1;
    }
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
    await rm(folder, { recursive: true });
    console.log(
      `sqlite-sigkill: ${ROUNDS} kills, ${next - 1} appends, ${unreported} commits killed before their report`,
    );
  },
);

test('a disk that takes no more is reported, and what was committed before is whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-full-'));
  const path = join(folder, 'app.db');
  // No file may grow beyond some 200 KB, which the writer is told by an error instead of a signal.
  const limited = 'trap "" XFSZ; ulimit -f 400; exec "$0" --import tsx "$@"';
  const child = spawn('sh', ['-c', limited, process.execPath, writer, path, 'full', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  expect(await exited).toEqual([1, null]);
  expect(lines.at(-1)).toMatch(/^failed The SQLite store .* could not be written\. The disk .* free space\./i);
  const reported = Number(lines.at(-2));
  const { rows, outbox, meta } = await contents(path);
  expect(reported).toBeGreaterThan(1);
  expect(meta.get('cursor')).toBe(reported);
  expect(rows.size).toBe(reported + 1);
  expect([...outbox.keys()]).toEqual([`op-${reported}`]);
  await rm(folder, { recursive: true });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type SqliteStoreOptions, sqliteStore } from '../../../src/store/sqlite.js';
import type { LocalStore, StoreWrite } from '../../../src/store/store.js';

let folder: string;
let path: string;
const opened: LocalStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'synclayer-sqlite-'));
  path = join(folder, 'app.db');
});

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

async function open(options: SqliteStoreOptions = { path }): Promise<LocalStore> {
  const store = sqliteStore(options);
  opened.push(store);
  await store.open();
  return store;
}

const rows = (count: number, text = 'x'): StoreWrite[] =>
  Array.from({ length: count }, (_, i) => ({ table: 'rows', key: ['todos', `${i}`], value: { i, text } }));

async function count(store: LocalStore): Promise<number> {
  let total = 0;
  for await (const page of store.read('rows', 'todos')) total += page.length;
  return total;
}

/** Runs SQL on a file that no store has open. */
function sql(statements: string) {
  const db = new DatabaseSync(path);
  db.exec(statements);
  db.close();
}

describe('a file that cannot be used is left alone, and the error says what to do', () => {
  test('a newer format', async () => {
    await (await open()).close();
    sql('PRAGMA user_version = 9');
    const before = readFileSync(path);
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/app\.db .*newer synclayer \(format 9; .*Update the synclayer package/),
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test("another program's database", async () => {
    sql('CREATE TABLE rows (name TEXT); PRAGMA user_version = 1');
    const before = readFileSync(path);
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('belongs to another program. Use another path.'),
    });
    expect(readFileSync(path)).toEqual(before);
  });

  test('not a database at all', async () => {
    writeFileSync(path, 'This is a text file, and long enough to be taken for a header. '.repeat(100));
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/not a SQLite database, or is damaged\. Restore it from a backup/),
      cause: { errcode: 26 },
    });
  });

  test('a missing folder', async () => {
    await expect(open({ path: join(folder, 'missing', 'app.db') })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('Create its folder first'),
    });
  });

  test('an empty path, which SQLite would take for a temporary file', async () => {
    await expect(open({ path: '' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('a refused open can be tried again', async () => {
    await (await open()).close();
    sql('PRAGMA user_version = 9');
    const store = sqliteStore({ path });
    opened.push(store);
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    sql('PRAGMA user_version = 1');
    await store.open();
    await store.commit(rows(1));
  });
});

test('pages overwritten on disk are reported as damage, not returned as rows', async () => {
  const store = await open();
  await store.commit(rows(5_000));
  await store.close();
  const bytes = readFileSync(path);
  // The first page, with header and schema, stays whole: the damage shows only when rows are read.
  bytes.fill(0xab, 5 * 4_096);
  writeFileSync(path, bytes);
  await expect(open().then(count)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringMatching(/damaged\. Restore it from a backup, or move it away/),
  });
});

test('a value that is no longer JSON is reported as damage', async () => {
  const store = await open();
  await store.commit(rows(10));
  await store.close();
  sql(`UPDATE rows SET value = '{"i":' WHERE id = '7'`);
  await expect(count(await open())).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('damaged'),
  });
});

/** Another process, which opens and closes a store as it is told. */
function opener() {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, '../../faults/sqlite-opener.ts')],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: string): Promise<string> => {
    child.stdin.write(`${line}\n`);
    return String((await lines.next()).value);
  };
  return {
    open: (at = 0) => ask(`open ${at} ${path}`),
    close: () => ask('close'),
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('another process is refused while the file is open, and gets in once it is closed', async () => {
  const store = await open();
  const other = opener();
  try {
    expect(await other.open()).toMatch(/^STORE_FAILED .*open elsewhere, in this process or in another one\. Close it/);
    await store.commit(rows(3));
    await store.close();
    expect(await other.open()).toBe('opened');
    // And the other way round.
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  } finally {
    await other.kill();
  }
  // A killed process leaves no lock behind.
  expect(await count(await open())).toBe(3);
});

test('of two processes that open at the same moment exactly one gets in', async () => {
  const pair = [opener(), opener()];
  try {
    await Promise.all(pair.map((other) => other.close()));
    for (let round = 0; round < 12; round++) {
      // Long enough for both to have read their line.
      const at = Date.now() + 25;
      const answers = await Promise.all(pair.map((other) => other.open(at)));
      expect(answers.filter((answer) => answer === 'opened')).toHaveLength(1);
      expect(answers.filter((answer) => answer.includes('open elsewhere'))).toHaveLength(1);
      await Promise.all(pair.map((other) => other.close()));
    }
  } finally {
    await Promise.all(pair.map((other) => other.kill()));
  }
});

test('without node:sqlite it says which Node to use', async () => {
  const builtin = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
  try {
    await expect(open()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('Node 22.18 or newer'),
    });
  } finally {
    builtin.mockRestore();
  }
});

test('a commit that fails in its middle leaves nothing behind, and the store goes on', async () => {
  const store = await open();
  await store.commit(rows(1, 'before'));
  let looks = 0;
  const fickle = {
    // JSON when it is checked, an error when it is written.
    get text() {
      if (++looks > 1) throw new Error('changed my mind');
      return 'x';
    },
  };
  const batch: StoreWrite[] = [...rows(3, 'half'), { table: 'meta', key: ['todos', 'cursor'], value: fickle }];
  await expect(store.commit(batch)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('changed my mind'),
  });
  const found = [];
  for await (const page of store.read('rows', 'todos')) found.push(...page);
  expect(found).toEqual([{ id: '0', value: { i: 0, text: 'before' } }]);
  await store.commit(rows(3));
  expect(await count(store)).toBe(3);
});

test("':memory:' works, and forgets at close", async () => {
  const store = await open({ path: ':memory:' });
  await store.commit(rows(10));
  expect(await count(store)).toBe(10);
  await store.close();
  await store.open();
  expect(await count(store)).toBe(0);
});

test('a large read lets the event loop turn between its pages, and small pages hold large rows', async () => {
  const store = await open();
  await store.commit(rows(10_000));
  await store.commit(
    rows(40, 'x'.repeat(200_000)).map((write) => ({ ...write, key: ['large', write.key[1]] as const })),
  );
  let turns = 0;
  let counting = true;
  const turn = () => {
    turns++;
    if (counting) setImmediate(turn);
  };
  setImmediate(turn);
  const sizes: number[] = [];
  for await (const page of store.read('rows', 'todos')) sizes.push(page.length);
  const turnsForRead = turns;
  for await (const page of store.read('rows', 'large')) sizes.push(page.length);
  counting = false;
  expect(sizes.slice(0, 5)).toEqual([2_000, 2_000, 2_000, 2_000, 2_000]);
  expect(Math.max(...sizes.slice(5))).toBeLessThan(20);
  expect(sizes.slice(5).reduce((sum, size) => sum + size)).toBe(40);
  expect(turnsForRead).toBeGreaterThanOrEqual(4);
});

test('a loop of awaited commits lets timers and sockets have their turn', async () => {
  const store = await open({ path, synchronous: 'normal' });
  let fired = false;
  setImmediate(() => {
    fired = true;
  });
  for (let i = 0; i < 3; i++) await store.commit(rows(1));
  expect(fired).toBe(true);
});

test('closing leaves one file, with everything in it', async () => {
  const store = await open();
  await store.commit(rows(100));
  await store.close();
  expect(() => statSync(`${path}-wal`)).toThrow('ENOENT');
  sql('CREATE TABLE proof AS SELECT count(*) AS n FROM rows');
  const db = new DatabaseSync(path);
  expect(db.prepare('SELECT n FROM proof').get()).toEqual({ n: 100 });
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  db.close();
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findChromium, launchChromium } from '../../test/browser/chromium.js';
import { storeSite } from '../../test/browser/store-site.js';
import { pagesOf } from '../apply/subject.js';
import { type Bench, median, ratio, table, thousands } from '../section.js';
import type { DurableFigures } from './device.js';
import { measureDevice } from './device.js';
import { openSqlite } from './sqlite-device.js';

/** The same statements without anything else: the floor. */
async function bareSqlite(path: string, rows: number, saves: number): Promise<DurableFigures> {
  const open = (): DatabaseSync => {
    const database = new DatabaseSync(path);
    database.exec('pragma journal_mode = wal; pragma synchronous = full');
    return database;
  };
  let database = open();
  database.exec('create table rows (id text primary key, data text) without rowid');
  const insert = database.prepare('insert or replace into rows values (?, ?)');
  let start = performance.now();
  for (const page of pagesOf(rows)) {
    database.exec('begin');
    for (const row of page) insert.run(row.id, JSON.stringify(row));
    database.exec('commit');
  }
  const load = rows / ((performance.now() - start) / 1000);
  start = performance.now();
  for (let index = 0; index < saves; index++) insert.run(`row-${index}`, JSON.stringify({ text: 'Saved', done: true }));
  const save = saves / ((performance.now() - start) / 1000);
  database.close();
  start = performance.now();
  database = open();
  const kept = new Map(
    database
      .prepare('select id, data from rows')
      .all()
      .map(({ id, data }) => [id, JSON.parse(String(data)) as unknown]),
  );
  const reopen = performance.now() - start;
  database.close();
  if (kept.size !== rows) throw new Error(`${kept.size} of ${rows} rows are there.`);
  return { load, save, reopen };
}

const row = (name: string, { load, save, reopen }: DurableFigures): string[] => [
  name,
  thousands(load),
  thousands(save),
  `${Math.round(reopen)} ms`,
];

const medianOf = (all: readonly DurableFigures[]): DurableFigures => ({
  load: median(all.map(({ load }) => load)),
  save: median(all.map(({ save }) => save)),
  reopen: median(all.map(({ reopen }) => reopen)),
});

async function inNode(rows: number, saves: number, rounds: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-bench-'));
  const [ours, bare]: DurableFigures[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    bare?.push(await bareSqlite(join(folder, `bare-${round}.db`), rows, saves));
    ours?.push(await measureDevice(() => openSqlite(join(folder, `app-${round}.db`)), rows, saves));
  }
  await rm(folder, { recursive: true });
  const [mine, floor] = [medianOf(ours ?? []), medianOf(bare ?? [])];
  return `SQLite in Node, ${thousands(rows)} rows

${table(['', 'rows/s', 'saves/s', 'reopening'], [row('SyncLayer', mine), row('the bare statements', floor)])}

To the bare statements: rows ${ratio(mine.load / floor.load)}, saves ${ratio(mine.save / floor.save)} (a save of ours is two
rows: the edit and what waits to be sent), reopening in ${ratio(mine.reopen / floor.reopen)} of the time.`;
}

async function inChromium(rows: number, saves: number, rounds: number): Promise<string> {
  if (findChromium() === undefined) return 'There is no Chromium here: IndexedDB was not measured.';
  const site = await storeSite(join(import.meta.dirname, 'page.ts'));
  const browser = await launchChromium();
  const found: Record<string, DurableFigures[]> = { synclayer: [], rxdb: [] };
  for (let round = 0; round < rounds; round++)
    for (const [name, all] of Object.entries(found)) {
      const page = await (await browser.newContext()).newPage();
      await page.goto(site.url);
      all.push(
        await page.evaluate(
          ([subject, count, times]) =>
            (globalThis as unknown as { measure(...args: unknown[]): Promise<DurableFigures> }).measure(
              subject,
              count,
              times,
            ),
          [name, rows, saves] as const,
        ),
      );
      await page.context().close();
    }
  await browser.close();
  await site.close();
  const [ours, theirs] = [medianOf(found.synclayer ?? []), medianOf(found.rxdb ?? [])];
  return `IndexedDB in Chromium, ${thousands(rows)} rows

${table(['', 'rows/s', 'saves/s', 'reopening'], [row('SyncLayer', ours), row('RxDB, Dexie', theirs)])}

To RxDB: rows ${ratio(ours.load / theirs.load)}, saves ${ratio(ours.save / theirs.save)}, reopening in ${ratio(ours.reopen / theirs.reopen)} of the time.`;
}

/** What is on the disk. */
export const durable: Bench = async ({ quick, say }) => {
  const rounds = quick ? 1 : 3;
  say('SQLite in Node');
  const node = await inNode(quick ? 5000 : 100_000, quick ? 200 : 2000, rounds);
  say('IndexedDB in Chromium');
  const browser = await inChromium(quick ? 1000 : 10_000, quick ? 50 : 300, rounds);
  const text = `A first read in pages of 1,000 until all of it is on the disk; then saves, each awaited (durable when it resolves); then the
app is closed and opened again, until all rows can be read. Median of ${rounds}.

${node}

${browser}`;
  return { title: 'Durable', text };
};

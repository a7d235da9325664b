import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MoveReport } from '../../../src/migrate/report-page.js';
import { type Clients, startClients } from './clients.js';
import { buildCommand, type Command, startCommand } from './command.js';
import { collections, type Place } from './places.js';

export interface MoveOptions {
  readonly from: Place;
  readonly to: Place;
  /** Rows of each collection before it begins. */
  readonly rows: number;
  readonly clients: number;
  /** ms between two edits of a client, on each backend. */
  readonly pace: { readonly from: number; readonly to: number };
  /** Most rows in a second: slow enough for the process to be killed in the middle. */
  readonly rate?: number;
  readonly log?: (line: string) => void;
  /** Told what the commands say, as they say it. */
  readonly hear?: (text: string) => void;
}

/** What came of it. */
export interface Moved {
  readonly there: MoveReport;
  readonly back: MoveReport;
  /** Acknowledged writes that are not at the backend that clients used last, right after each move. */
  readonly lost: { readonly there: readonly string[]; readonly back: readonly string[] };
  /** Rows in which the two backends differ in the end, looked at past every transport. */
  readonly unequal: readonly string[];
  readonly refused: readonly string[];
  readonly acknowledged: number;
  readonly kills: number;
  /** ms. */
  readonly took: { readonly there: number; readonly back: number };
}

/** What clients were told is written, and is not. An edit under way may be newer than the last acknowledged one. */
async function lostWrites(clients: Clients, place: Place): Promise<string[]> {
  const lost: string[] = [];
  for (const collection of collections) {
    // First what is expected: what is acknowledged while we read is not asked for.
    const expected = new Map(clients.expected.get(collection));
    const there = await place.numbers(collection);
    for (const [id, n] of expected) {
      const now = clients.expected.get(collection)?.get(id);
      if (now !== n) continue;
      const found = there.get(id);
      if (n === null ? found !== undefined : (found ?? -1) < n)
        lost.push(
          `${collection}/${id}: ${n === null ? 'deleted' : n} was acknowledged, ${found ?? 'nothing'} is there`,
        );
    }
  }
  return lost;
}

/**
 * Moves clients that go on writing from one backend to another and back, by the command, which is killed twice on the way
 * there; the old backend is restarted once.
 */
export async function moveThereAndBack(options: MoveOptions): Promise<Moved> {
  const { from, to, rows } = options;
  const begun = performance.now();
  const log = (line: string): void => options.log?.(`${((performance.now() - begun) / 1000).toFixed(1)} s: ${line}`);
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-move-'));
  const built = await buildCommand();
  const flag = join(folder, 'phase.json');
  const files = [from, to].map(({ name, config }) => {
    const file = join(folder, `${name}.config.json`);
    writeFileSync(file, JSON.stringify(config));
    return file;
  });
  const common = ['--from', files[0] ?? '', '--to', files[1] ?? '', '--state', join(folder, 'move.db'), '--flag', flag];
  const times = ['--grace', '2000', '--quiet', '2000'];
  const commands: Command[] = [];
  const command = (...args: string[]): Command => {
    const started = startCommand(built.file, [...common, ...args], options.hear);
    commands.push(started);
    return started;
  };
  let clients: Clients | undefined;
  try {
    for (const collection of collections) await from.seed(collection, rows);
    clients = await startClients({
      count: options.clients,
      folder,
      flag,
      from: from.configFor,
      to: to.configFor,
      collections,
      metaOf: (meta) => (from.texts || to.texts ? JSON.stringify(meta) : meta),
      pace: options.pace,
    });
    await clients.more(options.clients * 2);
    const startedAt = performance.now();
    const slow = options.rate === undefined ? [] : ['--rate', String(options.rate), '--page', '50'];
    log('clients write; copying; killed in the middle of it');
    const first = command('--cut-over', ...times, ...slow);
    await first.says(/\ntodos: \d+/);
    await first.kill();
    const second = command('--cut-over', ...times, ...slow);
    await second.says(/backfill notes/);
    log(`${from.name} is restarted`);
    await from.restart();
    await second.says(/verify/);
    log('killed while it verifies');
    await second.kill();
    const third = command('--cut-over', ...times);
    const there = await third.ended();
    log(`there: ${there.report.outcome}, clients held for ${there.report.move?.held} ms\n${third.said}`);
    const tookThere = performance.now() - startedAt;
    await clients.more(options.clients * 5);
    log('clients write on the new backend');
    const lostThere = await lostWrites(clients, to);

    const backAt = performance.now();
    const reverse = command('--reverse');
    await reverse.says(/Following/);
    log('following back');
    await clients.more(options.clients * 5);
    log('stop following back');
    reverse.stop();
    const reversed = await reverse.ended();
    log(`carried back: ${reversed.report.outcome}`);
    const last = command('--go-back', ...times);
    const back = await last.ended();
    log(`back: ${back.report.outcome}, clients held for ${back.report.move?.held} ms\n${last.said}`);
    const tookBack = performance.now() - backAt;
    await clients.more(options.clients * 5);
    await clients.stop();
    const lostBack = await lostWrites(clients, from);

    // What clients wrote on the old backend since then goes over once more, and both are looked at.
    log('clients stopped');
    const final = await command().ended();
    const unequal: string[] = [];
    for (const collection of collections) {
      const [a, b] = [await from.numbers(collection), await to.numbers(collection)];
      for (const id of new Set([...a.keys(), ...b.keys()]))
        if (a.get(id) !== b.get(id)) unequal.push(`${collection}/${id}: ${a.get(id)} and ${b.get(id)}`);
    }
    if (final.report.outcome !== 'equal') unequal.push(`the last run came to ${final.report.outcome}`);
    return {
      there: there.report,
      back: back.report,
      lost: { there: lostThere, back: lostBack },
      unequal,
      refused: clients.refused,
      acknowledged: clients.acknowledged,
      kills: 2,
      took: { there: Math.round(tookThere), back: Math.round(tookBack) },
    };
  } finally {
    await Promise.allSettled(commands.map((each) => each.kill()));
    await clients?.close();
    built.remove();
    rmSync(folder, { recursive: true });
  }
}

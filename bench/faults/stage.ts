import type { Random } from '../../test/seeded.js';
import type { Backend, Row } from './backend.js';
import { CHECK_EVERY, type Device } from './device.js';

/** What a scenario plays with. */
export interface Stage {
  readonly backend: Backend;
  readonly random: Random;
  /** Another client writes a row. `age`: its transaction began so many ms before it was committed. */
  write(id?: string, age?: number): void;
  /** Another client deletes a row. */
  remove(): void;
  /** The app writes a row that nobody else writes. */
  edit(): Promise<void>;
  /** Writes, or does something else, until `done`. */
  busyUntil(done: Promise<unknown>, action: () => unknown): Promise<void>;
  /** Breaks the connection; what happens in `meanwhile` the device does not see. Resolves when it is subscribed again. */
  away(meanwhile: () => unknown): Promise<void>;
  pause(ms: number): Promise<void>;
}

/** What came of it. All of them should be 0. */
export interface Outcome {
  /** Records that are not on the device as in the backend, and edits that are not in the backend. */
  readonly lost: number;
  /** Events that told the app what it had been told, and edits that were committed twice. */
  readonly duplicate: number;
  /** Events that took the app back to an older row. */
  readonly regressed: number;
  /** Requests that the backend answered. A cost, not a fault. */
  readonly requests: number;
}

/** Rows at the start, and edited by the device. */
const ROWS = 200;
const MINE = 10;
/** How long a device may take to catch up when nothing fails any more, in ms. */
const SETTLE = 20_000;
/** One that is connected, and shows nothing new for so many of its regular checks, has ended. */
const CHECKS = 6;
/** So long nothing happens before a connection breaks between two requests, and not in the middle of one, in ms. */
const QUIET = 250;
/** How long a device may take to connect, in ms. One that does not shows in the outcome. */
const PATIENCE = 12_000;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(test: () => boolean | Promise<boolean>, limit: number): Promise<boolean> {
  for (const end = Date.now() + limit; Date.now() < end; await pause(10)) if (await test()) return true;
  return false;
}

const sameRow = (a: Row | undefined, b: Row | undefined): boolean => a?.text === b?.text && a?.count === b?.count;

/** Records that are not the same on both sides. */
export const unlike = (a: ReadonlyMap<string, Row>, b: ReadonlyMap<string, Row>): string[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((id) => !sameRow(a.get(id), b.get(id)));

/** What was wrong with the events that an app got. */
export function countTold(told: Device['told']): Pick<Outcome, 'duplicate' | 'regressed'> {
  const last = new Map<string, number | null>();
  const newest = new Map<string, number>();
  let duplicate = 0;
  let regressed = 0;
  for (const { id, count } of told) {
    if (last.get(id) === count) duplicate += 1;
    else if (count !== null && count < (newest.get(id) ?? 0)) regressed += 1;
    last.set(id, count);
    newest.set(id, Math.max(newest.get(id) ?? 0, count ?? 0));
  }
  return { duplicate, regressed };
}

/** Fills a backend, plays a scenario on a device, lets it settle without faults, and counts. */
export async function play(
  backend: Backend,
  open: () => Promise<Device>,
  random: Random,
  scenario: (stage: Stage) => Promise<void>,
): Promise<Outcome> {
  const healthy = { ...backend.faults };
  const expected = new Map<string, Row>();
  let count = 0;
  const nextRow = (id: string): Row => {
    count += 1;
    return { text: `${id}: ${'x'.repeat(Math.floor(random() * 60))}`, count };
  };
  const anyId = (): string => `row-${Math.floor(random() * ROWS)}`;
  for (let n = 0; n < ROWS; n++) backend.commit(`row-${n}`, nextRow(`row-${n}`));
  const device = await open();
  /** Records that are not on the device as in the backend, and edits that are not in the backend, each once. */
  const lost = async (): Promise<number> => {
    const rows = backend.rows();
    const mine = [...expected].filter(([id, row]) => !sameRow(row, rows.get(id))).map(([id]) => id);
    return new Set([...unlike(rows, await device.rows()), ...mine]).size;
  };
  if (!(await until(async () => backend.subscribers > 0 && (await lost()) === 0, 10_000)))
    throw new Error('A device did not even catch up without faults.');

  await scenario({
    backend,
    random,
    write: (id = anyId(), age = 0) => void backend.commit(id, nextRow(id), age),
    remove() {
      const ids = [...backend.rows().keys()].filter((id) => id.startsWith('row-'));
      backend.commit(ids[Math.floor(random() * ids.length)] ?? 'row-0', null);
    },
    async edit() {
      const id = `mine-${Math.floor(random() * MINE)}`;
      const row = nextRow(id);
      expected.set(id, row);
      await device.save(id, row);
    },
    async busyUntil(done, action) {
      let over = false;
      void done.then(() => {
        over = true;
      });
      for (const end = Date.now() + PATIENCE; !over && Date.now() < end; await pause(3)) await action();
    },
    async away(meanwhile) {
      await pause(QUIET);
      await backend.proxy.refuse();
      backend.proxy.cut({ reset: true });
      await until(() => backend.subscribers === 0, PATIENCE);
      await meanwhile();
      await backend.proxy.accept();
      await until(() => backend.subscribers > 0, PATIENCE);
    },
    pause,
  });

  Object.assign(backend.faults, healthy);
  let heard = device.told.length;
  let since = Date.now();
  await until(async () => {
    if (backend.subscribers === 0 || device.told.length > heard) {
      heard = device.told.length;
      since = Date.now();
    }
    if (Date.now() - since > CHECKS * CHECK_EVERY) return true;
    return (await lost()) === 0;
  }, SETTLE);
  // What comes late is counted too.
  await pause(200);
  const told = countTold(device.told);
  const committed = new Set<string>();
  let twice = 0;
  for (const { id, row } of backend.commits) {
    const key = `${id} ${row?.count}`;
    if (row && committed.has(key)) twice += 1;
    committed.add(key);
  }
  const missing = await lost();
  await Promise.race([device.close(), pause(1000)]);
  return { lost: missing, duplicate: told.duplicate + twice, regressed: told.regressed, requests: backend.requests };
}

import { pagesOf, type Todo } from '../apply/subject.js';

export interface DurableFigures {
  /** Rows per second. */
  readonly load: number;
  /** Saves per second, one after the other. */
  readonly save: number;
  /** Ms until all rows can be read. */
  readonly reopen: number;
}

export interface Device {
  /** Takes pages from a backend. Resolves when they are on the disk. */
  load(pages: Iterable<Todo[]>): Promise<void>;
  /** Resolves when it is on the disk. */
  save(todo: Todo): Promise<unknown>;
  count(): Promise<number>;
  close(): Promise<unknown>;
}

/** `open` finds what was there before. */
export async function measureDevice(open: () => Promise<Device>, rows: number, saves: number): Promise<DurableFigures> {
  let device = await open();
  let start = performance.now();
  await device.load(pagesOf(rows));
  const load = rows / ((performance.now() - start) / 1000);
  start = performance.now();
  for (let index = 0; index < saves; index++)
    await device.save({ id: `row-${index}`, text: 'Saved', done: true, updatedAt: index, tags: [] });
  const save = saves / ((performance.now() - start) / 1000);
  await device.close();
  start = performance.now();
  device = await open();
  const count = await device.count();
  const reopen = performance.now() - start;
  await device.close();
  if (count !== rows) throw new Error(`${count} of ${rows} rows are there.`);
  return { load, save, reopen };
}

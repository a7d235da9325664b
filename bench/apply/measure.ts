/** One subject at one size, in a process of its own: `measure.ts <subject> <rows>`. Prints its figures as JSON. */
import { createUpdates, pagesOf, type Subject } from './subject.js';

export interface ApplyFigures {
  /** Rows per second, from the first page until all can be queried. */
  readonly insert: number;
  /** Updates per second, each told before the next. Undefined: it has no queries. */
  readonly update?: number;
  /** Bytes on the heap after the load. */
  readonly heap: number;
}

const UPDATES = 20_000;
/** Long enough for a rate, in ms: the slowest would need minutes. */
const ENOUGH = 8000;

const [name = '', rows = ''] = process.argv.slice(2);
const size = Number(rows);
const { open } = (await import(`./subjects/${name}.js`)) as { open: () => Promise<Subject> };
const { gc } = globalThis;
if (!gc) throw new Error('Run it with --expose-gc.');
const heapUsed = (): number => {
  gc();
  return process.memoryUsage().heapUsed;
};

const before = heapUsed();
const subject = await open();
const start = performance.now();
await subject.load(pagesOf(size));
const insert = size / ((performance.now() - start) / 1000);
// What is still on its way to a store is not kept.
await new Promise((resolve) => setTimeout(resolve, 1000));
const heap = heapUsed() - before;

async function updates(): Promise<number> {
  const next = createUpdates(size);
  let wanted = 0;
  let told = (): void => undefined;
  await subject.watch(([first]) => {
    if (first?.updatedAt === wanted) told();
  });
  const round = async (count: number): Promise<number> => {
    const begin = performance.now();
    let done = 0;
    for (; done < count && performance.now() - begin < ENOUGH; done++) {
      const todo = next();
      wanted = todo.updatedAt;
      const seen = new Promise<void>((resolve) => {
        told = resolve;
      });
      subject.update(todo);
      await seen;
    }
    return done / ((performance.now() - begin) / 1000);
  };
  await round(UPDATES / 20);
  return round(UPDATES);
}

const figures: ApplyFigures = { insert, heap, ...(name !== 'map' && { update: await updates() }) };
await subject.close();
console.log(JSON.stringify(figures));
process.exit();

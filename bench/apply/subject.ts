/** What each subject does in its own way. */
export interface Subject {
  /** Takes pages of rows as they come from a backend. Resolves when all can be queried. */
  load(pages: Iterable<Todo[]>): Promise<void>;
  /** `done == false, orderBy updatedAt desc, limit 50`, kept up to date. Resolves with its first result told. */
  watch(onRows: (rows: readonly Pick<Todo, 'updatedAt'>[]) => void): Promise<void>;
  /** One change, as the backend sends it. */
  update(todo: Todo): void;
  close(): Promise<void>;
}

// A type, for RxDB and TanStack DB take no interface for a record.
export type Todo = { id: string; text: string; done: boolean; updatedAt: number; tags: string[] };

export const PAGE = 1000;
export const LIMIT = 50;
const START = 1_700_000_000_000;

/** The same numbers in each run, so that subjects and runs can be compared. */
export function createRandom(seed = 1): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** New objects each time, as a parser makes them. */
export function* pagesOf(size: number): Generator<Todo[]> {
  const random = createRandom();
  for (let first = 0; first < size; first += PAGE)
    yield Array.from({ length: Math.min(PAGE, size - first) }, (_, index) => ({
      id: `row-${first + index}`,
      text: `Task ${first + index}`,
      done: random(2) === 0,
      updatedAt: START + random(1e9),
      tags: ['a', 'b'],
    }));
}

/** An update of any row but the last one, which becomes the first of the live query: TinyBase tells only of another order. */
export function createUpdates(size: number): () => Todo {
  const random = createRandom(2);
  let now = START + 2e9;
  let index = 0;
  return () => {
    index = (index + 1 + random(size - 1)) % size;
    return { id: `row-${index}`, text: `Task ${index}`, done: false, updatedAt: ++now, tags: ['a', 'b'] };
  };
}

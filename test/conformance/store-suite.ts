/**
 * What every local store must do, as plain cases that know no test runner: vitest runs them in Node
 * (`describe-store.ts`), and the browser tests run the very same ones inside a page.
 */
import { isSyncLayerError } from '../../src/base/errors.js';
import type { LocalStore, StoreTable, StoreWrite } from '../../src/store/store.js';

/** One place that holds data, fresh for each case. */
export interface StoreBed {
  /** A store over that place, not yet open. Called twice it gives two openers of the same data. */
  store(): LocalStore;
}

export interface StoreCase {
  readonly name: string;
  run(bed: StoreBed): Promise<void>;
}

/** Canonical JSON: the same text for values that differ only in the order of their keys. */
function canonical(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`)
    .sort()
    .join()}}`;
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [canonical(actual), canonical(expected)];
  if (got !== wanted) throw new Error(`${what}: expected ${wanted.slice(0, 500)}, got ${got.slice(0, 500)}`);
}

async function fails(work: Promise<unknown>, code: string, what: string): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSyncLayerError(error)) throw new Error(`${what}: expected ${code}, got ${String(error)}`);
  equal(error.code, code, what);
  return error.message;
}

const row = (id: string, value: unknown, collection = 'todos'): StoreWrite => ({
  table: 'rows',
  key: [collection, id],
  value,
});

async function readAll(store: LocalStore, table: StoreTable = 'rows', collection = 'todos') {
  const entries: Record<string, unknown> = Object.create(null);
  let count = 0;
  let largestPage = 0;
  for await (const page of store.read(table, collection)) {
    largestPage = Math.max(largestPage, page.length);
    for (const { id, value } of page) {
      count++;
      entries[id] = value;
    }
  }
  equal(Object.keys(entries).length, count, 'no entry is read twice');
  return { entries, count, largestPage };
}

async function holds(store: LocalStore, expected: Readonly<Record<string, unknown>>, what: string): Promise<void> {
  equal((await readAll(store)).entries, expected, what);
}

/** Opens a store over the bed, hands it over, and closes it whatever happens. */
async function opened<T>(bed: StoreBed, work: (store: LocalStore) => Promise<T>): Promise<T> {
  const store = bed.store();
  await store.open();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const circular: Record<string, unknown> = {};
circular.self = { inner: [circular] };

const notJson: Readonly<Record<string, unknown>> = {
  'a function': () => {},
  'a nested function': { a: [{ b: () => {} }] },
  'a bigint': { n: 1n },
  'a circular value': circular,
  'a Date': { at: new Date(0) },
  'a Map': { map: new Map() },
  NaN: { n: Number.NaN },
  Infinity: [Number.POSITIVE_INFINITY],
  'a symbol': { s: Symbol('s') },
  'a hole': { list: [undefined] },
  'a field named __proto__': JSON.parse('{"deep":{"__proto__":{"x":1}}}'),
};

const oddIds: readonly string[] = [
  '',
  ' ',
  '1',
  '01',
  "it's",
  '"quoted"',
  '"',
  'a\0b',
  'a\0c',
  'a',
  '\0',
  'back\\slash',
  'new\nline',
  'ünïcödé',
  'u\u0308',
  'ü',
  '日本語',
  '😀',
  '👩‍👩‍👧‍👦',
  '\ud800',
  '\ud801',
  'x'.repeat(500),
  `${'x'.repeat(499)}y`,
  '__proto__',
  'constructor',
  '%_',
  '[]',
  'null',
];

export const storeCases: readonly StoreCase[] = [
  {
    name: 'a new store is empty',
    run: (bed) =>
      opened(bed, async (store) => {
        for (const table of ['rows', 'outbox', 'meta'] as const)
          equal((await readAll(store, table)).count, 0, `entries in ${table}`);
      }),
  },
  {
    name: 'what is committed is read back, every JSON type of it',
    run: (bed) =>
      opened(bed, async (store) => {
        const values = {
          object: { text: 'Buy milk', done: false, nested: { list: [1, 'two', null, { three: 3 }] } },
          array: [[], {}, [[1]]],
          string: 'a\0b"\\\u2028\ud800😀',
          empty: '',
          number: -1.5e-7,
          large: Number.MAX_SAFE_INTEGER,
          zero: 0,
          yes: true,
          no: false,
          nothing: null,
          inherited: { constructor: 1, toString: { hasOwnProperty: 2 } },
        };
        await store.commit(Object.entries(values).map(([id, value]) => row(id, value)));
        await holds(store, values, 'values');
      }),
  },
  {
    name: 'a later commit overwrites, and undefined removes',
    run: (bed) =>
      opened(bed, async (store) => {
        await store.commit([row('1', { v: 1 }), row('2', { v: 1 }), row('3', { v: 1 })]);
        await store.commit([row('1', { v: 2 }), row('2', undefined), row('missing', undefined)]);
        await holds(store, { 1: { v: 2 }, 3: { v: 1 } }, 'after overwriting and removing');
        await store.commit([row('2', { v: 3 })]);
        await holds(store, { 1: { v: 2 }, 2: { v: 3 }, 3: { v: 1 } }, 'a removed id comes back');
      }),
  },
  {
    name: 'in one commit the last write of a key wins',
    run: (bed) =>
      opened(bed, async (store) => {
        await store.commit([row('1', 'first'), row('2', 'first'), row('1', undefined), row('2', 'last')]);
        await holds(store, { 2: 'last' }, 'after one commit');
      }),
  },
  {
    name: 'an empty commit is allowed',
    run: (bed) =>
      opened(bed, async (store) => {
        await store.commit([]);
        await holds(store, {}, 'after nothing');
      }),
  },
  {
    name: 'tables and collections are kept apart',
    run: (bed) =>
      opened(bed, async (store) => {
        const places = (['rows', 'outbox', 'meta'] as const).flatMap((table) =>
          ['', 'a', 'ab', 'a\0b', '"a"', 'A'].map((collection) => ({ table, collection })),
        );
        await store.commit(
          places.map(({ table, collection }) => ({ table, key: [collection, 'b'], value: [table, collection] })),
        );
        for (const { table, collection } of places)
          equal(
            (await readAll(store, table, collection)).entries,
            { b: [table, collection] },
            `${table} ${collection}`,
          );
        await store.commit([{ table: 'outbox', key: ['a', 'b'], value: undefined }]);
        equal((await readAll(store, 'outbox', 'a')).count, 0, 'the removed one');
        equal((await readAll(store, 'rows', 'a')).count, 1, 'its namesake in another table');
        equal((await readAll(store, 'outbox', 'ab')).count, 1, 'its neighbour in another collection');
      }),
  },
  {
    name: 'ids may hold any characters, and survive reopening',
    run: async (bed) => {
      const expected: Record<string, unknown> = Object.create(null);
      for (const [index, id] of oddIds.entries()) expected[id] = { index };
      await opened(bed, (store) => store.commit(oddIds.map((id) => row(id, expected[id]))));
      await opened(bed, async (store) => {
        await holds(store, expected, 'odd ids');
        await store.commit(oddIds.map((id) => row(id, undefined)));
        await holds(store, {}, 'after removing each');
      });
    },
  },
  {
    name: 'a batch with one bad value leaves nothing behind',
    run: (bed) =>
      opened(bed, async (store) => {
        await store.commit([row('before', 1)]);
        for (const [what, bad] of Object.entries(notJson)) {
          const batch = [row('before', 2), row('good', 1), row('bad', bad), row('after', 1)];
          await fails(store.commit(batch), 'VALIDATION_FAILED', what);
          await holds(store, { before: 1 }, `after ${what}`);
        }
        await store.commit([row('good', 1)]);
        await holds(store, { before: 1, good: 1 }, 'the store still works');
      }),
  },
  {
    name: '10 000 writes in one commit, read back in pages',
    run: async (bed) => {
      const expected: Record<string, unknown> = {};
      for (let i = 0; i < 10_000; i++) expected[`id-${(i * 7919) % 10_000}`] = { i, text: `row ${i}` };
      await opened(bed, (store) => store.commit(Object.entries(expected).map(([id, value]) => row(id, value))));
      await opened(bed, async (store) => {
        const { entries, largestPage } = await readAll(store);
        equal(entries, expected, 'all rows');
        if (largestPage > 2_000) throw new Error(`a page held ${largestPage} rows: reading it blocks for too long`);
      });
    },
  },
  {
    name: 'a number of rows that fills its pages exactly is read to its end, once',
    run: (bed) =>
      opened(bed, async (store) => {
        const ids = Array.from({ length: 2_000 }, (_, i) => `id-${i}`);
        await store.commit(ids.map((id) => row(id, 1)));
        equal((await readAll(store)).count, 2_000, 'rows');
      }),
  },
  {
    name: 'reopening finds everything, and closing between commits loses nothing',
    run: async (bed) => {
      for (let round = 1; round <= 3; round++) {
        await opened(bed, (store) =>
          store.commit([
            row(`row-${round}`, { round }),
            { table: 'outbox', key: ['todos', `op-${round}`], value: { round } },
            { table: 'meta', key: ['todos', 'cursor'], value: { round } },
          ]),
        );
      }
      await opened(bed, async (store) => {
        equal((await readAll(store)).count, 3, 'rows');
        equal((await readAll(store, 'outbox')).count, 3, 'outbox');
        equal((await readAll(store, 'meta')).entries, { cursor: { round: 3 } }, 'meta');
      });
    },
  },
  {
    name: 'one instance can be closed and opened again',
    run: async (bed) => {
      const store = bed.store();
      for (let round = 1; round <= 3; round++) {
        await store.open();
        equal((await readAll(store)).count, round - 1, 'rows');
        await store.commit([row(`row-${round}`, round)]);
        await store.close();
      }
    },
  },
  {
    name: 'a second opener is told to close the first, which goes on working; after close it gets in',
    run: async (bed) => {
      const first = bed.store();
      const second = bed.store();
      await first.open();
      try {
        for (let round = 0; round < 2; round++) {
          const message = await fails(second.open(), 'STORE_FAILED', 'the second opener');
          if (!/open/.test(message) || !/close/i.test(message)) throw new Error(`no remedy in: ${message}`);
          await first.commit([row('1', round)]);
        }
      } finally {
        await first.close();
      }
      await second.open();
      await holds(second, { 1: 1 }, 'what the first one wrote');
      await second.close();
    },
  },
  {
    name: 'clear removes every table and collection, durably, and the store goes on',
    run: async (bed) => {
      await opened(bed, async (store) => {
        for (const table of ['rows', 'outbox', 'meta'] as const)
          await store.commit(['todos', 'users', ''].map((collection) => ({ table, key: [collection, '1'], value: 1 })));
        await store.clear();
        for (const table of ['rows', 'outbox', 'meta'] as const)
          for (const collection of ['todos', 'users', ''])
            equal((await readAll(store, table, collection)).count, 0, `${table} ${collection}`);
        await store.commit([row('2', 'new')]);
      });
      await opened(bed, (store) => holds(store, { 2: 'new' }, 'after reopening'));
    },
  },
  {
    name: 'close is idempotent, also before open and twice at once',
    run: async (bed) => {
      const store = bed.store();
      await store.close();
      await store.open();
      await Promise.all([store.close(), store.close()]);
      await store.close();
      await opened(bed, (again) => again.commit([row('1', 1)]));
    },
  },
  {
    name: 'close during open wins, and lets the next one in',
    run: async (bed) => {
      const store = bed.store();
      const opening = store.open().catch(() => {});
      await store.close();
      await opening;
      await fails(store.commit([row('1', 1)]), 'CLOSED', 'commit');
      await opened(bed, (again) => again.commit([row('1', 1)]));
    },
  },
  {
    name: 'before open and after close everything is CLOSED',
    run: async (bed) => {
      const store = bed.store();
      const refused = async (when: string) => {
        await fails(store.commit([row('1', 1)]), 'CLOSED', `commit ${when}`);
        await fails(store.clear(), 'CLOSED', `clear ${when}`);
        await fails(readAll(store), 'CLOSED', `read ${when}`);
      };
      await refused('before open');
      await store.open();
      await store.commit([row('1', 1)]);
      await store.close();
      await refused('after close');
      await opened(bed, (again) => holds(again, { 1: 1 }, 'what was there'));
    },
  },
];

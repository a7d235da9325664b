/** How a list sorts: by a key of each item first, and where keys are equal by the items. */
export interface Sorting<T> {
  key(item: T): unknown;
  compareKeys(a: unknown, b: unknown): number;
  /** A total order that agrees with the keys: 0 only for an item and its replacement. */
  compare(a: T, b: T): number;
}

/** Items in order. */
export interface SortedList<T> {
  /** Puts an item in its place, instead of the item that compares equal if there is one. */
  put(item: T): void;
  /** Takes out the item that compares equal. Nothing happens when there is none. */
  remove(item: T): void;
  /** A new array of up to `limit` items from `offset` on. */
  slice(offset: number, limit: number): T[];
}

interface Chunk<T> {
  readonly items: T[];
  // Kept beside the items: a search that looked into them would wait for memory at every step.
  readonly keys: unknown[];
}

// Half of it is moved by a change, and a million items make thirty thousand chunks to search: both are cheap.
const FULL = 64;

/**
 * A sorted list of these items. Loading costs one sort. `put` and `remove` cost about the same at ten thousand and at
 * a million items: a binary search over the chunks and one inside of a chunk, whose items alone are moved.
 *
 * @example
 * const list = createSortedList({ key: (n: number) => n, compareKeys: byNumber, compare: byNumber }, [3, 1]);
 * list.put(2);
 * list.slice(1, 10); // [2, 3]
 */
export function createSortedList<T>({ key, compareKeys, compare }: Sorting<T>, items: readonly T[]): SortedList<T> {
  // There is always one chunk, and only a lone one can be empty.
  const chunks: Chunk<T>[] = [];
  /** The key of each chunk's last item. */
  const lasts: unknown[] = [];

  const replaceChunks = (at: number, count: number, ...by: Chunk<T>[]) => {
    chunks.splice(at, count, ...by);
    lasts.splice(at, count, ...by.map(({ keys }) => keys.at(-1)));
  };

  const sorted = items.map((item) => ({ item, key: key(item) }));
  sorted.sort((a, b) => compareKeys(a.key, b.key) || compare(a.item, b.item));
  // Half full, so that the first changes do not split each of them.
  for (let start = 0; !start || start < items.length; start += FULL / 2) {
    const part = sorted.slice(start, start + FULL / 2);
    replaceChunks(chunks.length, 0, { items: part.map(({ item }) => item), keys: part.map(({ key }) => key) });
  }

  /** The first of `length` places that does not come before the item. */
  const search = (length: number, keys: readonly unknown[], at: (index: number) => T, item: T, itemKey: unknown) => {
    let low = 0;
    for (let high = length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((compareKeys(keys[middle], itemKey) || compare(at(middle), item)) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const change = (item: T, add: boolean) => {
    const itemKey = key(item);
    // The last chunk takes what comes after everything.
    const at = search(chunks.length - 1, lasts, (index) => chunks[index]?.items.at(-1) as T, item, itemKey);
    const { items, keys } = chunks[at] as Chunk<T>;
    const index = search(keys.length, keys, (index) => items[index] as T, item, itemKey);
    const found = Number(index < keys.length && !compare(items[index] as T, item));
    if (add) {
      items.splice(index, found, item);
      keys.splice(index, found, itemKey);
    } else {
      items.splice(index, found);
      keys.splice(index, found);
    }
    if (items.length > FULL) {
      replaceChunks(at + 1, 0, { items: items.splice(FULL / 2), keys: keys.splice(FULL / 2) });
    }
    lasts[at] = keys.at(-1);
    if (!items.length && chunks.length > 1) replaceChunks(at, 1);
  };

  return {
    put: (item) => change(item, true),
    remove: (item) => change(item, false),
    slice(offset, limit) {
      const parts: T[][] = [];
      for (const { items } of chunks) {
        if (offset + limit <= 0) break;
        if (offset < items.length) parts.push(items.slice(Math.max(0, offset), offset + limit));
        offset -= items.length;
      }
      return ([] as T[]).concat(...parts);
    },
  };
}

import type { Row } from './base/change.js';
import { SyncLayerError } from './base/errors.js';
import type { Frozen } from './base/frozen.js';
import { newId } from './base/id.js';
import { cloneJson, deepEqual, handOut } from './base/json.js';
import { isPlainObject } from './base/json-fault.js';
import { createQuery, type Query } from './query/query.js';
import type { RowSource } from './query/types.js';
import type { CollectionCore } from './sync/collection/core.js';

/**
 * A row as it comes out: with its id, and readonly at every depth, since it is frozen.
 *
 * @example
 * type TodoRow = Stored<{ text: string; tags: string[] }>; // { readonly text: string; readonly tags: readonly string[]; readonly id: string }
 */
export type Stored<T> = Frozen<T extends { readonly id: string } ? T : T & { readonly id: string }>;

/**
 * A row as it goes in: `save` makes an id where there is none. A row that came out fits, and so does one that can be changed.
 *
 * @example
 * const draft: Unsaved<Todo> = { text: 'Buy milk', tags: [] };
 * await todos.save(draft);
 */
export type Unsaved<T> = Frozen<
  string extends keyof T
    ? T
    : [keyof T] extends [never]
      ? T
      : T extends { readonly id: unknown }
        ? Omit<T, 'id'> & { readonly id?: string | undefined }
        : T & { readonly id?: string | undefined }
>;

/** Rows of one name, local first. Every write is durable here before it resolves, and sent when it can be. */
export interface Collection<Out extends object = Row, In extends object = Out> extends Query<Stored<Out>> {
  readonly name: string;
  /**
   * Stores a row and resolves with its id. With an id (as second argument, or as `data.id`) that exists, the whole row is
   * replaced.
   *
   * @throws SyncLayerError VALIDATION_FAILED for what the schema refuses or JSON cannot hold; STORE_FAILED if the disk
   *   refuses: then the edit is in memory, is still sent, and goes to disk with the next commit.
   * @example
   * const id = await todos.save({ text: 'Buy milk', done: false });
   */
  save(data: Unsaved<In>, id?: string): Promise<string>;
  /** The row, or undefined. */
  get(id: string): Promise<Stored<Out> | undefined>;
  /** Without an id: all rows, as `getAll`. */
  get(): Promise<Stored<Out>[]>;
  getAll(): Promise<Stored<Out>[]>;
  /**
   * Changes some fields of a row. A field set to `undefined` is removed. A field is replaced whole: a path such as `'address.city'` is
   * refused, since `where('address.city')` reads inside `address`.
   *
   * @throws SyncLayerError NOT_FOUND if there is no such row; VALIDATION_FAILED for a path, and for what `save` refuses.
   * @example
   * await todos.update(id, { done: true });
   * await todos.update(id, { address: { ...todo.address, city: 'Oslo' } });
   */
  update(id: string, changes: { readonly [K in Exclude<keyof In, 'id'>]?: Frozen<In[K]> | undefined }): Promise<void>;
  /** Deletes a row. One that does not exist is no error. */
  delete(id: string): Promise<void>;
  /** Stores many rows as one commit, with one notification. Resolves with their ids. Nothing is stored if one is bad. */
  saveMany(rows: readonly Unsaved<In>[]): Promise<string[]>;
  deleteMany(ids: readonly string[]): Promise<void>;
}

export interface CollectionOptions {
  readonly name: string;
  readonly core: CollectionCore;
  /** The row as the schema wants it; throws VALIDATION_FAILED. */
  readonly parse: (row: Row) => Row;
  /** An edit was made. Resolves when it is durable. */
  readonly commit: () => Promise<void>;
  readonly closed: AbortSignal;
}

/** What an app calls, over one replica. */
export function createCollection<Out extends object, In extends object>({
  name,
  core,
  parse,
  commit,
  closed,
}: CollectionOptions): Collection<Out, In> {
  const { replica } = core;
  const source: RowSource = {
    rows: replica.rows,
    get ready() {
      return core.ready();
    },
    onChange: core.onChange,
    closed,
  };
  const query = createQuery<Stored<Out>>(source);

  const checkOpen = (): void => {
    if (closed.aborted) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed; create a new one.');
  };

  const refused = (what: string, recordId?: string): SyncLayerError =>
    new SyncLayerError('VALIDATION_FAILED', `"${name}"${what}`, {
      details: { collection: name, ...(recordId !== undefined && { recordId }) },
    });

  /** An id that every backend and every URL can carry: `..` would be taken for a path, half a character for a mistake. */
  function checkId(id: unknown, fix = ''): string {
    if (typeof id === 'string' && id.length <= 1000 && !/^\.{0,2}$|[\ud800-\udfff]/u.test(id)) return id;
    throw refused(` got an id that is not a string of 1 to 1000 characters (or is "." or "..").${fix}`);
  }

  /** The row as it will be stored: the app's own object can change afterwards, ours cannot. */
  function prepare(data: object, id: string): Row {
    const row = cloneJson({ ...data, id }, `${name}/${id}`);
    const parsed = parse(row);
    return deepEqual(parsed, row) ? row : cloneJson({ ...parsed, id }, `${name}/${id}`);
  }

  function checkRow(data: unknown): asserts data is Row {
    // Spread, a Date or a Map would be an empty row.
    if (isPlainObject(data)) return;
    const what = data === null ? 'null' : typeof data === 'object' ? data?.constructor.name : typeof data;
    throw refused(` stores plain objects, not ${what || 'class instances'}.`);
  }

  function checkSameId(data: Row, id: string | undefined): void {
    if (id === undefined || data.id === undefined || data.id === id) return;
    throw refused(
      ` got two ids for one row, ${JSON.stringify(id)} and data.id. An id never changes: save a new row and delete the old one.`,
      id,
    );
  }

  /** `where('a.b')` reads inside `a`, so a field of that very name would be a surprise, unless the row has one. */
  function checkFields(changes: Row, current: Row, id: string): void {
    const path = Object.keys(changes).find((field) => field.includes('.') && !Object.hasOwn(current, field));
    if (path === undefined) return;
    const [field, inner] = path.split(/\.(.*)/s).map((part) => JSON.stringify(part));
    const way = `update(id, { ${field}: { ...row[${field}], ${inner}: value } })`;
    throw refused(`.update changes whole fields, and ${JSON.stringify(path)} is a path into one. Write ${way}.`, id);
  }

  function checkArray(items: unknown, method: string): void {
    if (Array.isArray(items)) return;
    throw refused(`.${method} takes an array; for one row there is ${method.slice(0, -4)}().`);
  }

  async function saveMany(items: readonly (readonly [data: unknown, id?: string | undefined])[]): Promise<string[]> {
    checkOpen();
    const rows = items.map(([data, id]) => {
      checkRow(data);
      checkSameId(data, id);
      return prepare(data, checkId(id ?? data.id ?? newId(), ' Pass one, or none: save() makes one.'));
    });
    replica.edit(rows.map((row) => [row.id as string, row]));
    await commit();
    return rows.map((row) => row.id as string);
  }

  async function deleteMany(ids: readonly string[]): Promise<void> {
    checkOpen();
    checkArray(ids, 'deleteMany');
    replica.edit(ids.map((id) => [checkId(id), null]));
    await commit();
  }

  function get(id: string): Promise<Stored<Out> | undefined>;
  function get(): Promise<Stored<Out>[]>;
  async function get(...ids: readonly string[]): Promise<unknown> {
    // An id that happens to be undefined must not read everything.
    if (ids.length === 0) return query.get();
    const row = replica.rows.get(checkId(ids[0]));
    return row && handOut(row);
  }

  return {
    ...query,
    name,
    get,
    getAll: () => query.get(),
    save: async (data, id) => (await saveMany([[data, id]]))[0] as string,
    async saveMany(rows) {
      checkArray(rows, 'saveMany');
      return saveMany(rows.map((row) => [row]));
    },
    async update(id, changes) {
      checkOpen();
      checkRow(changes);
      checkSameId(changes, id);
      const current = replica.rows.get(checkId(id));
      if (!current)
        throw new SyncLayerError(
          'NOT_FOUND',
          `"${name}" has no record ${JSON.stringify(id)} to update. Use save(data, id) to create it.`,
          { details: { collection: name, recordId: id } },
        );
      checkFields(changes, current, id);
      replica.edit([[id, prepare({ ...current, ...changes }, id)]]);
      await commit();
    },
    delete: (id) => deleteMany([id]),
    deleteMany,
  };
}

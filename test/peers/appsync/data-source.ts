import { holds } from './condition.js';
import type { Model, Operation } from './model.js';
import { InvalidToken, type Item, type Page, type Tables } from './table.js';

type Values = Readonly<Record<string, unknown>>;

/** What a resolver says no with; it becomes an entry of `errors`. `data`: the item that stood in the way. */
export class Refusal extends Error {
  readonly errorType: string;
  readonly data: Item | undefined;
  constructor(errorType: string, message: string, data?: Item) {
    super(message);
    this.errorType = errorType;
    this.data = data;
  }
}

export interface DataSourceOptions {
  readonly tables: Tables;
  /** How long the delta table keeps a change, ms. AWS's default: 30 minutes. */
  readonly deltaTtl: number;
  /** How long a deleted item stays in the base table, ms. AWS's default: 30 days. */
  readonly tombstoneTtl: number;
  /** How long a read may still see what was there before a write, ms. AWS: under a second, mostly. */
  readonly readLag: number;
  /** Whether an update of a deleted item, with its version, brings it back. Else it is changed, and stays deleted. */
  readonly revives: boolean;
}

export interface ListArguments {
  readonly filter?: Values | null;
  readonly limit?: number | null;
  readonly nextToken?: string | null;
}

export interface MutationArguments {
  readonly input: Values & { readonly id?: string | null };
  readonly condition?: Values | null;
}

const DEFAULT_LIMIT = 100;

const conditionFailed = (): Refusal =>
  new Refusal(
    'DynamoDB:ConditionalCheckFailedException',
    'The conditional request failed (Service: DynamoDb, Status Code: 400, Request ID: 0)',
  );

/** Fields that are given; null removes one, as Amplify's resolvers do. */
const withoutUndefined = (fields: Values): Values =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** AppSync's Auto Merge: the server's scalars stay, what is null there is taken, lists are appended. */
const autoMerged = (item: Item, incoming: Values): Values =>
  Object.fromEntries(
    Object.entries(incoming).map(([field, value]) => {
      const own = item[field] ?? undefined;
      if (Array.isArray(own) && Array.isArray(value)) return [field, [...own, ...value]];
      return [field, own ?? value];
    }),
  );

/** Amplify's resolvers on DynamoDB, with and without conflict detection. */
export function createDataSource({ tables, deltaTtl, tombstoneTtl, readLag, revives }: DataSourceOptions) {
  /** What reads still see of an item, and until when. */
  const earlier = new Map<string, { readonly item: Item | undefined; readonly until: number }>();

  function changed(model: Model, id: string, item: Item | undefined): void {
    if (readLag > 0) earlier.set(`${model.name}/${id}`, { item, until: Date.now() + readLag });
  }

  /** As an eventually consistent read has it. */
  function seen(model: Model, id: string, item: Item | undefined): Item | undefined {
    const old = earlier.get(`${model.name}/${id}`);
    return old && old.until > Date.now() ? old.item : item;
  }

  /** The last stamp of each item: on AWS a write takes some ms, so that no two of one item share one. */
  const stamps = new Map<string, number>();

  function get(model: Model, id: string): Item | undefined {
    const item = tables.get(model.name, id);
    if (!item?._deleted || Date.now() - Number(item._lastChangedAt) <= tombstoneTtl) return item;
    tables.remove(model.name, id);
    return undefined;
  }

  function store(
    model: Model,
    old: Item | undefined,
    fields: Values & { readonly id: string },
    age = 0,
    staysDeleted = !revives,
  ): Item {
    const key = `${model.name}/${fields.id}`;
    const at = Math.max(Date.now() - age, (stamps.get(key) ?? (Date.parse(String(old?.updatedAt)) || 0)) + 1);
    stamps.set(key, at);
    const updatedAt = new Date(at).toISOString();
    const { _version, _deleted, _lastChangedAt, ...kept } = (old ?? {}) as Values;
    const item: Item = {
      createdAt: updatedAt,
      ...kept,
      ...withoutUndefined(fields),
      id: fields.id,
      updatedAt,
      ...(model.versioned && { _version: Number(_version ?? 0) + 1, _lastChangedAt: Date.now() - age }),
      ...(_deleted === true && staysDeleted && { _deleted }),
    };
    changed(model, fields.id, old);
    tables.put(model.name, item);
    if (model.versioned) tables.log(model.name, Date.now() - age, item);
    return item;
  }

  function remove(model: Model, old: Item, age = 0): Item {
    changed(model, old.id, old);
    if (!model.versioned) {
      tables.remove(model.name, old.id);
      // What is deleted for good is given as it was.
      return old;
    }
    const item = {
      ...old,
      _version: Number(old._version) + 1,
      _deleted: true,
      _lastChangedAt: Date.now() - age,
    };
    tables.put(model.name, item);
    tables.log(model.name, Date.now() - age, item);
    return item;
  }

  function mutate(model: Model, operation: Operation, { input, condition }: MutationArguments): Item {
    const { id = crypto.randomUUID(), _version, ...fields } = input;
    const before = get(model, String(id));
    for (const [field, value] of Object.entries(model.refuses ?? {}))
      if (fields[field] === value) throw new Refusal('ValidationException', `${field} must not be that.`);
    // A tombstone is an item too: the id is taken.
    if (operation === 'create' && before) throw conditionFailed();
    if (operation !== 'create' && !before) throw conditionFailed();
    if (!holds(condition, before ?? {})) throw conditionFailed();
    if (before && model.versioned && before._version !== _version) {
      const { conflicts = 'reject' } = model;
      if (conflicts === 'reject') throw new Refusal('ConflictUnhandled', 'Conflict resolver rejects mutation.', before);
      if (operation === 'update') {
        const resolved = conflicts === 'autoMerge' ? autoMerged(before, fields) : {};
        return store(model, before, { ...resolved, id: String(id) }, 0, before._deleted === true);
      }
    }
    if (operation === 'delete' && before) return remove(model, before);
    return store(model, before, { ...fields, id: String(id) });
  }

  function list(model: Model, { filter, limit, nextToken }: ListArguments): Page {
    const page = tables.scan(model.name, limit ?? DEFAULT_LIMIT, nextToken);
    // DynamoDB filters what it has read: a page can be empty, and not be the last.
    const items = page.items.flatMap((item) => seen(model, item.id, item) ?? []);
    return { ...page, items: items.filter((item) => holds(filter, item)) };
  }

  function sync(model: Model, args: ListArguments & { readonly lastSync?: number | null }) {
    const { filter, limit, nextToken, lastSync } = args;
    const open = (): { inner: string | null; startedAt: number; delta: boolean } => {
      if (nextToken == null) {
        const startedAt = Date.now();
        return { inner: null, startedAt, delta: lastSync != null && lastSync >= startedAt - deltaTtl };
      }
      try {
        return JSON.parse(Buffer.from(nextToken, 'base64url').toString());
      } catch {
        throw new InvalidToken();
      }
    };
    const { inner, startedAt, delta } = open();
    const size = limit ?? DEFAULT_LIMIT;
    const page = delta ? tables.delta(model.name, lastSync ?? 0, size, inner) : tables.scan(model.name, size, inner);
    const next = JSON.stringify({ inner: page.nextToken, startedAt, delta });
    return {
      startedAt,
      items: page.items.filter(
        (item) =>
          // The delta table lags, too.
          Number(seen(model, item.id, item)?._version ?? 0) >= Number(item._version ?? 0) &&
          holds(filter, item) &&
          !(item._deleted === true && Date.now() - Number(item._lastChangedAt) > tombstoneTtl),
      ),
      nextToken: page.nextToken === null ? null : Buffer.from(next).toString('base64url'),
    };
  }

  return {
    get: (model: Model, id: string): Item | undefined => seen(model, id, get(model, id)),
    list,
    sync,
    mutate,
    /** Writes a whole item whatever is there, as somebody who asks nobody. `age`: it is stamped so many ms ago. */
    overwrite(
      model: Model,
      fields: Values & { readonly id: string },
      age: number,
    ): { operation: Operation; item: Item } {
      const before = get(model, fields.id);
      const fresh = !before || before._deleted === true;
      const { _deleted, ...base } = (before ?? {}) as Values;
      const item = store(model, before && (base as Item), fields, age);
      return { operation: fresh ? 'create' : 'update', item };
    },
    /** Puts an item as it is given, as a script does that goes past the API: no stamp, no version, nothing in the delta table. */
    put(model: Model, item: Item): void {
      stamps.delete(`${model.name}/${item.id}`);
      tables.put(model.name, item);
    },
    /** Deletes an item, if it is there. */
    erase(model: Model, id: string): Item | undefined {
      const before = get(model, id);
      return before && before._deleted !== true ? remove(model, before) : undefined;
    },
    /** What is there for everybody: without tombstones. */
    current: (model: Model): Item[] => tables.all(model.name).filter(({ _deleted }) => _deleted !== true),
  };
}

export type DataSource = ReturnType<typeof createDataSource>;

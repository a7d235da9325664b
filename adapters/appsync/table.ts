import { createMapping } from './normalize.js';
import { type AppsyncCollection, fieldsOf, type ParsedOptions, problem } from './options.js';

export type Item = Readonly<Record<string, unknown>>;
export type Operation = 'create' | 'update' | 'delete';
export const operations: readonly Operation[] = ['create', 'update', 'delete'];

/** A document and its variables. */
export interface Request {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** One root field. */
export type FieldRequest = Request & { readonly field: string };

export interface PageRequest {
  /** Only what names a row: with its version, or not even that. */
  readonly select?: 'key' | 'id';
  readonly from?: number | undefined;
  readonly limit: number;
  readonly nextToken?: string | undefined;
}

type Variable = readonly [name: string, type: string, value: unknown];

/** How far DynamoDB's reads may lag behind its writes, ms. */
export const LAG = 2000;
/** How many rows are remembered for as long. */
const RECENT = 5000;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const list = (values: readonly string[]): string => (values.length > 0 ? `(${values.join(',')})` : '');

/** A document with one root field. What has no value is left out: null may mean something else. */
function request(
  kind: 'query' | 'mutation' | 'subscription',
  field: string,
  variables: readonly Variable[],
  selection: string,
  literals: readonly string[] = [],
): FieldRequest {
  const used = variables.filter(([, , value]) => value !== undefined);
  const declared = list(used.map(([name, type]) => `$${name}:${type}`));
  const passed = list([...used.map(([name]) => `${name}:$${name}`), ...literals]);
  return {
    field,
    query: `${kind}${declared}{${field}${passed}{${selection}}}`,
    variables: Object.fromEntries(used.map(([name, , value]) => [name, value])),
  };
}

/** Rows that were there a moment ago: a scan may not see yet what was just written. */
function createRecent() {
  /** When each was seen, ms. */
  const seen = new Map<string, number>();
  return {
    /** A row is known to be there, or to be gone, whatever a read that lags behind says. */
    note(recordId: string, there: boolean): void {
      seen.delete(recordId);
      if (there) seen.set(recordId, Date.now());
      // The oldest is the first.
      if (seen.size > RECENT) seen.delete(seen.keys().next().value as string);
    },
    recent: (): readonly string[] => [...seen].flatMap(([id, at]) => (Date.now() - at > LAG ? [] : id)),
  };
}

/** The requests about one type. `whole`: what to select of a row; `key`: what names it, and shows its version. */
function createDocuments(
  { table: name, plural = `${name}s`, names = {}, where, arguments: given = {}, events, versioned }: AppsyncCollection,
  { id, updatedAt, whole, key }: { id: string; updatedAt: string; whole: string; key: string },
) {
  const args = Object.entries(given).flatMap(([argument, value]) =>
    value == null ? [] : `${argument}:${JSON.stringify(value)}`,
  );
  return {
    /** The items of these ids, as `a0`, `a1` and so on. */
    get(ids: readonly string[]): Request {
      const field = names.get ?? `get${name}`;
      const type = names.idType ?? 'ID';
      return {
        query: `query(${ids.map((_, at) => `$i${at}:${type}!`)}){${ids
          .map((_, at) => `a${at}:${field}(${id}:$i${at}){${whole}}`)
          .join(' ')}}`,
        variables: Object.fromEntries(ids.map((each, at) => [`i${at}`, each])),
      };
    },

    /** A page. `from`: what changed since then, ms. */
    page({ select, from, limit, nextToken }: PageRequest): FieldRequest {
      const since =
        !versioned && from !== undefined ? { [updatedAt]: { ge: new Date(from).toISOString() } } : undefined;
      const filter = since && where ? { and: [where, since] } : (since ?? where);
      const variables: readonly Variable[] = [
        ['filter', names.filter ?? `Model${name}FilterInput`, filter],
        ['limit', 'Int', limit],
        ['nextToken', 'String', nextToken],
        ['lastSync', 'AWSTimestamp', versioned ? from : undefined],
      ];
      const field = versioned ? (names.sync ?? `sync${plural}`) : (names.list ?? `list${plural}`);
      const items = select === 'id' ? id + (versioned ? ' _deleted' : '') : select ? key : whole;
      return request('query', field, variables, `items{${items}}nextToken${versioned ? ' startedAt' : ''}`);
    },

    mutation(operation: Operation, input: object, condition?: object): FieldRequest {
      const variables: readonly Variable[] = [
        ['input', `${names[`${operation}Input`] ?? `${capital(operation)}${name}Input`}!`, input],
        ['condition', names.condition ?? `Model${name}ConditionInput`, condition],
      ];
      // Every field: subscribers get only what is selected here.
      return request('mutation', names[operation] ?? operation + name, variables, whole);
    },

    subscription(operation: Operation): FieldRequest {
      const on = `on${capital(operation)}` as 'onCreate' | 'onUpdate' | 'onDelete';
      const type = names.subscriptionFilter ?? `ModelSubscription${name}FilterInput`;
      const selection = events === 'ids' ? id : whole;
      return request('subscription', names[on] ?? on + name, [['filter', type, where]], selection, args);
    },
  };
}

/** One collection's type: its documents, and how its items and our rows become one another. */
export function createTable(collection: string, options: AppsyncCollection) {
  const { versioned = false, id = 'id', updatedAt = 'updatedAt', editedAt, events = 'checked' } = options;
  const selected = fieldsOf(options.fields).filter((field) => field !== id);
  /** Their names, without what is selected inside of them. */
  const fields = selected.map((field) => field.split(/[\s{]/, 1)[0] ?? field);
  const meta = [...(versioned ? ['_version', '_deleted', '_lastChangedAt'] : [updatedAt]), editedAt ?? []].flat();
  const whole = [...new Set([id, ...selected, ...meta])].join(' ');
  return {
    ...createMapping(fields, { id, updatedAt, editedAt, versioned }),
    ...createDocuments(options, { id, updatedAt, whole, key: [id, ...meta].join(' ') }),
    ...createRecent(),
    collection,
    versioned,
    /** A deleted item stays, with a mark. */
    soft: versioned,
    id,
    updatedAt,
    editedAt,
    /** What an event is good for. */
    events,
  };
}

export type Table = ReturnType<typeof createTable>;

/** The tables of this transport, by collection. */
export function createTables({ collections }: Pick<ParsedOptions, 'collections'>) {
  const tables = new Map(Object.entries(collections).map(([name, options]) => [name, createTable(name, options)]));
  return {
    find: (collection: string): Table | undefined => tables.get(collection),
    /** Throws CONFIG_INVALID. */
    get(collection: string): Table {
      const table = tables.get(collection);
      if (table) return table;
      const fix = `appsyncTransport needs collections: { ${collection}: { table: '...', fields: [...] } }.`;
      throw problem('CONFIG_INVALID', fix);
    },
    all: (): readonly Table[] => [...tables.values()],
  };
}

export type Tables = ReturnType<typeof createTables>;

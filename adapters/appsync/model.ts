import type { Row, Version } from '../../src/adapter-kit/kit.js';
import { type AppsyncModel, fieldsOf, type ParsedOptions } from './options.js';
import { problem } from './problem.js';
import { stampOf, timeOf, versionOf } from './version.js';

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

/** One collection's model: its documents, and how its items and our rows become one another. */
export function createModel(collection: string, options: AppsyncModel) {
  const {
    name,
    plural = `${name}s`,
    versioned = false,
    id = 'id',
    updatedAt = 'updatedAt',
    editedAt,
    filter,
  } = options;
  const { names = {}, events = 'checked' } = options;
  /** Their names, without what is selected inside of them. */
  const selected = fieldsOf(options.fields).filter((field) => field !== id);
  const fields = selected.map((field) => field.split(/[\s{]/, 1)[0] ?? field);
  const edited = editedAt === undefined ? [] : [editedAt];
  const meta = [...(versioned ? ['_version', '_deleted', '_lastChangedAt'] : [updatedAt]), ...edited];
  const whole = [...new Set([id, ...selected, ...meta])].join(' ');
  /** What names a row, and tells its version. */
  const key = [id, ...meta].join(' ');
  const ours = [id, updatedAt, '_version', '_deleted', '_lastChangedAt', ...edited];
  /** Amplify sets it, unless the model declares it: then an app may write it, and does so only where it has one. */
  const created = 'createdAt';
  const args = Object.entries(options.arguments ?? {}).flatMap(([argument, value]) =>
    value == null ? [] : `${argument}:${JSON.stringify(value)}`,
  );

  /** Rows that were there a moment ago, and when, ms. */
  const recent = new Map<string, number>();

  return {
    collection,
    versioned,
    /** A deleted item stays, with a mark. */
    soft: versioned,
    /** A row is known to be there, or to be gone, whatever a read that lags behind says. */
    note(recordId: string, there: boolean): void {
      recent.delete(recordId);
      if (there) recent.set(recordId, Date.now());
      // The oldest is the first.
      if (recent.size > RECENT) recent.delete(recent.keys().next().value as string);
    },
    recent: (): readonly string[] => [...recent].flatMap(([id, at]) => (Date.now() - at > LAG ? [] : id)),
    id,
    updatedAt,
    editedAt,
    /** No event is whole by itself. */
    trusts: events,

    versionOf(item: Item, rank?: string): Version | undefined {
      if (!versioned) return versionOf(item[updatedAt], rank);
      return Number.isSafeInteger(item._version) ? (item._version as number) : undefined;
    },
    /** When the server changed it, ms. */
    timeOf(item: Item): number | undefined {
      if (versioned) return typeof item._lastChangedAt === 'number' ? item._lastChangedAt : undefined;
      const stamp = stampOf(item[updatedAt]);
      return (stamp && timeOf(stamp)) || undefined;
    },
    /** When its newest edit was made, ms. */
    editTimeOf(item: Item): number | undefined {
      const stamp = editedAt === undefined ? undefined : stampOf(item[editedAt]);
      return stamp === undefined ? undefined : timeOf(stamp);
    },
    toRow: (item: Item): Row =>
      Object.fromEntries([['id', item[id]], ...fields.map((field) => [field, item[field] ?? null])]),
    /** None is null or missing: an event that has all is whole, whatever its mutation selected. */
    hasAll: (item: Item): boolean => fields.every((field) => item[field] != null),
    /** What a mutation writes. What the server sets is never sent. */
    toInput: (row: Row): Record<string, unknown> =>
      Object.fromEntries(
        Object.entries(row).filter(
          ([field]) => field !== 'id' && !ours.includes(field) && (field !== created || fields.includes(created)),
        ),
      ),
    /** Every field, as if nothing were in it. */
    blank: (): Record<string, unknown> =>
      Object.fromEntries(
        fields.filter((field) => field !== created && !ours.includes(field)).map((field) => [field, null]),
      ),

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
      const variables: readonly Variable[] = [
        [
          'filter',
          names.filter ?? `Model${name}FilterInput`,
          since && filter ? { and: [filter, since] } : (since ?? filter),
        ],
        ['limit', 'Int', limit],
        ['nextToken', 'String', nextToken],
        ['lastSync', 'AWSTimestamp', versioned ? from : undefined],
      ];
      const field = versioned ? (names.sync ?? `sync${plural}`) : (names.list ?? `list${plural}`);
      return request(
        'query',
        field,
        variables,
        `items{${select === 'id' ? id + (versioned ? ' _deleted' : '') : select ? key : whole}}nextToken${versioned ? ' startedAt' : ''}`,
      );
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
      return request('subscription', names[on] ?? on + name, [['filter', type, filter]], selection, args);
    },
  };
}

export type Model = ReturnType<typeof createModel>;

/** The models of this transport, by collection. */
export function createModels({ models }: Pick<ParsedOptions, 'models'>) {
  const made = new Map(Object.entries(models).map(([name, model]) => [name, createModel(name, model)]));
  return {
    find: (collection: string): Model | undefined => made.get(collection),
    get(collection: string): Model {
      const model = made.get(collection);
      if (model) return model;
      const message = `There is no model for "${collection}". Add it to the transport's models, with its name and fields.`;
      throw problem('CONFIG_INVALID', message);
    },
    all: (): readonly Model[] => [...made.values()],
  };
}

export type Models = ReturnType<typeof createModels>;

import { isObject } from '../../../src/adapter-kit/kit.js';

import type { Reads } from '../reads.js';

/** A field of GraphQL, with types as a document writes them: `[todos!]!`. */
export interface Field {
  readonly type: string;
  /** Types of its arguments, by name. */
  readonly args: ReadonlyMap<string, string>;
}

export type Fields = ReadonlyMap<string, Field>;

/** What a role has at the roots. */
export interface Roots {
  readonly query: Fields;
  readonly mutation: Fields;
  readonly subscription: Fields;
}

const REF = 'kind name ofType { kind name ofType { kind name ofType { kind name } } }';
const ROOTS = ['query', 'mutation', 'subscription'] as const;
const FIELDS = `fields { name args { name type { ${REF} } } type { ${REF} } }`;

/** A type as a document writes it. */
function printed(ref: unknown): string {
  const { kind, name, ofType } = Object(ref) as { kind?: unknown; name?: unknown; ofType?: unknown };
  if (kind === 'NON_NULL') return `${printed(ofType)}!`;
  if (kind === 'LIST') return `[${printed(ofType)}]`;
  return String(name);
}

/** `todos` of `[todos!]!`. */
export const bare = (type: string): string => type.replace(/[[\]!]/g, '');

const named = (list: unknown): [string, Record<string, unknown>][] =>
  (Array.isArray(list) ? list : []).map((each) => [String(Object(each).name), Object(each)]);

const fieldsIn = (list: unknown): Fields =>
  new Map(
    named(list).map(([name, { type, args }]) => [
      name,
      { type: printed(type), args: new Map(named(args).map(([arg, { type }]) => [arg, printed(type)])) },
    ]),
  );

/** What this role sees. Throws where Hasura hides its schema from it. */
export async function readRoots(reads: Reads, signal: AbortSignal): Promise<Roots> {
  const query = `{ __schema { ${ROOTS.map((root) => `${root}Type { ${FIELDS} }`).join(' ')} } }`;
  const { data } = await reads.request('Reading the schema', 'read', query, {}, signal);
  const schema = Object(data.__schema);
  const [queries, mutations, subscriptions] = ROOTS.map((root) => fieldsIn(Object(schema[`${root}Type`]).fields));
  const none: Fields = new Map();
  return { query: queries ?? none, mutation: mutations ?? none, subscription: subscriptions ?? none };
}

/** The fields of types by their names; those that are not there have none. */
export async function readTypes(
  reads: Reads,
  names: readonly string[],
  signal: AbortSignal,
): Promise<(name: string) => Fields> {
  const types = [...new Set(names)];
  const aliases = types.map(
    (name, at) => `t${at}: __type(name: ${JSON.stringify(name)}) { ${FIELDS} inputFields { name type { ${REF} } } }`,
  );
  const answer =
    types.length === 0
      ? {}
      : (await reads.request('Reading the schema', 'read', `{ ${aliases.join(' ')} }`, {}, signal)).data;
  const found = new Map(
    types.map((name, at) => {
      const type = answer[`t${at}`];
      return [name, isObject(type) ? fieldsIn(type.fields ?? type.inputFields) : new Map()] as const;
    }),
  );
  return (name) => found.get(name) ?? new Map();
}

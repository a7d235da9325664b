import type { Ask, Reply } from './ask.js';

/** A field of GraphQL, with types as a document writes them: `[Todo]!`. */
export interface Field {
  readonly type: string;
  /** Types of its arguments, by name. */
  readonly args: ReadonlyMap<string, string>;
  /** Of an input: it has to be given. */
  readonly required: boolean;
}

export type Fields = ReadonlyMap<string, Field>;

export interface Schema {
  readonly query: Fields;
  readonly mutation: Fields;
  readonly subscription: Fields;
  /** Those of an object or an input; undefined: there is no such type. */
  fieldsOf(type: string): Fields | undefined;
}

const REF = 'kind name ofType { kind name ofType { kind name ofType { kind name } } }';
const INPUT = `name defaultValue type { ${REF} }`;
const QUERY = `query {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types { name fields { name args { ${INPUT} } type { ${REF} } } inputFields { ${INPUT} } }
  }
}`;

/** A type as a document writes it. */
function printed(ref: unknown): string {
  const { kind, name, ofType } = Object(ref) as { kind?: unknown; name?: unknown; ofType?: unknown };
  if (kind === 'NON_NULL') return `${printed(ofType)}!`;
  if (kind === 'LIST') return `[${printed(ofType)}]`;
  return String(name);
}

/** `Todo` of `[Todo]!`. */
export const bare = (type: string): string => type.replace(/[[\]!]/g, '');

const named = (list: unknown): [string, Readonly<Record<string, unknown>>][] =>
  (Array.isArray(list) ? list : []).map((each) => [String(Object(each).name), Object(each)]);

const fieldsIn = (list: unknown): Fields =>
  new Map(
    named(list).map(([name, { type, args, defaultValue }]) => {
      const text = printed(type);
      const required = text.endsWith('!') && defaultValue == null;
      return [
        name,
        { type: text, args: new Map(named(args).map(([arg, { type }]) => [arg, printed(type)])), required },
      ];
    }),
  );

/** The schema, or the reply that has none: introspection can be switched off. */
export async function readSchema(ask: Ask): Promise<Schema | Reply> {
  const reply = await ask({ query: QUERY });
  const { types, ...roots } = Object(reply.data.__schema) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(types)) return reply;
  const all = new Map(named(types).map(([name, { fields, inputFields }]) => [name, fieldsIn(fields ?? inputFields)]));
  const root = (key: string): Fields => all.get(Object(roots[key]).name) ?? new Map();
  return {
    query: root('queryType'),
    mutation: root('mutationType'),
    subscription: root('subscriptionType'),
    fieldsOf: (type) => all.get(type),
  };
}

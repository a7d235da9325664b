import { type GraphQLFieldConfig, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import type { Context } from './context.js';
import type { Names, RootField } from './names.js';
import { type RootFields, readFields, tableTypes } from './read-fields.js';
import type { RoleTable } from './role.js';
import { createTypes } from './types.js';
import { writeFields } from './write-fields.js';

type Fields = Record<string, GraphQLFieldConfig<unknown, Context>>;

const rootType = (name: string, fields: Fields): GraphQLObjectType | undefined =>
  Object.keys(fields).length === 0 ? undefined : new GraphQLObjectType({ name, fields });

/** The schema that one role has: what it may not do is not in it. */
export function buildSchema(tables: readonly RoleTable[], names: Names): GraphQLSchema {
  const types = createTypes(names);
  const query: Fields = {};
  const mutation: Fields = {};
  const subscription: Fields = {};
  for (const table of tables) {
    const shared = tableTypes(table, types);
    const name = (fields: RootFields): Fields =>
      Object.fromEntries(Object.entries(fields).map(([kind, field]) => [table.names.root(kind as RootField), field]));
    const reads = readFields(table, types, shared);
    Object.assign(subscription, name(reads));
    delete reads.select_stream;
    Object.assign(query, name(reads));
    Object.assign(mutation, name(writeFields(table, types, shared)));
  }
  const none = { no_queries_available: { type: new GraphQLNonNull(GraphQLString), resolve: () => '' } };
  return new GraphQLSchema({
    query: rootType('query_root', query) ?? rootType('query_root', none) ?? null,
    mutation: rootType('mutation_root', mutation) ?? null,
    subscription: rootType('subscription_root', subscription) ?? null,
  });
}

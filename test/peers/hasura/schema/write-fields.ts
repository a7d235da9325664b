import {
  GraphQLEnumType,
  type GraphQLFieldConfig,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLResolveInfo,
} from 'graphql';
import type { Statement, TextRow } from '../database.js';
import { HasuraError } from '../failure.js';
import { type Condition, filterOf, presets } from '../sql/where.js';
import { CHECK, deleteStatement, insertStatement, updateStatement } from '../sql/write.js';
import { type Arguments, createReader } from './arguments.js';
import { type Context, pathOf, run } from './context.js';
import type { RootFields, TableTypes } from './read-fields.js';
import { type RoleTable, visibleKey } from './role.js';
import { columnEnum, inputFields, type SharedTypes } from './types.js';

type Field<Source = unknown> = GraphQLFieldConfig<Source, Context>;

/** Runs a write whose rows say whether they keep their permission's check. */
async function written(context: Context, statement: Statement, path: string): Promise<readonly TextRow[]> {
  const rows = await run(context, statement, path);
  if (rows.some((row) => row[CHECK] === 'false' || row[CHECK] === null))
    throw new HasuraError('permission-error', 'check constraint of an insert/update permission has failed', path);
  return rows;
}

/** What a role may write of a table. */
export function writeFields(role: RoleTable, types: SharedTypes, { row, where }: TableTypes): RootFields {
  const { table, names, insert, update, delete: remove } = role;
  const { type, field } = types.names;
  const reader = createReader(role, types.names);
  const columns = role.select?.columns ?? [];
  const key = visibleKey(role);
  const named = (suffix: string): string => type(`${names.base}_${suffix}`);
  const required = new GraphQLNonNull(where);
  const keyFields = inputFields(key, names.column, ({ scalar }) => new GraphQLNonNull(types.scalar(scalar)));
  const equal = (input: unknown): Condition[] =>
    Object.entries(reader.assignment(input)).map(([column, value]) => ({ [column]: { _eq: value } }));

  const response = new GraphQLObjectType<readonly TextRow[], Context>({
    name: named('mutation_response'),
    fields: {
      [field('affected_rows')]: { type: new GraphQLNonNull(GraphQLInt), resolve: (rows) => rows.length },
      ...(row && {
        returning: {
          type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(row))),
          resolve: (rows: readonly TextRow[]) => rows,
        },
      }),
    },
  });

  const inserts = ({ columns: insertable, check, set }: NonNullable<RoleTable['insert']>): RootFields => {
    const input = new GraphQLInputObjectType({
      name: named('insert_input'),
      fields: inputFields(insertable, names.column, ({ scalar }) => types.scalar(scalar)),
    });
    const conflict =
      update && table.constraints.length > 0
        ? new GraphQLInputObjectType({
            name: named('on_conflict'),
            fields: {
              constraint: {
                type: new GraphQLNonNull(
                  new GraphQLEnumType({
                    name: named('constraint'),
                    values: Object.fromEntries(table.constraints.map((name) => [name, {}])),
                  }),
                ),
              },
              [field('update_columns')]: {
                type: new GraphQLNonNull(
                  new GraphQLList(new GraphQLNonNull(columnEnum(named('update_column'), update.columns, names.column))),
                ),
                default: { value: [] },
              },
              where: { type: where },
            },
          })
        : undefined;
    const work = (objects: readonly unknown[], args: Arguments, context: Context, path: string) => {
      if (objects.length === 0) return [];
      const { session } = context;
      const given = reader.argument<Arguments>(args, 'on_conflict');
      const own = presets(set, session);
      const statement = insertStatement({
        table,
        columns,
        rows: objects.map((each) => ({ ...reader.assignment(each), ...own })),
        conflict: given && {
          constraint: String(given.constraint),
          update: reader.argument<readonly string[]>(given, 'update_columns') ?? [],
          where: [filterOf(update?.filter ?? {}, session), reader.condition(given.where)],
        },
        check: { inserted: filterOf(check, session), updated: filterOf(update?.check ?? {}, session) },
        path,
      });
      return written(context, statement, path);
    };
    const onConflict = conflict && { [field('on_conflict')]: { type: conflict } };
    const many: Field = {
      type: response,
      args: {
        objects: { type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(input))) },
        ...onConflict,
      },
      resolve: (_, args, context, info) => work(args.objects, args, context, `${pathOf(info)}.args.objects`),
    };
    const one = (result: GraphQLObjectType): Field => ({
      type: result,
      args: { object: { type: new GraphQLNonNull(input) }, ...onConflict },
      resolve: async (_, args, context, info) =>
        (await work([args.object], args, context, `${pathOf(info)}.args.object`))[0] ?? null,
    });
    return { insert: many, ...(row && { insert_one: one(row) }) };
  };

  const updates = (permission: NonNullable<RoleTable['update']>): RootFields => {
    const setInput = new GraphQLInputObjectType({
      name: named('set_input'),
      fields: inputFields(permission.columns, names.column, ({ scalar }) => types.scalar(scalar)),
    });
    const work = (given: Arguments, conditions: readonly Condition[], context: Context, info: GraphQLResolveInfo) => {
      const { session } = context;
      const set = { ...reader.assignment(given[field('_set')]), ...presets(permission.set, session) };
      // Nothing to set is nothing done, without a word.
      if (Object.keys(set).length === 0) return [];
      const path = pathOf(info);
      const statement = updateStatement({
        table,
        columns,
        set,
        where: [filterOf(permission.filter, session), ...conditions],
        check: filterOf(permission.check, session),
        path,
      });
      return written(context, statement, path);
    };
    const setArgument = { [field('_set')]: { type: setInput } };
    const byKey = (result: GraphQLObjectType): Field => ({
      type: result,
      args: {
        [field('pk_columns')]: {
          type: new GraphQLNonNull(new GraphQLInputObjectType({ name: named('pk_columns_input'), fields: keyFields })),
        },
        ...setArgument,
      },
      resolve: async (_, args, context, info) =>
        (await work(args, equal(reader.argument(args, 'pk_columns')), context, info))[0] ?? null,
    });
    return {
      update: {
        type: response,
        args: { where: { type: required }, ...setArgument },
        resolve: (_, args, context, info) => work(args, [reader.condition(args.where)], context, info),
      },
      ...(row && key.length > 0 && { update_by_pk: byKey(row) }),
      update_many: {
        type: new GraphQLList(response),
        args: {
          updates: {
            type: new GraphQLNonNull(
              new GraphQLList(
                new GraphQLNonNull(
                  new GraphQLInputObjectType({
                    name: named('updates'),
                    fields: { where: { type: required }, ...setArgument },
                  }),
                ),
              ),
            ),
          },
        },
        async resolve(_, args, context, info) {
          const done: (readonly TextRow[])[] = [];
          for (const each of args.updates as readonly Arguments[])
            done.push(await work(each, [reader.condition(each.where)], context, info));
          return done;
        },
      },
    };
  };

  const deletes = ({ filter }: NonNullable<RoleTable['delete']>): RootFields => {
    const work = (conditions: readonly Condition[], context: Context, info: GraphQLResolveInfo) => {
      const path = pathOf(info);
      const all = [filterOf(filter, context.session), ...conditions];
      return written(context, deleteStatement({ table, columns, where: all, path }), path);
    };
    const byKey = (result: GraphQLObjectType): Field => ({
      type: result,
      args: keyFields,
      resolve: async (_, args, context, info) => (await work(equal(args), context, info))[0] ?? null,
    });
    return {
      delete: {
        type: response,
        args: { where: { type: required } },
        resolve: (_, args, context, info) => work([reader.condition(args.where)], context, info),
      },
      ...(row && key.length > 0 && { delete_by_pk: byKey(row) }),
    };
  };

  return {
    ...(insert && inserts(insert)),
    ...(update && updates(update)),
    ...(remove && deletes(remove)),
  };
}

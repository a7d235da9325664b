import {
  type GraphQLFieldConfig,
  type GraphQLFieldConfigMap,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
} from 'graphql';
import type { TextRow } from '../database.js';
import { aggregateStatement, type Read, readStatement } from '../sql/read.js';
import { filterOf } from '../sql/where.js';
import { type Arguments, createReader } from './arguments.js';
import type { Column } from './catalog.js';
import { type Context, pathOf, run } from './context.js';
import type { RootField } from './names.js';
import { type RoleTable, visibleKey } from './role.js';
import { fromText } from './scalars.js';
import { inputFields, type SharedTypes } from './types.js';

type Field<Source = unknown> = GraphQLFieldConfig<Source, Context>;

/** Root fields of a table by what they are; their names are the caller's. */
export type RootFields = Partial<Record<RootField, Field>>;

/** The types that reading and writing a table share. */
export interface TableTypes {
  /** Undefined: the role may not see rows. */
  readonly row: GraphQLObjectType | undefined;
  readonly where: GraphQLInputObjectType;
}

const columnField = ({ name, scalar, nullable }: Column, { scalar: typeOf }: SharedTypes): Field<TextRow> => {
  const type = typeOf(scalar);
  return {
    type: nullable ? type : new GraphQLNonNull(type),
    resolve: (row, _, { stringifyNumeric }) => {
      const text = row[name];
      return text === null || text === undefined ? null : fromText(scalar, text, stringifyNumeric);
    },
  };
};

export function tableTypes({ names, select }: RoleTable, types: SharedTypes): TableTypes {
  const { type, field } = types.names;
  const columns = select?.columns ?? [];
  const where: GraphQLInputObjectType = new GraphQLInputObjectType({
    name: type(`${names.base}_bool_exp`),
    fields: () => ({
      [field('_and')]: { type: new GraphQLList(new GraphQLNonNull(where)) },
      [field('_or')]: { type: new GraphQLList(new GraphQLNonNull(where)) },
      [field('_not')]: { type: where },
      ...inputFields(columns, names.column, ({ scalar }) => types.comparison(scalar)),
    }),
  });
  const fields: GraphQLFieldConfigMap<TextRow, Context> = Object.fromEntries(
    columns.map((column) => [names.column(column.name), columnField(column, types)]),
  );
  return { where, row: select && new GraphQLObjectType({ name: type(names.base), fields }) };
}

/** What a role may read of a table: in queries all but the stream, in subscriptions all. */
export function readFields(table: RoleTable, types: SharedTypes, { row, where }: TableTypes): RootFields {
  const { names, select } = table;
  if (!select || !row) return {};
  const { type, field } = types.names;
  const reader = createReader(table, types.names);
  const rows = new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(row)));
  const columns = select.columns;

  const orderBy = new GraphQLInputObjectType({
    name: type(`${names.base}_order_by`),
    fields: inputFields(columns, names.column, () => types.orderBy),
  });
  const args = {
    where: { type: where },
    [field('order_by')]: { type: new GraphQLList(new GraphQLNonNull(orderBy)) },
    limit: { type: GraphQLInt },
    offset: { type: GraphQLInt },
  };

  const readOf = (given: Arguments, { session }: Context, path: string): Read => {
    const asked = reader.argument<number>(given, 'limit');
    const limit = Math.min(asked ?? Number.POSITIVE_INFINITY, select.limit ?? Number.POSITIVE_INFINITY);
    return {
      table: table.table,
      columns,
      where: [filterOf(select.filter, session), reader.condition(given.where)],
      order: reader.orders(reader.argument(given, 'order_by')),
      limit: Number.isFinite(limit) ? limit : undefined,
      offset: reader.argument<number>(given, 'offset'),
      path: `${path}.args.where`,
    };
  };

  const all: Field = {
    type: rows,
    args,
    resolve: (_, given, context, info) => run(context, readStatement(readOf(given, context, pathOf(info))), '$'),
  };

  const key = visibleKey(table);
  const one: Field = {
    type: row,
    args: inputFields(key, names.column, ({ scalar }) => new GraphQLNonNull(types.scalar(scalar))),
    async resolve(_, given, context, info) {
      const equal = Object.entries(reader.assignment(given)).map(([column, value]) => ({ [column]: { _eq: value } }));
      const read: Read = {
        table: table.table,
        columns,
        where: [filterOf(select.filter, context.session), ...equal],
        path: pathOf(info),
      };
      return (await run(context, readStatement(read), '$'))[0] ?? null;
    },
  };

  const ends = columns.filter(({ scalar }) => !['json', 'jsonb', 'Boolean', 'uuid'].includes(scalar));
  const endFields = (end: 'max' | 'min'): Record<string, Field<TextRow>> =>
    ends.length === 0
      ? {}
      : {
          [end]: {
            type: new GraphQLObjectType<TextRow, Context>({
              name: type(`${names.base}_${end}_fields`),
              fields: Object.fromEntries(
                ends.map((column) => [names.column(column.name), columnField({ ...column, nullable: true }, types)]),
              ),
            }),
            resolve: (counted) => Object.fromEntries(ends.map(({ name }) => [name, counted[`${end}:${name}`] ?? null])),
          },
        };
  const aggregate = (): Field => ({
    type: new GraphQLNonNull(
      new GraphQLObjectType<{ counted: unknown; nodes: unknown }, Context>({
        name: type(`${names.base}_aggregate`),
        fields: {
          aggregate: {
            type: new GraphQLObjectType<TextRow, Context>({
              name: type(`${names.base}_aggregate_fields`),
              fields: {
                count: { type: new GraphQLNonNull(GraphQLInt), resolve: ({ count }) => Number(count) },
                ...endFields('max'),
                ...endFields('min'),
              },
            }),
            resolve: ({ counted }) => counted,
          },
          nodes: { type: rows },
        },
      }),
    ),
    args,
    async resolve(_, given, context, info) {
      const read = readOf(given, context, pathOf(info));
      const [counted] = await run(context, aggregateStatement(read), '$');
      return { counted, nodes: () => run(context, readStatement(read), '$') };
    },
  });

  const cursorInput = new GraphQLInputObjectType({
    name: type(`${names.base}_stream_cursor_input`),
    fields: {
      [field('initial_value')]: {
        type: new GraphQLNonNull(
          new GraphQLInputObjectType({
            name: type(`${names.base}_stream_cursor_value_input`),
            fields: inputFields(columns, names.column, ({ scalar }) => types.scalar(scalar)),
          }),
        ),
      },
      ordering: { type: types.cursorOrdering, default: { value: 'ASC' } },
    },
  });
  const stream: Field = {
    type: rows,
    args: {
      [field('batch_size')]: { type: new GraphQLNonNull(GraphQLInt) },
      cursor: { type: new GraphQLNonNull(new GraphQLList(cursorInput)) },
      where: { type: where },
    },
    async resolve(_, given, context, info) {
      const path = pathOf(info);
      const [cursor = {}] = (given.cursor as readonly Arguments[]).filter((each) => each !== null);
      const [name, initial] = reader.single(cursor[field('initial_value')], `${path}.args.cursor`);
      const column = columns.find((each) => each.name === name);
      if (!column) throw new Error(`${name} is no column of ${names.base}.`);
      const descending = cursor.ordering === 'DESC';
      const read: Read = {
        table: table.table,
        columns,
        where: [filterOf(select.filter, context.session), reader.condition(given.where)],
        // Strictly after: rows that share the last value of a full batch never come. So it is with Hasura.
        after: { column, value: context.cursor?.value ?? initial, descending },
        order: [{ column: name, direction: descending ? 'desc' : 'asc' }],
        limit: reader.argument<number>(given, 'batch_size'),
        path: `${path}.args.where`,
      };
      const batch = await run(context, readStatement(read), '$');
      const last = batch.at(-1)?.[name];
      if (context.cursor && last !== undefined) context.cursor.value = last;
      return batch;
    },
  };

  return {
    select: all,
    ...(key.length > 0 && { select_by_pk: one }),
    ...(select.aggregations && { select_aggregate: aggregate() }),
    select_stream: stream,
  };
}

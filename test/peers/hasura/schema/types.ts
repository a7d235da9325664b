import {
  GraphQLBoolean,
  GraphQLEnumType,
  type GraphQLInputFieldConfig,
  GraphQLInputObjectType,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLScalarType,
} from 'graphql';
import { jsonOperators, operators, textOperators } from '../sql/where.js';
import type { Column } from './catalog.js';
import type { Names } from './names.js';
import { createScalar } from './scalars.js';

/** The types that all tables of one schema share. */
export interface SharedTypes {
  readonly names: Names;
  scalar(name: string): GraphQLScalarType;
  /** `uuid_comparison_exp` */
  comparison(scalar: string): GraphQLInputObjectType;
  readonly orderBy: GraphQLEnumType;
  readonly cursorOrdering: GraphQLEnumType;
}

const directions = ['asc', 'asc_nulls_first', 'asc_nulls_last', 'desc', 'desc_nulls_first', 'desc_nulls_last'];

/** Makes each type once, by its name. */
function once<Type>(create: (name: string) => Type): (name: string) => Type {
  const made = new Map<string, Type>();
  return (name) => {
    const type = made.get(name) ?? create(name);
    made.set(name, type);
    return type;
  };
}

const has = (scalar: string, operator: string): boolean =>
  textOperators.has(operator)
    ? ['String', 'citext', 'bpchar'].includes(scalar)
    : jsonOperators.has(operator)
      ? scalar === 'jsonb'
      : true;

export function createTypes(names: Names): SharedTypes {
  const scalar = once(createScalar);
  return {
    names,
    scalar,
    comparison: once((name) => {
      const type = scalar(name);
      const operand = (operator: string) =>
        operator === '_is_null'
          ? GraphQLBoolean
          : operator === '_in' || operator === '_nin'
            ? new GraphQLList(new GraphQLNonNull(type))
            : type;
      return new GraphQLInputObjectType({
        name: names.type(`${name}_comparison_exp`),
        fields: Object.fromEntries(
          operators
            .filter((operator) => has(name, operator))
            .map((operator) => [names.field(operator), { type: operand(operator) }]),
        ),
      });
    }),
    orderBy: new GraphQLEnumType({
      name: names.type('order_by'),
      values: Object.fromEntries(directions.map((direction) => [names.order(direction), { value: direction }])),
    }),
    cursorOrdering: new GraphQLEnumType({ name: names.type('cursor_ordering'), values: { ASC: {}, DESC: {} } }),
  };
}

/** Input fields, one for each column. */
export const inputFields = (
  columns: readonly Column[],
  nameOf: (column: string) => string,
  typeOf: (column: Column) => GraphQLInputFieldConfig['type'],
): Record<string, GraphQLInputFieldConfig> =>
  Object.fromEntries(columns.map((column) => [nameOf(column.name), { type: typeOf(column) }]));

/** An enum of columns; GraphQL knows no empty one. */
export const columnEnum = (
  name: string,
  columns: readonly Column[],
  nameOf: (column: string) => string,
): GraphQLEnumType =>
  new GraphQLEnumType({
    name,
    values:
      columns.length === 0
        ? { _PLACEHOLDER: {} }
        : Object.fromEntries(columns.map((column) => [nameOf(column.name), { value: column.name }])),
  });

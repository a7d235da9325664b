import {
  GraphQLBoolean,
  GraphQLError,
  GraphQLFloat,
  GraphQLInt,
  GraphQLScalarType,
  GraphQLString,
  type ValueNode,
} from 'graphql';
import { verbatim } from '../json.js';

const builtIn = new Map([GraphQLInt, GraphQLFloat, GraphQLBoolean, GraphQLString].map((type) => [type.name, type]));

/** A literal of a document as JSON, with all digits of its numbers. */
function literal(node: ValueNode): unknown {
  switch (node.kind) {
    case 'NullValue':
      return null;
    case 'IntValue':
    case 'FloatValue':
      return verbatim(node.value);
    case 'ListValue':
      return node.values.map(literal);
    case 'ObjectValue':
      return Object.fromEntries(node.fields.map(({ name, value }) => [name.value, literal(value)]));
    case 'Variable':
      throw new GraphQLError(`unexpected variable "$${node.name.value}"`, { nodes: node });
    default:
      return node.value;
  }
}

/** What may be written for a number; Postgres judges the digits. */
const numeric = new Set(['bigint', 'numeric', 'smallint', 'float8', 'money']);
const json = new Set(['json', 'jsonb']);

function accept(name: string, value: unknown): unknown {
  if (json.has(name) || typeof value === 'string') return value;
  // A verbatim number is an object here.
  if (numeric.has(name) && (typeof value === 'number' || (typeof value === 'object' && !Array.isArray(value))))
    return value;
  throw new GraphQLError(`parsing ${name} failed, expected String, but encountered ${typeof value}`);
}

/** A scalar by its GraphQL name. Values come out of rows as they are to be written. */
export const createScalar = (name: string): GraphQLScalarType =>
  builtIn.get(name) ??
  new GraphQLScalarType({
    name,
    coerceOutputValue: (value) => value,
    coerceInputValue: (value) => accept(name, value),
    coerceInputLiteral: (node) => accept(name, literal(node as ValueNode)),
  });

/** These are strings with `HASURA_GRAPHQL_STRINGIFY_NUMERIC_TYPES`. */
const big = new Set(['bigint', 'numeric', 'float8']);

/** Text from Postgres as a value of the answer. */
export function fromText(scalar: string, text: string, stringifyNumeric: boolean): unknown {
  // An array's type begins with `_`; it comes as a JSON list, and its numbers are never stringified.
  if (json.has(scalar) || scalar.startsWith('_')) return verbatim(text);
  if (scalar === 'Boolean') return text === 'true';
  if (scalar === 'Int' || scalar === 'Float') return Number(text);
  // JSON has no NaN and no infinity.
  if (numeric.has(scalar) && Number.isFinite(Number(text)))
    return big.has(scalar) && stringifyNumeric ? text : verbatim(text);
  return text;
}

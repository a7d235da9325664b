/** A type of the API with `@model`, as Amplify's transformer makes one of it. */
export interface Model {
  /** `Todo`. */
  readonly name: string;
  /** Default: the name and an `s`. */
  readonly plural?: string;
  /** Its fields and their types in GraphQL, beside `id`, `createdAt` and `updatedAt`: `{ text: 'String' }`. */
  readonly fields: Readonly<Record<string, string>>;
  /** Conflict detection with optimistic concurrency. */
  readonly versioned?: boolean;
  /**
   * What a versioned model does with a mutation of another version. `reject` (optimistic concurrency), the default:
   * `ConflictUnhandled`. `autoMerge`, DataStore's default: scalars stay as the server has them, what is null there is taken,
   * lists are appended. `lambda`: a resolver that answers RESOLVE with the server's item. Both leave a deleted item deleted.
   */
  readonly conflicts?: 'reject' | 'autoMerge' | 'lambda';
  /** A second field of the key. The schema says so; items are kept by `id` all the same. */
  readonly sortKey?: string;
  /** A resolver that refuses what has this value: `{ text: 'refused' }`. */
  readonly refuses?: Readonly<Record<string, unknown>>;
}

export type Operation = 'create' | 'update' | 'delete';
export const operations: readonly Operation[] = ['create', 'update', 'delete'];

export const pluralOf = ({ name, plural = `${name}s` }: Model): string => plural;
export const mutationOf = (operation: Operation, { name }: Model): string => `${operation}${name}`;
export const subscriptionOf = (operation: Operation, { name }: Model): string =>
  `on${operation[0]?.toUpperCase()}${operation.slice(1)}${name}`;

/** What conflict detection adds to a type. */
const housekeeping = { _version: 'Int!', _deleted: 'Boolean', _lastChangedAt: 'AWSTimestamp!' };

/** Every field of the type, with its type. */
export const fieldsOf = ({ fields, versioned }: Model): Record<string, string> => ({
  id: 'ID!',
  ...fields,
  createdAt: 'AWSDateTime!',
  updatedAt: 'AWSDateTime!',
  ...(versioned && housekeeping),
});

const list = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, type]) => `${name}: ${type}`)
    .join(' ');

const optional = (type: string): string => type.replace(/!$/, '');
const inputs: Readonly<Record<string, string>> = {
  ID: 'ModelIDInput',
  Int: 'ModelIntInput',
  Float: 'ModelFloatInput',
  Boolean: 'ModelBooleanInput',
};

/** A filter or a condition: an operator for each field, and `and`, `or`, `not`. */
function conditions(name: string, fields: Readonly<Record<string, string>>): string {
  const each = Object.entries(fields).map(
    ([field, type]) => `${field}: ${inputs[optional(type)] ?? 'ModelStringInput'}`,
  );
  return `input ${name} { ${each.join(' ')} and: [${name}] or: [${name}] not: ${name} }`;
}

function schemaOf(model: Model): { types: string; query: string; mutation: string; subscription: string } {
  const { name, fields, versioned, sortKey } = model;
  const second = sortKey === undefined ? '' : `${sortKey}: ID!`;
  const plural = pluralOf(model);
  const version = versioned ? '_version: Int' : '';
  const optionals = Object.fromEntries(Object.entries(fields).map(([field, type]) => [field, optional(type)]));
  const filters = {
    ...fields,
    createdAt: 'AWSDateTime',
    updatedAt: 'AWSDateTime',
    ...(versioned && { _deleted: 'Boolean' }),
  };
  const page = `filter: Model${name}FilterInput limit: Int nextToken: String`;
  const connection = `Model${name}Connection`;
  return {
    types: `
      type ${name} { ${list(fieldsOf(model))} }
      type ${connection} { items: [${name}]! nextToken: String ${versioned ? 'startedAt: AWSTimestamp' : ''} }
      input Create${name}Input { id: ID ${list(fields)} ${version} }
      input Update${name}Input { id: ID! ${list(optionals)} ${version} }
      input Delete${name}Input { id: ID! ${second} ${version} }
      ${conditions(`Model${name}FilterInput`, { id: 'ID', ...filters })}
      ${conditions(`Model${name}ConditionInput`, filters)}
      ${conditions(`ModelSubscription${name}FilterInput`, { id: 'ID', ...filters })}`,
    query: `
      get${name}(id: ID! ${second}): ${name}
      list${plural}(${page}): ${connection}
      ${versioned ? `sync${plural}(${page} lastSync: AWSTimestamp): ${connection}` : ''}`,
    mutation: operations
      .map((operation) => {
        const input = `${operation[0]?.toUpperCase()}${operation.slice(1)}${name}Input`;
        return `${mutationOf(operation, model)}(input: ${input}!, condition: Model${name}ConditionInput): ${name}`;
      })
      .join('\n'),
    subscription: operations
      .map((operation) => {
        const args = `filter: ModelSubscription${name}FilterInput ${list({ id: 'ID', ...optionals })}`;
        return `${subscriptionOf(operation, model)}(${args}): ${name}`;
      })
      .join('\n'),
  };
}

/** The schema of the API. */
export function schemaText(models: readonly Model[]): string {
  const parts = models.map(schemaOf);
  const all = (key: 'types' | 'query' | 'mutation' | 'subscription'): string =>
    parts.map((part) => part[key]).join('\n');
  return `
    scalar AWSDateTime
    scalar AWSTimestamp
    scalar AWSJSON
    input ModelStringInput { eq: String ne: String gt: String ge: String lt: String le: String contains: String beginsWith: String between: [String] attributeExists: Boolean }
    input ModelIDInput { eq: ID ne: ID gt: ID ge: ID lt: ID le: ID contains: ID beginsWith: ID between: [ID] attributeExists: Boolean }
    input ModelIntInput { eq: Int ne: Int gt: Int ge: Int lt: Int le: Int between: [Int] attributeExists: Boolean }
    input ModelFloatInput { eq: Float ne: Float gt: Float ge: Float lt: Float le: Float between: [Float] attributeExists: Boolean }
    input ModelBooleanInput { eq: Boolean ne: Boolean attributeExists: Boolean }
    ${all('types')}
    type Query { ${all('query')} }
    type Mutation { ${all('mutation')} }
    type Subscription { ${all('subscription')} }`;
}

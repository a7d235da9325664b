import {
  buildSchema,
  type DocumentNode,
  execute,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLResolveInfo,
  Kind,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';
import {
  createDataSource,
  type DataSource,
  type DataSourceOptions,
  type ListArguments,
  type MutationArguments,
  Refusal,
} from './data-source.js';
import { type Model, mutationOf, type Operation, operations, pluralOf, schemaText, subscriptionOf } from './model.js';
import type { Item } from './table.js';

/** A mutation that was made, for those who subscribed. */
export interface Made {
  readonly model: Model;
  readonly operation: Operation;
  readonly item: Item;
  /** What the mutation selected; everything, if nobody selected anything. */
  readonly selected: ReadonlySet<string> | undefined;
}

export interface ApiOptions extends DataSourceOptions {
  readonly models: readonly Model[];
  /** Called after each mutation. */
  readonly made: (made: Made) => void;
}

type Values = Readonly<Record<string, unknown>>;
type Fragments = Readonly<Record<string, FragmentDefinitionNode>>;

/** One entry of `errors`, as AppSync writes it. */
export interface ErrorEntry {
  readonly message: string;
  readonly errorType: string | null;
  readonly data: unknown;
  readonly path: readonly (string | number)[] | null;
}

export interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly ErrorEntry[];
}

/** The fields of the type that a selection names, whatever they are called in the answer. */
function namesIn(set: SelectionSetNode | undefined, fragments: Fragments, names = new Set<string>()): Set<string> {
  for (const selection of set?.selections ?? []) {
    if (selection.kind === Kind.FIELD) names.add(selection.name.value);
    else if (selection.kind === Kind.INLINE_FRAGMENT) namesIn(selection.selectionSet, fragments, names);
    else namesIn(fragments[selection.name.value]?.selectionSet, fragments, names);
  }
  return names;
}

/** Of an item, the fields that were selected. */
export const only = (item: Item, selected: ReadonlySet<string>): Item =>
  Object.fromEntries(Object.entries(item).filter(([key]) => selected.has(key))) as Item;

function entryOf(error: GraphQLError): ErrorEntry {
  const cause = error.originalError;
  const { errorType = cause && error.path ? 'InternalFailure' : null, data = null } = Object(cause) as Partial<Refusal>;
  return { path: error.path ?? null, data: data ?? null, errorType, message: error.message };
}

/** A document that cannot be carried out at all. */
const refused = (found: readonly GraphQLError[]): Answer => ({
  errors: found.map(({ message }) => ({ path: null, data: null, errorType: 'ValidationError', message })),
});

/** What a client subscribed to. */
export interface SubscriptionPlan {
  readonly model: Model;
  readonly operation: Operation;
  /** As given: an argument that is null is there. */
  readonly args: Values;
  /** The event of this item, of which only the selected fields are known. */
  readonly event: (item: Item, selected: ReadonlySet<string> | undefined) => Answer;
}

/** The GraphQL API over the data source. */
export function createApi(options: ApiOptions) {
  const { models, made } = options;
  const source: DataSource = createDataSource(options);
  const schema = buildSchema(schemaText(models));
  /** Models whose fields nobody may use. */
  const closed = new Set<string>();
  /** Fields that nobody may read, by model. */
  const hidden = new Map<string, Set<string>>();

  /** Items of another owner, by model: lists leave them out, and whoever asks for one is refused. */
  const owned = new Map<string, Set<string>>();
  const isOwned = ({ name }: Model, id: unknown): boolean => owned.get(name)?.has(String(id)) === true;
  const assertOwn = (model: Model, id: unknown, field: string, type: string): void => {
    if (isOwned(model, id)) throw new Refusal('Unauthorized', `Not Authorized to access ${field} on type ${type}`);
  };

  /** An item whose hidden fields refuse to be read. */
  function readable({ name }: Model, item: Item): Item {
    const refusals = [...(hidden.get(name) ?? [])].map((field) => [
      field,
      () => {
        throw new Refusal('Unauthorized', `Not Authorized to access ${field} on type ${name}`);
      },
    ]);
    return refusals.length > 0 ? { ...item, ...Object.fromEntries(refusals) } : item;
  }
  const readablePage = <P extends { readonly items: readonly Item[] }>(model: Model, page: P): P => ({
    ...page,
    items: page.items.filter(({ id }) => !isOwned(model, id)).map((item) => readable(model, item)),
  });

  const guarded = <A, R>(model: Model, type: string, resolve: (args: A, info: GraphQLResolveInfo) => R) => {
    return (args: A, _: unknown, info: GraphQLResolveInfo): R => {
      if (closed.has(model.name))
        throw new Refusal('Unauthorized', `Not Authorized to access ${info.fieldName} on type ${type}`);
      return resolve(args, info);
    };
  };

  const root: Record<string, unknown> = {};
  for (const model of models) {
    const query = <A>(resolve: (args: A) => unknown) => guarded<A, unknown>(model, 'Query', resolve);
    root[`get${model.name}`] = query(({ id }: { id: string }) => {
      assertOwn(model, id, `get${model.name}`, 'Query');
      const item = source.get(model, id);
      return item ? readable(model, item) : null;
    });
    root[`list${pluralOf(model)}`] = query((args: ListArguments) => readablePage(model, source.list(model, args)));
    root[`sync${pluralOf(model)}`] = query((args: ListArguments) => readablePage(model, source.sync(model, args)));
    for (const operation of operations)
      root[mutationOf(operation, model)] = guarded(model, 'Mutation', (args: MutationArguments, info) => {
        assertOwn(model, args.input.id, info.fieldName, 'Mutation');
        const own = info.fieldNodes[0]?.selectionSet;
        const selected = namesIn(own, fragmentsOf(info.fragments as unknown as Fragments));
        try {
          const item = source.mutate(model, operation, args);
          made({ model, operation, item, selected });
          return readable(model, item);
        } catch (error) {
          if (!(error instanceof Refusal) || !error.data) throw error;
          // What an error carries is cut to the selection, too.
          throw new Refusal(error.errorType, error.message, only(error.data, selected));
        }
      });
  }

  function prepare(query: unknown): DocumentNode | Answer {
    try {
      const document = parse(String(query));
      const found = validate(schema, document);
      return found.length > 0 ? refused(found) : document;
    } catch (error) {
      return refused([error as GraphQLError]);
    }
  }

  return {
    schema,
    source,
    closed,
    hidden,
    owned,

    /** Answers a query or a mutation. */
    async run(query: unknown, variables: Values | null | undefined): Promise<Answer> {
      const document = prepare(query);
      if (!('kind' in document)) return document;
      const result = await execute({ schema, document, rootValue: root, variableValues: variables ?? {} });
      const { data, errors } = result;
      return { data: data ?? null, ...(errors && { errors: errors.map(entryOf) }) };
    },

    /** What a `start` asks for, or why not. */
    plan(query: unknown, variables: Values | null | undefined): SubscriptionPlan | Answer {
      const document = prepare(query);
      if (!('kind' in document)) return document;
      const operationNode = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
      const [field, ...more] = (operationNode?.selectionSet.selections ?? []) as readonly FieldNode[];
      if (operationNode?.operation !== 'subscription' || !field || more.length > 0)
        return refused([new GraphQLError('A subscription has one field.')]);
      const name = field.name.value;
      for (const model of models) {
        const operation = operations.find((each) => subscriptionOf(each, model) === name);
        if (!operation) continue;
        let args: Values = {};
        const rootValue = (value: unknown) => ({
          [name]: (given: Values) => {
            args = given;
            return value;
          },
        });
        const answer = (value: unknown): Answer => {
          const shared = { schema, document, rootValue: rootValue(value), variableValues: variables ?? {} };
          const { data, errors } = execute(shared) as { data?: unknown; errors?: readonly GraphQLError[] };
          return { data: data ?? null, ...(errors && { errors: errors.map(entryOf) }) };
        };
        const first = answer(null);
        if (first.errors) return first;
        if (closed.has(model.name)) {
          const message = `Not Authorized to access ${name} on type Subscription`;
          return { errors: [{ errorType: 'Unauthorized', message, data: null, path: [name] }] };
        }
        return {
          model,
          operation,
          args,
          event: (item, selected) => {
            // What the mutation's answer could not show, the event does not hold.
            const known = selected ? only(item, selected) : item;
            const secret = hidden.get(model.name);
            const shown = Object.entries(known).filter(([field]) => !secret?.has(field));
            return answer(Object.fromEntries(shown));
          },
        };
      }
      return refused([new GraphQLError(`${name} is no subscription.`)]);
    },
  };
}

/** graphql 17 keeps the variables of fragments beside them. */
const fragmentsOf = (fragments: Readonly<Record<string, unknown>>): Fragments =>
  Object.fromEntries(
    Object.entries(fragments).map(([name, each]) => [
      name,
      ((each as { definition?: FragmentDefinitionNode }).definition ?? each) as FragmentDefinitionNode,
    ]),
  );

export type Api = ReturnType<typeof createApi>;

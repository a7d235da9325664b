import {
  type DocumentNode,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  type OperationTypeNode,
  parse,
  print,
  specifiedRules,
  validate,
} from 'graphql';
import { HasuraError, invalid } from './failure.js';
import { translate } from './messages.js';
import type { Context } from './schema/context.js';

/** The body of a request, as a client sends it. */
export interface GraphqlRequest {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operationName: string | undefined;
}

/** A request that can be run, as often as one likes. */
export interface Prepared {
  readonly kind: `${OperationTypeNode}`;
  /** The operation as text, the same for whoever writes it the same way. */
  readonly shape: string;
  /** It reads a stream, whose cursor moves. */
  readonly stream: boolean;
  run(context: Context): Promise<object>;
}

/** Throws `HasuraError` where it is no GraphQL request at all. */
export function readRequest(body: unknown): GraphqlRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new HasuraError('parse-failed', 'parsing Request failed, expected Object', '$');
  const { query, variables, operationName } = body as Record<string, unknown>;
  if (typeof query !== 'string') throw new HasuraError('parse-failed', "key 'query' not found", '$');
  return {
    query,
    variables: (variables ?? {}) as Record<string, unknown>,
    operationName: typeof operationName === 'string' ? operationName : undefined,
  };
}

function parsed(query: string): DocumentNode {
  try {
    return parse(query);
  } catch {
    throw invalid('not a valid graphql query', '$.query');
  }
}

function operationOf(document: DocumentNode, name: string | undefined): OperationDefinitionNode {
  const operation = getOperationAST(document, name);
  if (operation) return operation;
  throw invalid(
    name === undefined
      ? 'exactly one operation has to be present in the document when operationName is not specified'
      : `no such operation found in the document: "${name}"`,
  );
}

/** Throws `HasuraError` with the first thing that is wrong. */
export function prepare(
  schema: GraphQLSchema,
  { query, variables, operationName }: GraphqlRequest,
  introspection = true,
): Prepared {
  const document = parsed(query);
  const operation = operationOf(document, operationName);
  const kind = operation.operation;
  if (!schema.getRootType(kind)) throw invalid(`no ${kind}s exist`);
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const [wrong] = validate(schema, document, rules);
  if (wrong) throw translate(wrong, document);
  const defined = operation.variableDefinitions ?? [];
  const unexpected = Object.keys(variables).filter(
    (name) => !defined.some(({ variable }) => variable.name.value === name),
  );
  if (unexpected.length > 0)
    throw invalid(`unexpected variables in variableValues: ${unexpected.join(', ')}`, '$.variableValues');
  const { errors: [unfit] = [] } = getVariableValues(schema, defined, variables);
  if (unfit) throw invalid(translate(unfit, document).message, '$.variableValues');
  const [field] = operation.selectionSet.selections;
  const streams = kind === 'subscription' && field?.kind === 'Field' && fieldArgument(schema, field.name.value);
  return {
    kind,
    shape: print(document),
    stream: streams,
    async run(contextValue) {
      const { data, errors } = await execute({
        schema,
        document,
        variableValues: variables,
        operationName,
        contextValue,
      });
      const [failed] = errors ?? [];
      if (!failed) return data ?? {};
      const cause = failed.originalError;
      if (cause instanceof HasuraError) throw cause;
      // Anything else that a resolver throws is a fault of this peer.
      if (cause !== undefined && !(cause instanceof GraphQLError)) throw cause;
      throw translate(failed, document);
    },
  };
}

/** Whether the field of the subscription root reads a stream. */
function fieldArgument(schema: GraphQLSchema, name: string): boolean {
  const args = schema.getSubscriptionType()?.getFields()[name]?.args ?? [];
  return args.some((argument) => argument.name === 'cursor');
}

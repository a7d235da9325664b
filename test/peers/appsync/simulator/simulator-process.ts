/**
 * AWS's simulator of AppSync. A process of its own: it leaves sockets open when it stops, and a client's mistake can end it.
 * The argument is the models as JSON. What it does unlike AppSync is put right here; on the wire, by the bridge of index.ts.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { holds } from '../condition.js';
import { createDataSource, type ListArguments, type MutationArguments, Refusal } from '../data-source.js';
import { type Model, mutationOf, operations, pluralOf, schemaText } from '../model.js';
import { createTables, type Item } from '../table.js';

type Values = Readonly<Record<string, unknown>>;

/** What is used of it; not all of that is public, so its version is pinned. */
interface Simulator {
  readonly schema: {
    getType(name: string): { serialize: unknown; parseValue: unknown };
    getSubscriptionType(): {
      getFields(): Record<string, { subscribe: (source: unknown, args: Values) => AsyncIterator<Item> }>;
    };
  };
  readonly pubsub: { asyncIterator(field: string): Required<AsyncIterator<Item>> };
  readonly _server: {
    readonly _httpServer: Server;
    readonly _realTimeSubscriptionServer: { start(): void };
  };
  init(config: object): void;
}

const { AmplifyAppSyncSimulator } = createRequire(import.meta.url)('@aws-amplify/amplify-appsync-simulator') as {
  AmplifyAppSyncSimulator: new () => Simulator;
};

const [modelsText = '[]', apiKey = ''] = process.argv.slice(2);
const models: readonly Model[] = JSON.parse(modelsText);
const MINUTE = 60_000;
const source = createDataSource({
  tables: createTables(),
  deltaTtl: 30 * MINUTE,
  tombstoneTtl: 30 * 24 * 60 * MINUTE,
  revives: true,
  readLag: 0,
});

/** The Lambda: what it does for a field of Query and Mutation. */
const fields = {
  Query: Object.fromEntries<(args: never) => unknown>(
    models.flatMap((model) => [
      [`get${model.name}`, ({ id }: { id: string }) => source.get(model, id) ?? null],
      [`list${pluralOf(model)}`, (args: ListArguments) => source.list(model, args)],
      ...(model.versioned
        ? [[`sync${pluralOf(model)}`, (args: ListArguments) => source.sync(model, args)] as const]
        : []),
    ]),
  ),
  Mutation: Object.fromEntries<(args: never) => Item>(
    models.flatMap((model) =>
      operations.map((operation) => [
        mutationOf(operation, model),
        (args: MutationArguments) => source.mutate(model, operation, args),
      ]),
    ),
  ),
};

/** AppSync gives subscribers what the mutation selected, the simulator whatever the resolver gave. */
function only(item: Item | undefined, selected: readonly string[]): Values | undefined {
  return item && Object.fromEntries(Object.entries(item).filter(([field]) => selected.includes(field)));
}

interface Payload {
  readonly field: string;
  readonly selected: readonly string[];
  readonly args: Values;
}

async function invoke({ field, selected, args }: Payload): Promise<unknown> {
  const mutation = fields.Mutation[field];
  if (!mutation) return fields.Query[field]?.(args as never);
  try {
    return only(mutation(args as never), selected);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw Object.assign(new Error(error.message), { errorType: error.errorType, data: only(error.data, selected) });
  }
}

const requestMappingTemplate = `{"version":"2018-05-29","operation":"Invoke","payload":{
  "field":"$ctx.info.fieldName","selected":$util.toJson($ctx.info.selectionSetList),"args":$util.toJson($ctx.args)}}`;
const responseMappingTemplate = `#if($ctx.error)
  $util.error($ctx.error.message, $ctx.error.errorType, $ctx.error.data)
#end
$util.toJson($ctx.result)`;

const schema = schemaText(models)
  // The simulator brings AWS's scalars.
  .replace(/^\s*scalar .*$/gm, '')
  .replace(/\bon(Create|Update|Delete)(\w+)\([^)]*\): \w+/g, (field, operation: string, name: string) => {
    return `${field} @aws_subscribe(mutations: ["${operation.toLowerCase()}${name}"])`;
  });

const simulator = new AmplifyAppSyncSimulator();
simulator.init({
  appSync: {
    apiKey,
    defaultAuthenticationType: { authenticationType: 'API_KEY' },
    additionalAuthenticationProviders: [],
  },
  schema: { content: schema },
  dataSources: [{ type: 'AWS_LAMBDA', name: 'lambda', invoke }],
  resolvers: (['Query', 'Mutation'] as const).flatMap((typeName) =>
    Object.keys(fields[typeName]).map((fieldName) => ({
      ...{ kind: 'UNIT', typeName, fieldName, dataSourceName: 'lambda' },
      ...{ requestMappingTemplate, responseMappingTemplate },
    })),
  ),
});

// Conflict detection counts ms, which are more than the simulator's 32 bits hold.
Object.assign(simulator.schema.getType('AWSTimestamp'), { serialize: Number, parseValue: Number });

// The simulator takes no notice of a subscription's arguments.
function fits(item: Item | null, { filter, ...equal }: Values): boolean {
  if (item === null) return false;
  const same = Object.entries(equal).every(([field, wanted]) => (item[field] ?? null) === wanted);
  return same && holds(filter as Values | undefined, item);
}
for (const [name, field] of Object.entries(simulator.schema.getSubscriptionType().getFields()))
  field.subscribe = (_, args) => {
    const events = simulator.pubsub.asyncIterator(name);
    const some: AsyncIterableIterator<Item> = {
      async next() {
        for (;;) {
          const step = await events.next();
          if (step.done || fits(step.value, args)) return step;
        }
      },
      return: () => events.return(),
      throw: (error) => events.throw(error),
      [Symbol.asyncIterator]: () => some,
    };
    return some;
  };

// Its own start binds a port of all addresses.
const { _httpServer: server, _realTimeSubscriptionServer: realtime } = simulator._server;
realtime.start();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log(`AppSync's simulator is on port ${(server.address() as AddressInfo).port}`);

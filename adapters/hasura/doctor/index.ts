import { ok, unknown, wordsOf, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { toolsHost } from '../../../src/adapter-kit/doctor/host.js';
import { liveChecks } from '../../../src/adapter-kit/doctor/live.js';
import { loadPg } from '../../../src/adapter-kit/doctor/postgres-catalog.js';
import {
  type BackendTools,
  type Check,
  isSyncLayerError,
  type ToolsInput,
  type TransportHost,
} from '../../../src/adapter-kit/kit.js';
import { hasuraTransport } from '../index.js';
import { loadSdk } from '../link.js';
import { type ColumnType, type HasuraCollection, type ParsedOptions, problem, readOptions } from '../options.js';
import { createReads, type Reads } from '../reads.js';
import { createTables } from '../table.js';
import { catalogChecks } from './catalog.js';
import { placeOf } from './place.js';
import { readChecks, writeChecks } from './row-checks.js';
import { type Roots, readRoots } from './schema.js';
import { type Examined, schemaChecks } from './schema-checks.js';
import { setupText } from './setup.js';

/** What the options say of each column, where `fields` is an object. */
function numbersOf({ fields = {}, id: key = 'id' }: HasuraCollection): Map<string, ColumnType> {
  const specs = Array.isArray(fields) ? [] : Object.entries(fields);
  return new Map(
    specs.flatMap(([field, spec]) =>
      typeof spec === 'object' && spec.type !== undefined
        ? [[field === 'id' ? key : (spec.column ?? field), spec.type] as const]
        : [],
    ),
  );
}

function read({ transport, collections }: ToolsInput): { options: ParsedOptions; all: Examined[] } {
  const options = readOptions(transport as never);
  const tables = createTables(options);
  const all = collections.map((name) => {
    const table = tables.get(name);
    const given = options.collections[name] ?? {};
    return { table, place: placeOf(table, given, options), numbers: numbersOf(given) };
  });
  return { options, all };
}

/** Whether Hasura answers and takes the token. Returns whether the rest can be looked at. */
async function* enter(reads: Reads, options: ParsedOptions, signal: AbortSignal): AsyncGenerator<Check, boolean> {
  const there = 'Hasura answers';
  const letIn = 'the token is accepted';
  const { headers } = options;
  const sent = typeof headers === 'function' ? await headers() : (headers ?? {});
  if (Object.keys(sent).some((name) => /^x-hasura-(admin-secret|access-key)$/i.test(name)))
    yield wrong(
      'the headers hold no admin secret',
      'In an app everybody could read it, and do everything. Let users sign in (authToken), or give x-hasura-unauthorized-role a role. What follows is what an admin sees.',
    );
  try {
    await reads.request('A first request', 'read', '{ __typename }', {}, signal);
    yield ok(there);
    yield ok(letIn);
    return true;
  } catch (thrown) {
    if (isSyncLayerError(thrown) && thrown.code === 'AUTH_REQUIRED' && thrown.details.code !== undefined) {
      yield ok(there);
      yield wrong(
        letIn,
        thrown.message,
        'The JWT needs "https://hasura.io/jwt/claims" with x-hasura-default-role and x-hasura-allowed-roles, and HASURA_GRAPHQL_JWT_SECRET its key.',
      );
    } else yield wrong(there, wordsOf(thrown), 'The url is that of the GraphQL endpoint, https://.../v1/graphql.');
    return false;
  }
}

/** The schema as this role sees it, or why it cannot be seen. */
async function rootsOf(reads: Reads, signal: AbortSignal): Promise<Roots | Check> {
  const what = 'the schema can be read (introspection)';
  try {
    return await readRoots(reads, signal);
  } catch (thrown) {
    return unknown(
      what,
      wordsOf(thrown),
      'Types and columns are looked at once introspection is allowed for this role.',
    );
  }
}

async function* examine(options: ParsedOptions, all: readonly Examined[], host: TransportHost): AsyncGenerator<Check> {
  const { signal } = new AbortController();
  const reads = createReads(options, () => host);
  if (!(yield* enter(reads, options, signal))) return;
  const roots = await rootsOf(reads, signal);
  if ('what' in roots) yield roots;
  for (const examined of all) {
    const { table, place } = examined;
    const checks = 'what' in roots ? [] : await schemaChecks(examined, roots, reads, signal);
    yield* checks;
    // The rest could only say the same again.
    if (checks.some(({ state }) => state === 'problem')) continue;
    yield* readChecks(reads, table, place, signal);
    yield* writeChecks(reads, table, signal);
  }
  const names = all.map(({ table }) => table.collection);
  yield* liveChecks(hasuraTransport(options), host, names, {
    timeout: options.subscribeTimeout,
    link: 'a WebSocket can be opened',
    fix: 'Does a proxy in front of Hasura let WebSockets through?',
    served: 'its subscription is live',
  });
}

/** `npx synclayer setup hasura` and `npx synclayer doctor`. */
export const hasuraTools: BackendTools = {
  setup(input) {
    const { options, all } = read(input);
    return setupText(
      all.map(({ place }) => place),
      options.naming,
    );
  },
  async *doctor(input, { databaseUrl }) {
    const { options, all } = read(input);
    // What is not installed is reported before anything is looked at, not half way.
    await loadSdk();
    if (databaseUrl !== undefined) await loadPg(problem);
    yield* examine(options, all, toolsHost(input));
    if (databaseUrl !== undefined)
      yield* catalogChecks(
        all.map(({ place }) => place),
        databaseUrl,
      );
    else
      yield unknown(
        'triggers and indexes',
        'Only the catalog shows them. Pass --database-url, or set DATABASE_URL, with the connection string of the database.',
      );
  },
};

import { ok, remark, unknown, wordsOf, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { toolsHost } from '../../../src/adapter-kit/doctor/host.js';
import { isLive } from '../../../src/adapter-kit/doctor/live.js';
import { loadPg } from '../../../src/adapter-kit/doctor/postgres-catalog.js';
import { sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import {
  type BackendTools,
  type Check,
  type RealtimeTransport,
  type SyncLayerError,
  type ToolsInput,
  type TransportHost,
  toSyncLayerError,
} from '../../../src/adapter-kit/kit.js';
import { supabaseTransport } from '../index.js';
import { loadSdk } from '../link.js';
import { type ParsedOptions, problem, readOptions } from '../options.js';
import { catalogChecks } from './catalog.js';
import { type Place, placeOf, setupSql, statements } from './setup.js';

function read({ transport, collections }: ToolsInput): { options: ParsedOptions; places: Place[] } {
  const options = readOptions(transport);
  return { options, places: collections.map((name) => placeOf(name, options.collections[name])) };
}

/** Those that an app may have: it is known only of a token. */
const ROLES = ['anon', 'authenticated'];

function rolesOf(token: string | undefined): readonly string[] {
  try {
    const payload = token?.split('.')[1] ?? '';
    const { role } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    return typeof role === 'string' ? [role] : ROLES;
  } catch {
    return ROLES;
  }
}

/** The statements that answer PostgREST's refusal, where there are some. */
function fixOf(place: Place, { message, details }: SyncLayerError, roles: readonly string[]): string[] {
  const named = (column: string): boolean => new RegExp(`\\b${column}\\b`).test(message);
  const columns = [
    ...(named(place.updatedAt) ? [sql.updatedAt(place)] : []),
    ...(place.deletedAt !== undefined && named(place.deletedAt) ? [sql.deletedAt(place)] : []),
  ];
  const fixes: Readonly<Record<string, readonly string[]>> = {
    '42703': columns,
    '42501': [
      ...(roles === ROLES
        ? ['-- It was read without a token. Set authToken to look as a user who is signed in; or:']
        : []),
      statements.grants(place, ['select'], roles),
    ],
    PGRST106: [`-- Expose the schema ${place.schema}: Project settings, API, Exposed schemas.`],
    PGRST205: [`-- Create the table ${place.name}. If it is there:`, "notify pgrst, 'reload schema';"],
  };
  return [remark(message), ...(fixes[String(details.code)] ?? [])];
}

async function canRead(transport: RealtimeTransport, place: Place, roles: readonly string[]): Promise<Check> {
  const { collection } = place;
  const what = `${collection}: PostgREST gives its rows`;
  const { signal } = new AbortController();
  try {
    await transport.pull({ collection, cursor: null, start: true, limit: 1, signal });
    return ok(what);
  } catch (thrown) {
    return wrong(what, ...fixOf(place, toSyncLayerError(thrown, 'CONNECTION_LOST', 'It failed.'), roles));
  }
}

/** Realtime answers a join in any case; whether it serves the table it says afterwards. */
function isServed(transport: RealtimeTransport, place: Place, mode: ParsedOptions['mode']): Promise<Check> {
  const what = `${place.collection}: Realtime serves it`;
  const serving = (message: string): string => {
    if (mode === 'postgres_changes') return statements.publication(place);
    return /permission/i.test(message) ? statements.hear(place) : statements.broadcast(place);
  };
  return isLive(transport, place.collection, what, (message) => [remark(message), serving(message)]);
}

async function* live(
  options: ParsedOptions,
  places: readonly Place[],
  host: TransportHost,
  roles: readonly string[],
): AsyncGenerator<Check> {
  const transport = supabaseTransport(options);
  transport.attach?.(host);
  try {
    for (const place of places) yield await canRead(transport, place, roles);
    const what = 'Realtime answers';
    try {
      await transport.connect({ signal: AbortSignal.timeout(options.subscribeTimeout) });
    } catch (thrown) {
      yield wrong(what, wordsOf(thrown), 'Is Realtime enabled in the project, and the key right?');
      return;
    }
    yield ok(what);
    for (const place of places) yield await isServed(transport, place, options.mode);
  } finally {
    await transport.close();
  }
}

/** `npx synclayer setup supabase` and `npx synclayer doctor`. */
export const supabaseTools: BackendTools = {
  setup(input) {
    const { options, places } = read(input);
    return setupSql(places, options.mode);
  },
  async *doctor(input, { databaseUrl }) {
    const { options, places } = read(input);
    // What is not installed is told before anything is looked at, not half way.
    if (!options.client) await loadSdk();
    if (databaseUrl !== undefined) await loadPg(problem);
    const host = toolsHost(input);
    const token = 'the token can be had';
    let roles: readonly string[] = ROLES;
    if (!options.client)
      try {
        roles = rolesOf(await host.authToken(options.authToken));
      } catch (thrown) {
        yield wrong(token, wordsOf(thrown));
        return;
      }
    yield* live(options, places, host, roles);
    if (databaseUrl !== undefined) yield* catalogChecks(places, options.mode, databaseUrl, roles);
    else
      yield unknown(
        'keys, triggers, indexes, rights, policies and the publication',
        'Only the catalog tells. Pass --database-url, or set DATABASE_URL, with the connection string of the project.',
      );
  },
};

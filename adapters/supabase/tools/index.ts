import {
  type BackendTools,
  type Check,
  type RealtimeTransport,
  type SyncLayerError,
  type ToolsInput,
  toSyncLayerError,
} from '../../../src/kit.js';
import { supabaseTransport } from '../index.js';
import { loadSdk } from '../link.js';
import { type ParsedOptions, readOptions } from '../options.js';
import { catalogChecks, loadPg } from './catalog.js';
import { type Place, placeOf, setupSql, statements } from './setup.js';

function read({ transport, collections }: ToolsInput): { options: ParsedOptions; places: Place[] } {
  const options = readOptions(transport);
  return { options, places: collections.map((name) => placeOf(name, options.collections[name])) };
}

/** The statement that answers PostgREST's refusal, where there is one. */
function fixOf(place: Place, { message, details }: SyncLayerError): string {
  const fixes: Readonly<Record<string, string>> = {
    '42703': statements.updatedAt(place),
    '42501': `grant select on ${place.name} to anon, authenticated; and a policy for select.`,
    PGRST106: `Expose the schema ${place.schema}: Project settings, API, Exposed schemas.`,
    PGRST205: `Create the table ${place.name}. If it is there: notify pgrst, 'reload schema';`,
  };
  const fix = fixes[String(details.code)];
  return fix === undefined ? message : `${message}\n${fix}`;
}

async function canRead(transport: RealtimeTransport, place: Place): Promise<Check> {
  const { collection } = place;
  const what = `${collection}: PostgREST gives its rows`;
  const { signal } = new AbortController();
  try {
    await transport.pull({ collection, cursor: null, start: true, limit: 1, signal });
    return { what, state: 'ok' };
  } catch (thrown) {
    return { what, state: 'problem', fix: fixOf(place, toSyncLayerError(thrown, 'CONNECTION_LOST', 'It failed.')) };
  }
}

/** Realtime answers a join in any case; whether it serves the table it says afterwards. */
function isServed(transport: RealtimeTransport, place: Place, mode: ParsedOptions['mode']): Promise<Check> {
  const what = `${place.collection}: Realtime serves it`;
  return new Promise((resolve) => {
    const end = transport.subscribe(
      { collection: place.collection },
      {
        change: () => undefined,
        gap: () => undefined,
        live: () => done({ what, state: 'ok' }),
        error: ({ message }) => {
          const fix = mode === 'broadcast' ? statements.broadcast(place) : statements.publication(place);
          done({ what, state: 'problem', fix: `${message}\n${fix}` });
        },
      },
    );
    function done(check: Check): void {
      resolve(check);
      // A subscription may fail before `end` is there.
      queueMicrotask(() => end());
    }
  });
}

async function* live(options: ParsedOptions, places: readonly Place[]): AsyncGenerator<Check> {
  const transport = supabaseTransport(options);
  const own = async (): Promise<string | undefined> =>
    typeof options.authToken === 'function' ? options.authToken() : options.authToken;
  transport.attach?.({ authToken: own, log() {}, traffic() {}, report() {} });
  try {
    for (const place of places) yield await canRead(transport, place);
    const what = 'Realtime answers';
    const problem = await transport.connect({ signal: AbortSignal.timeout(options.subscribeTimeout) }).then(
      () => undefined,
      (thrown: unknown) => toSyncLayerError(thrown, 'CONNECT_FAILED', 'Realtime cannot be reached.').message,
    );
    if (problem !== undefined) {
      yield { what, state: 'problem', fix: `${problem}\nIs Realtime enabled in the project, and the key right?` };
      return;
    }
    yield { what, state: 'ok' };
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
    if (databaseUrl !== undefined) await loadPg();
    yield* live(options, places);
    if (databaseUrl !== undefined) yield* catalogChecks(places, options.mode, databaseUrl);
    else
      yield {
        what: 'triggers, indexes and the publication',
        state: 'unknown',
        fix: 'Only the catalog tells. Pass --database-url, or set DATABASE_URL, with the connection string of the project.',
      };
  },
};

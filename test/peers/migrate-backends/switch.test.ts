import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSyncLayer, fromEnv, type SyncLayerConfig, type SyncLayerInstance } from '../../../src/index.js';
import { createSwitchover, type SwitchPhase } from '../../../src/migrate/switchover.js';
import { firestorePlace, hasuraPlace, type Place, supabasePlace, websocketPlace } from '../migrate/places.js';

type Config = SyncLayerConfig<readonly string[]>;
type Sync = SyncLayerInstance<readonly string[]>;

/** So many rows has each of them at first: `seed1`, `seed2` and so on. */
const ROWS = 5;
const quick = { websocketReconnectDelay: 50, maxReconnectDelay: 500 } as const;
let places: Readonly<Record<'websocket' | 'supabase' | 'firestore' | 'hasura', Place>>;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synclayer-switch-'));
  const [websocket, supabase, firestore, hasura] = await Promise.all([
    websocketPlace(),
    supabasePlace(),
    firestorePlace(),
    hasuraPlace(),
  ]);
  places = { websocket, supabase, firestore, hasura };
  await Promise.all(Object.values(places).map((place) => place.seed('todos', ROWS)));
}, 120_000);

afterAll(async () => {
  await Promise.allSettled(Object.values(places ?? {}).map((place) => place.close()));
  rmSync(folder, { recursive: true });
});

/** Without the overlap: a place in another backend's order would hide what lies before it. */
function configOf({ name, config }: Place): Config {
  const overlap = name !== 'websocket' && { overlap: 1 };
  return { ...config, ...quick, transport: { ...config.transport, ...overlap } as Config['transport'] };
}

/** The same as a deployment says it: `SYNCLAYER_TRANSPORT`, and that transport's options. */
function environmentOf(place: Place, path: string): Record<string, string> {
  const { type, ...options } = configOf(place).transport as { readonly type: string };
  const constant = (name: string): string => name.replace(/[A-Z]/g, '_$&').toUpperCase();
  const told = Object.entries(options).map(([name, value]) => [
    `SYNCLAYER_${type.toUpperCase()}_${constant(name)}`,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return {
    SYNCLAYER_TRANSPORT: type,
    SYNCLAYER_COLLECTIONS: 'todos,notes',
    SYNCLAYER_STORE: 'sqlite',
    SYNCLAYER_STORE_PATH: path,
    SYNCLAYER_WEBSOCKET_RECONNECT_DELAY: '50',
    ...Object.fromEntries(told),
  };
}

async function until(what: string, holds: () => boolean | Promise<boolean>, state: () => unknown): Promise<void> {
  const late = performance.now() + 120_000;
  while (!(await holds())) {
    if (performance.now() > late) throw new Error(`Never came true: ${what}. ${JSON.stringify(state())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const live = (sync: Sync): Promise<void> =>
  until(
    'live, and all is sent',
    () => sync.status.phase === 'live' && sync.status.pending === 0,
    () => [sync.inspect(), sync.metrics().errors, sync.outbox.failed()],
  );

async function shown(sync: Sync): Promise<Record<string, number>> {
  const rows = await sync.collection('todos').getAll();
  return Object.fromEntries(rows.map(({ id, n }) => [id, Number(n)]));
}

const held = async (place: Place): Promise<Record<string, number>> => Object.fromEntries(await place.numbers('todos'));

/** There, and all the way back. */
const journey = ['websocket', 'supabase', 'firestore', 'hasura', 'firestore', 'supabase', 'websocket'] as const;

for (const by of ['the entry of the configuration', 'the environment'] as const)
  test(`one device goes from backend to backend by ${by}, with edits that were not sent`, {
    timeout: 180_000,
  }, async () => {
    const path = join(folder, `${by.at(-1)}.db`);
    const open = async (place: Place): Promise<Sync> => {
      const store = { type: 'sqlite', path } as const;
      const config = by === 'the environment' ? fromEnv(environmentOf(place, path)) : { ...configOf(place), store };
      const sync = await createSyncLayer(config as Config);
      onTestFinished(() => sync.close());
      return sync;
    };

    let wanted: Record<string, number> = {};
    let gone: readonly string[] = [];
    for (const [hop, name] of journey.entries()) {
      const place = places[name];
      const before = await held(place);
      const sync = await open(place);
      await live(sync);
      // What this one had, and the edits that were made on the one before. Nothing else of that one.
      const expected = Object.fromEntries(
        Object.entries({ ...before, ...wanted }).filter(([id]) => !gone.includes(id)),
      );
      expect(await held(place), `${hop}: what ${name} holds`).toEqual(expected);
      expect(await shown(sync), `${hop}: what is shown on ${name}`).toEqual(expected);
      expect(sync.outbox.failed()).toEqual([]);

      const todos = sync.collection('todos');
      // This one's row is newer than that of any to come, and another.
      await todos.update('seed3', { n: 300 + hop });
      await live(sync);
      await sync.pause();
      const [last] = Object.keys(expected).filter((id) => /^seed[45]|^new/.test(id));
      wanted = { seed1: 100 + hop, [`new${hop}-${by.at(-1)}`]: 200 + hop };
      gone = hop === 0 ? [] : [last ?? ''];
      await todos.update('seed1', { n: 100 + hop });
      await todos.save({ owner: 'device', text: 'New', n: 200 + hop }, `new${hop}-${by.at(-1)}`);
      for (const id of gone) await todos.delete(id);
      const unsent = await held(place);
      await sync.close();
      expect(await held(place), `${hop}: nothing was sent to ${name}`).toEqual(unsent);
    }
  });

test('a running client goes where the flag says, over real backends', { timeout: 300_000 }, async () => {
  const { supabase, firestore } = places;
  const store = { type: 'sqlite', path: join(folder, 'switchover.db') } as const;
  let phase: SwitchPhase = 'from';
  const app = await createSwitchover({
    read: () => phase,
    every: 20,
    from: { ...configOf(supabase), store },
    to: { ...configOf(firestore), store },
  });
  onTestFinished(() => app.close());
  const save = (id: string, n: number) => app.sync.collection('todos').save({ owner: 'device', text: id, n }, id);
  const follow = (next: SwitchPhase): Promise<void> => {
    phase = next;
    return until(
      next,
      () => app.phase === next,
      () => app.phase,
    );
  };

  await save('first', 1);
  await live(app.sync);
  expect((await held(supabase)).first).toBe(1);
  await follow('hold');
  await save('held', 2);
  await app.sync.collection('todos').update('first', { n: 3 });
  expect(app.sync.status).toEqual({ phase: 'paused', pending: 2 });
  const left = await held(supabase);
  await follow('to');
  await live(app.sync);
  expect(app.sync.inspect().transport).toBe('firestore');
  const there = await held(firestore);
  expect(there).toMatchObject({ first: 3, held: 2 });
  expect(await shown(app.sync)).toEqual(there);
  expect(await held(supabase), 'what was held was not sent to the old one').toEqual(left);
  // And back, with an edit under way.
  const saved = save('last', 4);
  await follow('from');
  await saved;
  await live(app.sync);
  const back = await held(supabase);
  expect(await shown(app.sync)).toEqual(back);
  expect({ ...back, ...(await held(firestore)) }).toMatchObject({ last: 4 });
});

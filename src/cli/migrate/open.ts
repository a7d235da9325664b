import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isSyncLayerError, SyncLayerError } from '../../base/errors.js';
import { checkConfig } from '../../config/rules.js';
import type { SyncLayerConfig } from '../../config/types.js';
import { createMigration, type Migration } from '../../migrate/migration.js';
import type { MigrationEvent, Side } from '../../migrate/types.js';
import { transportOf } from '../../sync-layer.js';
import type { RealtimeTransport } from '../../transport/transport.js';
import { loadAll } from '../load-config.js';

/** What the command was told. Times in ms. */
export interface RunOptions {
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly collections: readonly string[] | undefined;
  readonly accept: readonly string[];
  readonly rate: number | undefined;
  readonly page: number | undefined;
  readonly flag: string | undefined;
  readonly grace: number | undefined;
  readonly quiet: number | undefined;
  readonly maxHold: number | undefined;
  readonly giveUp: number | undefined;
  readonly step: 'copy' | 'plan' | 'verify' | 'follow' | 'cut-over' | 'reverse' | 'go-back';
  readonly repair: boolean;
  readonly allowDeletes: boolean;
  readonly report: string | undefined;
}

export const invalid = (message: string): never => {
  throw new SyncLayerError('CONFIG_INVALID', message);
};

/** How long a plan waits for a backend: somebody sits before it. */
const PLAN_GIVES_UP = 30_000;

/** What only looks writes to no backend, leaves nothing behind, and goes on from nothing. */
export const isLook = ({ step, repair }: RunOptions): boolean => step === 'plan' || (step === 'verify' && !repair);

/** Where the run remembers what it does. */
async function placeFor(options: RunOptions): Promise<{ readonly stateFile: string; remove(): Promise<void> }> {
  const { state, step } = options;
  if (!isLook(options) || (step === 'verify' && existsSync(state)))
    return { stateFile: state, remove: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'synclayer-migrate-'));
  return { stateFile: join(folder, 'migrate.db'), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The transport of a configuration. Errors name the file. */
async function transportFrom(file: string, config: SyncLayerConfig): Promise<RealtimeTransport> {
  try {
    checkConfig(config);
    return await transportOf(config);
  } catch (error) {
    if (!isSyncLayerError(error)) throw error;
    throw new SyncLayerError(error.code, `${file}: ${error.message}`, { cause: error });
  }
}

/** What the two configurations make, ready to go. Throws CONFIG_INVALID. */
export async function openMigration(
  options: RunOptions,
  onEvent: (event: MigrationEvent) => void,
  signal: AbortSignal,
): Promise<{
  readonly migration: Migration;
  readonly names: Readonly<Record<Side, string>>;
  close(): Promise<void>;
}> {
  if (resolve(options.from) === resolve(options.to)) invalid('--from and --to are the same file.');
  const [a, b] = [await loadAll(options.from), await loadAll(options.to)];
  const collections = options.collections ?? a.collections;
  for (const [file, { collections: names }] of [
    [options.from, a],
    [options.to, b],
  ] as const) {
    const unknown = collections.filter((name) => !names.includes(name));
    if (unknown.length > 0) invalid(`${file} has no collection ${unknown.map((name) => `"${name}"`).join(', ')}.`);
  }
  const from = await transportFrom(options.from, a.config);
  const to = await transportFrom(options.to, b.config);
  const { stateFile, remove } = await placeFor(options);
  try {
    const migration = createMigration({
      from: { transport: from, authToken: a.config.authToken },
      to: { transport: to, authToken: b.config.authToken },
      collections,
      stateFile,
      rateLimit: options.rate,
      pageSize: options.page,
      accept: options.accept,
      allowDeletes: options.allowDeletes,
      giveUpAfter: options.giveUp ?? (options.step === 'plan' ? PLAN_GIVES_UP : undefined),
      signal,
      onEvent,
    });
    const close = (): Promise<void> => migration.close().finally(remove);
    return { migration, names: { from: from.name, to: to.name }, close };
  } catch (error) {
    await remove();
    throw error;
  }
}

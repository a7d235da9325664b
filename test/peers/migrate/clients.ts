import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SyncLayerConfig } from '../../../src/index.js';
import { createSwitchover, type SwitchPhase } from '../../../src/migrate/switchover.js';

/** Devices that go on editing, whatever happens to their backend. */
export interface Clients {
  /** Edits that a backend has acknowledged. */
  readonly acknowledged: number;
  /** Edits that a backend refused for good. */
  readonly refused: readonly string[];
  /** What the backend must have by now: of each record the last acknowledged number; null: it was deleted. */
  readonly expected: ReadonlyMap<string, ReadonlyMap<string, number | null>>;
  /** Resolves once so many more edits were acknowledged. */
  more(count: number): Promise<void>;
  /** Ends all edits; each that was begun is acknowledged first. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export interface ClientsOptions {
  readonly count: number;
  readonly folder: string;
  /** The file that `--flag` writes. */
  readonly flag: string;
  /** The configurations of one client, which owns the rows of this owner. */
  readonly from: (owner: string) => SyncLayerConfig<readonly string[]>;
  readonly to: (owner: string) => SyncLayerConfig<readonly string[]>;
  readonly collections: readonly string[];
  /** What a row has in \`meta\`: a map, or its text. */
  readonly metaOf: (meta: object) => unknown;
  /** ms between two edits of a client, on each backend. */
  readonly pace: { readonly from: number; readonly to: number };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Opens clients that insert, change and delete rows of their own, one edit after the other. */
export async function startClients(options: ClientsOptions): Promise<Clients> {
  const expected = new Map(options.collections.map((name) => [name, new Map<string, number | null>()]));
  const refused: string[] = [];
  let acknowledged = 0;
  let running = true;

  async function startOne(owner: string) {
    const store = { type: 'sqlite', path: join(options.folder, `${owner}.db`), synchronous: 'normal' } as const;
    const quick = { websocketReconnectDelay: 100, maxReconnectDelay: 1000 };
    const app = await createSwitchover({
      read: () => {
        try {
          return (JSON.parse(readFileSync(options.flag, 'utf8')) as { phase: SwitchPhase }).phase;
        } catch {
          return 'from';
        }
      },
      from: { ...options.from(owner), ...quick, store },
      to: { ...options.to(owner), ...quick, store },
      every: 100,
    });

    const isPending = (collection: string, id: string): boolean =>
      app.sync.outbox.pending().some((edit) => edit.collection === collection && edit.recordId === id);

    async function edit(step: number): Promise<void> {
      const collection = options.collections[step % options.collections.length] ?? '';
      const mine = expected.get(collection);
      const id = `${owner}-${Math.floor(step / 7) * 7}-${step % 5}`;
      try {
        const rows = app.sync.collection(collection);
        const isThere = (await rows.get(id)) !== undefined;
        if (isThere && step % 11 === 0) {
          await rows.delete(id);
          // Not known until it is acknowledged: until then either may be there.
          mine?.delete(id);
          while (isPending(collection, id)) await wait(20);
          mine?.set(id, null);
        } else {
          const row = { owner, text: `Edit ${step}`, n: step, price: `${step}.50`, done: step % 2 === 0 };
          if (isThere) await rows.update(id, { n: step, text: `Edit ${step}` });
          else await rows.save({ ...row, meta: options.metaOf({ tags: [step, 'a'], at: null }) }, id);
          mine?.delete(id);
          while (isPending(collection, id)) await wait(20);
          mine?.set(id, step);
        }
        acknowledged += 1;
      } catch (error) {
        // The instance was closed under it: the edit is in the store or it was not made; the next step tells.
        if ((error as { code?: string }).code !== 'CLOSED') throw error;
      }
      for (const { recordId, error } of app.sync.outbox.failed()) refused.push(`${recordId}: ${error?.message}`);
    }

    const done = (async () => {
      for (let step = 0; running; step += 1) {
        await edit(step);
        await wait(options.pace[app.phase === 'to' ? 'to' : 'from']);
      }
    })();
    return { app, done };
  }

  const all: Awaited<ReturnType<typeof startOne>>[] = [];
  for (let index = 0; index < options.count; index += 1) all.push(await startOne(`client${index}`));
  return {
    get acknowledged() {
      return acknowledged;
    },
    refused,
    expected,
    async more(count) {
      const goal = acknowledged + count;
      while (acknowledged < goal) await Promise.race([wait(50), ...all.map(({ done }) => done.then(() => wait(50)))]);
    },
    async stop() {
      running = false;
      await Promise.all(all.map(({ done }) => done));
    },
    async close() {
      running = false;
      await Promise.allSettled(all.map(({ done }) => done));
      await Promise.all(all.map(({ app }) => app.close()));
    },
  };
}

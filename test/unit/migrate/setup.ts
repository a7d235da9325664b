import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { MigrationEvent, MigrationOptions } from '../../../src/migrate/index.js';
import { type MemoryTransportOptions, memoryBackend, memoryTransport } from '../../../src/testing/index.js';

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'synclayer-migrate-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Two backends, and all that a run of a migration between them needs. A second run with the same goes on. */
export function pairOfBackends(kinds: { from?: MemoryTransportOptions; to?: MemoryTransportOptions } = {}) {
  const a = memoryBackend();
  const b = memoryBackend();
  const stateFile = join(folder(), 'migrate.db');
  const events: MigrationEvent[] = [];
  return {
    a,
    b,
    events,
    /** New transports each time, as a new process has them. */
    options: (more: Partial<Omit<MigrationOptions, 'from' | 'to'>> = {}) => {
      const from = memoryTransport({ backend: a, ...kinds.from });
      const to = memoryTransport({ backend: b, ...kinds.to });
      return {
        from: { transport: from },
        to: { transport: to },
        collections: ['todos'],
        stateFile,
        pageSize: 10,
        pushSize: 4,
        onEvent: (event: MigrationEvent) => void events.push(event),
        ...more,
      } satisfies MigrationOptions;
    },
  };
}

export const fill = (backend: ReturnType<typeof memoryBackend>, count: number, from = 0): void => {
  for (let index = from; index < from + count; index += 1)
    backend.write('todos', `t${index}`, { text: `Number ${index}`, count: index, done: index % 2 === 0 });
};

/** The rows of both, for comparison. */
export const rowsOf = (backend: ReturnType<typeof memoryBackend>, collection = 'todos'): object =>
  Object.fromEntries([...backend.rows(collection)].sort(([x], [y]) => (x < y ? -1 : 1)));

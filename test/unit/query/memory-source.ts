import type { Row } from '../../../src/base/change.js';
import type { Delta, RowSource } from '../../../src/query/types.js';

/** A collection of plain rows: `commit` is one batch, `undefined` deletes. */
export function createMemorySource(initial: readonly Row[] = [], options: { ready?: boolean } = {}) {
  const rows = new Map(initial.map((row) => [row.id as string, row]));
  const listeners = new Set<(deltas: readonly Delta[]) => void>();
  const closing = new AbortController();
  let ready = options.ready ?? true;
  const tell = (deltas: readonly Delta[]) => {
    for (const listener of [...listeners]) listener(deltas);
  };
  const source: RowSource = {
    rows,
    get ready() {
      return ready;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    closed: closing.signal,
  };
  return {
    source,
    commit(...changes: readonly (readonly [id: string, after: Row | undefined])[]): Delta[] {
      const deltas = changes.map(([id, after]) => {
        const before = rows.get(id);
        if (after) rows.set(id, after);
        else rows.delete(id);
        return { id, before, after };
      });
      tell(deltas);
      return deltas;
    },
    tell,
    becomeReady(deltas: readonly Delta[] = []) {
      ready = true;
      tell(deltas);
    },
    close: () => closing.abort(),
    listeners: () => listeners.size,
  };
}

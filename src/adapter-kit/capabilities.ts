import type { TransportCapabilities } from './kit.js';
import type { MarkColumns } from './marks.js';

/** What a collection has places for. */
interface Places extends Partial<MarkColumns> {
  /** A deleted row stays, with a mark. */
  readonly soft: boolean;
}

/** What a backend of tables or documents with a time column can do: what it can in all of these collections. */
export function timedCapabilities(collections: readonly Places[]): TransportCapabilities {
  const all = (has: (each: Places) => boolean): boolean => collections.length > 0 && collections.every(has);
  return {
    push: true,
    deletes: all(({ soft }) => soft) ? 'tombstones' : 'none',
    cursor: 'timestamp',
    reconnect: 'core',
    filters: false,
    ...(all(({ opId }) => opId !== undefined) && { idempotent: true }),
    ...(all(({ editedAt }) => editedAt !== undefined) && { editTimes: true }),
  };
}

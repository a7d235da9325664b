import { compareVersions, type Row, type Version } from '../change.js';
import { type ServerState, UNKNOWN } from './replica-state.js';

/**
 * What the backend holds of one collection, as far as this client knows, but for the rows: those of live records are
 * what the app sees, unless they are being edited. `limit`: how many records the filter keeps.
 */
export function createServerRows(rows: ReadonlyMap<string, Row>, limit: number | undefined) {
  /** Of live records. */
  const versions = new Map<string, Version>();
  /** Of records that are gone. */
  const tombstones = new Map<string, { readonly version: Version; readonly inferred?: true }>();
  /** When the backend changed its live records, where there is a limit: the oldest are let go of. */
  const times = new Map<string, number>();
  const age = (id: string): number => times.get(id) ?? Number.POSITIVE_INFINITY;

  return {
    versions: versions as ReadonlyMap<string, Version>,

    get(id: string): ServerState {
      const tombstone = tombstones.get(id);
      if (tombstone) return { row: null, ...tombstone };
      const version = versions.get(id) ?? null;
      return { row: version === null ? null : (rows.get(id) ?? null), version };
    },

    set(id: string, { row, version, inferred, timestamp }: ServerState): void {
      versions.delete(id);
      tombstones.delete(id);
      times.delete(id);
      if (version === null) return;
      if (!row) tombstones.set(id, inferred ? { version, inferred } : { version });
      else {
        versions.set(id, version);
        if (limit !== undefined && timestamp !== undefined) times.set(id, timestamp);
      }
    },

    /** The oldest of those that may go, as many as are over the limit. */
    surplus(mayGo: (id: string) => boolean): [id: string, version: Version][] {
      const count = limit === undefined ? 0 : versions.size - limit;
      if (count <= 0) return [];
      return [...versions]
        .filter(([id]) => mayGo(id))
        .sort(([a, one], [b, other]) => age(a) - age(b) || compareVersions(one, other))
        .slice(0, count);
    },

    /** What is here was another backend's: any version of the next one is newer, and what was gone there may be here. */
    depart(): void {
      for (const id of versions.keys()) versions.set(id, UNKNOWN);
      tombstones.clear();
      times.clear();
    },

    clear(): void {
      for (const map of [versions, tombstones, times]) map.clear();
    },
  };
}

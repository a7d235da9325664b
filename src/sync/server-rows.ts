import { compareVersions, type Row, type Version } from '../base/change.js';
import { isHeld, type ServerState, UNKNOWN } from './replica-state.js';

/**
 * What the backend holds of one collection, as far as this client knows, but for the rows: those of live records are
 * what the app sees, unless they are being edited. `limit`: how many records the filter keeps.
 */
export function createServerRows(rows: ReadonlyMap<string, Row>, limit: number | undefined) {
  /** Of live records. */
  const versions = new Map<string, Version>();
  /** Of records that are gone. */
  const tombstones = new Map<string, Pick<ServerState, 'inferred' | 'excluded'> & { readonly version: Version }>();
  /** When the backend changed its live records, where there is a limit: the oldest are let go of. */
  const times = new Map<string, number>();
  const age = (id: string): number => times.get(id) ?? Number.POSITIVE_INFINITY;

  return {
    versions: versions as ReadonlyMap<string, Version>,

    /** Of all records that the backend has told of, also of those that are gone. */
    ids: (): string[] => [...versions.keys(), ...tombstones.keys()],

    /** The versions of what the backend holds, as far as is known; `deleted`: tombstones too. */
    present(deleted: boolean): Map<string, Version> {
      const present = new Map(versions);
      for (const [id, state] of tombstones) if (isHeld(state, deleted)) present.set(id, state.version);
      return present;
    },

    /** The version alone: of a big collection each look into a map waits for memory. */
    version: (id: string): Version | null => versions.get(id) ?? tombstones.get(id)?.version ?? null,

    get(id: string): ServerState {
      const version = versions.get(id);
      if (version !== undefined) return { row: rows.get(id) ?? null, version };
      return { row: null, version: null, ...tombstones.get(id) };
    },

    set(id: string, { row, version, inferred, excluded, timestamp }: ServerState): void {
      const live = row !== null && version !== null;
      if (live) versions.set(id, version);
      else versions.delete(id);
      if (live || version === null) tombstones.delete(id);
      else tombstones.set(id, { version, ...(inferred && { inferred }), ...(excluded && { excluded }) });
      if (live && limit !== undefined && timestamp !== undefined) times.set(id, timestamp);
      else times.delete(id);
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

    /**
     * What is here was another backend's: any version of the next one is newer, and what was gone there may be here. Gives
     * the ids that were gone.
     */
    depart(): string[] {
      const [ids, gone] = [[...versions.keys()], [...tombstones.keys()]];
      this.clear();
      for (const id of ids) versions.set(id, UNKNOWN);
      return gone;
    },

    clear(): void {
      for (const map of [versions, tombstones, times]) map.clear();
    },
  };
}

import { compareVersions, type Row, type Version } from '../../src/base/change.js';
import { deepEqual } from '../../src/base/json.js';
import type { LocalStore, StoreWrite } from '../../src/store/store.js';
import { UNKNOWN } from '../../src/sync/replica-state.js';

/** Somebody broke a rule. The run goes on, so that a failure shows all that went wrong. */
export type Complain = (what: string) => void;

/** A disk that can be made to fail, and that sees to it that no version goes back. `open` gives the same data each time. */
export function createDisk(open: () => LocalStore, complain: Complain) {
  const versions = new Map<string, Version>();
  const disk = {
    fails: false,
    /** For one life of a client. */
    store(): LocalStore {
      const inner = open();
      return {
        name: inner.name,
        open: () => inner.open(),
        read: (table, collection) => inner.read(table, collection),
        async commit(writes) {
          if (disk.fails) throw new Error('the disk refused');
          await inner.commit(writes);
          for (const write of writes) note(write);
        },
        clear: () => inner.clear(),
        close: () => inner.close(),
      };
    },
  };

  function note({ table, key, value }: StoreWrite): void {
    const version = (value as { readonly version?: Version | null } | undefined)?.version;
    if (table !== 'rows' || version === undefined || version === null) return;
    const at = key.join('/');
    const before = versions.get(at);
    // After a change of backend nobody knows what is newer.
    if (before !== undefined && version !== UNKNOWN && compareVersions(version, before) < 0)
      complain(`${at} went back from version ${before} to ${version}`);
    versions.set(at, version);
  }
  return disk;
}

/** What the events of one client tell an app, beside what it did itself: together they are all that it sees. */
export function createStory(complain: Complain) {
  /** Null: it is known to be gone. Not in it: unknown. */
  const rows = new Map<string, Row | null>();
  const synced = new Set<string>();
  let over = false;
  return {
    /** The app's own edit, which no event may tell again. */
    edited(id: string, row: Row | null): void {
      rows.set(id, row);
    },
    row: (id: string): Row | null | undefined => rows.get(id),
    told(event: 'insert' | 'update' | 'delete', id: string, row: Row | null): void {
      const before = rows.get(id);
      rows.set(id, row);
      if (over) complain(`${event} of ${id} was told after the close`);
      if (before === undefined) return;
      if (before && row && deepEqual(before, row)) complain(`${event} of ${id} was told, and nothing had changed`);
      const expected = before === null ? 'insert' : row === null ? 'delete' : 'update';
      if (before === null && row === null) complain(`the delete of ${id} was told, and it was gone`);
      else if (event !== expected) complain(`${event} of ${id} was told for an ${expected}`);
    },
    synced(opId: string): void {
      if (synced.has(opId)) complain(`the edit ${opId} was acknowledged twice`);
      synced.add(opId);
    },
    /** At the end: the story is what is shown. */
    compare(shown: ReadonlyMap<string, Row>): void {
      for (const [id, row] of rows)
        if (!deepEqual(row ?? null, shown.get(id) ?? null))
          complain(`the events tell ${JSON.stringify(row)}, and what is shown is ${JSON.stringify(shown.get(id))}`);
    },
    end(): void {
      over = true;
    },
  };
}

interface Edit {
  readonly by: number;
  /** What the row holds in `count`, which no other edit gives it; null for a delete. */
  readonly count: number | null;
  /** When it was made, and when the backend had acknowledged it. */
  readonly made: number;
  acknowledged: number;
  /** `save` resolved. */
  promised: boolean;
  /** Somebody else edited at the same time: the strategy decides. */
  contested: boolean;
  /** The app crashed before it was durable: it may be there or not. */
  forgotten: boolean;
}

/** Somebody who is no client, and whose writes are done at once. */
export const ELSEWHERE = -1;

/**
 * Who edited what, and what therefore must be in the backend in the end. `revives`: the backend knows neither a repeated
 * push nor a row that was deleted, so a copy of an insert that is late (its sender is gone, or has sent it again) makes
 * the row anew. Of deletes nothing can be proved there.
 */
export function createLedger(complain: Complain, revives = false) {
  const records = new Map<string, Edit[]>();
  let now = 0;
  let proved = 0;
  const of = (id: string): Edit[] => {
    const list = records.get(id) ?? [];
    records.set(id, list);
    return list;
  };
  const waiting = (by: number, id: string): Edit[] =>
    of(id).filter((edit) => edit.by === by && edit.acknowledged === Number.POSITIVE_INFINITY);
  const inBackend = (edit: Edit, row: Row | undefined): boolean => (row?.count ?? null) === edit.count;

  /** The last edit of a record, if it was made when all others were done. */
  function checkShared(id: string, edits: readonly Edit[], row: Row | undefined): void {
    const last = edits.at(-1);
    if (!last || last.contested || last.forgotten || last.acknowledged === Number.POSITIVE_INFINITY) return;
    if (revives && last.count === null) return;
    if (edits.some((edit) => edit !== last && edit.by !== last.by && edit.acknowledged > last.made)) return;
    proved += 1;
    if (!inBackend(last, row))
      complain(`${id}: count ${last.count} was acknowledged, nobody wrote later, and it holds ${JSON.stringify(row)}`);
  }

  /** Only one client edits it: it holds the last edit whose save() resolved, or one that was made later. */
  function checkOwn(id: string, edits: readonly Edit[], row: Row | undefined): void {
    // After a crash it may have met an edit of its own that it had forgotten.
    if (edits.some(({ contested }) => contested)) return;
    const from = edits.findLastIndex(({ promised }) => promised);
    if (from < 0 || (revives && edits[from]?.count === null)) return;
    proved += 1;
    if (!edits.slice(from).some((edit) => inBackend(edit, row)))
      complain(`${id}: save() of count ${edits[from]?.count} resolved, and it holds ${JSON.stringify(row)}`);
  }

  return {
    /** Returns what to call once the promise of the edit has resolved. */
    edit(by: number, id: string, count: number | null): () => void {
      now += 1;
      const acknowledged = by === ELSEWHERE ? now : Number.POSITIVE_INFINITY;
      const edit: Edit = {
        by,
        count,
        made: now,
        acknowledged,
        promised: by === ELSEWHERE,
        contested: false,
        forgotten: false,
      };
      of(id).push(edit);
      return () => {
        edit.promised = true;
      };
    },
    /** The backend holds all that this client has edited in the record. */
    acknowledged(by: number, id: string): void {
      const edits = waiting(by, id);
      if (edits.length === 0) return;
      now += 1;
      for (const edit of edits) edit.acknowledged = now;
    },
    /** The strategy decides what becomes of these edits; of some it has just said that they are done with. */
    contested(by: number, id: string): void {
      for (const edit of of(id)) if (edit.by === by && edit.acknowledged >= now) edit.contested = true;
    },
    /** The moment. */
    get time(): number {
      return now;
    },
    /**
     * What was acknowledged after `since`, while the disk failed, may be pushed again: an edit that was merged on its way went
     * under another opId, which the disk does not hold. `again`: so may all that was acknowledged, to a backend that cannot tell.
     */
    crashed(by: number, again: boolean, since = now): void {
      for (const edit of [...records.values()].flat()) {
        if (edit.by !== by) continue;
        if (!edit.promised) edit.forgotten = true;
        if (again || edit.acknowledged > since) edit.acknowledged = Number.POSITIVE_INFINITY;
      }
    },
    check(rows: ReadonlyMap<string, Row>, isOwn: (id: string) => boolean): void {
      for (const [id, edits] of records) (isOwn(id) ? checkOwn : checkShared)(id, edits, rows.get(id));
    },
    /** How many records `check` could say something of. */
    get proved(): number {
      return proved;
    },
  };
}

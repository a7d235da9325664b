import { type Change, compareVersions, type Row } from '../base/change.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import type { Cursor } from '../transport/transport.js';
import { differingFields, digestOf, type Sameness } from './canonical.js';
import type { Endpoint } from './endpoint.js';
import { idOf, keyOf, type State } from './state.js';
import type { CollectionVerification, Difference, Side } from './types.js';

/** Differences that are looked at again, and listed. */
const MOST_CHECKED = 5000;
export const MOST_LISTED = 100;
/** How often what differs is looked at again, while somebody goes on writing. */
const ROUNDS = 8;

export interface VerifyOptions {
  readonly collection: string;
  readonly ends: Readonly<Record<Side, Endpoint>>;
  readonly state: State;
  /** The side that is right. */
  readonly source: Side;
  readonly sameness: Sameness;
  readonly pageSize: number;
  /** Brings the target up to date with the source. Left out: nothing is written, and what is on its way is a difference. */
  readonly drain?: (() => Promise<unknown>) | undefined;
  /** Ends it before its next page. */
  readonly within?: AbortSignal | undefined;
  readonly onRows?: (count: number) => void;
}

/** What one side has, as digests in the state file: neither side's rows are ever all in memory. */
function createScan(side: Side, options: VerifyOptions) {
  const { collection, state, sameness } = options;
  const endpoint = options.ends[side];
  const { transport } = endpoint;
  const get = state.db.prepare('SELECT version FROM scanned WHERE collection = ? AND id = ? AND side = ?');
  const put = state.db.prepare(
    `INSERT INTO scanned VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (collection, id, side) DO UPDATE SET version = excluded.version, digest = excluded.digest`,
  );
  const drop = state.db.prepare('DELETE FROM scanned WHERE collection = ? AND id = ? AND side = ?');
  let cursor: Cursor | null = null;

  const clear = (): void =>
    void state.db.prepare('DELETE FROM scanned WHERE collection = ? AND side = ?').run(collection, side);

  function note(changes: readonly Change[]): void {
    state.transaction(() => {
      for (const change of changes) {
        const key = keyOf(change.recordId);
        const before = get.get(collection, key, side)?.version;
        if (before !== undefined && compareVersions(change.version, JSON.parse(String(before))) < 0) continue;
        if (change.type === 'delete') drop.run(collection, key, side);
        else put.run(side, collection, key, JSON.stringify(change.version), digestOf(change.data, sameness));
      }
    });
  }

  /** Reads on from where the last read ended. */
  async function read(seen: (changes: readonly Change[]) => void): Promise<void> {
    for await (const page of endpoint.pages(collection, cursor, options.pageSize, options.within)) {
      cursor = page.cursor;
      if (page.changes.length > 0) seen(page.changes);
    }
  }

  async function all(): Promise<void> {
    clear();
    cursor = null;
    await read((changes) => {
      note(changes);
      options.onRows?.(changes.length);
    });
  }

  return {
    all,
    /** These rows as they are now, and no other: a row that is new since then would look as if the other side lacked it. */
    async again(ids: readonly string[]): Promise<void> {
      const wanted = new Set(ids);
      const noteWanted = (changes: readonly Change[]): void =>
        note(changes.filter(({ recordId }) => wanted.has(recordId)));
      const forget = (): void =>
        state.transaction(() => {
          for (const id of ids) drop.run(collection, keyOf(id), side);
        });
      const changes = await endpoint.fetch(collection, ids);
      if (changes) {
        forget();
        note(changes);
      } else if (
        capabilitiesOf(transport, collection).deletes === 'tombstones' &&
        capabilitiesOf(transport, collection).cursor !== 'snapshot'
      )
        await read(noteWanted);
      else {
        forget();
        cursor = null;
        await read(noteWanted);
      }
    },
    /** These rows themselves: few. */
    async rows(ids: readonly string[]): Promise<Map<string, Row>> {
      const wanted = new Set(ids);
      const found = new Map<string, Row>();
      const keep = (changes: readonly Change[]): void => {
        for (const change of changes)
          if (change.type === 'delete') found.delete(change.recordId);
          else if (wanted.has(change.recordId)) found.set(change.recordId, change.data);
      };
      const changes = ids.length === 0 ? [] : await endpoint.fetch(collection, ids);
      if (changes) keep(changes);
      else {
        cursor = null;
        await read(keep);
      }
      return found;
    },
    count: (): number =>
      Number(
        state.db
          .prepare('SELECT count(*) AS count FROM scanned WHERE collection = ? AND side = ?')
          .get(collection, side)?.count,
      ),
    clear,
  };
}

interface Mismatch {
  readonly id: string;
  /** What each side has of it; equal marks say that nothing moved in between. */
  readonly marks: string;
  readonly kind: Difference['kind'];
}

/**
 * Compares a collection of both sides, row by row. What differs is looked at again after the target has been brought up to
 * date, until it stays as it is: what is only on its way is no difference.
 */
export async function verifyCollection(
  options: VerifyOptions,
): Promise<{ readonly result: CollectionVerification; readonly differences: readonly Difference[] }> {
  const { collection, state, sameness } = options;
  const scans = { from: createScan('from', options), to: createScan('to', options) };
  await Promise.all([scans.from.all(), scans.to.all()]);

  // Not a FULL JOIN: SQLite has no index for that one, and compares every row with every other.
  const differing = `
    SELECT a.id, a.digest AS a, b.digest AS b, a.version AS at, b.version AS bt
    FROM scanned a LEFT JOIN scanned b ON b.collection = a.collection AND b.id = a.id AND b.side = 'to'
    WHERE a.collection = :collection AND a.side = 'from' AND a.digest IS NOT b.digest
    UNION ALL
    SELECT b.id, NULL, b.digest, NULL, b.version FROM scanned b WHERE b.collection = :collection AND b.side = 'to'
      AND NOT EXISTS (SELECT 1 FROM scanned a WHERE a.collection = b.collection AND a.id = b.id AND a.side = 'from')`;
  const compare = state.db.prepare(differing);

  function mismatches(): { readonly found: Mismatch[]; readonly counts: Record<Difference['kind'], number> } {
    const counts = { missing: 0, extra: 0, different: 0 };
    const found: Mismatch[] = [];
    for (const { id, a, b, at, bt } of compare.iterate({ collection })) {
      const only = b === null ? 'from' : a === null ? 'to' : undefined;
      const kind = only === undefined ? 'different' : only === options.source ? 'missing' : 'extra';
      counts[kind] += 1;
      if (found.length < MOST_CHECKED) found.push({ id: idOf(id), marks: JSON.stringify([a, b, at, bt]), kind });
    }
    return { found, counts };
  }

  let { found, counts } = mismatches();
  for (let round = 0; round < ROUNDS && found.length > 0; round += 1) {
    const before = new Map(found.map(({ id, marks }) => [id, marks]));
    await options.drain?.();
    const ids = found.map(({ id }) => id);
    await scans.from.again(ids);
    await scans.to.again(ids);
    ({ found, counts } = mismatches());
    if (found.every(({ id, marks }) => before.get(id) === marks)) break;
  }

  state.transaction(() => {
    state.db.prepare('DELETE FROM differing WHERE collection = ?').run(collection);
    const ours = options.source === 'from' ? 'a' : 'b';
    state.db
      .prepare(`INSERT INTO differing SELECT :collection, id FROM (${differing}) WHERE ${ours} IS NOT NULL`)
      .run({ collection });
  });
  const listed = found.slice(0, MOST_LISTED);
  const ids = listed.flatMap(({ id, kind }) => (kind === 'different' ? [id] : []));
  const [ours, theirs] = ids.length > 0 ? [await scans.from.rows(ids), await scans.to.rows(ids)] : [];
  const differences = listed.map(({ id, kind }): Difference => {
    const [a, b] = [ours?.get(id), theirs?.get(id)];
    return { collection, recordId: id, kind, fields: a && b ? differingFields(a, b, sameness) : [] };
  });
  const result = { collection, rows: { from: scans.from.count(), to: scans.to.count() }, ...counts };
  scans.from.clear();
  scans.to.clear();
  return { result, differences };
}

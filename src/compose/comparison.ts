import { compareVersions, type Row, type Version } from '../base/change.js';
import { LONGEST_TIMER } from '../base/timers.js';

/** Times in ms. */
export interface ComparisonOptions {
  /** What the secondary tells later than this after the primary is late. */
  readonly lateAfter: number;
  /** How long one of them is waited for before its event is missing. */
  readonly patience: number;
  /** Differences that are listed, the newest. */
  readonly keep: number;
  /** Records that are remembered, the newest. */
  readonly limit: number;
  readonly same: (collection: string, primary: Row, secondary: Row) => boolean;
}

/** What the two backends told of one record, and when. `null`: that it was deleted. */
export interface ShadowDifference {
  /**
   * `missing`: only the primary told it. `extra`: only the secondary did. `different`: each told something of its own.
   * `late`: the secondary told it after more than `lateAfter` ms.
   */
  readonly kind: 'missing' | 'extra' | 'different' | 'late';
  readonly collection: string;
  readonly recordId: string;
  readonly primary?: Row | null;
  readonly secondary?: Row | null;
  /** When it was told first, in ms since 1970. */
  readonly at: number;
  /** Of a late one, ms. */
  readonly delay?: number;
}

/** What came of it so far. */
export interface Compared {
  /** What both told, late or not. */
  readonly matched: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly late: number;
  /** States that one of them left out since a newer one, which both told, came soon: no difference. */
  readonly superseded: number;
  /** Events that say nothing, for one side was not live, or may have missed some. */
  readonly unwatched: number;
  /** Events that wait for the other side. */
  readonly waiting: number;
  readonly differences: readonly ShadowDifference[];
}

export type Side = 'primary' | 'secondary';

interface Told {
  readonly row: Row | null;
  readonly at: number;
}

interface Heard {
  readonly collection: string;
  readonly recordId: string;
  /** Told by this side, and not by the other (yet). */
  readonly waiting: Record<Side, Told[]>;
  readonly last: Partial<Record<Side, { readonly row: Row | null; readonly version: Version }>>;
  /** Places in the list of what was given up as missing. */
  missing: ShadowDifference[];
}

const sides: readonly Side[] = ['primary', 'secondary'];

/** Compares what two backends tell of the same records, by content: their versions and times have nothing in common. */
export function createComparison({ lateAfter, patience, keep, limit, same }: ComparisonOptions) {
  const records = new Map<string, Heard>();
  /** Who waits, the first first. */
  const deadlines: { readonly heard: Heard; readonly at: number }[] = [];
  const counts = { matched: 0, missing: 0, extra: 0, different: 0, late: 0, superseded: 0, unwatched: 0 };
  let differences: ShadowDifference[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const equal = ({ collection }: Heard, one: Row | null, other: Row | null): boolean =>
    one === other || (!!one && !!other && same(collection, one, other));

  function differs(difference: ShadowDifference): void {
    counts[difference.kind] += 1;
    differences.push(difference);
    if (differences.length > keep) differences.shift();
  }

  /** What waits is not compared any more: one side may have missed the rest. */
  function forget(heard: Heard): void {
    for (const side of sides) counts.unwatched += heard.waiting[side].splice(0).length;
    records.delete(JSON.stringify([heard.collection, heard.recordId]));
  }

  function reset(collection: string): void {
    for (const heard of [...records.values()]) if (heard.collection === collection) forget(heard);
  }

  function recordOf(collection: string, recordId: string): Heard {
    const key = JSON.stringify([collection, recordId]);
    const known = records.get(key);
    const heard = known ?? { collection, recordId, waiting: { primary: [], secondary: [] }, last: {}, missing: [] };
    // The newest last.
    records.delete(key);
    records.set(key, heard);
    const [oldest] = records.values();
    if (records.size > limit && oldest) forget(oldest);
    return heard;
  }

  /** Nobody came in time. */
  function giveUp({ collection, recordId, waiting, ...heard }: Heard): Heard['missing'] {
    const [one, other] = [waiting.primary.splice(0), waiting.secondary.splice(0)];
    const [here, there] = [one.at(-1), other.at(-1)];
    const about = { collection, recordId };
    if (here && there) {
      counts.superseded += one.length + other.length - 2;
      const at = Math.min(here.at, there.at);
      differs({ kind: 'different', ...about, primary: here.row, secondary: there.row, at });
      return [];
    }
    for (const { row, at } of other) differs({ kind: 'extra', ...about, secondary: row, at });
    const missing = one.map(({ row, at }): ShadowDifference => ({ kind: 'missing', ...about, primary: row, at }));
    for (const each of missing) differs(each);
    return [...heard.missing, ...missing].slice(-keep);
  }

  function watchTime(): void {
    clearTimeout(timer);
    timer = undefined;
    const [next] = deadlines;
    if (!next || closed) return;
    timer = setTimeout(
      () => {
        const now = Date.now();
        while (deadlines[0] && deadlines[0].at <= now) {
          const { heard, at } = deadlines.shift() as (typeof deadlines)[number];
          const due = sides.some((side) => heard.waiting[side].some((told) => told.at + patience <= at));
          if (due) heard.missing = giveUp(heard);
        }
        watchTime();
      },
      Math.min(next.at - Date.now(), LONGEST_TIMER),
    );
  }

  /** It came after all. */
  function comesLate(heard: Heard, row: Row | null, now: number): boolean {
    const found = heard.missing.find(({ primary: wanted }) => equal(heard, wanted ?? null, row));
    if (!found) return false;
    heard.missing = heard.missing.filter((each) => each !== found);
    differences = differences.filter((each) => each !== found);
    counts.missing -= 1;
    counts.matched += 1;
    differs({ ...found, kind: 'late', secondary: row, delay: now - found.at });
    return true;
  }

  return {
    /** One side told this, while both could be heard. `sure`: its version says whether it is news. */
    tell(side: Side, collection: string, recordId: string, row: Row | null, version: Version, sure = true): void {
      const heard = recordOf(collection, recordId);
      const { last, waiting } = heard;
      const known = last[side];
      // Events come twice, and a push is answered after its echo; neither is news.
      if (known && ((sure && compareVersions(version, known.version) <= 0) || equal(heard, known.row, row))) return;
      last[side] = { row, version };
      const now = Date.now();
      const others = waiting[side === 'primary' ? 'secondary' : 'primary'];
      const index = others.findIndex((told) => equal(heard, told.row, row));
      const found = others[index];
      if (found) {
        counts.matched += 1;
        // Either may leave out what is old by then.
        counts.superseded += index + waiting[side].splice(0).length;
        others.splice(0, index + 1);
        const delay = now - found.at;
        const about = { collection, recordId, primary: found.row, secondary: row, at: found.at };
        if (side === 'secondary' && delay > lateAfter) differs({ kind: 'late', ...about, delay });
      } else if (side === 'primary' || !comesLate(heard, row, now)) {
        waiting[side].push({ row, at: now });
        if (deadlines.push({ heard, at: now + patience }) === 1) watchTime();
      }
    },
    /** One side told something that says nothing. */
    unwatched(): void {
      counts.unwatched += 1;
    },
    /** One side may have missed some: what waits for the other says nothing any more. */
    reset,
    report: (): Compared => ({
      ...counts,
      waiting: [...records.values()].reduce(
        (sum, { waiting: { primary, secondary } }) => sum + primary.length + secondary.length,
        0,
      ),
      differences: [...differences],
    }),
    close(): void {
      closed = true;
      clearTimeout(timer);
    },
  };
}

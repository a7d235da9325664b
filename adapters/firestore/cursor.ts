import type { Cursor } from '../../src/adapter-kit/kit.js';
import { earlier, stampOf, stampOfMs, timeOf } from './version.js';

/** Where a catch-up stands: behind a document, by its stamp (`at`) and its name (`id`). */
export interface TimeCursor {
  readonly at: string;
  readonly id: string;
  /** All that is stamped before was there when it was read: the next catch-up begins here, or at `at` if that is before. */
  readonly next: string;
}

/** Before the first document. */
const START: TimeCursor = { at: '', id: '', next: '' };

/** A stored cursor; undefined: from the beginning. `overlap`: for one of before `next` was noted. */
export function cursorOf(cursor: Cursor | null, overlap: number): TimeCursor | undefined {
  const { at, id, next, max } = Object(cursor) as Partial<Record<'at' | 'id' | 'next' | 'max', string>>;
  const begin = next ?? stepBack(max, overlap);
  const valid = typeof at === 'string' && timeOf(at) && typeof id === 'string' && typeof begin === 'string';
  return valid ? { at, id, next: begin } : undefined;
}

function stepBack(max: string | undefined, overlap: number): string | undefined {
  const time = timeOf(max ?? null);
  return time && stampOf(earlier(time, overlap));
}

const later = (a: string, b: string): string => (a > b ? a : b);

/** Where a page begins: behind a document, or with a stamp. */
export type Beginning = { readonly after: TimeCursor } | { readonly from: string } | undefined;

/**
 * Where to read on. A catch-up goes back only for what can have been committed late, so that documents that were written in one burst
 * are not read again for ever.
 */
export const beginningOf = (cursor: TimeCursor | undefined, start: boolean): Beginning =>
  cursor && (start && cursor.next <= cursor.at ? { from: cursor.next } : { after: cursor });

/** What a page tells of its documents. */
export interface PageFacts {
  /** The last document. */
  readonly last: { readonly at: string; readonly id: string } | undefined;
  readonly stamps: readonly string[];
  /** The server's clock when the page was asked for, ms; undefined: unknown. */
  readonly asked: number | undefined;
  /** The device's, for want of it. */
  readonly device: number;
}

/** The cursor behind a page. A stamp from the future hides none of the present. */
export function cursorAfter(
  cursor: TimeCursor | undefined,
  { last, stamps, asked, device }: PageFacts,
  start: boolean,
  overlap: number,
): TimeCursor | undefined {
  const { at, id, next } = { ...START, ...cursor, ...last };
  if (at === '') return undefined;
  // Only the first page counts: what is committed while the others are read may lie before them.
  if (asked !== undefined) return { at, id, next: start || next === '' ? stampOfMs(asked - overlap) : next };
  const present = stampOfMs(device);
  const newest = stamps
    .filter((stamp) => stamp <= present)
    .sort()
    .at(-1);
  const back = stepBack(newest, overlap) ?? '';
  return { at, id, next: later(back, next) };
}

import type { Cursor } from './kit.js';
import type { Columns, Housekeeping } from './postgres-rows.js';
import { stampAt, stampOf } from './postgres-time.js';

/** Where a catch-up stands: behind the row (`at`, `id`). */
export interface TimeCursor {
  /** Verbatim. */
  readonly at: string;
  readonly id: string;
  /** The newest stamp so far: the next catch-up steps back from it, wherever this one was interrupted. */
  readonly max: string;
}

/** Undefined: from the beginning. */
export function cursorOf(cursor: Cursor | null): TimeCursor | undefined {
  const { at, id, max } = Object(cursor) as TimeCursor;
  return [at, id, max].every((part) => typeof part === 'string') ? { at, id, max } : undefined;
}

/** The cursor behind a page; undefined: the page is empty. A row from the future must not hide those of the present. */
export function cursorAfter(
  { id: key, updatedAt }: Pick<Housekeeping, 'id' | 'updatedAt'>,
  rows: readonly Columns[],
  from: TimeCursor | undefined,
  serverTime: number | undefined,
): TimeCursor | undefined {
  const last = rows.at(-1);
  if (!last) return undefined;
  const now = serverTime === undefined ? undefined : stampAt(serverTime);
  const stamps = rows.flatMap((row) => {
    const stamp = stampOf(row[updatedAt]);
    return stamp === undefined || (now !== undefined && stamp > now) ? [] : stamp;
  });
  const max = [...stamps, from?.max ?? ''].sort().at(-1) ?? '';
  return { at: String(last[updatedAt]), id: String(last[key]), max };
}

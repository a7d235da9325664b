import { type Cursor, isObject } from '../../src/adapter-kit/kit.js';

/** Where a pull from a server that counts changes stands. */
export interface SeqCursor {
  readonly seq: number;
  readonly snapshot?: number | true;
}

/** Undefined: it is a cursor of the original protocol. */
export function seqCursor(cursor: Cursor | null): SeqCursor | undefined {
  if (cursor === null) return { seq: 0 };
  return isObject(cursor) && typeof cursor.seq === 'number' ? (cursor as unknown as SeqCursor) : undefined;
}

import type { OutgoingChange } from '../kit.js';

/** Places in a row, by the backend's names, where our own writes leave a note. Undefined: the collection has none. */
export interface MarkColumns {
  /** For the `opId` of the last writes, newest first, separated by spaces. */
  readonly opId: string | undefined;
  /** For when the newest edit in the row was made. */
  readonly editedAt: string | undefined;
}

/** What a write notes beside its fields. A delete has no `opId`: done twice it is done. `timeAs`: a time as the backend takes it. */
export const marksOf = (
  { opId, editedAt }: MarkColumns,
  change: Pick<OutgoingChange, 'type' | 'opId' | 'timestamp'>,
  timeAs: (ms: number) => unknown = (ms) => new Date(ms).toISOString(),
): Record<string, unknown> => ({
  ...(opId !== undefined && change.type !== 'delete' && { [opId]: change.opId }),
  ...(editedAt !== undefined && { [editedAt]: timeAs(change.timestamp) }),
});

/** What such a note says of a row that was read. `edited`: ms; a clock that was ahead edited it when it was committed. */
export function noted(
  ops: unknown,
  edited: number | undefined,
  committed: number | undefined,
): { readonly editedAt?: number; readonly metadata?: { readonly opId: string; readonly opIds: readonly string[] } } {
  const opIds = typeof ops === 'string' ? ops.split(' ').filter((id) => id !== '') : [];
  const [opId] = opIds;
  return {
    ...(edited !== undefined && { editedAt: Math.min(edited, committed ?? edited) }),
    ...(opId !== undefined && { metadata: { opId, opIds } }),
  };
}

/** Whether a row that was read has this push among its last ones: it came through, whatever became of the row since. */
export const hasOp = (row: { readonly metadata?: object }, { opId }: Pick<OutgoingChange, 'opId'>): boolean => {
  const { opIds } = Object(row.metadata) as { readonly opIds?: readonly string[] };
  return opIds?.includes(opId) === true;
};

/** Places in a row, by the backend's names, where our own writes leave a note. Undefined: the collection has none. */
export interface MarkColumns {
  /** For the `opId` of the last writes, newest first, separated by spaces. */
  readonly opId: string | undefined;
  /** For when the newest edit in the row was made. */
  readonly editedAt: string | undefined;
}

/** What such notes say of a row that was read. `edited`: ms; a clock that was ahead edited it when it was committed. */
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

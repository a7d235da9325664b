import type { Change, OutgoingChange } from './kit.js';
import type { MarkColumns } from './marks.js';

/** What a write notes beside its fields. A delete has no `opId`: done twice it is done. `timeAs`: a time as the backend takes it. */
export const marksOf = (
  { opId, editedAt }: MarkColumns,
  change: Pick<OutgoingChange, 'type' | 'opId' | 'timestamp'>,
  timeAs: (ms: number) => unknown = (ms) => new Date(ms).toISOString(),
): Record<string, unknown> => ({
  ...(opId !== undefined && change.type !== 'delete' && { [opId]: change.opId }),
  ...(editedAt !== undefined && { [editedAt]: timeAs(change.timestamp) }),
});

/** Whether a row that was read has this push among its last ones: it came through, whatever became of the row since. */
export const hasOp = (row: { readonly metadata?: object }, { opId }: Pick<OutgoingChange, 'opId'>): boolean => {
  const { opIds } = Object(row.metadata) as { readonly opIds?: readonly string[] };
  return opIds?.includes(opId) === true;
};

/** When a row was committed and edited, for the answer to a push. */
export const timesOf = ({ timestamp, editedAt }: Pick<Change, 'timestamp' | 'editedAt'>) => ({
  ...(timestamp !== undefined && { timestamp }),
  ...(editedAt !== undefined && { editedAt }),
});

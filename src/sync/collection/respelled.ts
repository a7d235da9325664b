import { usualSpelling } from '../../transport/key-spelling.js';
import type { OutboxEntry, Pending } from '../replica-state.js';

/** Records that are being made, by the id as a backend may write it that has one spelling for each. */
export function createRespelled(pending: ReadonlyMap<string, Pending>) {
  const made = new Map<string, string>();

  /** Such a backend may tell of the record before it answers. */
  function note({ recordId, base, local }: OutboxEntry): void {
    const usual = usualSpelling(recordId);
    if (!base && local && usual !== recordId) made.set(usual, recordId);
  }

  // They were on their way when the app ended.
  for (const { entries } of pending.values()) for (const entry of entries) if (entry.sent) note(entry);

  return {
    note,
    /** The record that may come under this id. */
    of: (id: string): string | undefined => made.get(id),
    /** It is known now under which id it is stored. */
    forget: (usual: string): void => void made.delete(usual),
  };
}

export type Respelled = ReturnType<typeof createRespelled>;

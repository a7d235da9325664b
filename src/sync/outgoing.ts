import { patchBetween } from '../base/patch.js';
import type { OutgoingChange } from '../transport/transport.js';
import { type OutboxEntry, operationType } from './replica-state.js';

/** An outbox entry as the transport gets it. */
export function outgoing(entry: OutboxEntry, clockOffset: number): OutgoingChange {
  const { base, local } = entry;
  const change = {
    type: operationType(entry),
    collection: entry.collection,
    recordId: entry.recordId,
    opId: entry.opId,
    data: local,
    base,
    baseVersion: entry.baseVersion,
    // The row holds the edits that this one was merged with, too.
    timestamp: Math.max(entry.editedAt + clockOffset, (entry.mergedAt ?? Number.NEGATIVE_INFINITY) + 1),
  };
  return base && local ? { ...change, ...patchBetween(base, local) } : change;
}

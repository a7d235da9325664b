import type { BatchLimits } from './batch-limits.js';
import type { OutboxEntry } from './replica-state.js';

export interface BatchRules {
  readonly limits: BatchLimits;
  /** About, in bytes. */
  readonly sizeOf: (entry: OutboxEntry) => number;
  /** It may spoil a batch, and goes with its like only. */
  readonly isDoubtful: (entry: OutboxEntry) => boolean;
  /** Edits of this collection go with no others: it may be locked. */
  readonly isApart: (collection: string) => boolean;
}

/** Takes from the front of the queue as much as goes into one push. */
export function takeBatch(
  queue: OutboxEntry[],
  { limits, sizeOf, isDoubtful, isApart }: BatchRules,
): { readonly entries: readonly OutboxEntry[]; readonly bytes: number } {
  const entries: OutboxEntry[] = [];
  const left: OutboxEntry[] = [];
  let bytes = 0;
  let isFull = false;
  for (const entry of queue) {
    const [first] = entries;
    const isAlien =
      first && first.collection !== entry.collection && (isApart(first.collection) || isApart(entry.collection));
    const size: number = isFull || isAlien ? 0 : sizeOf(entry);
    isFull ||=
      first !== undefined &&
      !isAlien &&
      (entries.length >= limits.edits || isDoubtful(entry) !== isDoubtful(first) || bytes + size > limits.bytes);
    if (isFull || isAlien) left.push(entry);
    else {
      bytes += size;
      entries.push(entry);
    }
  }
  queue.splice(0, queue.length, ...left);
  return { entries, bytes };
}

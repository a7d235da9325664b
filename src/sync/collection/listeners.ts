import type { Delta } from '../../query/types.js';

type Listener = (deltas: readonly Delta[]) => void;

/** Tells of what the app sees. */
export function createListeners() {
  const listeners = new Set<Listener>();
  const queue: (readonly Delta[])[] = [];

  return {
    /** A listener that edits makes a batch inside a batch: every listener still gets the first one first. */
    notify(deltas: readonly Delta[]): void {
      if (queue.push(deltas) > 1) return;
      try {
        for (const batch of queue) for (const listener of [...listeners]) listener(batch);
      } finally {
        queue.length = 0;
      }
    },
    onChange(listener: Listener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

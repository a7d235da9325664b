import { describe, test } from 'vitest';
import { type StoreBed, storeCases } from './store-suite.js';

export interface StoreSubject {
  /** A new, empty place for each case. */
  create(): Promise<StoreBed & { dispose?(): Promise<void> }>;
}

/**
 * Runs every case of the store suite as a test of its own.
 *
 * @example
 * describeStore('memory', { create: async () => { const store = memoryStore(); return { store: () => store }; } });
 */
export function describeStore(name: string, { create }: StoreSubject): void {
  describe(`store: ${name}`, () => {
    for (const { name: what, run } of storeCases) {
      test(what, async () => {
        const bed = await create();
        try {
          await run(bed);
        } finally {
          await bed.dispose?.();
        }
      });
    }
  });
}

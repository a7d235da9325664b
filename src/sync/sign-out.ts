import { SyncLayerError } from '../base/errors.js';
import { isOwn, type User } from '../transport/identity.js';
import type { CollectionCore } from './collection/core.js';
import type { OutboxEntry } from './replica-state.js';

/** What becomes of edits that the backend does not have yet. */
export type Unsent = 'send' | 'keep' | 'discard';

/** What signing out did. */
export interface SignedOut {
  /** Edits that wait until their author signs in again. */
  readonly kept: number;
  /** Edits that were given up. */
  readonly discarded: number;
}

export interface SignOutMeans {
  readonly collections: ReadonlyMap<string, CollectionCore>;
  readonly user: User;
  syncNow(): Promise<void>;
  /** Does something to the data while nothing is under way. */
  quietly(work: () => Promise<void>): Promise<void>;
  /** From now on nobody is signed in. */
  leave(): void;
  flushed(): Promise<void>;
}

/** See `SyncLayerInstance.signOut`. */
export async function signOut(unsent: Unsent, means: SignOutMeans): Promise<SignedOut> {
  const { collections, user } = means;
  const cores = [...collections.values()];
  const count = (of: (core: CollectionCore) => number): number => cores.reduce((sum, core) => sum + of(core), 0);
  const waiting = (): number => count(({ replica }) => replica.pending.size);
  if (!['send', 'keep', 'discard'].includes(unsent))
    throw new SyncLayerError('INVALID_ARGUMENT', 'signOut: "unsent" must be "send", "keep" or "discard".');
  if (unsent === 'send' && waiting() > 0) {
    let cause: unknown;
    try {
      await means.syncNow();
    } catch (error) {
      cause = error;
    }
    if (waiting() > 0) {
      const what = `signOut: ${waiting()} edited records could not be sent, so the user is still signed in.`;
      const fix = 'Try again when the backend is reached, or choose unsent: "keep" or "discard".';
      throw new SyncLayerError('CONNECTION_LOST', `${what} ${fix}`, { cause });
    }
  }
  if (unsent === 'keep' && user === undefined && waiting() > 0) {
    const what = 'signOut: nobody knows whose the unsent edits are, so they cannot be kept for their author.';
    throw new SyncLayerError('INVALID_STATE', `${what} Set "user", or choose unsent: "send" or "discard".`);
  }
  let discarded = 0;
  const theirs = (entry: OutboxEntry): boolean => isOwn(entry.author, user);
  const held = (): number => count(({ replica }) => replica.held.size);
  const before = held();
  await means.quietly(async () => {
    // In one turn, so that no edit comes between: one that is made later is nobody's.
    if (unsent === 'discard') for (const { replica } of cores) discarded += replica.giveUp(theirs);
    means.leave();
    for (const core of cores) core.leave();
    await means.flushed();
  });
  return { kept: held() - before, discarded };
}

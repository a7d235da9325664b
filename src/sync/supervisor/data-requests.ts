import { SyncLayerError } from '../../base/errors.js';
import type { SignedOut, Unsent } from '../sign-out.js';
import { type Context, coresOf, pendingCount } from './context.js';

export interface DataRequestsOptions {
  readonly pause: () => Promise<void>;
  readonly resume: () => void;
  readonly syncNow: () => Promise<void>;
}

/** In a chunk of its own: most apps never sign out. */
async function loadSignOut(): Promise<typeof import('../sign-out.js')> {
  try {
    return await import('../sign-out.js');
  } catch (cause) {
    throw new SyncLayerError('CONNECTION_LOST', 'signOut() could not be loaded; the user is still signed in.', {
      cause,
    });
  }
}

/** What the app asks to be done to all local data. */
export function createDataRequests(context: Context, { pause, resume, syncNow }: DataRequestsOptions) {
  const { journal, tokens, collections, dispatch } = context;

  /** Does something to the data while nothing is under way. */
  async function quietly(work: () => Promise<void>): Promise<void> {
    const wasPaused = context.state.paused;
    await pause().catch((error: SyncLayerError) => dispatch({ type: 'workFailed', error }));
    try {
      await work();
    } finally {
      if (!wasPaused) resume();
      context.updateStatus();
    }
  }

  /** Forgets all local data, in memory and on disk; afterwards everything is read again. */
  const clear = (): Promise<void> =>
    quietly(async () => {
      do {
        for (const core of coresOf(context)) core.clear();
        await journal.clear();
        // What was saved meanwhile may be on the disk or not.
      } while (pendingCount(context) > 0);
      for (const core of coresOf(context)) core.noteOrigin();
      await journal.flushed();
    });

  async function signOut({ unsent = 'keep' }: { readonly unsent?: Unsent } = {}): Promise<SignedOut> {
    if (context.state.closed) throw new SyncLayerError('CLOSED', 'This SyncLayer is closed.');
    const { user, leave } = tokens;
    const { signOut } = await loadSignOut();
    return signOut(unsent, { collections, user, syncNow, quietly, leave, flushed: journal.flushed });
  }

  return { clear, signOut };
}

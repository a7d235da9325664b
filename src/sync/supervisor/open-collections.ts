import { disposition, type SyncLayerError } from '../../base/errors.js';
import { openCollection } from '../collection-core.js';
import { type Context, isConnected, sessionsOf } from './context.js';

/** Which backend, and where in it, the rows of a collection are from. */
export const sourceOf = ({ options: { transport } }: Context, name: string): string =>
  JSON.stringify([transport.name, transport.source, transport.mapping?.(name)]);

export interface Opening {
  readonly settled: () => void;
  /** The subscription of this collection alone ended, for a reason that passes. */
  readonly unsubscribed: (name: string) => void;
  readonly report: (error: SyncLayerError, collection: string) => void;
  readonly caughtUp: () => void;
}

/** A subscription ended. */
function lost(context: Context, opening: Opening, name: string, error: SyncLayerError): void {
  const what = disposition(error.code);
  if (what === 'reauth' || error.code === 'CONNECTION_LOST' || error.code === 'HEARTBEAT_TIMEOUT') {
    // One loss ends every subscription; the first to say so speaks for all.
    if (isConnected(context)) context.dispatch({ type: 'lost', error });
    return;
  }
  opening.report(error, name);
  opening.settled();
  if (what !== 'fatal') opening.unsubscribed(name);
}

/** Reads every collection back from the store. Resolves with the highest number of an edit in any outbox. */
export async function openCollections(context: Context, opening: Opening): Promise<void> {
  const { options, collections, clock, tokens, dispatch } = context;
  const { transport, store, journal, announcer, settings } = options;
  let order = 0;
  for (const [name, own] of options.collections) {
    const core = await openCollection({
      name,
      own,
      settings,
      transport,
      store,
      journal,
      announcer,
      clock,
      source: sourceOf(context, name),
      user: () => tokens.user,
      nextOrder: () => ++order,
      hooks: {
        phase() {
          // One collection that is well says nothing about another, whose trouble must not begin again each time.
          const all = sessionsOf(context).every(({ phase }) => phase === 'live' || phase === 'failed');
          if (isConnected(context) && all) dispatch({ type: 'allSettled' });
          opening.settled();
        },
        settled: opening.settled,
        lost: (error) => lost(context, opening, name, error),
        failed(error) {
          dispatch({ type: 'workFailed', error, collection: name });
          // No time cures a bug; the next audit looks again.
          if (isConnected(context) && error.code !== 'INTERNAL') dispatch({ type: 'pullFailed' });
        },
        caughtUp: opening.caughtUp,
      },
    });
    collections.set(name, core);
    for (const { entries } of core.replica.pending.values())
      for (const entry of entries) order = Math.max(order, entry.order);
  }
}

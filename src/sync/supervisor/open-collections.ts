import type { SyncLayerError } from '../../base/errors.js';
import { type CollectionSettings, openCollection } from '../collection/core.js';
import { type Context, isConnected, report, sessionsOf } from './context.js';

/** Which backend, and where in it, the rows of a collection are from. */
export const sourceOf = ({ transport }: Context, name: string): string =>
  JSON.stringify([transport.name, transport.source, transport.mapping?.(name)]);

/** A subscription ended. */
function lost(context: Context, name: string, error: SyncLayerError): void {
  const what = error.kind;
  if (what === 'auth' || error.code === 'CONNECTION_LOST' || error.code === 'HEARTBEAT_TIMEOUT') {
    // One loss ends every subscription; the first to say so speaks for all.
    if (isConnected(context)) context.dispatch({ type: 'lost', error });
    return;
  }
  report(context, error, name);
  context.updateStatus();
  if (what !== 'fatal') context.dispatch({ type: 'pullFailed' });
}

/** Reads every collection back from the store. */
export async function openCollections(
  context: Context,
  settings: ReadonlyMap<string, CollectionSettings>,
  caughtUp: () => void,
): Promise<void> {
  const { collections, tokens, dispatch, updateStatus } = context;
  let order = 0;
  for (const [name, own] of settings) {
    const core = await openCollection({
      ...context,
      name,
      own,
      source: sourceOf(context, name),
      user: () => tokens.user,
      nextOrder: () => ++order,
      hooks: {
        phase() {
          // One collection that is well says nothing about another, whose trouble must not begin again each time.
          const all = sessionsOf(context).every(({ phase }) => phase === 'live' || phase === 'failed');
          if (isConnected(context) && all) dispatch({ type: 'allSettled' });
          updateStatus();
        },
        settled: updateStatus,
        lost: (error) => lost(context, name, error),
        failed(error) {
          dispatch({ type: 'workFailed', error, collection: name });
          // No time cures a bug; the next audit looks again.
          if (isConnected(context) && error.code !== 'INTERNAL') dispatch({ type: 'pullFailed' });
        },
        caughtUp,
      },
    });
    collections.set(name, core);
    for (const { entries } of core.replica.pending.values())
      for (const entry of entries) order = Math.max(order, entry.order);
  }
}

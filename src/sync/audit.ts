import { isSyncLayerError, SyncLayerError } from '../base/errors.js';
import { createTimers } from '../base/timers.js';
import { type AuditContext, allKeys, fetchRows } from './audit-reads.js';
import { canCount, compareCounts } from './compare-counts.js';

export { type AuditContext, fetchRows } from './audit-reads.js';

/** In place of a version, for a second look at a row that was not there. */
const MISSING = 'missing';

/** How long a live event may come after an audit that has found its change already, in ms. */
const LATE = 5000;

/** Compares what is here with what the backend holds, to find deletes that a pull cannot see and changes that it missed. */
export async function compare(context: AuditContext, news?: Set<string>): Promise<void> {
  const { transport, replica, compared } = context;
  if (!transport.keys) {
    await context.reread(news);
    return;
  }
  if (canCount(context)) return compareCounts(context, news);
  const touched = replica.track();
  try {
    const keys = await allKeys(context);
    replica.removeMissing(keys, touched.ids);
    const whole = [...keys.values()].flatMap(({ change }) => change ?? []);
    replica.apply(whole, undefined, { now: touched.ids, news });
    const stateOf = (id: string): string => `${keys.get(id)?.version} ${replica.version(id)}`;
    /** How often it was read in this state. */
    const times = (id: string): number => {
      const before = compared.get(id);
      return before?.state === stateOf(id) ? before.times : 0;
    };
    const outdated = replica
      .outdated(keys)
      .filter((id) => !touched.ids.has(id) && !keys.get(id)?.change && times(id) < 2);
    if (outdated.length === 0) return;
    if (transport.fetch) await fetchRows(context, outdated, news);
    // They lie before the cursor.
    else await context.reread(news);
    for (const id of replica.outdated(keys))
      if (keys.get(id)?.version !== undefined) compared.set(id, { state: stateOf(id), times: times(id) + 1 });
  } finally {
    touched.stop();
  }
}

/** Reads what is doubtful by id: of that, what the backend does not give is not there. Without `fetch` an audit tells. */
export async function settleDoubts(context: AuditContext): Promise<void> {
  const { transport, replica } = context;
  const ids = new Set(replica.doubtful);
  replica.doubtful.clear();
  const touched = replica.track();
  try {
    if (!transport.fetch) return await compare(context);
    const found = await fetchRows(context, ids);
    const gone = new Set([...ids].filter((id) => !found.has(id) && replica.believes(id, MISSING)));
    replica.removeMissing({ has: (id) => !gone.has(id) }, touched.ids);
    // Where reads can lag behind writes the next catch-up looks again.
    for (const id of ids) if (!found.has(id) && !gone.has(id)) replica.doubtful.add(id);
  } catch (error) {
    // Refused for good it would keep the collection from being live: the audits compare it as they do all others.
    if (isSyncLayerError(error) && error.kind === 'fatal' && error.code !== 'CLOSED') return;
    for (const id of ids) replica.doubtful.add(id);
    throw error;
  } finally {
    touched.stop();
  }
}

/** Waits for what an audit has found while live: if the live link does not bring any of it even now, it is not live. */
export function listenFor(news: ReadonlySet<string>, onSilence: () => void) {
  const timers = createTimers<'silence'>();
  timers.schedule('silence', LATE, onSilence);
  return {
    heard(id: string): void {
      if (news.has(id)) timers.close();
    },
    stop: timers.close,
  };
}

/** The live link is silent. */
export const silent = (collection: string, count: number): SyncLayerError => {
  const what = `An audit of "${collection}" found ${count} changes that its subscription did not bring.`;
  return new SyncLayerError('CONNECT_TIMEOUT', `${what} It is subscribed again.`, { details: { collection, count } });
};

/** Somebody writes rows without their version. */
export const unstamped = (collection: string, recordId: string): SyncLayerError => {
  const what = `Record ${JSON.stringify(recordId)} of "${collection}" was changed, and its version was not. It was taken all the same.`;
  const fix =
    'Other devices may miss such changes: whoever writes must set the version (`updatedAt`) too. Run `npx synclayer doctor`.';
  return new SyncLayerError('PROTOCOL_VIOLATION', `${what} ${fix}`, { details: { collection, recordId } });
};

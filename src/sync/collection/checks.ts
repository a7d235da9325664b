import { throwIfAborted } from '../../base/abort.js';
import { toSyncLayerError } from '../../base/errors.js';
import type { AuditContext } from '../audit.js';
import { msSince } from '../tally.js';
import type { Pull } from './pull.js';
import type { SessionOptions } from './session.js';

/** In a chunk of its own: most catch-ups need none of it. */
async function loadAudit(signal: AbortSignal) {
  try {
    const audit = await import('../audit.js');
    throwIfAborted(signal);
    return audit;
  } catch (error) {
    throw toSyncLayerError(error, 'CONNECTION_LOST', 'A part of SyncLayer could not be loaded; it is tried again.');
  }
}

/** What no pull tells: rows read by id, comparisons of all keys, and whether the live link brings what they find. */
export function createChecks({ collection, transport, replica, filter, hooks }: SessionOptions, pull: Pull) {
  const compared: AuditContext['compared'] = new Map();
  const looks = { count: 0 };
  const contextOf = (signal: AbortSignal): AuditContext => ({
    ...{ collection, transport, replica, filter, signal, compared, looks },
    pull: (news) => pull.all(signal, news),
    reread: (news) => pull.reread(signal, news),
  });

  return {
    load: loadAudit,
    /** Reads the rows of partial changes. */
    complete: async (ids: readonly string[], signal: AbortSignal, news?: Set<string>): Promise<unknown> =>
      (await loadAudit(signal)).fetchRows(contextOf(signal), ids, news),
    async compare(signal: AbortSignal, news?: Set<string>): Promise<void> {
      const audit = await loadAudit(signal);
      const startedAt = performance.now();
      const before = news?.size ?? 0;
      await audit.compare(contextOf(signal), news);
      const found = news && { found: news.size - before };
      hooks.log('audit', () => ({ rows: replica.present(false).size, ...found, ms: msSince(startedAt) }));
    },
    async settleDoubts(signal: AbortSignal): Promise<void> {
      if (replica.doubtful.size > 0) await (await loadAudit(signal)).settleDoubts(contextOf(signal));
    },
  };
}

export type Checks = ReturnType<typeof createChecks>;

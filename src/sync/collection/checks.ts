import { throwIfAborted } from '../../base/abort.js';
import { toSyncLayerError } from '../../base/errors.js';
import type { AuditContext } from '../audit.js';
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
export function createChecks({ collection, transport, replica, filter }: Omit<SessionOptions, 'hooks'>, pull: Pull) {
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
    compare: async (signal: AbortSignal, news?: Set<string>): Promise<void> =>
      (await loadAudit(signal)).compare(contextOf(signal), news),
    async settleDoubts(signal: AbortSignal): Promise<void> {
      if (replica.doubtful.size > 0) await (await loadAudit(signal)).settleDoubts(contextOf(signal));
    },
  };
}

export type Checks = ReturnType<typeof createChecks>;

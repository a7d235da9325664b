import type { Row } from '../base/change.js';
import { type ErrorCode, kindOf, type SyncLayerError } from '../base/errors.js';
import { deepEqual, handOut } from '../base/json.js';
import type { Emitter, SyncEvents } from '../observe/events.js';
import type { Log } from '../observe/logger.js';
import type { Metrics } from '../observe/metrics.js';
import type { Delta } from '../query/types.js';
import type { Conflict } from './conflict/merge.js';
import { type OutboxEntry, operationType } from './replica-state.js';

/** What only whoever set it up can cure. */
const setUp: readonly ErrorCode[] = ['CONFIG_INVALID', 'PEER_MISSING', 'UNSUPPORTED', 'INTERNAL'];

/** Turns what happens to the data into events, log lines and counts. */
export function createAnnouncer(events: Emitter, metrics: Metrics, log: Log) {
  function report(error: SyncLayerError, collection?: string): void {
    metrics.error(error.code);
    const { code } = error;
    // Nobody listens, and it will never work as it is: in silence an app would wait for ever.
    const urgent = setUp.includes(code) && !events.has('error');
    log(kindOf(code) === 'retry' ? 'warn' : 'error', error.message, { code, collection }, urgent);
    events.emit('error', collection === undefined ? { error } : { error, collection });
  }

  return {
    events,
    metrics,
    log,
    report,

    remote(collection: string, { id, before, after }: Delta): void {
      metrics.counts.applied += 1;
      const name = !after ? 'remoteDelete' : before ? 'remoteUpdate' : 'remoteInsert';
      if (!events.has(name)) return;
      const event = after ? { collection, recordId: id, data: handOut(after) } : { collection, recordId: id };
      events.emit(name, event as SyncEvents[typeof name]);
    },

    conflict(found: Conflict, result: Row | null): void {
      metrics.counts.conflicts += 1;
      const conflict = handOut(found);
      handOut(result);
      const { collection, recordId, local, remote, fields } = conflict;
      log('debug', 'conflict', () => {
        const kept = deepEqual(result, remote) ? 'remote' : deepEqual(result, local) ? 'local' : 'merged';
        return { collection, recordId, fields, kept };
      });
      events.emit('conflictDetected', { collection, recordId, conflict });
      events.emit('conflictResolved', { collection, recordId, conflict, result });
    },

    operation(what: 'queued' | 'synced' | 'failed', entry: OutboxEntry): void {
      metrics.counts[what] += 1;
      const { collection, recordId, opId, failed } = entry;
      const event = { collection, recordId, opId, operation: operationType(entry) };
      if (what !== 'failed') events.emit(what === 'queued' ? 'operationQueued' : 'operationSynced', event);
      else if (failed) {
        events.emit('operationFailed', { ...event, error: failed });
        log('warn', `An edit was refused: ${failed.message}`, { collection, recordId });
      }
    },

    invalid(error: SyncLayerError, collection: string): void {
      metrics.counts.invalid += 1;
      report(error, collection);
    },
  };
}

export type Announcer = ReturnType<typeof createAnnouncer>;

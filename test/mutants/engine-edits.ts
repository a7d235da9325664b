import type { MemoryTransportOptions } from '../../src/testing/index.js';

/** One line of the engine, made wrong. */
export interface EngineMutant {
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly line: string;
  readonly becomes: string;
  /** The backend that shows it; default: a sequence with tombstones. */
  readonly kind?: Omit<MemoryTransportOptions, 'backend'>;
}

export const engineMutants: readonly EngineMutant[] = [
  {
    name: 'no pull once it is live',
    file: 'src/sync/collection/session.ts',
    line: 'phases.becomesLive();\n      catchUp.gap();',
    becomes: "phases.rest('live');",
  },
  {
    name: 'the buffer is dropped at the end of a catch-up',
    file: 'src/sync/collection/catch-up.ts',
    line: 'running = undefined;\n        flush();\n        phases.set(phases.resting);',
    becomes: 'running = undefined;\n        buffer.take();\n        phases.set(phases.resting);',
  },
  {
    name: 'a gap is ignored',
    file: 'src/sync/collection/session.ts',
    line: 'gap: guard(catchUp.gap), error: onError',
    becomes: 'gap: () => undefined, error: onError',
  },
  {
    name: 'a buffer that is full is cut off, without a pull',
    file: 'src/sync/collection/live-buffer.ts',
    line: 'changes = [];\n        overflowed();',
    becomes: 'changes = [];',
  },
  {
    name: 'one page is taken for all',
    file: 'src/sync/collection/pull.ts',
    line: 'const ended = page.changes.length === 0;',
    becomes: 'const ended = page.changes.length < settings.pageSize;',
    // A backend that gives less at once than was asked for.
    kind: { cursor: 'sequence', deletes: 'tombstones', pageCap: 100 },
  },
  {
    name: 'the same version is taken again',
    file: 'src/sync/collection/ledger.ts',
    line: 'if (deepEqual(before, after)) return undefined;',
    becomes: '',
  },
  {
    name: 'a partial change replaces the row',
    file: 'src/sync/incoming.ts',
    line: "if (change.type !== 'update' || !change.partial) return accept(",
    becomes: "if (change.type === 'insert' || change.type === 'update') return accept(",
  },
  {
    name: 'whatever comes during a push is taken for its echo',
    file: 'src/sync/collection/remote.ts',
    line: 'if (edits && echo) {',
    becomes: 'if (edits && head?.sent) {',
  },
  {
    name: 'each retry has another opId',
    file: 'src/sync/outgoing.ts',
    line: 'opId: entry.opId,',
    becomes: 'opId: entry.opId + Math.random(),',
  },
  {
    name: 'a refused edit is thrown away',
    file: 'src/sync/collection/carry.ts',
    line: 'failed.set(aside.opId, aside);',
    becomes: '',
  },
  {
    name: 'a conflict is merged without the base',
    file: 'src/sync/conflict/merge.ts',
    line: 'const from: Row = base ?? {};',
    becomes: 'const from: Row = {};',
  },
  {
    name: 'the resolver is never asked',
    file: 'src/sync/conflict/merge.ts',
    line: 'return { row: resolve(conflict), conflict };',
    becomes: 'return { row: local, conflict };',
  },
  {
    name: 'versions are ignored',
    file: 'src/sync/incoming.ts',
    line: 'const order = before === null ? 1 : compareVersions(version, before);',
    becomes: 'const order = before === null ? 1 : Math.abs(compareVersions(version, before));',
  },
  {
    name: 'keys are never compared',
    file: 'src/sync/audit.ts',
    line: 'if (!transport.keys) {',
    becomes: 'if (transport.keys) return;\n  if (!transport.keys) {',
    kind: { cursor: 'sequence', deletes: 'none' },
  },
  {
    name: 'a comparison finds deletes only, not changes',
    file: 'src/sync/audit.ts',
    line: 'if (outdated.length === 0) return;',
    becomes: 'return;',
    kind: { cursor: 'timestamp', deletes: 'none' },
  },
  {
    name: 'an edit is dropped once it is sent, not once it is answered',
    file: 'src/sync/pusher.ts',
    line: 'results = await abortable(transport.push(changes, { signal }), signal);',
    becomes:
      "for (const entry of batch) settle(entry, { type: 'applied', version: Number.MAX_SAFE_INTEGER });\n      results = await abortable(transport.push(changes, { signal }), signal);",
  },
  {
    name: 'the audit never comes',
    file: 'src/sync/supervisor/rounds.ts',
    line: "if (!timers.has('audit')) scheduleAudit(settings.auditInterval);",
    becomes: '',
  },
  {
    name: 'what is retried has lost its base version',
    file: 'src/sync/outgoing.ts',
    line: 'baseVersion: entry.baseVersion,',
    becomes: 'baseVersion: entry.baseVersion && Number.MAX_SAFE_INTEGER,',
  },
  {
    name: 'no second attempt to connect',
    file: 'src/sync/supervisor/link.ts',
    line: 'if (failures > maxAttempts) return',
    becomes: 'if (failures > 0) return',
  },
  {
    name: 'timers outlive the close',
    file: 'src/sync/supervisor/supervisor.ts',
    line: 'requests.stopWatching();\n      timers.close();',
    becomes: 'requests.stopWatching();',
  },
  {
    name: 'a collection that is closed still listens',
    file: 'src/sync/collection/session.ts',
    line: 'over = true;\n        end();',
    becomes: '',
  },
  {
    name: 'a row that is no row ends the whole batch',
    file: 'src/sync/collection/remote.ts',
    line: "invalid(toSyncLayerError(error, 'VALIDATION_FAILED', message));\n      return undefined;",
    becomes: 'throw error;',
  },
];

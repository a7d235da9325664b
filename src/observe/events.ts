import type { Row } from '../base/change.js';
import { type ErrorCode, SyncLayerError } from '../base/errors.js';
import { suggest } from '../base/problems.js';
import type { Conflict } from '../sync/conflict/merge.js';
import type { ConnectionState } from './connection-state.js';

interface RecordEvent {
  readonly collection: string;
  readonly recordId: string;
}

interface OperationEvent extends RecordEvent {
  readonly opId: string;
  readonly operation: 'insert' | 'update' | 'delete';
}

/** Every event and what it carries. */
export interface SyncEvents {
  /** A round of pulling and pushing begins: `syncNow`, polling, or a catch-up after a reconnect. */
  syncStarted: { readonly collections: readonly string[] };
  syncCompleted: { readonly collections: readonly string[] /** ms */; readonly duration: number };
  syncFailed: { readonly collections: readonly string[]; readonly error: SyncLayerError };
  operationQueued: OperationEvent;
  operationSynced: OperationEvent;
  /** Refused for good and kept aside: `sync.outbox.failed()`. */
  operationFailed: OperationEvent & { readonly error: { readonly code: ErrorCode; readonly message: string } };
  conflictDetected: RecordEvent & { readonly conflict: Conflict };
  conflictResolved: RecordEvent & { readonly conflict: Conflict; readonly result: Row | null };
  /** The device went online or offline, as far as it knows. */
  connectivityChanged: { readonly online: boolean };
  realtimeConnected: { readonly collections: readonly string[] };
  realtimeDisconnected: { readonly state: ConnectionState };
  /** A change of the backend's that altered a visible row, once, whether it came live or by a pull. */
  remoteInsert: RecordEvent & { readonly data: Row };
  remoteUpdate: RecordEvent & { readonly data: Row };
  remoteDelete: RecordEvent;
  /** The Flutter name of `remoteInsert`. */
  realtimeInsert: RecordEvent & { readonly data: Row };
  /** The Flutter name of `remoteUpdate`. */
  realtimeUpdate: RecordEvent & { readonly data: Row };
  /** The Flutter name of `remoteDelete`. */
  realtimeDelete: RecordEvent;
  /** A collection caught up; `records` changes came with it. */
  realtimeSync: { readonly collection: string; readonly records: number };
  /** `sync.status` changed. */
  statusChanged: SyncStatus;
  error: { readonly error: SyncLayerError; readonly collection?: string };
}

/** What an indicator shows. */
export interface SyncStatus {
  /**
   * `live`: equal to the backend, changes come by themselves. `syncing`: on the way there. `offline`: no link. With
   * `enableAutoSync: false` edits that wait for `syncNow()` leave it `live`; `pending` counts them.
   */
  readonly phase: 'live' | 'syncing' | 'polling' | 'offline' | 'needs-auth' | 'failed' | 'paused' | 'closed';
  /** Records with edits that the backend has not acknowledged. */
  readonly pending: number;
}

export type EventName = keyof SyncEvents;
export type EventListener<N extends EventName> = (event: SyncEvents[N]) => void;

/**
 * Typed events.
 *
 * @example
 * const off = sync.events.on('conflictResolved', ({ recordId, result }) => console.log(recordId, result));
 */
export interface EventSource {
  /**
   * Returns the function that takes the listener off again.
   * @throws SyncLayerError INVALID_ARGUMENT for a name that is no event, or a listener that is no function. So rejects `once`.
   */
  on<N extends EventName>(name: N, listener: EventListener<N>): () => void;
  /** Resolves with the next event of that name (that passes `test`). */
  once<N extends EventName>(name: N, test?: (event: SyncEvents[N]) => boolean): Promise<SyncEvents[N]>;
}

export interface Emitter extends EventSource {
  emit<N extends EventName>(name: N, event: SyncEvents[N]): void;
  /** Spares the making of an event that nobody hears. */
  has(name: EventName): boolean;
  clear(): void;
}

const names =
  'error statusChanged connectivityChanged syncStarted syncCompleted syncFailed operationQueued operationSynced operationFailed conflictDetected conflictResolved remoteInsert remoteUpdate remoteDelete realtimeInsert realtimeUpdate realtimeDelete realtimeConnected realtimeDisconnected realtimeSync'.split(
    ' ',
  );

/** What a Flutter app calls `realtimeInsert` is `remoteInsert`. */
const keyOf = (name: EventName): EventName => name.replace(/^realtime(?=Insert|Update|Delete)/, 'remote') as EventName;

/** A listener that throws harms nobody else: the error surfaces as an uncaught one, where the app's tools see it. */
export function createEmitter(): Emitter {
  const listeners = new Map<EventName, Set<(event: never) => void>>();
  const on: EventSource['on'] = (name, listener) => {
    if (!names.includes(name) || typeof listener !== 'function') {
      const fix = names.includes(name) ? 'needs a function' : `is no event; ${suggest(String(name), names)}`;
      throw new SyncLayerError('INVALID_ARGUMENT', `"${name}" ${fix}`);
    }
    const key = keyOf(name);
    const set = listeners.get(key) ?? new Set();
    listeners.set(key, set);
    set.add(listener);
    return () => void set.delete(listener);
  };
  return {
    on,
    once: (name, test) =>
      new Promise((resolve) => {
        const off = on(name, (event) => {
          if (test && !test(event)) return;
          off();
          resolve(event);
        });
      }),
    emit(name, event) {
      for (const listener of [...(listeners.get(name) ?? [])]) {
        try {
          listener(event as never);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    has: (name) => (listeners.get(keyOf(name))?.size ?? 0) > 0,
    clear: () => listeners.clear(),
  };
}

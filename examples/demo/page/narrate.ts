// In an app: from 'synclayer'.
import { describeConflict } from './conflict.js';
import type { DemoSync, DeviceName } from './device.js';
import type { EventKind, EventLog } from './event-log.js';

const title = (row: { readonly [field: string]: unknown }): string =>
  row.done === true ? `${String(row.text)} (done)` : String(row.text);

/** Tells the log what happens to a client: SyncLayer's events, which are the same for every backend. */
export function narrate(device: DeviceName, { events }: DemoSync, log: EventLog): void {
  const tell = (kind: EventKind, text: string, recordId?: string) =>
    log.add({ device, kind, text, ...(recordId !== undefined && { recordId }) });

  events.on('remoteInsert', ({ recordId, data }) => tell('insert', title(data), recordId));
  events.on('remoteUpdate', ({ recordId, data }) => tell('update', title(data), recordId));
  events.on('remoteDelete', ({ recordId }) => tell('delete', '', recordId));
  events.on('operationQueued', ({ recordId, operation }) => tell('edit', operation, recordId));
  events.on('operationSynced', ({ recordId, operation }) => tell('sent', operation, recordId));
  events.on('operationFailed', ({ recordId, error }) => tell('refused', error.message, recordId));
  events.on('conflictDetected', ({ recordId, conflict }) => tell('conflict', describeConflict(conflict), recordId));
  events.on('conflictResolved', ({ recordId, result }) =>
    tell('resolved', result ? `kept “${title(result)}”` : 'kept the delete', recordId),
  );
  events.on('realtimeConnected', () => tell('connected', ''));
  events.on('realtimeDisconnected', ({ state }) => tell('disconnected', 'reason' in state ? state.reason.code : ''));
  events.on('realtimeSync', ({ records }) => tell('caught up', records === 1 ? '1 change' : `${records} changes`));
  events.on('error', ({ error }) => tell(error.kind === 'retry' ? 'retry' : 'error', error.code));
}

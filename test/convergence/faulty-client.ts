import type { Change, Row } from '../../src/base/change.js';
import { deepEqual } from '../../src/base/json.js';
import { createSyncLayer, type SyncLayerConfig, SyncLayerError, type SyncLayerInstance } from '../../src/index.js';
import { withFaults } from '../../src/testing/faults.js';
import type { RealtimeTransport } from '../../src/transport/transport.js';
import type { Breakable, Delivery } from './plan.js';
import type { createLedger, createStory } from './rules.js';

export const lost = (what: string): SyncLayerError => new SyncLayerError('CONNECTION_LOST', `${what} was lost.`);

/** What goes wrong for one client. It outlives the app's restarts. */
export interface Trouble {
  delivery: Delivery;
  loseAnswers: boolean;
  /** Steps that fail, and how often. */
  readonly broken: Map<Breakable, number>;
}

export interface FaultyClient {
  readonly sync: SyncLayerInstance<readonly string[]>;
  readonly faults: ReturnType<typeof withFaults>['faults'];
  /** What the app sees at this moment: read before an `await` it would be old. */
  readonly shown: () => ReadonlyMap<string, Row>;
  /** Gives the live events that were held back. */
  release(): void;
}

interface Opening {
  readonly client: number;
  readonly collection: string;
  readonly transport: RealtimeTransport;
  readonly trouble: Trouble;
  readonly config: Omit<SyncLayerConfig, 'transport' | 'collections'>;
  readonly story: ReturnType<typeof createStory>;
  readonly ledger: ReturnType<typeof createLedger>;
  readonly count: (what: 'events' | 'acknowledged' | 'conflicts' | 'reconnects') => void;
}

/** The fields that differ, if a patch can say so: it cannot take a field away. */
function patchOf(before: Row, after: Row): Row | undefined {
  if (Object.keys(before).some((field) => !(field in after))) return undefined;
  return Object.fromEntries(Object.entries(after).filter(([field, value]) => !deepEqual(before[field], value)));
}

/** A SyncLayer whose transport does what its trouble says. */
export async function openFaultyClient(opening: Opening): Promise<FaultyClient> {
  const { client, collection, trouble, story, ledger, count } = opening;
  const { transport, faults } = withFaults(opening.transport);
  const held: Change[] = [];
  /** The live events of this subscription, so that a patch can name the version that it follows. */
  const newest = new Map<string, Change>();

  faults.before = (step) => {
    if (step === 'subscribe') {
      newest.clear();
      // No transport gives one subscription's events to the next.
      held.length = 0;
    }
    const left = trouble.broken.get(step as Breakable) ?? 0;
    if (left === 0) return;
    trouble.broken.set(step as Breakable, left - 1);
    throw lost(`The ${step}`);
  };
  faults.after = (step) => {
    if (step === 'push' && trouble.loseAnswers) throw lost('The answer to the push');
  };

  function asPartial(change: Change, before: Change | undefined): Change {
    if (change.type !== 'update' || !transport.fetch) return change;
    const patch =
      before?.type === 'insert' || before?.type === 'update' ? patchOf(before.data, change.data) : undefined;
    // Without the version that it follows a patch can only be taken as news that the row must be fetched.
    return patch && before
      ? { ...change, data: patch, partial: true, baseVersion: before.version }
      : { ...change, data: { id: change.recordId }, partial: true };
  }

  faults.change = (change) => {
    const before = newest.get(change.recordId);
    newest.set(change.recordId, change);
    switch (trouble.delivery) {
      case 'whole':
        return [change];
      case 'lost':
        return [];
      case 'twice':
        return [change, change];
      case 'late':
        held.push(change);
        return [];
      case 'reordered':
        held.push(change);
        return held.length < 2 ? [] : held.splice(0).reverse();
      case 'partial':
        return [asPartial(change, before)];
    }
  };

  const sync = await createSyncLayer({ ...opening.config, collections: [collection], transport });
  const { events, outbox } = sync;
  const told = (event: 'insert' | 'update' | 'delete', id: string, row: Row | null): void => {
    count('events');
    story.told(event, id, row);
  };
  events.on('remoteInsert', ({ recordId, data }) => told('insert', recordId, data));
  events.on('remoteUpdate', ({ recordId, data }) => told('update', recordId, data));
  events.on('remoteDelete', ({ recordId }) => told('delete', recordId, null));
  events.on('realtimeConnected', () => count('reconnects'));
  events.on('operationSynced', ({ opId, recordId }) => {
    count('acknowledged');
    story.synced(opId);
    if (!outbox.pending().some((operation) => operation.recordId === recordId)) ledger.acknowledged(client, recordId);
  });
  events.on('conflictDetected', ({ recordId }) => {
    count('conflicts');
    ledger.contested(client, recordId);
  });
  let shown: ReadonlyMap<string, Row> = new Map();
  sync.collection(collection).watch((rows) => {
    shown = new Map(rows.map((row) => [row.id as string, row as Row]));
  });
  return {
    sync,
    faults,
    shown: () => shown,
    release() {
      for (const change of held.splice(0)) faults.inject(change);
    },
  };
}

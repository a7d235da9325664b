import type { SyncLayerError } from '../../base/errors.js';
import { capabilitiesOf } from '../../transport/capabilities.js';
import { adopted } from '../../transport/key-spelling.js';
import type { RealtimeTransport } from '../../transport/transport.js';
import { fenced } from '../conflict/fenced.js';
import type { EditRules } from '../edits.js';
import { createSecondLook } from '../second-look.js';
import type { CollectionSettings } from './core.js';
import type { RemoteRules } from './remote.js';

export interface RemoteRulesOptions {
  readonly name: string;
  readonly own: CollectionSettings;
  readonly edits: EditRules;
  readonly clockOffset: () => number;
  readonly maxRetries: number;
  readonly transport: RealtimeTransport;
  readonly report: (error: SyncLayerError) => void;
  readonly invalid: (error: SyncLayerError) => void;
}

/** The rules by which a collection takes what the backend does. */
export function remoteRules(options: RemoteRulesOptions): RemoteRules {
  const { name, own, edits, clockOffset, maxRetries, transport, report, invalid } = options;
  const { filter, parse, resolve, customResolver } = own;
  let isReported = false;

  /** Once: a writer that leaves the version as it was does it again and again. */
  async function unstamped(id: string): Promise<void> {
    if (isReported) return;
    isReported = true;
    try {
      report((await import('../audit.js')).unstamped(name, id));
    } catch {
      isReported = false;
    }
  }

  return {
    ...edits,
    filter,
    parse,
    resolve: customResolver ? fenced(resolve, parse, invalid) : resolve,
    sameCounts: () => customResolver && capabilitiesOf(transport, name).idempotent === true,
    clockOffset,
    maxRetries,
    believes: createSecondLook(() => capabilitiesOf(transport, name).staleReads === true),
    unstamped: (id) => void unstamped(id),
    adopted: (id, storedAs) => invalid(adopted(name, id, storedAs)),
  };
}

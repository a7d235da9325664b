import type { StoreWrite } from '../../store/store.js';
import { type Ledger, storedState } from './ledger.js';

/** All that the store should hold, the cursor last: without it what came before is read again. */
export function storedOf({ collection, pending, failed, held, server, reading, serverState }: Ledger): StoreWrite[] {
  const entries = [...[...pending.values()].flatMap((edits) => edits.entries), ...failed.values(), ...held.values()];
  return [
    ...entries.map((entry): StoreWrite => ({ table: 'outbox', key: [collection, entry.opId], value: entry })),
    ...server
      .ids()
      .map((id): StoreWrite => ({ table: 'rows', key: [collection, id], value: storedState(serverState(id)) })),
    { table: 'meta', key: [collection, 'cursor'], value: reading.cursor ?? undefined },
  ];
}

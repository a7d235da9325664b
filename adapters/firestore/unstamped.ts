import type { SyncLayerError } from '../../src/adapter-kit/kit.js';
import { problem } from './problem.js';
import type { Table } from './table.js';

/** Documents that no query in the order of their time finds. `count`: how many, where that is known. */
export function unstampedError({ collection, path, updatedAt }: Table, count?: number): SyncLayerError {
  const some = count === undefined ? 'A document' : `${count} ${count === 1 ? 'document' : 'documents'}`;
  const what = `${some} of "${collection}" (${path}) cannot be synchronised: "${updatedAt}" is no timestamp there.`;
  const fix =
    'Let every writer set it to serverTimestamp(), and set it once in old documents: npx synclayer doctor prints how.';
  return problem('PROTOCOL_VIOLATION', `${what} ${fix}`, {
    details: { collection, ...(count !== undefined && { count }) },
  });
}

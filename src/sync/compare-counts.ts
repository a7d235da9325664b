import { abortable, throwIfAborted } from '../base/abort.js';
import { type Change, compareVersions } from '../base/change.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import type { RecordKey, VersionRange } from '../transport/transport.js';
import { type AuditContext, allKeys, fetchRows } from './audit-reads.js';
import { differing, rangesOf, within } from './count-ranges.js';

/** Whether a backend counts for less than it lists, so that an audit begins with counts. */
export const canCount = ({ transport }: AuditContext): boolean =>
  transport.count !== undefined && transport.keys !== undefined && transport.fetch !== undefined;

const deleteOf = (collection: string, { recordId, version = 0 }: RecordKey): Change => ({
  type: 'delete',
  collection,
  recordId,
  version,
});

/** Compares how many rows are here and there, and reads only where that differs. */
export async function compareCounts(context: AuditContext, news?: Set<string>): Promise<void> {
  const { collection, transport, replica, signal } = context;
  const tombstones = capabilitiesOf(transport, collection).deletes === 'tombstones';
  const known = () => [...replica.present(tombstones).values()].sort(compareVersions);
  const count = async (range: VersionRange): Promise<number> => {
    const counted = await abortable(Promise.resolve(transport.count?.(collection, { signal, range })), signal);
    throwIfAborted(signal);
    return counted ?? 0;
  };
  const sorted = known();
  const odd = await differing(sorted, rangesOf(sorted, context.looks.count++, Math.random), count);
  if (odd.length === 0) return;
  // A change that was on its way has come by now.
  await context.pull(news);
  const ranges = await differing(known(), odd, count);
  if (ranges.length === 0) return;
  const touched = replica.track();
  try {
    const here = [...replica.present(tombstones)].filter(([, version]) =>
      ranges.some((range) => within([version], range).length > 0),
    );
    const keys = new Map<string, RecordKey>();
    for (const range of ranges) for (const [id, key] of await allKeys(context, range)) keys.set(id, key);
    const told = [...keys.values()].flatMap((key) => key.change ?? (key.deleted ? deleteOf(collection, key) : []));
    replica.apply(told, undefined, { now: touched.ids, news });
    const live = new Map([...keys].filter(([, { deleted }]) => !deleted));
    // A row that has changed is in another range by now: only a read by id tells that one is gone.
    const missing = here.map(([id]) => id).filter((id) => !keys.has(id));
    const outdated = replica.outdated(live).filter((id) => !keys.get(id)?.change);
    const asked = new Set([...missing, ...outdated].filter((id) => !touched.ids.has(id)));
    const found = await fetchRows(context, asked, news);
    replica.removeMissing({ has: (id) => found.has(id) || !asked.has(id) }, touched.ids);
    replica.forgetTombstones([...asked].filter((id) => !found.has(id) && !touched.ids.has(id)));
  } finally {
    touched.stop();
  }
}

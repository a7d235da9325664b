import type { OutgoingChange, PushResult } from './kit.js';

/** A row that the collection's own condition leaves out, whoever wrote it last: it leaves, and its edits are kept. */
function leftOut(result: PushResult): PushResult {
  if (result.type === 'applied') return { ...result, data: null };
  if (result.type !== 'conflict') return result;
  return { type: 'conflict', current: { ...result.current, data: null, hidden: true } };
}

const showsRow = ({ type }: OutgoingChange, result: PushResult | undefined): boolean =>
  result?.type === 'applied' ? type !== 'delete' : result?.type === 'conflict' && result.current.data !== null;

/**
 * The answers to a push, as they are for a collection of which only some rows are wanted: a write is answered with its row whether
 * the condition holds for it or not. `within`: the ids, of these, for which it holds; undefined: the collection has no condition.
 *
 * @example
 * results = await withoutOutOfSight(changes, results, (collection, ids) => table(collection).where && matching(collection, ids));
 */
export async function withoutOutOfSight(
  changes: readonly OutgoingChange[],
  results: readonly PushResult[],
  within: (collection: string, ids: readonly string[]) => Promise<ReadonlySet<string>> | undefined,
): Promise<PushResult[]> {
  const answered = [...results];
  for (const name of new Set(changes.map(({ collection }) => collection))) {
    const shown = changes.flatMap((change, index) =>
      change.collection === name && showsRow(change, results[index]) ? [{ id: change.recordId, index }] : [],
    );
    if (shown.length === 0) continue;
    const ids = await within(
      name,
      shown.map(({ id }) => id),
    );
    if (!ids) continue;
    for (const { id, index } of shown) if (!ids.has(id)) answered[index] = leftOut(results[index] as PushResult);
  }
  return answered;
}

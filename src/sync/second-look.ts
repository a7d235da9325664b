import type { Version } from '../base/change.js';

/** How far reads may lag behind writes, in ms. */
const LAG = 5000;

/**
 * Whether a row that is older than what is known is believed. At once, unless reads can lag behind writes: then only where a
 * second look, later than any lag, shows the same version.
 */
export function createSecondLook(mayLag: () => boolean) {
  const first = new Map<string, { readonly version: Version; readonly at: number }>();
  return (id: string, version: Version): boolean => {
    if (!mayLag()) return true;
    const before = first.get(id);
    if (before?.version !== version) first.set(id, { version, at: Date.now() });
    else if (Date.now() - before.at >= LAG) return first.delete(id);
    return false;
  };
}

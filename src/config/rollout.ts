import { SyncLayerError } from '../base/errors.js';

export interface RolloutOptions {
  /** Share of the keys for which it is on, 0 to 100. */
  readonly percent: number;
  /** Who is asking: a user or device id. The same key always gets the same answer, and stays in as `percent` grows. */
  readonly key: string;
  /** Tells two roll-outs apart, so that not always the same users go first. Default `realtime`. */
  readonly name?: string;
}

/**
 * A stable percentage roll-out: whether this key is in. Of the realtime link, or of a backend. A device whose answer changes is a device
 * that was on another backend: it keeps its unsent edits and reads all again.
 *
 * @throws SyncLayerError INVALID_ARGUMENT if `percent` is not 0 to 100, or `key` is empty: everybody without a key would
 *   be in or out together.
 * @example
 * createSyncLayer({ ..., enableRealtimeSync: rollout({ percent: 20, key: user.id }) });
 * const transport = rollout({ percent: 5, key: user.id }) ? { type: 'supabase', url, key } : { type: 'websocket', url };
 */
export function rollout({ percent, key, name = 'realtime' }: RolloutOptions): boolean {
  if (!Number.isFinite(percent) || percent < 0 || percent > 100 || typeof key !== 'string' || key === '') {
    const message = 'rollout needs a percent from 0 to 100, and as key a string that tells users apart, e.g. user.id.';
    throw new SyncLayerError('INVALID_ARGUMENT', message);
  }
  return fnv1a(`${name}:${key}`) % 10_000 < percent * 100;
}

/** 32-bit FNV-1a with a final mix: spreads ids that differ in one character over the whole range. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

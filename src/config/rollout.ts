import { SyncLayerError } from '../base/errors.js';

export interface RolloutOptions {
  /** Share of the keys for which it is on, 0 to 100. */
  readonly percent: number;
  /** Who is asking: a user or device id. The same key always gets the same answer, and stays in as `percent` grows. */
  readonly key: string;
  /** Tells two roll-outs apart, so that not always the same users go first. Default `realtime`. */
  readonly name?: string;
}

/** What each of the two groups gets: transports, or what `transport` of the configuration takes. */
export interface RolloutChoice<On, Off> {
  readonly on: On;
  readonly off: Off;
}

/**
 * A stable percentage roll-out: of the realtime link (for `enableRealtimeSync`), or, with `on` and `off`, of a backend.
 * A device whose answer changes is a device that was on another backend: it keeps its unsent edits and reads all anew.
 *
 * @throws SyncLayerError CONFIG_INVALID if `percent` is not 0 to 100, or `key` is empty: everybody without a key would
 *   be in or out together.
 * @example
 * createSyncLayer({ ..., enableRealtimeSync: rollout({ percent: 20, key: user.id }) });
 * const transport = rollout({ percent: 5, key: user.id, on: { type: 'supabase', url, key }, off: { type: 'websocket', url } });
 */
export function rollout(options: RolloutOptions): () => boolean;
export function rollout<const On, const Off>(options: RolloutOptions & RolloutChoice<On, Off>): On | Off;
export function rollout({
  percent,
  key,
  name = 'realtime',
  ...choice
}: RolloutOptions & Partial<RolloutChoice<unknown, unknown>>): unknown {
  if (!Number.isFinite(percent) || percent < 0 || percent > 100 || typeof key !== 'string' || key === '') {
    const message = 'rollout needs a percent from 0 to 100, and as key a string that tells users apart, e.g. user.id.';
    throw new SyncLayerError('CONFIG_INVALID', message);
  }
  const place = fnv1a(`${name}:${key}`) % 10_000;
  const isIn = place < percent * 100;
  return 'on' in choice ? (isIn ? choice.on : choice.off) : () => isIn;
}

/** 32-bit FNV-1a with a final mix: spreads ids that differ in one character over the whole range. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

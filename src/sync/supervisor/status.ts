import type { ConnectionState } from '../../observe/connection-state.js';
import type { SyncStatus } from '../../observe/events.js';
import { allLive, type Context, coresOf, pendingCount, sessionsOf } from './context.js';
import { connectionState } from './link.js';

/** What the indicator depends on. */
export interface StatusInput {
  readonly closed: boolean;
  readonly paused: boolean;
  readonly online: boolean;
  /** A live link is wanted. */
  readonly realtime: boolean;
  readonly link: ConnectionState;
  /** Every collection is caught up and live. */
  readonly allLive: boolean;
  /** The backend refused a subscription for good. */
  readonly refused: boolean;
  /** Edits wait until somebody signs in. */
  readonly unsigned: boolean;
  /** Edits on their way. */
  readonly pending: number;
  /** Polls that failed in a row. */
  readonly failures: number;
}

/** One word for where things stand. */
export function syncPhase({
  closed,
  paused,
  online,
  realtime,
  link,
  allLive,
  refused,
  unsigned,
  pending,
  failures,
}: StatusInput): SyncStatus['phase'] {
  if (closed) return 'closed';
  if (paused) return 'paused';
  if (!online) return 'offline';
  const reached = link.status === 'connected' || !realtime;
  if (link.status === 'needs-auth' || (unsigned && reached)) return 'needs-auth';
  if (!realtime) return failures > 0 ? 'offline' : 'polling';
  if (link.status === 'failed' || (link.status === 'connected' && refused)) return 'failed';
  if (link.status === 'connected') return allLive && pending === 0 ? 'live' : 'syncing';
  return link.status === 'connecting' && link.attempt === 1 ? 'syncing' : 'offline';
}

/** Edits wait because no user is signed in. */
const waitsForSignIn = (context: Context): boolean => coresOf(context).some(({ replica }) => replica.unsigned.size > 0);

/** Where things stand. Asked for at each edit: it looks through no list of them. */
export function statusOf(context: Context): SyncStatus {
  const { settings, tokens, state } = context;
  const pending = pendingCount(context);
  const phase = syncPhase({
    ...state,
    link: connectionState(state.link),
    allLive: allLive(context),
    refused: sessionsOf(context).some(({ phase }) => phase === 'failed'),
    unsigned: tokens.user === null && waitsForSignIn(context),
    // What only syncNow() sends is not on its way.
    pending: settings.enableAutoSync ? pending : 0,
    failures: state.pullFailures,
  });
  return { phase, pending };
}

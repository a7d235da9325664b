import type { SyncLayerError } from '../../base/errors.js';
import type { Timers } from '../../base/timers.js';
import type { Settings } from '../../config/defaults.js';
import type { Journal } from '../../store/journal.js';
import type { LocalStore } from '../../store/store.js';
import { backoffDelay } from '../../transport/backoff.js';
import type { ConfiguredUser, createTokenSource } from '../../transport/token.js';
import type { AuthToken, RealtimeTransport } from '../../transport/transport.js';
import type { Announcer } from '../announcer.js';
import type { Clock } from '../clock.js';
import type { CollectionCore, CollectionSettings } from '../collection/core.js';
import type { Session } from '../collection/session.js';
import { connectionState } from './link.js';
import type { Event, State } from './machine.js';

export interface SupervisorOptions {
  readonly transport: RealtimeTransport;
  readonly store: LocalStore;
  readonly journal: Journal;
  readonly announcer: Announcer;
  readonly collections: ReadonlyMap<string, CollectionSettings>;
  readonly authToken: AuthToken | undefined;
  readonly user?: ConfiguredUser | undefined;
  /** Whether a live link is wanted, asked at the start and at each poll. */
  readonly realtime: () => boolean | Promise<boolean>;
  readonly settings: Settings;
}

export type TimerName =
  | 'link'
  | 'background'
  | 'network'
  | 'restart'
  | 'push'
  | 'waiting'
  | 'retry'
  | 'poll'
  | 'audit'
  | 'load';

/** What the parts of the supervisor share. */
export interface Context extends Omit<SupervisorOptions, 'collections'> {
  readonly collections: Map<string, CollectionCore>;
  readonly tokens: ReturnType<typeof createTokenSource>;
  readonly clock: Clock;
  readonly timers: Timers<TimerName>;
  /** Where things stand: see `machine.ts`. */
  readonly state: State;
  readonly dispatch: (event: Event) => void;
  /** Looks whether the status is another one now. */
  readonly updateStatus: () => void;
}

/** The failure has been reported where it happened. */
export const ignore = (): void => undefined;

export const isConnected = ({ state }: Context): boolean => state.link.name === 'connected';

export const coresOf = ({ collections }: Context): CollectionCore[] => [...collections.values()];

/** None until what pulls is loaded. */
export const sessionsOf = (context: Context): Session[] => coresOf(context).flatMap(({ session }) => session ?? []);

/** Every collection gets its changes by itself. */
export const allLive = (context: Context): boolean =>
  isConnected(context) && sessionsOf(context).every(({ phase }) => phase === 'live');

/** Records with edits that the backend does not have yet. */
export const pendingCount = (context: Context): number =>
  coresOf(context).reduce((sum, { replica }) => sum + replica.pending.size, 0);

/** Nothing is asked of the backend while paused, closed, or without a token that is let in. */
export const mayWork = ({ state }: Context): boolean =>
  !state.closed && !state.paused && connectionState(state.link).status !== 'needs-auth';

/** Before the next attempt after so many failures, in ms. */
export const retryDelay = ({ settings, state }: Context, failures: number): number =>
  state.online
    ? backoffDelay(failures, { base: settings.websocketReconnectDelay, max: settings.maxReconnectDelay })
    : settings.maxReconnectDelay;

/** While the platform says that there is no network, a failure is no news. */
export function report({ announcer, state }: Context, error: SyncLayerError, collection?: string): void {
  if (state.online || error.kind !== 'retry') announcer.report(error, collection);
}

import type { Timers } from '../../base/timers.js';
import type { Settings } from '../../config/defaults.js';
import type { Journal } from '../../store/journal.js';
import type { LocalStore } from '../../store/store.js';
import { backoffDelay } from '../../transport/backoff.js';
import type { ConfiguredUser, createTokenSource } from '../../transport/token.js';
import type { AuthToken, RealtimeTransport } from '../../transport/transport.js';
import type { Announcer } from '../announcer.js';
import type { Clock } from '../clock.js';
import type { CollectionCore, CollectionSettings } from '../collection-core.js';
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

export type TimerName = 'link' | 'background' | 'network' | 'restart' | 'push' | 'waiting' | 'retry' | 'poll' | 'audit';

/** What the parts of the supervisor share. */
export interface Context {
  readonly options: SupervisorOptions;
  readonly tokens: ReturnType<typeof createTokenSource>;
  readonly clock: Clock;
  readonly collections: Map<string, CollectionCore>;
  readonly timers: Timers<TimerName>;
  readonly state: () => State;
  readonly dispatch: (event: Event) => void;
}

export const isConnected = ({ state }: Context): boolean => state().link.name === 'connected';

export const sessionsOf = ({ collections }: Context) => [...collections.values()].map(({ session }) => session);

/** Nothing is asked of the backend while paused, closed, or without a token that is let in. */
export function mayWork({ state }: Context): boolean {
  const { closed, paused, link } = state();
  return (
    !closed && !paused && link.name !== 'needs-auth' && link.name !== 'renewing' && link.name !== 'polling-refused'
  );
}

/** Before the next attempt after so many failures, in ms. */
export function retryDelay({ options, state }: Context, failures: number): number {
  const { websocketReconnectDelay: base, maxReconnectDelay: max } = options.settings;
  return state().online ? backoffDelay(failures, { base, max }) : max;
}

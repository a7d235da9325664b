import type { Collection } from './collection.js';
import type { CollectionName, CollectionsConfig, InputOf, OutputOf } from './config/types.js';
import type { ConnectionState } from './observe/connection-state.js';
import type { EventSource, SyncStatus } from './observe/events.js';
import type { LoggerOptions } from './observe/logger.js';
import type { MetricsSnapshot } from './observe/metrics.js';
import type { SessionPhase } from './sync/collection/phases.js';
import type { Outbox } from './sync/outbox.js';
import type { SignedOut, Unsent } from './sync/sign-out.js';
import type { ConfiguredUser } from './transport/token.js';
import type { AuthToken } from './transport/transport.js';

/** The live link. */
export interface Realtime {
  readonly state: ConnectionState;
  /** Whether a live link is wanted: the flag of the configuration, or what `enable` and `disable` made of it. */
  readonly enabled: boolean;
  /**
   * Resolves when the link is wanted; whether it comes up is told by `state`.
   * @throws SyncLayerError UNSUPPORTED, and changes nothing, where the transport can only poll.
   */
  enable(): Promise<void>;
  /** Back to polling, at run time. Nothing is lost: what comes meanwhile is pulled. */
  disable(): Promise<void>;
}

/** What is going on inside, for a debug page or a bug report. Holds no row data and no token. */
export interface Inspection {
  readonly status: SyncStatus;
  readonly realtime: ConnectionState;
  readonly transport: string;
  readonly store: string;
  /** Server clock minus this device's, in ms. */
  readonly clockOffset: number;
  readonly collections: Readonly<
    Record<
      string,
      {
        readonly rows: number;
        readonly pending: number;
        readonly failed: number;
        readonly phase: SessionPhase;
        readonly cursor: unknown;
      }
    >
  >;
}

/** A running SyncLayer. */
export interface SyncLayerInstance<C extends CollectionsConfig = CollectionsConfig> {
  collection<N extends CollectionName<C>>(name: N): Collection<OutputOf<C, N>, InputOf<C, N>>;
  /** A collection with a row type of your own, where the configuration has no schema. */
  collection<T extends object>(name: CollectionName<C>): Collection<T>;
  readonly events: EventSource;
  readonly realtime: Realtime;
  readonly status: SyncStatus;
  /** Edits that wait, and those that the backend refused. */
  readonly outbox: Outbox;
  /** Pulls and pushes now. Rejects with the first error; what failed is tried again by itself. */
  syncNow(): Promise<void>;
  /** Stops all traffic, until `resume()`. Saving goes on locally. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * A new token, or a new way to get one. The link is made anew with it. `user`: whom it stands for, where it is no JWT, or a
   * function that has to be asked first. Edits of another user wait for that one: see `docs/signing-in-and-out.md`.
   *
   * @example
   * sync.setAuthToken(session.accessToken, { user: session.user.id });
   */
  setAuthToken(token: AuthToken | undefined, options?: { readonly user?: ConfiguredUser }): void;
  /**
   * The user signs out: rows are deleted from this device, and the token is forgotten. `unsent` says what becomes of edits that the
   * backend does not have yet: `keep` (default) holds them until their author signs in again, `send` sends them first, `discard`
   * gives them up, and refused ones too. Afterwards the next user signs in by `setAuthToken`, by the token function or in the SDK.
   *
   * @throws SyncLayerError CONNECTION_LOST, with `send`, where not all could be sent: then nothing has changed. INVALID_STATE, with
   *   `keep`, where nobody knows whose edits they are: set `user`.
   * @example
   * await sync.signOut({ unsent: 'send' }).catch(() => sync.signOut({ unsent: 'keep' }));
   * await supabase.auth.signOut();
   */
  signOut(options?: { readonly unsent?: Unsent }): Promise<SignedOut>;
  /**
   * Deletes all local data: rows, unsent edits, cursors. For a change of user; give each user a store of their own where
   * you can. Resolves with how many unsent records were discarded.
   */
  clear(): Promise<{ readonly discarded: number }>;
  metrics(): MetricsSnapshot;
  inspect(): Inspection;
  configureLogger(options: LoggerOptions): void;
  /** Stops everything and closes the store. Saves that have resolved are durable. */
  close(): Promise<void>;
}

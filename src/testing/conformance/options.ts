import type { Row } from '../../base/change.js';
import type { SyncLayerConfig } from '../../config/types.js';
import type { AuthToken, RealtimeTransport, TransportCapabilities } from '../../transport/transport.js';

/** The rows of the suite. The backend's two collections have these fields, and `id`. */
export type ConformanceRow = {
  readonly text: string;
  readonly done: boolean;
  /** Goes up with each write of the suite, so that a row that goes back is seen. */
  readonly count: number;
};

/**
 * A second hand on the data and on the wire, which does not go through the transport: the suite never trusts a transport
 * with its own proof. Each method resolves once it has happened.
 */
export interface ConformanceBackend {
  /**
   * Writes a whole row as another client would, new or not. `age`: the backend's own timestamp of it lies so many ms back
   * although it is committed now, as with a transaction that began earlier (needed where `cursor` is `timestamp`).
   */
  write(collection: string, id: string, row: ConformanceRow, options?: { readonly age?: number }): Promise<void>;
  /** Deletes a row as another client would, in the way that the backend deletes. */
  delete(collection: string, id: string): Promise<void>;
  /** Every row that a client should see, by id. */
  read(collection: string): Promise<ReadonlyMap<string, Row>>;
  /** Breaks every open connection. New ones work. */
  cut(): Promise<void>;
  /** `true`: the network dies without a word, half-open: nothing passes, and nobody is told. `false`: it is back. */
  hang(on: boolean): Promise<void>;
  /** Stops the server, and starts it again at the same address with the same data. Left out: the scenario cuts its connections. */
  restart?(): Promise<void>;
  close(): Promise<void>;
}

/** How the suite gets tokens, where the backend wants them. */
export interface ConformanceAuth<B> {
  /** A token that the backend takes: a new one each time, of the same user. */
  valid(backend: B): string | Promise<string>;
  /** One that it refuses. */
  readonly invalid: string;
  /** From now on the tokens that were handed out are refused, on open connections too. */
  expire?(backend: B): Promise<void>;
}

/** Who may see what, where the backend has rights. */
export interface ConformancePermissions<B> {
  /** The client of the suite may no longer read the collection, open subscriptions included. */
  revoke(backend: B, collection: string): Promise<void>;
  grant(backend: B, collection: string): Promise<void>;
  /** `true`: the client of the suite may not see this row, though it is there unchanged. `false`: it may again. */
  hideRow?(backend: B, collection: string, id: string, hidden: boolean): Promise<void>;
}

export interface ConformanceOptions<B extends ConformanceBackend = ConformanceBackend> {
  /** How the suite is called in the report: `websocket`, `mqtt over TLS`. */
  readonly name: string;
  /** What the transport promises. The scenarios are chosen by it alone; the first one checks that the transport agrees. */
  readonly capabilities: TransportCapabilities;
  /** An empty backend, for each scenario. Something heavy can be started once elsewhere; empty it here. */
  backend(): Promise<B>;
  /** A transport to it, for each client of a scenario. Short heartbeats make a short run. */
  create(backend: B): RealtimeTransport | Promise<RealtimeTransport>;
  /** Two collections of the backend. Default `todos` and `notes`. */
  readonly collections?: readonly [string, string];
  /** Anything of the configuration that all clients get. */
  readonly config?: Partial<Omit<SyncLayerConfig, 'transport' | 'collections' | 'store' | 'authToken'>>;
  /** Rows for the scenario of many missed ones: more than two pages, and than the backend's own page cap. Default 1 200. */
  readonly many?: number;
  readonly auth?: ConformanceAuth<B>;
  readonly permissions?: ConformancePermissions<B>;
  /** A row that the backend refuses for good, where it refuses any. */
  readonly refused?: ConformanceRow;
  /** Times in ms. `overlap`: how far a `timestamp` cursor steps back. Default 10 000. */
  readonly overlap?: number;
  /** How long one scenario may take, ms. Default 60 000. */
  readonly timeout?: number;
  /** Scenarios that are known to fail, by name, and why. One that passes is an error: take it off the list. */
  readonly knownGaps?: Readonly<Record<string, string>>;
}

/** What a client of a scenario is opened with. */
export interface OpenOptions {
  readonly authToken?: AuthToken;
  readonly config?: Partial<Omit<SyncLayerConfig, 'transport' | 'collections'>>;
  /** Only the first of the two collections. */
  readonly single?: true;
}

import type { Change, Row, Version } from '../base/change.js';
import type { SyncLayerError } from '../base/errors.js';

/** A place in a backend's order of changes. Opaque JSON: only the adapter that made it reads it. */
export type Cursor = null | boolean | number | string | readonly Cursor[] | { readonly [key: string]: Cursor };

/** Which rows of a collection this client keeps. A transport may apply it at the source; core always applies it. */
export interface SyncFilter {
  /** Fields that must equal these values. Dots reach into nested objects. */
  readonly where?: Readonly<Record<string, unknown>>;
  /** Only rows that the server changed at or after this time (ms since 1970, or an ISO string). */
  readonly since?: number | string;
  /** At most this many rows, the newest changes first. */
  readonly limit?: number;
  /** Only these fields, and `id`. */
  readonly fields?: readonly string[];
  /** All but these fields. Not together with `fields`. */
  readonly excludeFields?: readonly string[];
}

/** What core may count on. Core's behaviour depends on this alone, never on the transport's name. */
export interface TransportCapabilities {
  /** False: the backend is read-only; edits are refused. */
  readonly push: boolean;
  /**
   * What a *pull* sees of deleted rows: `tombstones` (they come as delete changes), `none` (hard deletes leave no
   * trace: `keys` is compared after each gap and on the audit schedule), `events` (only the live stream tells).
   */
  readonly deletes: 'events' | 'tombstones' | 'none';
  /**
   * What the cursor counts: `sequence` (commit order: nothing can slip behind it), `timestamp` (a late commit can:
   * the adapter re-reads an overlap when `PullRequest.start` is set), `snapshot` (each pull is the whole set).
   */
  readonly cursor: 'sequence' | 'timestamp' | 'snapshot';
  /** `core`: call `connect` again after a loss. `self`: the SDK reconnects and says `gap`, then `live`. */
  readonly reconnect: 'self' | 'core';
  /** The transport applies `SyncFilter.where` at the source, and reports a row that leaves it as a delete. */
  readonly filters: boolean;
  /**
   * The backend knows a repeated `opId`. Then a conflict is never our own write come back, so two devices that made the
   * same edit (both counted 5 to 6) do conflict, and a resolver can sum them. Default false.
   */
  readonly idempotent?: boolean;
  /**
   * The backend keeps `OutgoingChange.timestamp` and gives it back as `editedAt`: last write wins compares when edits were made.
   * Default false: it compares when the other edit was committed.
   */
  readonly editTimes?: boolean;
  /**
   * Reads can lag behind writes (replicas, eventually consistent reads). Then a row that a read shows older than it is known
   * is believed only once a second, later read shows it too. Default false: what a read shows is there now.
   */
  readonly staleReads?: boolean;
  /** False: it can only be polled, e.g. for want of an address, and `connect` rejects with what to set. Default true. */
  readonly live?: boolean;
  /** Changes that it commits in one go. What writes many rows, such as a migration, sends no more in one `push`. Default: no limit. */
  readonly pushSize?: number;
}

/**
 * What a backend does to a value that is stored there. Migrations, mirrors and shadows compare rows of two backends by it, and a
 * migration says before it writes what will not survive. Each field left out means: it is kept as it is.
 *
 * @example
 * // Rows in SQL tables.
 * values: () => ({ fields: 'columns' }),
 */
export interface TransportValues {
  /**
   * `documents`, the default: a field holds any JSON value, and a field that a row lacks is missing when it is read. `columns`: a
   * field that a row lacks is null when it is read, and a column's type may write a value another way (the same instant in
   * another text, `1.5` as `1.50`).
   */
  readonly fields?: 'documents' | 'columns';
  /** False: a list directly inside a list is refused. Default true. */
  readonly nestedLists?: boolean;
  /** False: an object or a list is taken only in a field whose declared type says what is inside. Default true. */
  readonly anyShape?: boolean;
  /** The largest whole number that each numeric field holds, e.g. 2147483647. Default: what JSON has. */
  readonly maxInteger?: number;
  /**
   * Values that JSON does not have are read as objects with one of these as their `type`, and become the same value again when they are
   * written: `['firestore/timestamp/1.0']`. Default: none.
   */
  readonly tags?: readonly string[];
}

/** A token, or how to get one. A function is asked at each connect, and again before a JWT's `exp`. */
export type AuthToken = string | (() => string | undefined | Promise<string | undefined>);

/** What the transport is given once, before anything else is called. */
export interface TransportHost {
  /**
   * The current token: the app's (`authToken`, `setAuthToken`), else the transport's `own` option; undefined: none.
   * Rejects with AUTH_REQUIRED instead of handing out a token that the backend has already refused.
   */
  authToken(own?: AuthToken): Promise<string | undefined>;
  /**
   * What to fail with, where something that used this token failed with `error`: another one if that is AUTH_REQUIRED, and a
   * newer token is in use since, with which it is to be tried again. What is not told of is taken for a refusal of the
   * token that was handed out last.
   */
  refused?(token: string | undefined, error: SyncLayerError): SyncLayerError;
  /**
   * For a transport that is let in by an SDK's session instead of a token of the app's: as whom what follows is asked; null: as
   * nobody. Call it before each request, and again before its answer is handed on, since the session may change meanwhile.
   *
   * @throws SyncLayerError AUTH_REQUIRED where a user's session is away: ask nothing, since with fewer rights less would be found,
   *   and take nothing for deleted. CONNECTION_LOST where it is another user's: everything is read again.
   */
  user?(id: string | null): void;
  /** An SDK says that its session has changed, and to whose: what waits for a session is tried at once. Undefined: see `user`. */
  sessionChanged?(id: string | null | undefined): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, details?: Readonly<Record<string, unknown>>): void;
  /** Counts one message of `bytes` bytes for the metrics. */
  traffic(direction: 'in' | 'out', bytes: number): void;
  /**
   * A part of an answer that is waited for has arrived, e.g. of a body. A `pull`, `push`, `fetch`, `count` or page of `keys` of which nothing
   * comes for the configuration's `answerTimeout` ends with CONNECTION_LOST, and is asked for again; so call this for whatever may take longer.
   * Heartbeats and the events of subscriptions are no such parts. `signal`: that of the call, or one that `createLifetime` made of it, so
   * that no other call lives on with it; left out, every call does.
   *
   * @example
   * for await (const part of response.body) {
   *   parts.push(part);
   *   host.alive?.(request.signal);
   * }
   */
  alive?(signal?: AbortSignal): void;
  /** Counts rows that the backend read for this client, for the metrics: of use where each one is paid for. */
  reads?(rows: number): void;
  /**
   * An answer to what was sent at `sentAt` (this device's clock, ms) shows the server's clock: `time` ms, or up to `precision` ms
   * later (default 0; 999 where it tells whole seconds). It must have been made for this request: what was written or cached
   * before is too old. Edits are stamped with it, and compared with others', whatever the device's own clock says.
   *
   * @example
   * const sentAt = Date.now();
   * const response = await fetch(url);
   * host.serverTime?.(Date.parse(response.headers.get('date') ?? ''), sentAt, 999);
   */
  serverTime?(time: number, sentAt: number, precision?: number): void;
  /** A problem that ends no subscription (a malformed frame, an unknown type). It becomes an `error` event. */
  report(error: SyncLayerError): void;
  /**
   * For a transport that changes its backend while it runs: `source` (or `name`) tells of another one from now on. Call
   * it in the same turn, before anything is asked of the new one. Core gives up what is under way, ends the
   * subscriptions, keeps the unsent edits, and reads all anew.
   */
  moved?(): void;
}

export interface SubscribeRequest {
  readonly collection: string;
  readonly filter?: SyncFilter;
}

/** Where a subscription's events go. Calls are synchronous and in order; none may come after unsubscribe or close. */
export interface ChangeSink {
  change(change: Change): void;
  /** From now on every committed change reaches this sink. A second call means that some may have been missed. */
  live(): void;
  /** Something may have been missed; core pulls. */
  gap(reason: string): void;
  /** This subscription is over. A lost connection ends each subscription with CONNECTION_LOST or HEARTBEAT_TIMEOUT. */
  error(error: SyncLayerError): void;
}

export type Unsubscribe = () => void;

export interface PullRequest {
  readonly collection: string;
  /** The last page's cursor, or the stored one; null for the very first pull. */
  readonly cursor: Cursor | null;
  /** True for the first page of a catch-up: a timestamp cursor steps back by its overlap here, and only here. */
  readonly start: boolean;
  /** Page size wanted, in rows. The backend may give fewer; only an empty page ends the pull. */
  readonly limit: number;
  readonly filter?: SyncFilter;
  readonly signal: AbortSignal;
}

export interface PullPage {
  /** Oldest first. Empty: the end. */
  readonly changes: readonly Change[];
  readonly cursor: Cursor;
  /**
   * This page belongs to a full snapshot (the first pull, a cursor too old, a `snapshot` transport). Once the snapshot
   * has ended with an empty page, rows that it did not hold are deleted. The empty page carries the mark too.
   */
  readonly snapshot?: true;
  /** Rows of this page could not be read, and are left out: nothing is concluded from their absence. */
  readonly incomplete?: true;
  /** The server's clock when it answered, to the ms: the same as to call `TransportHost.serverTime`. */
  readonly serverTime?: number;
}

/** One local edit on its way out. */
export interface OutgoingChange {
  readonly type: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly recordId: string;
  /** The same for each retry of the same edit: the backend can recognise a push whose answer was lost. */
  readonly opId: string;
  /** The whole row wanted; null for a delete. With field filters it holds only the fields that this client keeps. */
  readonly data: Row | null;
  /** For an update: the changed fields with their new values. */
  readonly patch?: Row;
  /** For an update: fields to remove. */
  readonly unset?: readonly string[];
  /** The server row that the edit started from; null for an insert. */
  readonly base: Row | null;
  /** Its version, for compare-and-set; null: the record must not exist. */
  readonly baseVersion: Version | null;
  /**
   * When the user made the edit, in ms, corrected to the server's clock. A backend that keeps it gives it back as `editedAt`.
   * Never earlier than the newest edit in the row that this one was merged with.
   */
  readonly timestamp: number;
}

/**
 * The backend's row that stood in the way, as it is now. `data: null`: it is gone. Its `version` is then that of the delete; one
 * that is not newer than what is known says that nobody has told of a delete, and the same version is taken when it is seen again.
 */
export interface CurrentRow {
  readonly data: Row | null;
  readonly version: Version;
  /** The key under which the backend has it, where it writes that another way: a uuid in lower case, a number without zeros. */
  readonly recordId?: string;
  /** With `data: null`: the row may well exist, but not for this user (rights, a condition). The edit is kept aside. */
  readonly hidden?: true;
  /** When it was committed, in ms. */
  readonly timestamp?: number;
  /** When its newest edit was made, in ms, where the backend keeps it: see `Change.editedAt`. */
  readonly editedAt?: number;
}

/** What became of one pushed change. */
export type PushResult =
  /**
   * Committed. `data`: the row as the backend has it, where that differs from what was sent; null: it is gone, or out of this
   * user's sight, by now. A repeated `opId` is answered with the row as it is *now*, and its version, and never without `data`:
   * where that is missing, core has to read the row. `recordId`: the key under which it is stored, where the backend writes that
   * another way; the record goes on under it.
   */
  | {
      readonly type: 'applied';
      readonly recordId?: string;
      readonly version: Version;
      readonly data?: Row | null;
      readonly timestamp?: number;
      readonly editedAt?: number;
    }
  /** Somebody else was first. Core merges and pushes again. */
  | { readonly type: 'conflict'; readonly current: CurrentRow }
  /** Refused for good, for what the edit is: kept aside and reported. */
  | { readonly type: 'rejected'; readonly error: SyncLayerError }
  /** This edit is refused for now: sent again, up to `maxRetries` times. What concerns the backend is a rejection of `push()`. */
  | { readonly type: 'retry'; readonly error: SyncLayerError }
  /**
   * Something else has to be there first (the row that a foreign key names, a column): held in the outbox, and sent again after
   * each push that was taken and at each audit. It counts against no limit and holds no other record up.
   */
  | { readonly type: 'waiting'; readonly error: SyncLayerError };

/** An id that exists in the backend, with its version where the backend can tell. */
export interface RecordKey {
  readonly recordId: string;
  readonly version?: Version;
  /** The whole row, where the backend reads it for its key anyhow: it is compared too, and need not be fetched. */
  readonly change?: Change;
  /** It is a tombstone: only where a `range` was asked for. */
  readonly deleted?: true;
}

/** Rows of these versions. Left out: no bound. Of `from` and `after` at most one is set, and of `before` and `upTo`. */
export interface VersionRange {
  /** This version, or newer. */
  readonly from?: Version;
  /** Newer than this version. */
  readonly after?: Version;
  /** Older than this version. */
  readonly before?: Version;
  /** This version, or older. */
  readonly upTo?: Version;
}

/**
 * A backend. Five ship with SyncLayer; `docs/custom-transport.md` shows how to write another.
 *
 * @example
 * const sync = await createSyncLayer({ transport: myTransport({ url }), collections: ['todos'] });
 */
export interface RealtimeTransport {
  readonly name: string;
  /**
   * Which backend this is (a URL without its query, a project id): cursors and versions of another one are not used. It
   * may change while it runs: see `TransportHost.moved`.
   */
  readonly source?: string;
  /**
   * How a collection lies in this backend, as far as the app can set it: its table, columns, conditions. Any JSON; undefined: by
   * its name alone. What was read under another one is read anew, as from another backend.
   */
  readonly mapping?: ((collection: string) => unknown) | undefined;
  /** Read each time it is needed: it may change once the backend has said what it can do. */
  readonly capabilities: TransportCapabilities;
  /**
   * What it can do in one collection, where collections differ: one marks its deleted rows, another deletes them for good.
   * Core asks this wherever a collection is known, so that no collection pays for what another lacks; `capabilities` then holds
   * for all of them. Left out: `capabilities` holds for each.
   */
  readonly capabilitiesOf?: ((collection: string) => TransportCapabilities) | undefined;
  /** What it does to the values of a collection. Left out: it keeps every JSON value as it is. */
  readonly values?: ((collection: string) => TransportValues) | undefined;
  /**
   * Loads what the transport needs, such as an SDK, while the store is opened. Where it rejects with PEER_MISSING, so does
   * `createSyncLayer`; whatever else fails here fails again in `connect`, and is tried again. It is not waited for for long.
   */
  prepare?(): Promise<unknown>;
  /** Called once, before any other method but `prepare`. */
  attach?(host: TransportHost): void;
  /** Opens the link. Always settles; rejects with a SyncLayerError, and when `signal` aborts. */
  connect(options: { readonly signal: AbortSignal }): Promise<void>;
  subscribe(request: SubscribeRequest, sink: ChangeSink): Unsubscribe;
  /** Changes after a cursor. May be called without a connection: polling does. */
  pull(request: PullRequest): Promise<PullPage>;
  /**
   * One result per change, in order. Rejects if it cannot tell what became of them, or if the backend is in trouble (a lost
   * connection, a timeout, overload, a rate limit, a lock, a full pool, a gateway): the same changes, with the same `opId`s, come
   * again after a backoff, as often as it takes, and none of them is to blame.
   *
   * Three rejections let core send fewer changes at a time, until one is alone: TOO_LARGE (more than the backend takes in one
   * request; a change that is too large by itself is rejected with its size), PUSH_REJECTED, SUBSCRIBE_REJECTED and
   * VALIDATION_FAILED (one of them is refused for good), and `details.unclear: true` (a failure that one change may cause; it counts as `retry`
   * for a change that fails alone while the backend takes others, unless `details.passing: true` says that it passes, as a lock does: the changes of other collections then go without that one).
   */
  push(changes: readonly OutgoingChange[], options: { readonly signal: AbortSignal }): Promise<PushResult[]>;
  /** The current rows of these ids; rows that do not exist are left out. Completes partial changes. */
  readonly fetch?:
    | ((
        collection: string,
        recordIds: readonly string[],
        options: { readonly signal: AbortSignal },
      ) => Promise<Change[]>)
    | undefined;
  /**
   * Every id of the collection, in pages, none twice in a page. Must throw rather than end early. Audits compare them; without
   * `keys` an audit reads the whole collection again.
   */
  readonly keys?:
    | ((
        collection: string,
        options: { readonly signal: AbortSignal; readonly filter?: SyncFilter; readonly range?: VersionRange },
      ) => AsyncIterable<readonly RecordKey[]>)
    | undefined;
  /**
   * How many rows have a version of this range, deleted ones included where they leave a tombstone. For backends that charge for
   * each row, and count for less than they list; versions must sort across records there. An audit then counts ranges, and
   * asks `keys` with a `range`, which must tell of tombstones too (`deleted`), only where a count is not what is known. Needs `fetch`.
   */
  readonly count?:
    | ((collection: string, options: { readonly signal: AbortSignal; readonly range: VersionRange }) => Promise<number>)
    | undefined;
  /** Closes the link; `connect` may follow. Used in the background and by `pause()`. */
  disconnect?(): Promise<void>;
  /** Final: after it resolves there is no event, timer, socket or listener of this transport. */
  close(): Promise<void>;
}

/**
 * The SyncLayer wire protocol: the frames that Flutter apps (synclayer 1.7) already speak, and what is added so that
 * nothing is lost. Every addition rides in `metadata`, or is a reply to a message that carried one, so an old client
 * and an old server never meet a frame that they do not know. `docs/protocol.md` tells it in prose.
 *
 * Times on the wire are ISO 8601 strings with milliseconds, UTC.
 */

/** A record in a `sync` frame. `deleted`: a tombstone, whose `data` is null. */
export interface WireRecord {
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly version: number;
  readonly updatedAt: string;
  /** When the newest edit in it was made, where the server keeps that. */
  readonly editedAt?: string;
  readonly deleted?: true;
  /** With `deleted`: the record may be there, but not for this user, or not within the filter. */
  readonly hidden?: true;
}

/** Which rows a subscription or pull wants; the server applies `where` (equality, dots reach into objects). */
export interface WireFilter {
  readonly where?: Readonly<Record<string, unknown>>;
}

export interface AuthMessage {
  readonly type: 'auth';
  readonly token: string;
}

/**
 * Begins the live events of a collection. Answered by `subscribed`. With `since` it is a pull too: one `sync` page
 * follows, of the records whose sequence number is above `since`, oldest first, at most `limit`. Subscribing again is
 * allowed, and is how the next page is asked for; it replaces `filter` only if it carries one.
 */
export interface SubscribeMessage {
  readonly type: 'subscribe';
  readonly collection: string;
  readonly metadata?: {
    readonly requestId?: string;
    /** A sequence number; 0 asks for everything. */
    readonly since?: number;
    readonly limit?: number;
    readonly filter?: WireFilter;
    /**
     * Sent in each request after a page marked `snapshot`, until the empty page: that page's `snapshotSeq`, or `true`
     * from who does not keep it. The server holds no state of a paged snapshot; without this mark `since` would be
     * taken for a cursor that is too old.
     */
    readonly snapshot?: number | true;
    /** Only which records there are, and their versions: `data` is empty. A server that does not know it sends whole ones. */
    readonly keys?: true;
  };
}

export interface UnsubscribeMessage {
  readonly type: 'unsubscribe';
  readonly collection: string;
}

/**
 * A write. `insert` replaces the whole record, `update` merges its fields into it, as in the original protocol. With
 * `metadata.opId` it is a compare-and-set against `baseVersion` (null: must not exist; absent: unconditional), is
 * answered by `ack`, `conflict` or `error`, and is applied once however often it is sent; `timestamp` is then when the edit
 * was made, by the server's clock, and comes back as `editedAt`. Without, it is applied as it comes, with no answer.
 */
export interface WriteMessage {
  readonly type: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly recordId: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly timestamp?: string;
  readonly metadata?: {
    readonly opId?: string;
    readonly baseVersion?: number | null;
    /** Fields that an update removes. */
    readonly unset?: readonly string[];
  };
}

export interface PingMessage {
  readonly type: 'ping';
}

export type ClientMessage = AuthMessage | SubscribeMessage | UnsubscribeMessage | WriteMessage | PingMessage;

export interface AuthenticatedMessage {
  readonly type: 'authenticated';
  readonly timestamp?: string;
}

/**
 * The subscription is live. `seq` is the collection's highest sequence number; its absence means an original server.
 * Sent again unasked, with `gap: true`, when the server dropped events for a slow consumer: pull.
 */
export interface SubscribedMessage {
  readonly type: 'subscribed';
  readonly collection: string;
  readonly timestamp?: string;
  readonly metadata?: {
    readonly requestId?: string;
    readonly recordCount?: number;
    readonly seq?: number;
    readonly gap?: true;
  };
}

export interface UnsubscribedMessage {
  readonly type: 'unsubscribed';
  readonly collection: string;
}

/** A change of somebody else's: never sent to the socket that made it. `data` is the whole row. */
export interface EventMessage {
  readonly type: 'insert' | 'update' | 'delete';
  readonly collection: string;
  readonly recordId: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly timestamp?: string;
  /** In our server `version` and `seq` are the same number: the place in the collection's commit order. */
  readonly metadata?: {
    readonly version?: number;
    readonly seq?: number;
    readonly userId?: string;
    /** When the newest edit in the row was made; `timestamp` is when it was committed. */
    readonly editedAt?: string;
    /** Of a delete: the record may be there, but not for this user, or not within the filter. */
    readonly hidden?: true;
  };
}

/**
 * A page of records; the empty one is the last. `seq` is the cursor after it. `snapshot`: `since` was 0, or older than
 * the oldest tombstone kept, so what all the marked pages together do not hold is gone. `snapshotSeq`: where the
 * snapshot began, to be sent back as `SubscribeMessage.metadata.snapshot`.
 */
export interface SyncMessage {
  readonly type: 'sync';
  readonly collection: string;
  readonly data: { readonly records: readonly WireRecord[] };
  readonly timestamp?: string;
  readonly metadata?: {
    readonly requestId?: string;
    readonly seq?: number;
    readonly snapshot?: true;
    readonly snapshotSeq?: number;
  };
}

/**
 * The write named by `opId` is committed. `data` only where the server stored something else than was sent. Where the `opId` came
 * before, the record is told as it is now, with its version: `data` is then always there, and null where it is gone.
 */
export interface AckMessage {
  readonly type: 'ack';
  readonly collection: string;
  readonly recordId: string;
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly timestamp: string;
  readonly metadata: {
    readonly opId: string;
    readonly version: number;
    readonly seq: number;
    readonly editedAt?: string;
  };
}

/** The write named by `opId` came too late. `data`, `version` and `timestamp` are the current row's; null: it is gone. */
export interface ConflictMessage {
  readonly type: 'conflict';
  readonly collection: string;
  readonly recordId: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly timestamp: string;
  readonly metadata: {
    readonly opId: string;
    readonly version: number;
    readonly editedAt?: string;
    /** With `data: null`: it is there, but not for this user. */
    readonly hidden?: true;
  };
}

export type WireErrorCode =
  | 'AUTH_FAILED'
  | 'UNAUTHORIZED'
  | 'INVALID_MESSAGE'
  | 'COLLECTION_NOT_FOUND'
  | 'RECORD_NOT_FOUND'
  | 'RATE_LIMIT_EXCEEDED'
  | 'SERVER_ERROR';

export interface ErrorMessage {
  readonly type: 'error';
  readonly error: string;
  readonly code?: WireErrorCode;
  readonly metadata?: {
    readonly opId?: string;
    readonly requestId?: string;
    readonly collection?: string;
    readonly recordId?: string;
    /** With RATE_LIMIT_EXCEEDED: ms to wait. */
    readonly retryAfter?: number;
  };
}

/** `timestamp`: the server's clock, from which the client measures its offset. */
export interface PongMessage {
  readonly type: 'pong';
  readonly timestamp?: string;
}

export type ServerMessage =
  | AuthenticatedMessage
  | SubscribedMessage
  | UnsubscribedMessage
  | EventMessage
  | SyncMessage
  | AckMessage
  | ConflictMessage
  | ErrorMessage
  | PongMessage;

/** A record in a REST answer. */
export interface RestRecord {
  readonly recordId: string;
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly version: number;
  readonly updatedAt: string;
  readonly editedAt?: string;
  readonly deleted?: true;
  /** With `deleted`: the record may be there, but not for this user, or not within the filter. */
  readonly hidden?: true;
}

/**
 * `GET /sync/:collection`. With `?seq=N&limit=` (the addition): records above N with tombstones, `seq` and `snapshot`
 * as in `SyncMessage`; `&snapshot=` is `SubscribeMessage.metadata.snapshot` (1 for `true`), `&keys=1` its `keys`, `&filter=` a `WireFilter` as
 * JSON. With the original `?since=ISO&limit=&offset=`: live records changed since, no `seq`.
 */
export interface RestPage {
  readonly records: readonly RestRecord[];
  readonly seq?: number;
  readonly snapshot?: true;
  readonly snapshotSeq?: number;
  readonly timestamp?: string;
}

/** `POST /sync` (the addition): many writes with `opId`, each answered as it would be on the socket, in order. */
export interface RestBatch {
  readonly changes: readonly WriteMessage[];
}

export interface RestBatchAnswer {
  readonly results: readonly (AckMessage | ConflictMessage | ErrorMessage)[];
}

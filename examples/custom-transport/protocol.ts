/**
 * What the transport and the backend say to each other, as JSON. A client asks on `<prefix>/requests/<client id>` and is
 * answered on `<prefix>/answers/<client id>`; each commit is told on `<prefix>/changes/<collection>`.
 */
import type { OutgoingChange, Row } from 'synclayer/adapter-kit';

/** A record as it is now. */
export interface WireRecord {
  readonly id: string;
  /** Counts the commits of its collection, without holes. It is the record's version, and the cursor of a pull. */
  readonly seq: number;
  /** When it was committed, in ms since 1970. */
  readonly time: number;
  /** Null: deleted. */
  readonly data: Row | null;
  /** The push that made it. */
  readonly opId?: string | undefined;
}

export type Request =
  | { readonly method: 'pull'; readonly collection: string; readonly since: number; readonly limit: number }
  | { readonly method: 'push'; readonly changes: readonly OutgoingChange[] }
  | { readonly method: 'fetch'; readonly collection: string; readonly ids: readonly string[] }
  | { readonly method: 'keys'; readonly collection: string; readonly after: string };

/** What became of one pushed change. */
export type PushAnswer =
  | { readonly type: 'applied'; readonly seq: number; readonly time: number }
  | { readonly type: 'conflict'; readonly current: WireRecord }
  | { readonly type: 'rejected'; readonly message: string };

/** What each request is answered with. */
export interface Answers {
  readonly pull: { readonly records: readonly WireRecord[]; readonly time: number };
  readonly push: { readonly results: readonly PushAnswer[] };
  readonly fetch: { readonly records: readonly WireRecord[] };
  readonly keys: { readonly keys: readonly Pick<WireRecord, 'id' | 'seq'>[] };
}

/** The answer to the request of the same `id`. */
export type Reply =
  | { readonly id: string; readonly answer: Answers[keyof Answers] }
  | { readonly id: string; readonly forbidden: string }
  | { readonly id: string; readonly error: string };

export const topics = (prefix: string) => ({
  /** A collection's name may hold what means something in a topic: `/`, `+`, `#`. */
  changes: (collection: string): string => `${prefix}/changes/${encodeURIComponent(collection)}`,
  requests: (clientId: string): string => `${prefix}/requests/${clientId}`,
  answers: (clientId: string): string => `${prefix}/answers/${clientId}`,
});

import type { Row } from '../base/change.js';

/** What `where` understands. */
export type Operator =
  | '=='
  | '!='
  | '>'
  | '>='
  | '<'
  | '<='
  | 'startsWith'
  | 'endsWith'
  | 'contains'
  | 'arrayContains'
  | 'arrayContainsAny'
  | 'in'
  | 'notIn'
  | 'isNull';

export type Direction = 'asc' | 'desc';

export interface Condition {
  /** A field, or a path such as `address.city`. */
  readonly path: string;
  readonly operator: Operator;
  readonly value: unknown;
}

export interface Order {
  readonly path: string;
  readonly direction: Direction;
}

/** A query as data. */
export interface QuerySpec {
  readonly conditions: readonly Condition[];
  readonly order: readonly Order[];
  readonly limit?: number;
  readonly offset: number;
}

/** One record's step from one visible state to the next; `undefined` is absence. */
export interface Delta {
  readonly id: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** What queries read: the visible rows of one collection, in memory. */
export interface RowSource {
  readonly rows: ReadonlyMap<string, Row>;
  /** False until the rows have been read from disk, and, on a first start, from the backend. */
  readonly ready: boolean;
  /** Called after each batch, once, with all its deltas; and with an empty list when `ready` turns true. */
  onChange(listener: (deltas: readonly Delta[]) => void): () => void;
  /** Aborted when the collection is closed: nothing is told after that, and `for await` loops over a query end. */
  readonly closed?: AbortSignal;
}

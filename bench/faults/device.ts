import type { Row } from './backend.js';

/** What the app of a device was told of a record. `count: null`: it is gone. */
export interface Told {
  readonly id: string;
  readonly count: number | null;
}

/** An app with local data, kept equal to the backend by whatever is compared. */
export interface Device {
  /** What the app shows, by id. */
  rows(): Promise<Map<string, Row>>;
  /** Every change that the app was told of by an event, its own writes included, in order. */
  readonly told: readonly Told[];
  save(id: string, row: Row): Promise<void>;
  remove(id: string): Promise<void>;
  close(): Promise<void>;
}

/** Each of them looks at the backend this often without being told to, in ms. */
export const CHECK_EVERY = 1000;
/** How long it waits after a failure, in ms. */
export const RETRY_AFTER = 50;
/** Rows per pull. */
export const PAGE = 50;

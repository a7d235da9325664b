/** How long the server takes over things, in ms. */
export interface Delays {
  /** Between two polls of the WAL. */
  readonly poll: number;
  /** From the first subscription after a start until the WAL is watched. What is committed before is never sent. */
  readonly coldStart: number;
  /** After a refused join. Nothing else passes the socket meanwhile, in either direction. */
  readonly refusedJoin: number;
  /** Before a refused upgrade is answered. */
  readonly refusedKey: number;
  /** From new claims to their effect. */
  readonly newClaims: number;
  /** From Postgres's return until the WAL is watched again. What is committed before is never sent. */
  readonly reconnect: number;
  /** Between two looks at which tables are published. While there are none the WAL is not watched. */
  readonly publication: number;
  /**
   * From the look that finds a table in a publication that was empty, and the `system` ok that follows it, until the WAL is watched
   * again. What is committed before is never sent.
   */
  readonly resume: number;
  /** A client that is silent for so long is closed with 1000. */
  readonly silence: number;
}

/** As a real server was seen to behave. */
export const REAL_DELAYS: Delays = {
  poll: 100,
  coldStart: 2_000,
  refusedJoin: 5_000,
  refusedKey: 2_000,
  newClaims: 2_500,
  reconnect: 4_000,
  publication: 60_000,
  resume: 650,
  silence: 66_000,
};

/** The same things in the same order, as fast as they go. */
export const FAST_DELAYS: Delays = {
  poll: 10,
  coldStart: 0,
  refusedJoin: 50,
  refusedKey: 20,
  newClaims: 20,
  reconnect: 50,
  publication: 60_000,
  resume: 50,
  silence: 66_000,
};

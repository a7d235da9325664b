import type { Row } from '../base/change.js';
import type { SyncLayerError } from '../base/errors.js';
import type { AuthToken, RealtimeTransport } from '../transport/transport.js';
import type { SwitchPhase } from './switchover.js';

export type { SwitchPhase };

/** One of the two backends. */
export type Side = 'from' | 'to';

/** What a backend needs to be reached: what `createSyncLayer` takes. */
export interface MigrationEnd {
  readonly transport: RealtimeTransport;
  readonly authToken?: AuthToken | undefined;
}

/** Times in ms. */
export interface MigrationOptions {
  readonly from: MigrationEnd;
  readonly to: MigrationEnd;
  readonly collections: readonly string[];
  /**
   * The SQLite file that remembers what was carried over; made if it is missing. With it a run that was killed goes on
   * where it was. It holds the rows: keep it as safe as the backends, and delete it when nobody will go back any more.
   */
  readonly stateFile: string;
  /** Most rows written in a second. Default: no limit. */
  readonly rateLimit?: number | undefined;
  /** Rows read at a time. Default 1000. */
  readonly pageSize?: number | undefined;
  /** Rows in one push. Default 500. */
  readonly pushSize?: number | undefined;
  /** Pushes under way at a time. Default 4. */
  readonly concurrency?: number | undefined;
  /**
   * Fields that may come out different, as `collection.field`: what the plan says the target cannot hold, and you can do
   * without. They are not compared.
   */
  readonly accept?: readonly string[] | undefined;
  /** A field that is null equals one that is missing. Default: true where one of the backends cannot tell them apart. */
  readonly nullIsMissing?: boolean | undefined;
  /**
   * Rows that the source has no more, without saying that they were deleted, are deleted at the target even if they are all of
   * a collection, or more than 20 and a tenth of it. Default false: that looks like a source that cannot be read.
   */
  readonly allowDeletes?: boolean | undefined;
  /** How long a backend may be out of reach before it is given up. Default 600 000. */
  readonly giveUpAfter?: number | undefined;
  /** How often all keys are compared while following, for what live events did not tell. Default 300 000. */
  readonly auditInterval?: number | undefined;
  /** How often a backend without a live link is read while following. Default 5000. */
  readonly pollInterval?: number | undefined;
  /** Ends whatever runs. What was carried over is remembered. */
  readonly signal?: AbortSignal | undefined;
  /** Told of all that happens, as it happens. */
  readonly onEvent?: ((event: MigrationEvent) => void) | undefined;
}

/** A row that is not the same on both sides. */
export interface Difference {
  readonly collection: string;
  readonly recordId: string;
  /** `missing`: only the source has it. `extra`: only the target has it. */
  readonly kind: 'missing' | 'extra' | 'different';
  /** Which fields differ, where both have the row. */
  readonly fields: readonly string[];
}

/** What happens, as it happens. */
export type MigrationEvent =
  /** Rows of a collection carried over so far; `total` is what the plan counted, `rate` in rows a second. */
  | {
      readonly type: 'progress';
      readonly collection: string;
      readonly done: number;
      readonly total: number | undefined;
      readonly rate: number;
    }
  | { readonly type: 'phase'; readonly phase: MigrationPhase; readonly collection?: string }
  | ({ readonly type: 'difference' } & Difference)
  /** The target refused a row for good: it is in the report, and the verification will miss it. */
  | { readonly type: 'refused'; readonly collection: string; readonly recordId: string; readonly reason: string }
  /** The target had a row of its own there; the source's was written over it. */
  | { readonly type: 'overwritten'; readonly collection: string; readonly recordId: string }
  /** A backend was out of reach, or not willing; it is tried again. */
  | { readonly type: 'retry'; readonly side: Side; readonly error: SyncLayerError };

export type MigrationPhase = 'plan' | 'trial' | 'backfill' | 'catch-up' | 'follow' | 'verify' | 'drain' | SwitchPhase;

/** What a field's values look like. */
export type ValueKind =
  | 'missing'
  | 'null'
  | 'boolean'
  | 'integer'
  | 'large integer'
  | 'number'
  | 'text'
  | 'numeric text'
  | 'time'
  | 'list'
  | 'list in a list'
  | 'object'
  | 'tagged';

/** What became of a field on its way, or will. */
export interface Finding {
  readonly collection: string;
  readonly field: string;
  /**
   * `blocks`: the rows will be refused. `lossy`: it comes back as something else. `equal`: written another way, of the
   * same meaning. `note`: worth knowing.
   */
  readonly level: 'blocks' | 'lossy' | 'equal' | 'note';
  readonly text: string;
  /** True: seen with rows that were really written. Else it is known of such a backend. */
  readonly seen: boolean;
}

export interface CollectionPlan {
  readonly collection: string;
  /** How many rows each side has now. */
  readonly rows: Readonly<Record<Side, number>>;
  /** The kinds of values of each field of the source, with how many rows have them. */
  readonly fields: Readonly<Record<string, Partial<Record<ValueKind, number>>>>;
  /** Size of the rows as JSON, bytes. */
  readonly bytes: number;
}

export interface MigrationPlan {
  readonly from: string;
  readonly to: string;
  readonly collections: readonly CollectionPlan[];
  readonly findings: readonly Finding[];
  /** What reading took, ms. Writing takes longer; progress events say how long. */
  readonly took: number;
}

export interface CollectionVerification {
  readonly collection: string;
  readonly rows: Readonly<Record<Side, number>>;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
}

export interface Verification {
  readonly equal: boolean;
  readonly collections: readonly CollectionVerification[];
  /** The first of them, up to 100 of each collection. */
  readonly differences: readonly Difference[];
  /** ms. */
  readonly took: number;
}

/** What a comparison that writes nothing found. */
export interface Comparison extends Verification {
  /** The collections that this state file does not know to be copied to their end: differences there are to be expected. */
  readonly unfinished: readonly string[];
}

/** The flag that clients obey. */
export interface SwitchFlag {
  /** Resolves once clients will read this phase. */
  write(phase: SwitchPhase): void | Promise<void>;
}

/** Times in ms. */
export interface CutOverOptions {
  readonly flag: SwitchFlag;
  /**
   * From when `hold` is written until no client writes to the old backend any more: how often clients read the flag, and how long
   * a request of theirs may take. Default 30 000.
   */
  readonly grace?: number | undefined;
  /** So long nothing may have changed at the old backend, to be sure of commits that come late. Default 10 000. */
  readonly quiet?: number | undefined;
  /**
   * How long to hold at most, `grace` and `quiet` included. Then clients go back to where they were, whatever is under way. Default
   * 300 000.
   */
  readonly maxHold?: number | undefined;
}

export type CutOverResult =
  | { readonly done: true; readonly verification: Verification; readonly held: number }
  /**
   * Clients are where they were, and nothing is lost. `still writing`: somebody does not obey the flag. `too long`: bringing over the
   * last changes, or comparing, took longer than `maxHold`.
   */
  | {
      readonly done: false;
      readonly reason: 'differences' | 'still writing' | 'too long';
      readonly verification: Verification | undefined;
      readonly held: number;
    };

/** Rows that the trial wrote, and that are at the target. */
export interface TrialRows {
  readonly collection: string;
  readonly recordIds: readonly string[];
}

/** A row that the target refused. */
export interface Refusal {
  readonly collection: string;
  readonly recordId: string;
  readonly reason: string;
}

/** A row as one side has it. `row: null`: it is deleted there. */
export interface SideState {
  readonly version: string | number;
  readonly row: Row | null;
}

import type { Bench } from './bench.js';
import type { ConformanceBackend, ConformanceOptions } from './options.js';

/** One proof. Which laws there are: `docs/guarantees.md`. */
export interface Scenario {
  readonly name: string;
  /** The number of the law that a failure breaks. */
  readonly law: number;
  /** Why it is not for this transport; undefined: it is. */
  leftOut?(options: ConformanceOptions<ConformanceBackend>): string | undefined;
  run(bench: Bench): Promise<void>;
}

type LeftOut = NonNullable<Scenario['leftOut']>;

export const pushes: LeftOut = ({ capabilities }) => (capabilities.push ? undefined : 'the backend is read-only');

/** Deletes that nobody was told of are found by a pull, or by comparing keys. */
export const seesDeletes: LeftOut = ({ capabilities }) =>
  capabilities.deletes === 'events' ? 'the backend tells of deletes only while one listens' : undefined;

export const hasTimestamps: LeftOut = ({ capabilities }) =>
  capabilities.cursor === 'timestamp' ? undefined : 'its cursor counts no time';

/** A promise that the scenario opens. */
export function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

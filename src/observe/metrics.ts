import type { ErrorCode } from '../base/errors.js';

/** Counters since the start; times in ms, sizes in bytes. */
export interface MetricsSnapshot {
  readonly connection: {
    readonly attempts: number;
    readonly failures: number;
    /** Share of attempts that connected, 0 to 1; 1 before the first. */
    readonly successRate: number;
    /** Mean time to connect. */
    readonly connectTime: number;
    readonly reconnects: number;
    /** How long links have been up, the present one included. */
    readonly connectedFor: number;
  };
  readonly messages: {
    readonly in: number;
    readonly out: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
    /** Over the last ten seconds. */
    readonly inPerSecond: number;
    readonly outPerSecond: number;
    readonly averageSize: number;
  };
  /** From the server's commit to here, of the last 500 live changes that carried a time. */
  readonly latency: { readonly count: number; readonly p50: number; readonly p95: number; readonly max: number };
  readonly sync: {
    readonly attempts: number;
    readonly failures: number;
    readonly successRate: number;
    readonly averageDuration: number;
    readonly lastSyncAt: number | undefined;
  };
  readonly operations: { readonly queued: number; readonly synced: number; readonly failed: number };
  /** Each was resolved, by the strategy. */
  readonly conflicts: number;
  readonly changes: { readonly applied: number; readonly invalid: number };
  /** Rows that the backend read for this client, where the transport counts them (Firestore); else 0. */
  readonly reads: number;
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
}

const WINDOW_SECONDS = 10;
const LATENCY_SAMPLES = 500;

/** Messages of one direction, with their rate over the last seconds in as many buckets. */
function createTraffic() {
  const buckets = new Array<number>(WINDOW_SECONDS).fill(0);
  let second = 0;
  const advance = (): void => {
    const now = Math.floor(Date.now() / 1000);
    for (let step = Math.min(now - second, WINDOW_SECONDS); step > 0; step--)
      buckets[(now - step + 1) % WINDOW_SECONDS] = 0;
    second = now;
  };
  const traffic = { count: 0, bytes: 0 };
  return {
    traffic,
    add(bytes: number): void {
      advance();
      traffic.count += 1;
      traffic.bytes += bytes;
      buckets[second % WINDOW_SECONDS] = (buckets[second % WINDOW_SECONDS] ?? 0) + 1;
    },
    perSecond(): number {
      advance();
      return buckets.reduce((sum, bucket) => sum + bucket, 0) / WINDOW_SECONDS;
    },
  };
}

const share = (part: number, whole: number, empty: number): number => (whole === 0 ? empty : part / whole);

/** Counts what happens. */
export function createMetrics() {
  const inbound = createTraffic();
  const outbound = createTraffic();
  const connection = { attempts: 0, successes: 0, connectTime: 0, lasted: 0, since: undefined as number | undefined };
  const sync = { attempts: 0, successes: 0, duration: 0, lastSyncAt: undefined as number | undefined };
  const counts = { queued: 0, synced: 0, failed: 0, conflicts: 0, applied: 0, invalid: 0, reads: 0 };
  const errors: Partial<Record<ErrorCode, number>> = {};
  const latencies: number[] = [];
  let latencyCount = 0;
  return {
    counts,
    traffic(direction: 'in' | 'out', bytes: number): void {
      (direction === 'in' ? inbound : outbound).add(bytes);
    },
    reads(rows: number): void {
      counts.reads += rows;
    },
    connectAttempt(ok: boolean, took: number): void {
      connection.attempts += 1;
      if (!ok) return;
      connection.successes += 1;
      connection.connectTime += took;
    },
    connected(up: boolean): void {
      if (up) connection.since ??= Date.now();
      else if (connection.since !== undefined) {
        connection.lasted += Date.now() - connection.since;
        connection.since = undefined;
      }
    },
    latency(ms: number): void {
      latencies[latencyCount++ % LATENCY_SAMPLES] = Math.max(0, ms);
    },
    synced(ok: boolean, took: number): void {
      sync.attempts += 1;
      if (!ok) return;
      sync.successes += 1;
      sync.duration += took;
      sync.lastSyncAt = Date.now();
    },
    error(code: ErrorCode): void {
      errors[code] = (errors[code] ?? 0) + 1;
    },
    snapshot(): MetricsSnapshot {
      const sorted = [...latencies].sort((a, b) => a - b);
      const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
      const [into, out] = [inbound.traffic, outbound.traffic];
      const { attempts, successes } = connection;
      return {
        connection: {
          attempts,
          failures: attempts - successes,
          successRate: share(successes, attempts, 1),
          connectTime: share(connection.connectTime, successes, 0),
          reconnects: Math.max(0, successes - 1),
          connectedFor: connection.lasted + (connection.since === undefined ? 0 : Date.now() - connection.since),
        },
        messages: {
          in: into.count,
          out: out.count,
          bytesIn: into.bytes,
          bytesOut: out.bytes,
          inPerSecond: inbound.perSecond(),
          outPerSecond: outbound.perSecond(),
          averageSize: share(into.bytes + out.bytes, into.count + out.count, 0),
        },
        latency: { count: latencyCount, p50: quantile(0.5), p95: quantile(0.95), max: sorted.at(-1) ?? 0 },
        sync: {
          attempts: sync.attempts,
          failures: sync.attempts - sync.successes,
          successRate: share(sync.successes, sync.attempts, 1),
          averageDuration: share(sync.duration, sync.successes, 0),
          lastSyncAt: sync.lastSyncAt,
        },
        operations: { queued: counts.queued, synced: counts.synced, failed: counts.failed },
        conflicts: counts.conflicts,
        changes: { applied: counts.applied, invalid: counts.invalid },
        reads: counts.reads,
        errors: { ...errors },
      };
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

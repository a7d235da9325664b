import type { OutgoingChange } from '../transport/transport.js';

/** How much goes into one push. It adapts to the line: a batch that takes long keeps everything behind it waiting. */
export interface BatchLimits {
  readonly edits: number;
  /** About; one edit may always go. */
  readonly bytes: number;
  /** What the backend is known to take. */
  readonly ceiling: number;
  /** By how much `bytes` grows with a full batch that is answered quickly: slowly after one that was not answered. */
  readonly growth: number;
}

/** Large enough to hide the round trip, small enough that one bad answer repeats little. */
export const MOST_EDITS = 250;
const LEAST_BYTES = 8192;
const CEILING = 1_048_576;

/** Small at first: what the line is worth shows in the answer to it. */
export const FIRST_LIMITS: BatchLimits = { edits: MOST_EDITS, bytes: 65_536, ceiling: CEILING, growth: 2 };

/** Quicker than this, in ms, and the next batch may be larger; slower, and it has to be smaller. */
const QUICK = 1000;
const SLOW = 4000;
/** Less than this, in ms, is no time in which an answer could have come late: the link broke, or was not there. */
const AT_ONCE = 250;
const SLOWLY = 1.1;

/** A batch that was sent, and how long its answer took (or did not come), in ms. */
export interface SentBatch {
  readonly edits: number;
  readonly bytes: number;
  readonly ms: number;
}

/** About how many bytes an edit makes on its way; adapters name fields and versions in their own words. */
export const sizeOf = ({ patch, data }: OutgoingChange): number => 200 + JSON.stringify(patch ?? data ?? '').length;

/** For the batch after one that was answered. */
export function afterAnswer(limits: BatchLimits, { bytes, ms }: SentBatch): BatchLimits {
  const edits = Math.min(MOST_EDITS, limits.edits * 4);
  // A small batch says nothing of what a large one takes.
  const full = bytes * 2 >= limits.bytes;
  if (ms < QUICK && full) {
    const growth = Math.min(2, limits.growth * 1.05);
    return { ...limits, edits, growth, bytes: Math.min(limits.ceiling, Math.round(limits.bytes * limits.growth)) };
  }
  if (ms > SLOW && full) return { ...limits, edits, bytes: Math.max(LEAST_BYTES, (bytes * SLOW) / (2 * ms)) };
  return { ...limits, edits };
}

/** For the batch after one that got no answer: the line may be slower than the limit for one. */
export const afterSilence = (limits: BatchLimits, { bytes, ms }: SentBatch): BatchLimits =>
  ms < AT_ONCE
    ? limits
    : { ...limits, growth: SLOWLY, bytes: Math.max(LEAST_BYTES, Math.min(limits.bytes, bytes) / 2) };

/** For the batch after one that was more than the backend takes. */
export const afterTooLarge = (limits: BatchLimits, { bytes }: SentBatch): BatchLimits => ({
  ...limits,
  bytes: Math.min(limits.bytes, Math.ceil(bytes / 2)),
  ceiling: Math.min(limits.ceiling, Math.ceil(bytes / 2)),
});

/** For the batch after one in which an edit is refused, and nobody knows which. */
export const halved = (limits: BatchLimits, { edits }: SentBatch): BatchLimits => ({
  ...limits,
  edits: Math.max(1, Math.ceil(edits / 2)),
});

/** For the batch after one over which the backend failed, and did not say why: one edit in it may be the cause. */
export const afterUnclear = (limits: BatchLimits, { edits }: SentBatch): BatchLimits => ({
  ...limits,
  edits: Math.max(1, Math.ceil(edits / 4)),
});

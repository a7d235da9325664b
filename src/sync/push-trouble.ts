import { SyncLayerError } from '../base/errors.js';
import {
  afterSilence,
  afterTooLarge,
  afterUnclear,
  type BatchLimits,
  halved,
  MOST_EDITS,
  type SentBatch,
} from './batch-limits.js';
import type { OutboxEntry } from './replica-state.js';

/** How often a whole batch is tried again over which the backend fails without a reason. */
const UNCLEAR = 3;

/** What to do with a batch whose push was rejected. */
export type Remedy =
  /** The backend's or the link's trouble: all of it again, after the backoff. */
  | { readonly type: 'wait' }
  /** At once, in smaller batches. */
  | { readonly type: 'halve' }
  /** It is one edit, and refused for what it is. */
  | { readonly type: 'reject'; readonly error: SyncLayerError }
  /** It is one edit, and may be the cause: the others are tried without it. */
  | { readonly type: 'suspect' };

export interface Trouble {
  readonly error: SyncLayerError;
  readonly batch: readonly OutboxEntry[];
  readonly sent: SentBatch;
  readonly limits: BatchLimits;
  /** Batches in a row over which the backend failed without a reason, before this one. */
  readonly unclear: number;
  /** The backend has taken others in this run. */
  readonly taken: boolean;
  /** It was refused, or failed alone, before. */
  readonly doubtful: boolean;
}

function tooLarge({ collection, recordId }: OutboxEntry, { bytes }: SentBatch, cause: SyncLayerError): SyncLayerError {
  const what = `The edit of ${collection}/${recordId} makes about ${bytes} bytes, more than the backend takes in one request.`;
  const fix = 'Store large values elsewhere and keep their address, or raise the limit (maxPayload, of our server).';
  return new SyncLayerError('PUSH_REJECTED', `${what} ${fix} ${cause.message}`, {
    ...(cause.adapter !== undefined && { adapter: cause.adapter }),
    details: { ...cause.details, bytes },
    cause,
  });
}

/** What a rejected push means for its edits, and for the size of the next batch. */
export function remedyFor({ error, batch, sent, limits, unclear, taken, doubtful }: Trouble): {
  readonly remedy: Remedy;
  readonly limits: BatchLimits;
} {
  const [first] = batch;
  const alone = batch.length === 1 ? first : undefined;
  switch (error.code) {
    case 'TOO_LARGE':
      return {
        remedy: alone ? { type: 'reject', error: tooLarge(alone, sent, error) } : { type: 'halve' },
        limits: alone ? limits : halved(afterTooLarge(limits, sent), sent),
      };
    // A read that its compare-and-set needs is refused: it is no more welcome than the write.
    case 'SUBSCRIBE_REJECTED':
    case 'PUSH_REJECTED':
    case 'VALIDATION_FAILED':
      return { remedy: alone ? { type: 'reject', error } : { type: 'halve' }, limits: halved(limits, sent) };
  }
  const { unclear: isUnclear, status, code } = error.details;
  // A backend that says no, however late, gets whole batches.
  const answered = isUnclear === true || status !== undefined || code !== undefined;
  if (!answered) return { remedy: { type: 'wait' }, limits: afterSilence(limits, sent) };
  if (isUnclear !== true) return { remedy: { type: 'wait' }, limits };
  // Overload gets whole batches and its time. What goes on for longer may be one edit's: fewer go, until it is alone.
  const narrowing = unclear + 1 >= UNCLEAR || limits.edits < MOST_EDITS;
  const suspicious = alone && (narrowing || (taken && doubtful));
  return {
    remedy: { type: suspicious ? 'suspect' : 'wait' },
    limits: narrowing ? afterUnclear(limits, sent) : limits,
  };
}

import type { AckMessage, ConflictMessage, ErrorMessage, WireErrorCode } from '../base/protocol.js';
import type { Outcome } from './committer.js';
import { type Invalid, originOf } from './parse.js';
import type { StoredRecord } from './store.js';
import type { Write } from './write-rules.js';

export const iso = (ms: number): string => new Date(ms).toISOString();

/** When the newest edit of a record was made, on the wire. */
export const editTime = ({ editedAt }: Pick<StoredRecord, 'editedAt'>): { readonly editedAt?: string } =>
  editedAt === undefined ? {} : { editedAt: iso(editedAt) };

export const errorMessage = (
  code: WireErrorCode,
  error: string,
  metadata?: NonNullable<ErrorMessage['metadata']>,
): ErrorMessage => ({ type: 'error', error, code, ...(metadata && { metadata }) });

export const invalidMessage = ({ reason, metadata }: Invalid): ErrorMessage =>
  errorMessage('INVALID_MESSAGE', reason, metadata);

/** The answer to a write with an `opId`. */
export function answerTo(write: Write, opId: string, outcome: Outcome): AckMessage | ConflictMessage | ErrorMessage {
  const { collection, recordId } = write;
  switch (outcome.kind) {
    case 'applied': {
      const { version, at, now } = outcome;
      const data = now === undefined ? {} : { data: now };
      const metadata = { opId, version, seq: version, ...editTime(outcome) };
      return {
        type: 'ack',
        collection,
        recordId,
        ...data,
        timestamp: iso(at),
        metadata,
      };
    }
    case 'conflict': {
      const { data, version, updatedAt } = outcome.current;
      const metadata = {
        opId,
        version,
        ...editTime(outcome.current),
        ...(outcome.hidden && { hidden: true as const }),
      };
      return { type: 'conflict', collection, recordId, data, timestamp: iso(updatedAt), metadata };
    }
    case 'refused':
      return errorMessage(outcome.code, outcome.reason, originOf(write));
  }
}

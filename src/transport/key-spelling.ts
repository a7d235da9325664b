import { SyncLayerError } from '../base/errors.js';
import type { PushResult } from './transport.js';

const UUID = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

/**
 * An id as a database writes it whose column has one spelling for each value: a uuid, a number, a padded text.
 *
 * @example
 * usualSpelling('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'); // 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
 * usualSpelling('0071'); // '71'
 */
export function usualSpelling(id: string): string {
  const [, ...parts] = UUID.exec(id) ?? [];
  if (parts.length > 0) return parts.join('-').toLowerCase();
  const [, minus, digits] = /^\s*(?:\+|(-))?0*(\d+)\s*$/.exec(id) ?? [];
  return digits === undefined ? id.trimEnd() : digits === '0' ? digits : `${minus ?? ''}${digits}`;
}

/** The key under which the backend has a record, by its answer to an edit of it; undefined: it does not say. */
export function storedId(id: string, result: PushResult): string | undefined {
  if (result.type === 'applied') return result.recordId ?? id;
  return result.type === 'conflict' ? (result.current.recordId ?? id) : undefined;
}

/** A record goes on under the key as the backend writes it. */
export const adopted = (collection: string, recordId: string, storedAs: string): SyncLayerError => {
  const what = `Record ${JSON.stringify(recordId)} of "${collection}" is stored as ${JSON.stringify(storedAs)}`;
  const details = { collection, recordId, storedAs };
  return new SyncLayerError('VALIDATION_FAILED', `${what}, and goes on under that id. Save it so.`, { details });
};

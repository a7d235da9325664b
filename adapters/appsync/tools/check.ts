import { type Check, toSyncLayerError } from '../../../src/kit.js';

/** `fix`: what to do, in lines. */
const checked =
  (state: Check['state']) =>
  (what: string, ...fix: readonly string[]): Check => ({ what, state, ...(fix.length > 0 && { fix: fix.join('\n') }) });

export const ok = checked('ok');
export const wrong = checked('problem');
export const unknown = checked('unknown');

export const told = (thrown: unknown): string => toSyncLayerError(thrown, 'CONNECTION_LOST', 'It failed.').message;

import { type Check, toSyncLayerError } from '../kit.js';

/** `fix`: what to do, in lines. */
const checked =
  (state: Check['state']) =>
  (what: string, ...fix: readonly string[]): Check => ({ what, state, ...(fix.length > 0 && { fix: fix.join('\n') }) });

export const ok = checked('ok');
export const wrong = checked('problem');
export const unknown = checked('unknown');

/** What an error says. */
export const wordsOf = (thrown: unknown): string => toSyncLayerError(thrown, 'CONNECTION_LOST', 'It failed.').message;

/** Words beside SQL: the whole can be run as it is printed. */
export const remark = (text: string): string => text.replaceAll(/^(?!-- )/gm, '-- ');

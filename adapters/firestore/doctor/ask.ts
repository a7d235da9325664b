import { isSyncLayerError } from '../../../src/adapter-kit/kit.js';
import { codeOf } from '../errors.js';
import { answered, type Session } from '../link.js';

/** What came of a question to Firestore. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string | undefined; readonly said: string };

/** Asks, and takes a refusal for an answer. `ms`: how long it may take. */
export async function ask<T>(session: Session, work: Promise<T>, ms: number): Promise<Answer<T>> {
  try {
    // The next question may be answered all the same.
    const patient = { ...session, drop: () => undefined };
    return { ok: true, value: await answered(patient, work, 'Firestore', ms) };
  } catch (error) {
    const code = isSyncLayerError(error) ? String(error.details.code ?? error.code) : codeOf(error);
    const said = error instanceof Error ? error.message.trim().replace(/\s+/g, ' ') : String(error);
    return { ok: false, code, said: `Firestore said${code ? ` (${code})` : ''}: ${said}` };
  }
}

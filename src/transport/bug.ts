import { SyncLayerError } from '../base/errors.js';

/** How engines say that a value is not what the code takes it for. No platform says so of the network. */
const MISTAKE = /is not (a function|a constructor|iterable|an object|defined)|\b(undefined|null)\b/;

/**
 * Whether it is a mistake in a program, which no time cures. `fetch` fails with a TypeError too, where the network does. By name:
 * an error can come from another realm.
 */
export function isBug(error: unknown): boolean {
  const { name, message } = Object(error) as { readonly name?: unknown; readonly message?: unknown };
  return name === 'ReferenceError' || (name === 'TypeError' && MISTAKE.test(String(message)));
}

/** What to fail with, where a transport threw `error`. */
export function asThrown(transport: string, error: unknown): unknown {
  if (!isBug(error)) return error;
  const message = `The ${transport} transport has a bug: ${error}. Time does not mend it: it is looked at again at the next poll or audit.`;
  return new SyncLayerError('INTERNAL', message, { adapter: transport, cause: error });
}
